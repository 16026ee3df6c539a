"""The data quality score: 0 to 100, the same for the same rows in any order.

The score is the weighted mean of five parts, each 100 times a share between 0 and 1:

=============  ======  ===================================================================
dimension      weight  share
=============  ======  ===================================================================
completeness     0.30  cells of the declared columns that are not null
validity         0.30  cells that have the declared type, range and category
uniqueness       0.15  rows that are not equal to another one (of equal rows one counts)
consistency      0.15  rows without a row of equal features and another class
balance          0.10  Shannon entropy of the classes, divided by that of equal classes
=============  ======  ===================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hallmark.api.report import QualityPart
from hallmark.data.schema import Validation
from hallmark.data.table import Table

WEIGHTS = {
    "completeness": 0.30,
    "validity": 0.30,
    "uniqueness": 0.15,
    "consistency": 0.15,
    "balance": 0.10,
}


def quality_parts(table: Table, validation: Validation, *, wrong_types: int) -> list[QualityPart]:
    """Return the five dimensions of the score.

    Args:
        table: The declared columns.
        validation: What the schema's checks counted.
        wrong_types: Cells of a wrong type; they are null in the table.
    """
    cells = table.rows * len(table.columns)
    nulls = sum(column.values.null_count() for column in table.columns) - wrong_types
    shares = {
        "completeness": 1 - nulls / cells,
        "validity": 1 - min(validation.invalid_cells + wrong_types, cells) / cells,
        "uniqueness": 1 - len(validation.repeated.repeats) / table.rows,
        "consistency": 1 - len(validation.repeated.contradictory) / table.rows,
        "balance": _balance(validation.class_rows),
    }
    return [
        QualityPart(dimension=name, score=round(100 * share, 6), weight=WEIGHTS[name])
        for name, share in shares.items()
    ]


def quality_score(parts: Sequence[QualityPart]) -> float:
    """Return the weighted mean of the parts, 0 to 100, to six digits."""
    return round(math.fsum(part.score * part.weight for part in parts), 6)


def _balance(counts: Sequence[int]) -> float:
    if len(counts) < 2:
        return 0.0
    total = sum(counts)
    entropy = -math.fsum(count / total * math.log(count / total) for count in counts)
    return entropy / math.log(len(counts))
