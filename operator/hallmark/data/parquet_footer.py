"""What a Parquet file says of itself, and whether it agrees with itself, before it is decoded.

A footer may promise little and the pages hold much. So the footer (Thrift's compact protocol,
https://github.com/apache/parquet-format) and the header of every page are read here: sizes and
numbers of values must agree with each other, with the file's length and with the limits.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import BinaryIO

from hallmark.api.dataset import DataFormat
from hallmark.api.model_policy import ReadLimits
from hallmark.data.failures import unreadable
from hallmark.data.frames import check_header
from hallmark.data.parquet_schema import ParquetColumn, flat_columns
from hallmark.data.sniffing import HEAD_BYTES, foreign
from hallmark.data.thrift import DamagedError, Fields, Thrift, list_of, number, struct_of

_MARK = b"PAR1"
_ENCRYPTED = b"PARE"
_MAX_FOOTER = 16 << 20
_PAGE_HEADER = 1 << 16
_DATA, _INDEX, _DICTIONARY, _DATA_V2 = range(4)
_LZO = 3
"""A compression that is out of use; all others are read."""


def check_parquet(
    file: BinaryIO, limits: ReadLimits, declared: Collection[str] = ()
) -> tuple[ParquetColumn, ...]:
    """Return a file's columns; refuse it where its numbers disagree or are beyond a limit.

    Args:
        file: Open for reading.
        limits: What is accepted at most.
        declared: Names of columns that a finding may say.

    Raises:
        Unreadable: it is refused.
    """
    size = file.seek(0, 2)
    try:
        footer = _footer(file, size)
        columns = flat_columns(footer)
        check_header([column.name for column in columns], limits, declared)
        _check_footer(footer, limits)
        for group in list_of(footer, 4):
            rows = number(group, 3)
            for chunk in list_of(group, 1):
                if chunk.get(1):
                    raise DamagedError("a column in another file")
                _check_chunk(file, size, struct_of(chunk, 3), rows)
        return columns
    except DamagedError as error:
        raise unreadable("Parquet", "a whole Parquet file", f"a damaged one: {error}") from None


def _footer(file: BinaryIO, size: int) -> Fields:
    file.seek(0)
    first = file.read(4)
    file.seek(max(0, size - 8))
    last = file.read(8)
    if first == _ENCRYPTED or last[4:] == _ENCRYPTED:
        raise unreadable("Parquet", "a Parquet file in plain text", "an encrypted one")
    if first != _MARK:
        file.seek(0)
        found = foreign(file.read(HEAD_BYTES), DataFormat.PARQUET)
        otherwise = f"{size} bytes that do not begin as one does"
        raise unreadable("Parquet", "a Parquet file", found or otherwise)
    if size < 12 or last[4:] != _MARK:
        raise unreadable("Parquet", "a whole Parquet file", f"one that ends early ({size} bytes)")
    length = struct.unpack("<I", last[:4])[0]
    if length > min(size - 12, _MAX_FOOTER):
        raise DamagedError(f"a footer of {length} bytes")
    file.seek(size - 8 - length)
    footer = Thrift(file.read(length)).struct()
    # Its columns may be encrypted where the footer itself is not.
    if footer.get(8) or any(
        chunk.get(8) for group in list_of(footer, 4) for chunk in list_of(group, 1)
    ):
        raise unreadable("Parquet", "a Parquet file in plain text", "one with encrypted columns")
    return footer


def _check_footer(footer: Fields, limits: ReadLimits) -> None:
    rows, groups = number(footer, 3), list_of(footer, 4)
    if rows > limits.max_rows:
        raise unreadable("Rows", f"at most {limits.max_rows} rows", f"{rows} rows")
    if sum(number(group, 3) for group in groups) != rows:
        raise DamagedError("its row groups have another number of rows")
    for group in groups:
        if len(list_of(group, 1)) > limits.max_columns:
            raise unreadable(
                "Columns",
                f"at most {limits.max_columns} columns",
                f"{len(list_of(group, 1))} columns",
            )
    whole = sum(number(struct_of(chunk, 3), 6) for group in groups for chunk in list_of(group, 1))
    # A column of one value repeated takes no space in the file, but eight bytes a row in memory.
    width = max((len(list_of(group, 1)) for group in groups), default=0)
    if max(whole, 8 * rows * width) > limits.max_decompressed_bytes:
        raise unreadable(
            "DecompressedSize",
            f"at most {limits.max_decompressed_bytes} bytes",
            f"{max(whole, 8 * rows * width)} bytes in {rows} rows",
        )


def _check_chunk(file: BinaryIO, size: int, column: Fields, rows: int) -> None:
    """Walk the pages of a column chunk; their numbers must add up to the footer's."""
    if number(column, 4) == _LZO:
        raise unreadable("Parquet", "a compression in use, such as Snappy or Zstandard", "LZO")
    start = number(column, 9)
    if column.get(11):  # the dictionary stands before the first data page
        start = min(start, number(column, 11))
    compressed, plain = number(column, 7), number(column, 6)
    if start < 4 or start + compressed > size - 12:
        raise DamagedError("a column outside the file")
    position, values, unpacked = start, 0, 0
    while position < start + compressed:
        file.seek(position)
        thrift = Thrift(file.read(min(_PAGE_HEADER, start + compressed - position)))
        page = thrift.struct()
        body = number(page, 3)
        unpacked += number(page, 2) + thrift.position
        if page.get(1) in (_DATA, _DATA_V2):
            values += number(struct_of(page, 5 if page[1] == _DATA else 8), 1)
        elif page.get(1) not in (_INDEX, _DICTIONARY):
            raise DamagedError("a page of an unknown kind")
        position += thrift.position + body
    if position != start + compressed or unpacked != plain:
        raise DamagedError("pages of other sizes than its footer says")
    if values != number(column, 5) or values < rows:
        raise DamagedError("pages with another number of values than its footer says")
