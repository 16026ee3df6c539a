"""JSON Lines, block by block: one object to a line, one type to a column."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from hallmark.api.dataset import CSVEncoding, DataFormat
from hallmark.api.model_policy import ReadLimits
from hallmark.data.encodings import utf8_pieces
from hallmark.data.failures import Failures, unreadable
from hallmark.data.frames import (
    BLOCK_BYTES,
    LongCells,
    check_header,
    check_rows,
    column_of,
    too_many_columns,
)
from hallmark.data.json_lines import TOO_LONG, json_record, json_type
from hallmark.data.readers_json_fast import read_uniform

_TYPES = {
    "text": (pl.String,),
    "number": (pl.Int64, pl.Float64),
    "boolean": (pl.Boolean,),
}
_NESTED = "plain values, none of them nested"
_EXPECTED = {
    TOO_LONG: "whole numbers of at most 64 bits and finite fractions",
    "object": _NESTED,
    "array": _NESTED,
}
"""What a column may hold, where a cell can stand in none."""


def read_json_lines(
    pieces: Iterator[bytes],
    limits: ReadLimits,
    declared: Collection[str] = (),
    block_bytes: int = BLOCK_BYTES,
) -> pl.DataFrame:
    """Return the rows: text, numbers (whole where all are) and booleans as the file says.

    Args:
        pieces: The file's bytes, decompressed.
        limits: What is accepted at most.
        declared: Names of columns that a finding may say.
        block_bytes: How many bytes are parsed at once.

    Raises:
        Unreadable: the file breaks the format's rules or a limit.
    """
    reader = _Reader(limits, declared)
    for block in _blocks(utf8_pieces(pieces, CSVEncoding.UTF8, DataFormat.JSON_LINES), block_bytes):
        reader.take(block)
    return reader.frame()


def _blocks(pieces: Iterable[bytes], block_bytes: int) -> Iterator[bytes]:
    """Yield whole lines in blocks of about ``block_bytes``."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) >= block_bytes:
            length = data.rfind(b"\n") + 1
            if not length:
                raise unreadable(
                    "JSONLines", f"lines of at most {block_bytes} bytes", "a longer one"
                )
            yield bytes(data[:length])
            data = data[length:]
    if data:
        yield bytes(data)


@dataclass
class _Column:
    """A column's cells so far and the type of the first cell that is not null."""

    kind: str | None = None
    rows: int = 0
    chunks: list[pl.Series] = field(default_factory=list)

    def fill(self, rows: int) -> None:
        """Add nulls until there are ``rows`` cells."""
        if rows > self.rows:
            self.add(pl.Series([None], dtype=pl.Null).new_from_index(0, rows - self.rows))

    def add(self, cells: pl.Series) -> None:
        """Add cells."""
        # polars' parser reserves more than it fills.
        self.chunks.append(cells.shrink_to_fit())
        self.rows += len(cells)

    def inexact(self) -> list[int]:
        """Return the 1-based rows of whole numbers that no double holds, if fractions need some."""
        if pl.Float64 not in {chunk.dtype for chunk in self.chunks}:
            return []
        rows, before = [], 0
        for chunk in self.chunks:
            if chunk.dtype == pl.Int64:
                changed = chunk.cast(pl.Float64).cast(pl.Int64, strict=False).ne_missing(chunk)
                rows += [before + int(row) + 1 for row in changed.arg_true()]
            before += len(chunk)
        return rows

    def series(self, name: str) -> pl.Series:
        """Return all cells as one column."""
        types = {chunk.dtype for chunk in self.chunks} - {pl.Null()}
        whole = pl.Float64() if pl.Float64 in types else next(iter(types), pl.String())
        self.chunks[:] = [
            chunk if chunk.dtype == whole else chunk.cast(whole) for chunk in self.chunks
        ]
        return column_of(name, self.chunks)


class _Reader:
    def __init__(self, limits: ReadLimits, declared: Collection[str]) -> None:
        self._limits = limits
        self._declared = frozenset(declared)
        self._columns: dict[str, _Column] = {}
        self._rows = 0
        self._failures = Failures()
        self._long_cells = LongCells(limits)

    def frame(self) -> pl.DataFrame:
        """Return all rows.

        Raises:
            Unreadable: there is none, or some are malformed.
        """
        for position, (name, column) in enumerate(self._columns.items(), start=1):
            self._beside_fractions(self._label(name, position), column.inexact())
        self._failures.raise_if_any()
        self._long_cells.raise_if_any()
        check_rows(self._rows, self._limits)
        check_header(list(self._columns), self._limits, self._declared)
        for column in self._columns.values():
            column.fill(self._rows)
        return pl.DataFrame([column.series(name) for name, column in self._columns.items()])

    def take(self, block: bytes) -> None:
        """Take whole lines.

        Raises:
            Unreadable: nothing after this can be told.
        """
        self._check_text(block)
        frame = None if self._failures else read_uniform(block, self._limits.max_columns)
        if frame is None or not self._fits(frame):
            frame, rows = self._carefully(block)
        else:
            rows = frame.height
        if not self._failures:
            self._long_cells.look(frame, self._rows)
            for name, series in zip(frame.columns, frame.iter_columns(), strict=True):
                column = self._columns.setdefault(name, _Column())
                column.kind = column.kind or _kind_of(series)
                column.fill(self._rows)
                text = series.dtype == pl.String
                column.add(series.replace("", None) if text else series)
        self._rows += rows
        if self._rows > self._limits.max_rows:
            check_rows(self._rows, self._limits)

    def _label(self, name: str, position: int) -> str:
        """Return what a finding calls a column: by a name that the schema has, else its place."""
        return f"column '{name}'" if name in self._declared else f"column number {position}"

    def _beside_fractions(self, label: str, rows: list[int]) -> None:
        self._failures.add(
            "JSONLines",
            "whole numbers that a double holds, in a column that has fractions too",
            f"one that none holds in {label}",
            rows,
        )

    def _check_text(self, block: bytes) -> None:
        nul = block.find(b"\0")
        if nul >= 0:
            row = self._row_at(block, nul)
            raise unreadable("Encoding", "text without NUL bytes", "a NUL byte", row)
        try:
            block.decode()
        except UnicodeDecodeError as error:
            row = self._row_at(block, error.start)
            raise unreadable("Encoding", "UTF-8", "another byte", row) from None

    def _row_at(self, block: bytes, position: int) -> int:
        lines = block[:position].split(b"\n")
        return self._rows + sum(1 for line in lines[:-1] if line.strip()) + 1

    def _fits(self, frame: pl.DataFrame) -> bool:
        """Whether the columns have the types that they had before."""
        too_many_columns(len({*self._columns, *frame.columns}), self._limits)
        for name, series in zip(frame.columns, frame.iter_columns(), strict=True):
            before = self._columns.get(name)
            kind = _kind_of(series)
            if before is not None and before.kind and kind and before.kind != kind:
                return False
        return True

    def _carefully(self, block: bytes) -> tuple[pl.DataFrame, int]:
        """Parse line by line and gather what is wrong; return the columns and number of rows."""
        records: list[dict[str, object]] = []
        names = dict.fromkeys(self._columns)
        for line in block.decode().split("\n"):
            if not line.strip():
                continue
            record = json_record(line)
            if isinstance(record, str):
                row = self._rows + len(records) + 1
                self._failures.add("JSONLines", "a JSON object", record, [row])
                record = {}
            records.append(record)
            if not record.keys() <= names.keys():
                names.update(dict.fromkeys(record))
                too_many_columns(len(names), self._limits)
        series = [
            self._column(name, position, [record.get(name) for record in records])
            for position, name in enumerate(names, start=1)
        ]
        return pl.DataFrame(series), len(records)

    def _column(self, name: str, position: int, cells: list[object]) -> pl.Series:
        """Return the cells as one column; those that do not fit are failures."""
        before = self._columns.get(name)
        kinds = list(map(json_type, cells))
        # Only a type that a column may have decides: else the rows that are right would be blamed.
        kind = (before.kind if before else None) or next(
            (cell_kind for cell_kind in kinds if cell_kind in _TYPES), None
        )
        bad: dict[str, list[int]] = {}
        for row, cell_kind in enumerate(kinds, start=self._rows + 1):
            if cell_kind is not None and (cell_kind != kind or cell_kind not in _TYPES):
                bad.setdefault(cell_kind, []).append(row)
        label = self._label(name, position)
        for bad_kind, rows in bad.items():
            self._failures.add(
                "JSONLines",
                _EXPECTED.get(bad_kind) or f"plain values of one type in a column, here {kind}",
                f"a JSON {bad_kind} in {label}",
                rows,
            )
        if bad or kind is None:
            return pl.Series(name, [None] * len(cells), dtype=pl.Null)
        return self._of_kind(name, label, kind, cells)

    def _of_kind(self, name: str, label: str, kind: str, cells: list[object]) -> pl.Series:
        if kind != "number":
            return pl.Series(name, cells, dtype=_TYPES[kind][0])
        if not any(isinstance(cell, float) for cell in cells):
            return pl.Series(name, cells, dtype=pl.Int64)
        inexact = [
            row
            for row, cell in enumerate(cells, start=self._rows + 1)
            if isinstance(cell, int) and int(float(cell)) != cell
        ]
        self._beside_fractions(label, inexact)
        return pl.Series(name, cells, dtype=pl.Float64, strict=False)


def _kind_of(series: pl.Series) -> str | None:
    if series.null_count() == len(series):
        return None
    return next((kind for kind, types in _TYPES.items() if series.dtype in types), None)
