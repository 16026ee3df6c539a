"""Rows that are equal to each other, and rows of equal features whose classes contradict.

Hashes find the rows that may have a twin; only those are compared, cell by cell, so no answer
rests on a hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.api.findings import MAX_ROWS_LISTED, Finding
from hallmark.api.schema import Schema
from hallmark.data.table import Column, ColumnType, Table

Rows = npt.NDArray[np.intp]
"""Shape (n,): row numbers from 0, ascending."""

Groups = npt.NDArray[np.int64]
"""Shape (n,): rows of the same number belong together."""

_SAMPLE = 10_000
"""Rows that tell how many columns it takes to tell rows apart."""
_TELLING = (ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.TEXT, ColumnType.CATEGORY)
"""Types whose values tell rows apart, the best first."""


@dataclass(frozen=True)
class RepeatedRows:
    """The rows that are there more than once. An identifier does not tell rows apart here.

    Attributes:
        repeats: Rows that are equal to an earlier one.
        contradictory: Rows that have a twin of equal features and another class.
        twins: Rows that have a twin of equal features.
        groups: Shape of ``twins``: those of the same number have equal features.
    """

    repeats: Rows
    contradictory: Rows
    twins: Rows
    groups: Groups


def repeated_rows(table: Table, schema: Schema) -> RepeatedRows:
    """Return the rows that are there more than once.

    Args:
        table: The declared columns.
        schema: Names features and target.
    """
    names = [feature.name for feature in schema.features]
    twins, groups = equal_rows([table.column(name) for name in names])
    if not len(twins):
        return RepeatedRows(twins, twins, twins, groups)
    others = [
        column
        for column in table.columns
        if column.name not in names and not column.spec.identifier
    ]
    # Columns are numbered, so that none has the name of another.
    cells = [column.values.gather(twins).alias(str(number)) for number, column in enumerate(others)]
    whole = pl.DataFrame([pl.Series("group", groups), *cells])
    target = table.column(schema.target.name).values.gather(twins)
    return RepeatedRows(
        repeats=twins[~whole.to_struct().is_first_distinct().to_numpy()],
        contradictory=twins[_differ(groups, target)],
        twins=twins,
        groups=groups,
    )


def equal_rows(columns: Sequence[Column]) -> tuple[Rows, Groups]:
    """Return the rows that are equal to another in every column, and each one's group.

    Args:
        columns: What is compared; at least one.
    """
    suspects = _suspects(columns)
    if not len(suspects):
        return suspects, np.empty(0, dtype=np.int64)
    cells = [
        column.values.gather(suspects).alias(str(number)) for number, column in enumerate(columns)
    ]
    together = (
        pl.DataFrame(cells)
        .with_row_index("row")
        .group_by([cell.name for cell in cells], maintain_order=True)
        .agg("row")
        .get_column("row")
    )
    together = together.filter(together.list.len() > 1)
    rows = together.explode().to_numpy().astype(np.intp)
    groups = np.repeat(np.arange(len(together)), together.list.len().to_numpy())
    order = np.argsort(rows)
    return suspects[rows[order]], groups[order]


def _suspects(columns: Sequence[Column]) -> Rows:
    """Return the rows that may have a twin: all that have one, and few others."""
    telling = sorted(columns, key=lambda column: _rank(column.spec.type))
    values = [column.values for column in telling]
    few = _enough(values)
    rows = _shared(_keys(values[:few]))
    if few == len(values) or not len(rows):
        return rows
    return rows[_shared(_keys([series.gather(rows) for series in values]))]


def _rank(kind: ColumnType) -> int:
    return _TELLING.index(kind) if kind in _TELLING else len(_TELLING)


def _enough(values: Sequence[pl.Series]) -> int:
    """Return how many of the columns, the first ones, tell nearly all rows of a sample apart."""
    step = max(1, len(values[0]) // _SAMPLE)
    sample = pl.DataFrame(
        [series.gather_every(step).alias(str(number)) for number, series in enumerate(values)]
    )
    for few in range(1, len(values)):
        if sample[:, :few].n_unique() > 0.999 * len(sample):
            return few
    return len(values)


def _keys(values: Sequence[pl.Series]) -> npt.NDArray[np.generic]:
    """Return a key for each row, shape (rows,): equal rows have equal keys."""
    if len(values) == 1 and values[0].dtype.is_numeric() and not values[0].null_count():
        return values[0].to_numpy()
    return pl.DataFrame(values).hash_rows().to_numpy()


def _shared(keys: npt.NDArray[np.generic]) -> Rows:
    """Return the rows whose key is there more than once, ascending."""
    in_order = np.sort(keys)
    again = in_order[1:][in_order[1:] == in_order[:-1]]
    if not len(again):
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(np.isin(keys, np.unique(again)))


def _differ(groups: Groups, target: pl.Series) -> npt.NDArray[np.bool_]:
    """Return which rows' groups have more than one class, shape of ``groups``."""
    classes = target.rank("dense").fill_null(0).to_numpy()
    highest = np.zeros(groups.max() + 1, dtype=classes.dtype)
    lowest = np.full(groups.max() + 1, np.iinfo(classes.dtype).max, dtype=classes.dtype)
    np.maximum.at(highest, groups, classes)
    np.minimum.at(lowest, groups, classes)
    differ: npt.NDArray[np.bool_] = (highest != lowest)[groups]
    return differ


def shared_with_training(repeated: RepeatedRows, train: Rows, test: Rows) -> Rows:
    """Return the test rows whose features are those of a training row too.

    Args:
        repeated: Which rows have a twin.
        train: Rows that were learned from.
        test: Rows that are measured on.
    """
    learned = np.unique(repeated.groups[np.isin(repeated.twins, train)])
    known = repeated.twins[np.isin(repeated.groups, learned)]
    return np.intersect1d(test, known)


def duplicate_findings(repeated: RepeatedRows) -> Iterator[Finding]:
    """Yield a remark on equal rows, and one on rows that contradict each other."""
    if len(repeated.repeats):
        yield rows_finding(
            "Duplicate",
            repeated.repeats,
            "rows that differ in the declared columns",
            "a row equal to an earlier one",
        )
    if len(repeated.contradictory):
        yield rows_finding(
            "Contradiction",
            repeated.contradictory,
            "one class for rows of equal features",
            "a row of equal features and another class",
        )


def rows_finding(check: str, rows: Rows, expected: str, found: str) -> Finding:
    """Return a finding on whole rows.

    Args:
        check: The check.
        rows: Row numbers from 0, ascending; at least one.
        expected: What was expected.
        found: What was found.
    """
    listed = [int(row) + 1 for row in rows[:MAX_ROWS_LISTED]]
    return Finding(
        check=check,
        row=listed[0],
        rows=listed,
        count=len(rows),
        expected=expected,
        found=found,
    )
