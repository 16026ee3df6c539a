"""Features that know the answer: what a model would learn from them is of no use.

How much a feature tells of the target is Theil's uncertainty coefficient (Theil, On the
estimation of relationships involving qualitative variables, 1970)::

    U = I(target; feature) / H(target)

0 means nothing, 1 means that the feature determines the target. Mutual information I and entropy H
are those of the counted rows. A feature's values count as they are where there are few, numbers
in up to 64 bins of equally many rows and at least ten, and a null as a value of its own: that a
value is missing can tell the answer too. Values of fewer than ten rows count as one, for a rare
value determines its class by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.api.findings import Finding
from hallmark.api.schema import Schema
from hallmark.data.table import Column, ColumnType, Table

ALMOST = 0.9
"""From here on a feature almost determines the target. With two classes of equal size, a feature
that is wrong in 1.3 % of the rows has this coefficient."""
MAX_CLASSES = 64
"""More classes are no classes: the target is a number, or free text."""
_MAX_BINS = 64
_FEW = 10
_STRIDE = 262_144
"""Rows that are counted together: a few megabytes."""

Codes = npt.NDArray[np.int64]
"""Shape (rows,): the number, from 0, of each row's class, value or bin."""


@dataclass(frozen=True)
class Leakage:
    """The part of the target that a feature tells.

    Attributes:
        column: The feature.
        coefficient: Theil's U, 0 to 1.
        renamed: Whether the feature is the target itself, or the target with other names.
    """

    column: str
    coefficient: float
    renamed: bool


def measure_leakage(table: Table, schema: Schema) -> tuple[Leakage, ...]:
    """Return what each feature tells of the target; nothing where there are no classes.

    Args:
        table: The declared columns.
        schema: Names features and target.
    """
    target = table.column(schema.target.name).values
    classes = target.drop_nulls().unique().sort()
    if not 2 <= len(classes) <= MAX_CLASSES:
        return ()
    truth = _codes_of(target, classes.to_list()).astype(np.uint8)
    columns = [table.column(feature.name) for feature in schema.features]
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        return tuple(threads.map(lambda column: _measure(column, truth), columns))


def _measure(column: Column, truth: npt.NDArray[np.uint8]) -> Leakage:
    counts = _contingency(column, truth)
    renamed = counts.shape[0] == counts.shape[1] and bool(
        ((counts > 0).sum(axis=0) == 1).all() and ((counts > 0).sum(axis=1) == 1).all()
    )
    return Leakage(column.name, uncertainty_coefficient(_pool_rare(counts)), renamed)


def _contingency(column: Column, truth: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return how many rows have a value and a class, shape (values, classes)."""
    codes_of, codes = _coding(column)
    classes = int(truth.max()) + 1
    counts = np.zeros(codes * classes, dtype=np.int64)
    for start in range(0, len(truth), _STRIDE):
        part = codes_of(column.values.slice(start, _STRIDE)) * classes
        counts += np.bincount(part + truth[start : start + _STRIDE], minlength=len(counts))
    table = counts.reshape(codes, classes)
    used: npt.NDArray[np.int64] = table[table.any(axis=1)][:, table.any(axis=0)]
    return used


def _coding(column: Column) -> tuple[Callable[[pl.Series], Codes], int]:
    """Return what gives a part of the column its codes, and how many there are."""
    if column.spec.type is ColumnType.CATEGORY:
        names = column.spec.categories or ()
        return lambda values: _codes_of(values, names), len(names) + 1
    if column.spec.type is ColumnType.BOOLEAN:
        return lambda values: values.cast(pl.Int64).fill_null(2).to_numpy(), 3
    edges = _edges(column.values.drop_nulls().cast(pl.Float64).to_numpy())
    # A null is NaN as a number, which is beyond the last edge.
    return (
        lambda values: np.searchsorted(edges, values.cast(pl.Float64).to_numpy()),
        len(edges) + 1,
    )


def _codes_of(values: pl.Series, names: Sequence[str]) -> Codes:
    """Return the values' places among the names; a null or another value is the last."""
    codes = values.cast(pl.Enum(names), strict=False).to_physical().cast(pl.Int64)
    return codes.fill_null(len(names)).to_numpy()


def _edges(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the bins' upper ends: each number where there are few."""
    in_order = np.sort(numbers)
    steps = in_order[1:] != in_order[:-1]
    if np.count_nonzero(steps) < _MAX_BINS:
        return np.append(in_order[:1], in_order[1:][steps])
    bins = max(2, min(_MAX_BINS, len(in_order) // _FEW))
    return np.unique(in_order[np.arange(1, bins + 1) * len(in_order) // bins - 1])


def _pool_rare(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    rare = counts.sum(axis=1) < _FEW
    return np.vstack([counts[~rare], counts[rare].sum(axis=0)])


def uncertainty_coefficient(counts: npt.NDArray[np.int64]) -> float:
    """Return Theil's U of the columns given the rows of a contingency table, 0 to 1.

    Args:
        counts: Shape (values, classes).
    """
    total = counts.sum()
    entropy = _entropy(counts.sum(axis=0) / total)
    if not entropy:
        return 0.0
    shares = counts.sum(axis=1) / total
    rest: float = sum(
        share * _entropy(row / row.sum())
        for share, row in zip(shares, counts, strict=True)
        if share
    )
    return round(min(1.0, max(0.0, float(1 - rest / entropy))), 6)


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def refusals(leaks: Sequence[Leakage]) -> Iterator[Finding]:
    """Yield a refusal for each feature that is the target itself."""
    for leak in leaks:
        if leak.renamed:
            yield Finding(
                check="Leakage",
                column=leak.column,
                expected="a feature that is known before the answer is; leave this one out",
                found="the target itself, or the target under other names",
            )


def remarks(table: Table, leaks: Sequence[Leakage]) -> Iterator[Finding]:
    """Yield a remark for each feature that almost determines the target or numbers the rows."""
    for leak in leaks:
        if not leak.renamed and leak.coefficient >= ALMOST:
            yield Finding(
                check="Leakage",
                column=leak.column,
                expected="a feature that is known before the answer is",
                found=f"one that tells {leak.coefficient:.0%} of the target by itself",
            )
    for column in table.columns:
        if numbers_the_rows(column):
            yield Finding(
                check="Identifier",
                column=column.name,
                expected="a feature that says something of a row",
                found="whole numbers of which each stands once and few are left out, like a "
                "number of the row",
            )


def numbers_the_rows(column: Column) -> bool:
    """Whether a feature's whole numbers look given out one by one: distinct and dense."""
    span = column.extent if column.spec.type is ColumnType.INTEGER else None
    if span is None or column.values.null_count():
        return False
    rows = len(column.values)
    dense = span.maximum - span.minimum + 1 <= 2 * rows
    return dense and column.values.n_unique() == rows
