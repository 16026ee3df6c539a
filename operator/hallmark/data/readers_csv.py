"""CSV, block by block: the memory holds the columns that are done and one block of text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import polars as pl

from hallmark.api.dataset import CSVDialect
from hallmark.api.model_policy import ReadLimits
from hallmark.data.csv_header import header_names
from hallmark.data.csv_structure import Structure, structure, whole_records
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
from hallmark.data.table import ColumnType

_LOSSLESS = {
    # A number that is stored as a double without a loss: its digits can be written again.
    ColumnType.NUMBER: (
        r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$",
        pl.Float64,
    ),
    ColumnType.INTEGER: (r"^-?(0|[1-9][0-9]{0,17})$", pl.Int64),
}

Pieces = Callable[[], Iterator[bytes]]
"""Starts the file's bytes, decompressed, from their beginning."""


def read_csv(
    pieces: Pieces,
    dialect: CSVDialect,
    limits: ReadLimits,
    declared: Mapping[str, ColumnType],
    block_bytes: int = BLOCK_BYTES,
) -> pl.DataFrame:
    """Return the rows: text, but numbers where that is declared and loses nothing.

    A column in which some cell is no plain number stays text from its first row on, so the file
    is read a second time where a late cell shows that.

    Raises:
        Unreadable: the file breaks the format's rules or a limit.
    """
    while True:
        reader = _Reader(dialect, limits, declared, block_bytes)
        for block in _blocks(utf8_pieces(pieces(), dialect.encoding), reader):
            reader.take(block)
        if not reader.late_text:
            return reader.frame()
        declared = {name: kind for name, kind in declared.items() if name not in reader.late_text}


def _blocks(pieces: Iterable[bytes], reader: _Reader) -> Iterator[bytes]:
    """Yield whole records in blocks of about ``reader.block_bytes``."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) >= reader.block_bytes:
            whole = bytes(data)
            length = whole_records(whole, reader.quote)
            if not length:
                reader.refuse_endless(whole)
            yield whole[:length]
            data = data[length:]
    if data:
        yield bytes(data)


class _Column:
    """A column's cells so far, and whether they are numbers."""

    def __init__(self, kind: ColumnType | None) -> None:
        self.kind = kind if kind in _LOSSLESS else None
        self.chunks: list[pl.Series] = []


class _Reader:
    def __init__(
        self,
        dialect: CSVDialect,
        limits: ReadLimits,
        declared: Mapping[str, ColumnType],
        block_bytes: int,
    ) -> None:
        self.delimiter, self.quote = dialect.delimiter.encode(), dialect.quote.encode()
        self._dialect, self._limits, self._declared = dialect, limits, declared
        self.block_bytes = block_bytes
        self._names: list[str] | None = None
        self._columns: list[_Column] = []
        self._rows = 0
        self._empty_lines = 0
        self._failures = Failures()
        self._long_cells = LongCells(limits)
        self.late_text: set[str] = set()

    def frame(self) -> pl.DataFrame:
        """Return all rows.

        Raises:
            Unreadable: there is none, or some are malformed.
        """
        self._failures.raise_if_any()
        self._long_cells.raise_if_any()
        if self._names is None:
            raise unreadable("Header", "a line of column names", "none")
        check_rows(self._rows, self._limits)
        pairs = zip(self._names, self._columns, strict=True)
        return pl.DataFrame([column_of(name, column.chunks) for name, column in pairs])

    def take(self, block: bytes) -> None:
        """Take whole records: the header first.

        Raises:
            Unreadable: nothing after this can be told.
        """
        if self._names is None:
            block = self._take_header(block)
        body = block.rstrip(b"\r\n")
        ends = block.count(b"\n", len(body))
        if not body:
            self._empty_lines += ends
            return
        if self._empty_lines:
            first = self._rows + 1
            self._ragged(0, np.arange(first, first + self._empty_lines))
            self._rows += self._empty_lines
        self._empty_lines = max(0, ends - 1)
        self._take_rows(body)
        if self._rows > self._limits.max_rows:
            check_rows(self._rows, self._limits)

    def refuse_endless(self, data: bytes) -> None:
        """Refuse a record that is longer than a block.

        Raises:
            Unreadable: always.
        """
        row = self._rows + 1 if self._names else None
        if self.quote and data.count(self.quote) % 2:
            raise unreadable(
                "CSV",
                "well-formed cells",
                f"a quotation not closed within {self.block_bytes} bytes",
                row,
            )
        raise unreadable(
            "CSV",
            f"records of at most {self.block_bytes} bytes",
            "a longer one (or no line ends)",
            row,
        )

    def _take_header(self, block: bytes) -> bytes:
        """Read the names; return what follows them."""
        line, rest = self._first_record(block)
        self._check_text(line, 0)
        shape = structure(line.rstrip(b"\r\n"), self.delimiter, self.quote)
        if shape.bad_quote is not None or shape.open_quote is not None:
            raise unreadable("Header", "a line of column names", "a broken quotation")
        if len(shape.lone_returns):
            raise unreadable("Header", "lines that end with LF or CRLF", "a CR alone")
        too_many_columns(int(shape.cells[0]), self._limits)
        names = header_names(line, self._dialect, self._declared)
        check_header(names, self._limits, self._declared)
        self._names = names
        self._columns = [_Column(self._declared.get(name)) for name in names]
        return rest

    def _first_record(self, block: bytes) -> tuple[bytes, bytes]:
        end = block.find(b"\n")
        while end >= 0 and self.quote and block.count(self.quote, 0, end) % 2:
            end = block.find(b"\n", end + 1)
        return (block, b"") if end < 0 else (block[: end + 1], block[end + 1 :])

    def _check_text(self, block: bytes, first_row: int) -> None:
        """Refuse bytes that are no text. The first record of the block is row ``first_row``."""
        nul = block.find(b"\0")
        if nul >= 0:
            row = first_row + self._row_at(block, nul)
            raise unreadable("Encoding", "text without NUL bytes", "a NUL byte", row)
        if block.isascii():
            return
        try:
            block.decode()
        except UnicodeDecodeError as error:
            row = first_row + self._row_at(block, error.start)
            raise unreadable(
                "Encoding",
                "UTF-8 (or another encoding, named in 'csv.encoding')",
                "another byte",
                row,
            ) from None

    def _row_at(self, block: bytes, position: int) -> int:
        return len(structure(block[:position], self.delimiter, self.quote).cells) - 1

    def _take_rows(self, body: bytes) -> None:
        """Take records, the last of which has no line end."""
        self._check_text(body, self._rows + 1)
        frame = None if self._failures else self._parse(body)
        rows = self._plain_rows(body, frame)
        if rows is None:
            shape = structure(body, self.delimiter, self.quote)
            self._gather_failures(shape)
            rows = len(shape.cells)
            if not self._failures and (frame is None or frame.height != rows):
                raise unreadable(
                    "CSV", "delimited text", "text that cannot be read as such", self._rows + 1
                )
        if frame is not None and not self._failures:
            self._long_cells.look(frame, self._rows)
            self._keep(frame)
        self._rows += rows

    def _plain_rows(self, body: bytes, frame: pl.DataFrame | None) -> int | None:
        """Return the number of rows of a block that needs no closer look, else None.

        Without quotes each line is a record. polars refuses a line with too many cells and fills
        one with too few with nulls, so its last cell is null.
        """
        if frame is None or (self.quote and self.quote in body):
            return None
        rows = body.count(b"\n") + 1
        short = frame.height != rows or frame.to_series(-1).null_count()
        return None if short or body.count(b"\r") != body.count(b"\r\n") else rows

    def _parse(self, body: bytes) -> pl.DataFrame | None:
        try:
            return pl.read_csv(
                io.BytesIO(body),
                has_header=False,
                schema={str(position): pl.String for position in range(len(self._columns))},
                separator=self._dialect.delimiter,
                quote_char=self._dialect.quote or None,
                glob=False,
            )
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return None

    def _gather_failures(self, shape: Structure) -> None:
        """Gather what is wrong; a broken quotation ends the reading, for no row after it counts.

        Raises:
            Unreadable: a quotation is broken.
        """
        bad = shape.bad_quote if shape.bad_quote is not None else shape.open_quote
        until = len(shape.cells) if bad is None else bad
        first = self._rows + 1
        wrong = shape.cells[:until] != len(self._columns)
        for cells in np.unique(shape.cells[:until][wrong]):
            self._ragged(int(cells), np.flatnonzero(shape.cells[:until] == cells) + first)
        self._failures.add(
            "LineEnd",
            "lines that end with LF or CRLF",
            "a CR alone",
            shape.lone_returns[shape.lone_returns < until] + first,
        )
        if bad is not None:
            self._failures.add(
                "CSV",
                "well-formed cells (or 'csv.quote' empty, where quotes are mere text)",
                "a quotation that is not closed or goes on after its end",
                [bad + first],
            )
            self._failures.raise_if_any()

    def _ragged(self, cells: int, rows: np.ndarray) -> None:
        found = f"{cells} cell{'s' if cells != 1 else ''}" if cells else "an empty line"
        self._failures.add("RaggedRow", f"{len(self._columns)} cells", found, rows)

    def _keep(self, frame: pl.DataFrame) -> None:
        """Keep the block's columns, as numbers where that loses nothing."""
        names = frame.columns
        # A quoted empty cell is an empty text, an unquoted one null: for us both are null.
        frame = frame.with_columns(pl.all().replace("", None))
        numeric = [index for index, column in enumerate(self._columns) if column.kind]
        plain = frame.select(
            pl.col(names[index]).str.contains(_LOSSLESS[self._kind(index)][0]).all()
            for index in numeric
        )
        casts = []
        for index in numeric:
            column = self._columns[index]
            if plain.item(0, names[index]):
                casts.append(pl.col(names[index]).cast(_LOSSLESS[self._kind(index)][1]))
            else:
                column.kind = None
                if column.chunks and self._names is not None:
                    self.late_text.add(self._names[index])
        for column, series in zip(self._columns, frame.with_columns(casts), strict=True):
            column.chunks.append(series)

    def _kind(self, index: int) -> ColumnType:
        return self._columns[index].kind or ColumnType.TEXT
