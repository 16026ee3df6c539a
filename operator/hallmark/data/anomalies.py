"""Values far from the rest of their column: remarks for people, never refusals."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from hallmark.api.findings import Finding
from hallmark.data.table import Column, ColumnType, Table, first_rows

FENCE = 3.0
"""Interquartile ranges beyond the quartiles: Tukey's outer fences (Exploratory Data Analysis,
1977)."""


@dataclass(frozen=True)
class Outliers:
    """The numbers beyond the fences of their columns.

    Attributes:
        findings: A remark for each column that has some.
        fraction: Their part of all numbers; None where there is no number.
    """

    findings: tuple[Finding, ...]
    fraction: float | None


def outliers(table: Table) -> Outliers:
    """Return the numbers beyond Tukey's outer fences.

    Args:
        table: The declared columns.
    """
    numeric = [
        column
        for column in table.columns
        if column.spec.type in (ColumnType.NUMBER, ColumnType.INTEGER)
    ]
    findings = tuple(remark for column in numeric if (remark := _column_outliers(column)))
    numbers = sum(len(column.values) - column.values.null_count() for column in numeric)
    beyond = sum(finding.count for finding in findings)
    return Outliers(findings, beyond / numbers if numbers else None)


def _column_outliers(column: Column) -> Finding | None:
    fences = tukey_fences(column.values)
    if fences is None or column.extent is None:
        return None
    low, high = fences
    if low <= column.extent.minimum and column.extent.maximum <= high:
        return None
    beyond = (column.values < low) | (column.values > high)
    rows = first_rows(beyond)
    if not rows:
        return None
    usual = "values near the rest" if column.spec.private else f"values from {low:g} to {high:g}"
    return Finding(
        check="Outlier",
        column=column.name,
        row=rows[0],
        rows=rows,
        count=int(beyond.sum()),
        expected=f"{usual} (quartiles and {FENCE:g} interquartile ranges)",
        found="values beyond",
    )


def tukey_fences(values: pl.Series) -> tuple[float, float] | None:
    """Return the outer fences, or None where the middle half of the values is all the same.

    Args:
        values: Numbers, or nulls.
    """
    low = values.quantile(0.25, interpolation="linear")
    high = values.quantile(0.75, interpolation="linear")
    if low is None or high is None or low == high:
        return None
    spread = FENCE * (high - low)
    return low - spread, high + spread
