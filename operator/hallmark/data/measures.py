"""What was counted in the data, as the metrics that a gate can name. None: not defined here."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.report import QualityPart
from hallmark.data.anomalies import Outliers
from hallmark.data.quality import quality_score
from hallmark.data.schema import Validation


def data_metrics(
    rows: int, judged: Validation, parts: Sequence[QualityPart], found: Outliers
) -> dict[str, float | None]:
    """Return the metrics by name; fractions are from 0 to 1, quality from 0 to 100.

    Args:
        rows: How many there are.
        judged: What the schema's checks counted.
        parts: The dimensions of the quality score.
        found: The numbers far from the rest.
    """
    return {
        "dataQuality": quality_score(parts),
        **{f"quality.{part.dimension}": part.score for part in parts},
        "duplicateFraction": len(judged.repeated.repeats) / rows,
        "contradictionFraction": len(judged.repeated.contradictory) / rows,
        "outlierFraction": found.fraction,
        "minorityFraction": judged.class_rows[0] / rows if judged.class_rows else None,
        "smallestGroupRows": judged.smallest_group,
        "targetLeakage": max((leak.coefficient for leak in judged.leaks), default=None),
    }
