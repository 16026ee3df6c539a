"""Parquet: plain columns, after the file's own numbers were checked."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from typing import BinaryIO

import polars as pl

from hallmark.api.model_policy import ReadLimits
from hallmark.data.compression import PIECE_BYTES, codec_of, peek, plain_pieces
from hallmark.data.failures import Unreadable, unreadable
from hallmark.data.frames import LongCells, check_header, check_rows
from hallmark.data.parquet_footer import check_parquet
from hallmark.data.physical import READABLE, plain, storage_type, stored


def read_parquet(
    file: BinaryIO,
    limits: ReadLimits,
    declared: Collection[str] = (),
    piece_bytes: int = PIECE_BYTES,
) -> pl.DataFrame:
    """Return the rows in the type of their kind; dictionaries become what they stand for.

    Args:
        file: Open for reading; it must be able to seek.
        limits: What is accepted at most.
        declared: Names of columns that a finding may say.
        piece_bytes: How many bytes are decompressed at once.

    Raises:
        Unreadable: the file is damaged, nested or beyond a limit.
    """
    if codec_of(peek(file)) is None:
        return _read(file, limits, declared)
    with tempfile.TemporaryFile() as plain:
        _copy(plain_pieces(file, limits, piece_bytes), plain, limits)
        return _read(plain, limits, declared)


def _copy(pieces: Iterator[bytes], plain: BinaryIO, limits: ReadLimits) -> None:
    for piece in pieces:
        plain.write(piece)
        if plain.tell() > limits.max_bytes:
            raise unreadable("FileSize", f"at most {limits.max_bytes} bytes of Parquet", "more")


def _read(file: BinaryIO, limits: ReadLimits, declared: Collection[str]) -> pl.DataFrame:
    columns = check_parquet(file, limits, declared)
    for position, column in enumerate(columns, start=1):
        if column.unreadable:
            raise _no_plain_values(column.unreadable, _label(column.name, position, declared))
    file.seek(0)
    try:
        scan = pl.scan_parquet(_source(file), glob=False, hive_partitioning=False)
        schema = scan.collect_schema()
        check_header(schema.names(), limits)
        _check_types(schema, declared)
        frame = scan.collect()
        frame = pl.DataFrame([_plain(series) for series in frame.iter_columns()])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise _undecoded(str(error)) from None
    check_rows(frame.height, limits)
    long_cells = LongCells(limits)
    long_cells.look(frame, 0)
    long_cells.raise_if_any()
    return frame


def _undecoded(reason: str) -> Unreadable:
    """Return why a file cannot be decoded; the library's words are not repeated."""
    if "time zone" in reason:
        return unreadable(
            "Parquet",
            "timestamps of UTC or of a zone that has a name",
            "a zone that is not known, such as an offset of hours and minutes",
        )
    return unreadable(
        "Parquet", "a whole Parquet file", "a damaged one, or text in it that is not UTF-8"
    )


def _source(file: BinaryIO) -> BinaryIO | str:
    """Return what polars opens: the very file that was checked, also where its name is gone."""
    try:
        return f"/proc/self/fd/{file.fileno()}"
    except (OSError, AttributeError):
        return file


def _label(name: str, position: int, declared: Collection[str]) -> str:
    return f"column '{name}'" if name in declared else f"column number {position}"


def _check_types(schema: pl.Schema, declared: Collection[str]) -> None:
    """Refuse a type that the file's own schema did not give away."""
    for position, (name, dtype) in enumerate(schema.items(), start=1):
        stored = storage_type(dtype)
        if stored not in READABLE and stored != pl.Binary:
            label = _label(name, position, declared)
            raise _no_plain_values(f"the type {stored.base_type().__name__}", label)


def _no_plain_values(found: str, label: str) -> Unreadable:
    return unreadable("Parquet", "columns of plain values", f"{found} in {label}")


def _plain(series: pl.Series) -> pl.Series:
    """Return the column in the type of its kind, and empty text as null."""
    # Enumerations and JSON come as bytes; what is not text at all was refused before.
    series = stored(series)
    series = plain(series.cast(pl.String) if series.dtype == pl.Binary else series)
    return series.replace("", None) if series.dtype == pl.String else series
