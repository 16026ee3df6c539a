"""What every reader demands of a frame, whatever its format: names, sizes, plain columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from hallmark.api.model_policy import ReadLimits
from hallmark.data.failures import Failures, unreadable

BLOCK_BYTES = 8 << 20
"""Bytes of text that are parsed at once; a record or a line must not be longer."""
_NAME_BYTES = 1024


def check_rows(rows: int, limits: ReadLimits) -> None:
    """Refuse no rows, and too many.

    Raises:
        Unreadable: the number is not allowed.
    """
    if rows == 0:
        raise unreadable("Rows", "at least one row", "none")
    if rows > limits.max_rows:
        raise unreadable("Rows", f"at most {limits.max_rows} rows", "more of them")


def too_many_columns(width: int, limits: ReadLimits) -> None:
    """Refuse more columns than allowed.

    Raises:
        Unreadable: there are more.
    """
    if width > limits.max_columns:
        raise unreadable("Columns", f"at most {limits.max_columns} columns", f"{width} columns")


def check_header(names: Sequence[str], limits: ReadLimits, declared: Collection[str] = ()) -> None:
    """Refuse names that cannot tell columns apart.

    A name that the schema does not have is never repeated: it may be a datum.

    Raises:
        Unreadable: a name is missing, too long or there twice.
    """
    if not names:
        raise unreadable("Header", "a line of column names", "none")
    too_many_columns(len(names), limits)
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise unreadable(
                "Header", "a name for every column", f"none for column number {position}"
            )
        length = len(name.encode())
        if length > _NAME_BYTES:
            raise unreadable(
                "Header",
                f"names of at most {_NAME_BYTES} bytes",
                f"one of {length} bytes for column number {position}",
            )
        if name in seen:
            told = f"'{name}'" if name in declared else "the same name"
            raise unreadable(
                "Header",
                "each column name once",
                f"{told} for columns number {seen[name]} and {position}",
            )
        seen[name] = position


class LongCells:
    """A count of the cells that are longer than allowed."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limit = limits.max_cell_bytes
        self._failures = Failures()

    def look(self, frame: pl.DataFrame, rows_before: int) -> None:
        """Look at the text columns of the next rows."""
        for position, series in enumerate(frame.iter_columns(), start=1):
            if series.dtype != pl.String:
                continue
            lengths = series.str.len_bytes()
            longest = lengths.max()
            if isinstance(longest, int) and longest > self._limit:
                self._failures.add(
                    "CellSize",
                    f"cells of at most {self._limit} bytes",
                    f"a cell of {longest} bytes in column number {position}",
                    (lengths > self._limit).arg_true().to_numpy() + rows_before + 1,
                )

    def raise_if_any(self) -> None:
        """End the reading if a cell was too long.

        Raises:
            Unreadable: there was one.
        """
        self._failures.raise_if_any()


def column_of(name: str, chunks: list[pl.Series]) -> pl.Series:
    """Return the chunks as one column.

    They stay where they are: one buffer for all would need the column's memory twice.
    """
    return pl.concat(chunks, rechunk=False).alias(name)
