"""Parquet: plain columns, after the file's own numbers were checked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from hallmark.api.model_policy import ReadLimits
from hallmark.data.compression import PIECE_BYTES, codec_of, peek, plain_pieces
from hallmark.data.failures import unreadable
from hallmark.data.frames import LongCells, check_header, check_rows
from hallmark.data.parquet_footer import check_parquet


def read_parquet(
    file: BinaryIO, limits: ReadLimits, piece_bytes: int = PIECE_BYTES
) -> pl.DataFrame:
    """Return the rows with the types that the file says; dictionaries of text become text.

    Raises:
        Unreadable: the file is damaged, nested or beyond a limit.
    """
    if codec_of(peek(file)) is None:
        return _read(file, limits)
    with tempfile.TemporaryFile() as plain:
        _copy(plain_pieces(file, limits, piece_bytes), plain, limits)
        return _read(plain, limits)


def _copy(pieces: Iterator[bytes], plain: BinaryIO, limits: ReadLimits) -> None:
    for piece in pieces:
        plain.write(piece)
        if plain.tell() > limits.max_bytes:
            raise unreadable("FileSize", f"at most {limits.max_bytes} bytes of Parquet", "more")


def _read(file: BinaryIO, limits: ReadLimits) -> pl.DataFrame:
    check_parquet(file, limits)
    file.seek(0)
    try:
        scan = pl.scan_parquet(_source(file), glob=False, hive_partitioning=False)
        schema = scan.collect_schema()
        check_header(schema.names(), limits)
        _check_types(schema)
        frame = scan.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        raise unreadable("Parquet", "a whole Parquet file", "a damaged one") from None
    check_rows(frame.height, limits)
    frame = pl.DataFrame([_plain(series) for series in frame.iter_columns()])
    long_cells = LongCells(limits)
    long_cells.look(frame, 0)
    long_cells.raise_if_any()
    return frame


def _source(file: BinaryIO) -> BinaryIO | str:
    """Return what polars opens: the very file that was checked, also where its name is gone."""
    try:
        return f"/proc/self/fd/{file.fileno()}"
    except (OSError, AttributeError):
        return file


def _check_types(schema: pl.Schema) -> None:
    for position, dtype in enumerate(schema.dtypes(), start=1):
        if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
            raise unreadable(
                "Parquet",
                "columns of plain values",
                f"{dtype.base_type().__name__} in column number {position}",
            )


def _plain(series: pl.Series) -> pl.Series:
    """Return dictionary-encoded text as text and empty text as null."""
    if series.dtype in (pl.Categorical, pl.Enum, pl.String):
        return series.cast(pl.String).replace("", None)
    return series
