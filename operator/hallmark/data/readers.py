"""CSV, Parquet and JSON Lines: a file in, a polars frame or findings out.

Files may be compressed with gzip or zstd. They are read in blocks, so that the memory holds the
frame and one block: about 1.6 times the frame where a million rows have 20 numbers each.

The frame's columns are text (CSV) or what the file says (Parquet, JSON Lines); nothing is
interpreted yet. Names of columns that the schema may not know never stand in a finding, for a
file without a header line has a person's data there; a column is named by its position.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import polars as pl

from hallmark.api.dataset import CSVDialect, DataFormat
from hallmark.api.findings import Finding
from hallmark.api.model_policy import ReadLimits
from hallmark.data.compression import PIECE_BYTES, plain_pieces
from hallmark.data.failures import Unreadable, unreadable
from hallmark.data.frames import BLOCK_BYTES
from hallmark.data.readers_csv import read_csv
from hallmark.data.readers_json import read_json_lines
from hallmark.data.readers_parquet import read_parquet
from hallmark.data.table import ColumnType


def read(
    source: bytes | BinaryIO,
    data_format: DataFormat,
    limits: ReadLimits | None = None,
    *,
    dialect: CSVDialect | None = None,
    declared: Mapping[str, ColumnType] | None = None,
    file: str | None = None,
    piece_bytes: int = PIECE_BYTES,
    block_bytes: int = BLOCK_BYTES,
) -> pl.DataFrame | tuple[Finding, ...]:
    """Return the file's rows, or why they cannot be read.

    Args:
        source: The file's bytes, or the file open for reading; it must be able to seek.
        data_format: How to read them.
        limits: What is accepted at most; by default what a policy has by default.
        dialect: How a CSV file is written.
        declared: Types of declared columns. A CSV column declared as a number is stored as one
            where that loses no digit, in half of the memory.
        file: What findings call the file.
        piece_bytes: How many bytes of text are read at once.
        block_bytes: How many are parsed at once; no record may be longer.
    """
    limits = limits or ReadLimits()
    stream = io.BytesIO(source) if isinstance(source, bytes) else source

    def pieces() -> Iterator[bytes]:
        return plain_pieces(stream, limits, piece_bytes)

    try:
        _check_size(stream, limits)
        if data_format is DataFormat.PARQUET:
            return read_parquet(stream, limits, declared or (), piece_bytes)
        if data_format is DataFormat.JSON_LINES:
            return read_json_lines(pieces(), limits, declared or (), block_bytes)
        return read_csv(pieces, dialect or CSVDialect(), limits, declared or {}, block_bytes)
    except Unreadable as refusal:
        return tuple(finding.model_copy(update={"file": file}) for finding in refusal.findings)


def _check_size(stream: BinaryIO, limits: ReadLimits) -> None:
    size = stream.seek(0, io.SEEK_END)
    if not size:
        raise unreadable("File", "rows", "an empty file")
    if size > limits.max_bytes:
        raise unreadable("FileSize", f"at most {limits.max_bytes} bytes", f"{size} bytes")
