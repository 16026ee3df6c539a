"""What was counted in the data, as the metrics that a gate can name. None: not defined here."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.report import QualityPart
from hallmark.data.anomalies import Outliers
from hallmark.data.quality import quality_score
from hallmark.data.schema import Validation


def data_metrics(
    rows: int, validation: Validation, parts: Sequence[QualityPart], outliers: Outliers
) -> dict[str, float | None]:
    """Return the metrics by name; fractions are from 0 to 1, quality from 0 to 100.

    Args:
        rows: How many there are.
        validation: What the schema's checks counted.
        parts: The dimensions of the quality score.
        outliers: The numbers far from the rest.
    """
    return {
        "dataQuality": quality_score(parts),
        **{f"quality.{part.dimension}": part.score for part in parts},
        "duplicateFraction": len(validation.repeated.repeats) / rows,
        "contradictionFraction": len(validation.repeated.contradictory) / rows,
        "outlierFraction": outliers.fraction,
        "minorityFraction": validation.class_rows[0] / rows if validation.class_rows else None,
        "smallestGroupRows": validation.smallest_group,
        "targetLeakage": max((leak.coefficient for leak in validation.leaks), default=None),
    }
