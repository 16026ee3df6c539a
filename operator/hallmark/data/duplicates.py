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

from hallmark.api.artifacts import MAX_ROWS_LISTED, Finding
from hallmark.api.training_run import Schema
from hallmark.data.table import Column, ColumnType, Table

Rows = npt.NDArray[np.intp]
"""Shape (n,): row numbers from 0, ascending."""

Groups = npt.NDArray[np.int64]
"""Shape (n,): rows of the same number belong together."""

_FIRST_LOOK = 2
"""So many columns are hashed for all rows; two numbers rarely agree by chance."""
_TELLING = (ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.TEXT, ColumnType.CATEGORY)
"""Types whose values tell rows apart, the best first."""


@dataclass(frozen=True)
class RepeatedRows:
    """Which rows are there more than once. An identifier does not tell rows apart here.

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
    others = [each for each in table.columns if each.name not in names and not each.spec.identifier]
    # Columns are numbered, so that none has the name of another.
    cells = [each.values.gather(twins).alias(str(i)) for i, each in enumerate(others)]
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
    cells = [each.values.gather(suspects).alias(str(i)) for i, each in enumerate(columns)]
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
    rows = np.arange(len(columns[0].values), dtype=np.intp)
    for looked_at in (telling[:_FIRST_LOOK], telling):
        whole = len(rows) == len(columns[0].values)
        cells = pl.DataFrame(
            [each.values if whole else each.values.gather(rows) for each in looked_at]
        )
        rows = rows[_shared(cells.hash_rows().to_numpy())]
        if not len(rows):
            break
    return rows


def _rank(kind: ColumnType) -> int:
    return _TELLING.index(kind) if kind in _TELLING else len(_TELLING)


def _shared(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return which hashes are there more than once, shape (rows,)."""
    in_order = np.sort(hashes)
    again = in_order[1:][in_order[1:] == in_order[:-1]]
    if not len(again):
        return np.zeros(len(hashes), dtype=np.bool_)
    shared: npt.NDArray[np.bool_] = np.isin(hashes, np.unique(again))
    return shared


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
        test: Rows that are judged by.
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
