"""Whether numbers that differ still differ in float32, as a model takes them.

float32 has 24 binary digits: near 1.7e9 it knows only every 128th number. What counts is how many
numbers become one where they stand, and how few levels are left there; the spread of the whole
column says nothing, for a single row that is far from all others can set it.

A place is the 1,025 neighbouring float32 numbers around one that several became. Its numbers are
lost where at most three quarters as many are left, and where the rows fall on so few levels that
two of them share one with a chance above one in 64. In a place of more levels a merged number
loses no more than it would by an error of measurement.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.api.bounds import FLOAT32_MAX
from hallmark.api.columns import FeatureType
from hallmark.api.findings import Finding
from hallmark.api.schema import Schema
from hallmark.data.table import Table

_REACH = 512
"""Neighbours on either side, in float32 numbers."""
_KEPT = 0.75
_LEVELS = 64
_LOST = 10
"""So many numbers that one place loses are refused, however many rows stand elsewhere."""
_ROWS = 0.01
"""Fewer are refused where they hold this share of the rows."""
_NOISE = 2.0**-46
"""Doubles that are closer, relative to their size, differ by the order of a sum alone."""

_BEYOND = 2**32
"""Below the place of every float32 number."""

Whole = npt.NDArray[np.int64]


def check_precision(table: Table, schema: Schema) -> list[Finding]:
    """Return the features whose numbers float32 cannot hold or tell apart.

    Args:
        table: The columns as they are.
        schema: Names the features.
    """
    return [
        finding
        for feature in schema.features
        if feature.type in (FeatureType.NUMBER, FeatureType.INTEGER)
        for finding in _check_column(feature.name, table.column(feature.name).values.drop_nulls())
    ]


def _check_column(name: str, values: pl.Series) -> Iterator[Finding]:
    exact = values.to_numpy()
    huge = int((np.abs(exact.astype(np.float64)) > FLOAT32_MAX).sum())
    if huge:
        expected = f"numbers of at most {FLOAT32_MAX:.3g}: a model takes float32"
        yield Finding(
            check="Precision", column=name, expected=expected, found="a larger one", count=huge
        )
        return
    numbers, levels = merged(exact)
    if numbers:
        yield Finding(
            check="Precision",
            column=name,
            expected="numbers that still differ in float32, as a model takes them; subtract a "
            "constant from them, or round them to the digits that matter",
            found=f"{numbers} different numbers in one place that become {levels}",
        )


def merged(exact: npt.NDArray[np.generic]) -> tuple[int, int]:
    """Return how many different numbers become how few in the worst place; zeros if none is lost.

    Args:
        exact: Shape (rows,): int64 or float64, without nulls.
    """
    values, rows = np.unique(exact, return_counts=True)
    cells = _order(values)
    level = np.flatnonzero(np.diff(cells, prepend=-_BEYOND))
    if len(level) == len(values):
        return 0, 0
    numbers = np.add.reduceat(_apart(values, cells), level)
    held = np.add.reduceat(rows.astype(np.int64), level)
    several = np.flatnonzero(numbers > 1)
    places = cells[level]
    first = np.searchsorted(places, places[several] - _REACH)
    last = np.searchsorted(places, places[several] + _REACH, side="right")

    def in_place(counts: Whole) -> Whole:
        sums = np.concatenate([[0], np.cumsum(counts)])
        around: Whole = sums[last] - sums[first]
        return around

    different, left = in_place(numbers), last - first
    alike = in_place(held**2) / in_place(held).astype(np.float64) ** 2
    bad = (left <= _KEPT * different) & (alike > 1 / _LEVELS)
    if not bad.any():
        return 0, 0
    lost = np.where(bad, different - left, 0)
    worst = int(lost.argmax())
    if lost[worst] < _LOST and held[several][bad].sum() < _ROWS * len(exact):
        return 0, 0
    return int(different[worst]), int(left[worst])


def _order(values: npt.NDArray[np.generic]) -> Whole:
    """Return each number's float32, as its place in the order of all of them."""
    bits = values.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _apart(values: npt.NDArray[np.generic], cells: Whole) -> Whole:
    """Return 1 for each number that differs from the one before it by more than noise."""
    apart = np.ones(len(values), dtype=np.int64)
    if np.issubdtype(values.dtype, np.floating):
        numbers = values.astype(np.float64)
        near = np.diff(numbers) <= _NOISE * np.abs(numbers[1:])
        apart[1:] = ~near | (np.diff(cells) != 0)
    return apart
