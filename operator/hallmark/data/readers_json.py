"""JSON Lines, block by block: one object to a line, one type to a column."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from hallmark.api.model_policy import ReadLimits
from hallmark.api.training_run import CSVEncoding
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
from hallmark.data.readers_json_fast import read_uniform

_INT64 = 2**63
_TYPES = {
    "text": (pl.String,),
    "number": (pl.Int64, pl.Float64),
    "boolean": (pl.Boolean,),
}


def read_json_lines(
    pieces: Iterator[bytes], limits: ReadLimits, block_bytes: int = BLOCK_BYTES
) -> pl.DataFrame:
    """Return the rows: text, numbers (whole where all are) and booleans as the file says.

    Raises:
        Unreadable: the file breaks the format's rules or a limit.
    """
    reader = _Reader(limits)
    for block in _blocks(utf8_pieces(pieces, CSVEncoding.UTF8), block_bytes):
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

    def series(self, name: str) -> pl.Series:
        """Return all cells as one column."""
        types = {chunk.dtype for chunk in self.chunks} - {pl.Null()}
        whole = pl.Float64() if pl.Float64 in types else next(iter(types), pl.String())
        self.chunks[:] = [
            chunk if chunk.dtype == whole else chunk.cast(whole) for chunk in self.chunks
        ]
        return column_of(name, self.chunks)


class _Reader:
    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._columns: dict[str, _Column] = {}
        self._rows = 0
        self._failures = Failures()
        self._long_cells = LongCells(limits)

    def frame(self) -> pl.DataFrame:
        """Return all rows.

        Raises:
            Unreadable: there is none, or some are malformed.
        """
        self._failures.raise_if_any()
        self._long_cells.raise_if_any()
        check_rows(self._rows, self._limits)
        check_header(list(self._columns), self._limits)
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
            record = _json_record(line)
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
        kind = before.kind if before else None
        kinds = list(map(_json_type, cells))
        kind = kind or next(filter(None, kinds), None)
        bad: dict[str, list[int]] = {}
        for row, cell_kind in enumerate(kinds, start=self._rows + 1):
            if cell_kind is not None and (cell_kind != kind or cell_kind not in _TYPES):
                bad.setdefault(cell_kind, []).append(row)
        for bad_kind, rows in bad.items():
            self._failures.add(
                "JSONLines",
                "plain values of one type in a column",
                f"a JSON {bad_kind} in column number {position}",
                rows,
            )
        if bad or kind is None:
            return pl.Series(name, [None] * len(cells), dtype=pl.Null)
        if kind == "number":
            whole = not any(isinstance(cell, float) for cell in cells)
            return pl.Series(name, cells, dtype=pl.Int64 if whole else pl.Float64, strict=False)
        return pl.Series(name, cells, dtype=_TYPES[kind][0])


def _kind_of(series: pl.Series) -> str | None:
    if series.null_count() == len(series):
        return None
    return next((kind for kind, types in _TYPES.items() if series.dtype in types), None)


class _BadLineError(Exception):
    """The reason why a line of JSON is refused; the text holds no value of it."""


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _BadLineError("a name twice")
    return row


def _no_constant(name: str) -> object:
    raise _BadLineError(f"{name}, which JSON does not know")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_pairs, parse_constant=_no_constant)


def _json_record(line: str) -> dict[str, object] | str:
    """Return the line's object, or what was found instead."""
    try:
        record = _DECODER.decode(line.strip())
    except _BadLineError as error:
        return str(error)
    except (json.JSONDecodeError, RecursionError):
        return f"text of {len(line)} characters that is no JSON"
    except ValueError:
        return "a number with too many digits"
    if not isinstance(record, dict):
        return f"a JSON {_json_type(record) or 'null'}"
    if "\\u" in line and not all(_is_unicode(text) for text in (*record, *record.values())):
        return "text with half of a surrogate pair, which is no character"
    return record


def _is_unicode(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_type(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number" if -_INT64 <= value < _INT64 else "number out of range"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else "number out of range"
    if isinstance(value, dict):
        return "object"
    return "text" if isinstance(value, str) else "array"
