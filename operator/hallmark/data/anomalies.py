"""Values far from the rest: remarks for people, never refusals."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from hallmark.api.artifacts import Finding
from hallmark.data.table import Column, ColumnType, Table

FENCE = 3.0
"""Interquartile ranges beyond the quartiles: Tukey's outer fences (Exploratory Data Analysis,
1977)."""


def outliers(table: Table) -> Iterator[Finding]:
    """Yield a remark for each numeric column that has values beyond Tukey's outer fences."""
    for column in table.columns:
        if column.spec.type in (ColumnType.NUMBER, ColumnType.INTEGER):
            finding = _column_outliers(column)
            if finding:
                yield finding


def _column_outliers(column: Column) -> Finding | None:
    fences = tukey_fences(column.values)
    if fences is None:
        return None
    low, high = fences
    beyond = ((column.values < low) | (column.values > high)).fill_null(value=False)
    count = int(beyond.sum())
    if not count:
        return None
    usual = "values near the rest" if column.spec.private else f"values from {low:g} to {high:g}"
    return Finding(
        check="Outlier",
        column=column.name,
        row=(beyond.arg_max() or 0) + 1,
        count=count,
        expected=f"{usual} (quartiles and {FENCE:g} interquartile ranges)",
        found="values beyond",
    )


def tukey_fences(values: pl.Series) -> tuple[float, float] | None:
    """Return the outer fences, or None where the middle half of the values is all the same."""
    low = values.quantile(0.25, interpolation="linear")
    high = values.quantile(0.75, interpolation="linear")
    if low is None or high is None or low == high:
        return None
    spread = FENCE * (high - low)
    return low - spread, high + spread
