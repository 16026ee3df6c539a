"""What a Parquet file says of itself, and whether it agrees with itself, before it is decoded.

A footer may promise little and the pages hold much. So the footer (Thrift's compact protocol,
https://github.com/apache/parquet-format) and the header of every page are read here: sizes and
numbers of values must agree with each other, with the file's length and with the limits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from hallmark.api.model_policy import ReadLimits
from hallmark.data.failures import unreadable

_MARK = b"PAR1"
_ENCRYPTED = b"PARE"
_MAX_FOOTER = 16 << 20
_PAGE_HEADER = 1 << 16
_MAX_DEPTH = 16
_DATA, _INDEX, _DICTIONARY, _DATA_V2 = range(4)

Fields = dict[int, Any]
"""A Thrift struct: values by field number."""


class _DamagedError(Exception):
    """The bytes are no Thrift, or a field is not what it must be."""


def check_parquet(file: BinaryIO, limits: ReadLimits) -> None:
    """Refuse a file whose own numbers disagree or are beyond a limit.

    Raises:
        Unreadable: it is refused.
    """
    size = file.seek(0, 2)
    try:
        footer = _footer(file, size)
        _check_footer(footer, limits)
        for group in _list(footer, 4):
            rows = _number(group, 3)
            for chunk in _list(group, 1):
                if chunk.get(1):
                    raise _DamagedError("a column in another file")
                _check_chunk(file, size, _struct(chunk, 3), rows)
    except _DamagedError as error:
        raise unreadable("Parquet", "a whole Parquet file", f"a damaged one: {error}") from None


def _footer(file: BinaryIO, size: int) -> Fields:
    file.seek(0)
    first = file.read(4)
    file.seek(max(0, size - 8))
    last = file.read(8)
    if first == _ENCRYPTED or last[4:] == _ENCRYPTED:
        raise unreadable("Parquet", "a Parquet file in plain text", "an encrypted one")
    if size < 12 or first != _MARK or last[4:] != _MARK:
        raise unreadable("Parquet", "a Parquet file", f"{size} bytes without its marks")
    length = struct.unpack("<I", last[:4])[0]
    if length > min(size - 12, _MAX_FOOTER):
        raise _DamagedError(f"a footer of {length} bytes")
    file.seek(size - 8 - length)
    return _Thrift(file.read(length)).struct()


def _check_footer(footer: Fields, limits: ReadLimits) -> None:
    rows, groups = _number(footer, 3), _list(footer, 4)
    if rows > limits.max_rows:
        raise unreadable("Rows", f"at most {limits.max_rows} rows", f"{rows} rows")
    if sum(_number(group, 3) for group in groups) != rows:
        raise _DamagedError("its row groups have another number of rows")
    for group in groups:
        if len(_list(group, 1)) > limits.max_columns:
            raise unreadable(
                "Columns",
                f"at most {limits.max_columns} columns",
                f"{len(_list(group, 1))} columns",
            )
    whole = sum(_number(_struct(chunk, 3), 6) for group in groups for chunk in _list(group, 1))
    # A column of one value repeated takes no space in the file, but eight bytes a row in memory.
    width = max((len(_list(group, 1)) for group in groups), default=0)
    if max(whole, 8 * rows * width) > limits.max_decompressed_bytes:
        raise unreadable(
            "DecompressedSize",
            f"at most {limits.max_decompressed_bytes} bytes",
            f"{max(whole, 8 * rows * width)} bytes in {rows} rows",
        )


def _check_chunk(file: BinaryIO, size: int, column: Fields, rows: int) -> None:
    """Walk the pages of a column chunk; their numbers must add up to the footer's."""
    start = _number(column, 9)
    if column.get(11):  # the dictionary stands before the first data page
        start = min(start, _number(column, 11))
    compressed, plain = _number(column, 7), _number(column, 6)
    if start < 4 or start + compressed > size - 12:
        raise _DamagedError("a column outside the file")
    position, values, unpacked = start, 0, 0
    while position < start + compressed:
        file.seek(position)
        thrift = _Thrift(file.read(min(_PAGE_HEADER, start + compressed - position)))
        page = thrift.struct()
        body = _number(page, 3)
        unpacked += _number(page, 2) + thrift.position
        if page.get(1) in (_DATA, _DATA_V2):
            values += _number(_struct(page, 5 if page[1] == _DATA else 8), 1)
        elif page.get(1) not in (_INDEX, _DICTIONARY):
            raise _DamagedError("a page of an unknown kind")
        position += thrift.position + body
    if position != start + compressed or unpacked != plain:
        raise _DamagedError("pages of other sizes than its footer says")
    if values != _number(column, 5) or values < rows:
        raise _DamagedError("pages with another number of values than its footer says")


def _number(fields: Fields, name: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _DamagedError(f"no number where field {name} should be one")
    return value


def _list(fields: Fields, name: int) -> list[Fields]:
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise _DamagedError(f"no list where field {name} should be one")
    return value


def _struct(fields: Fields, name: int) -> Fields:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise _DamagedError(f"no struct where field {name} should be one")
    return value


@dataclass
class _Thrift:
    """A reader of Thrift's compact protocol."""

    data: bytes
    position: int = 0

    def struct(self, depth: int = 0) -> Fields:
        """Return the struct at the position."""
        if depth > _MAX_DEPTH:
            raise _DamagedError("a footer nested too deep")
        fields: Fields = {}
        name = 0
        while kind := self._byte():
            step = kind >> 4
            name = name + step if step else self._zigzag()
            fields[name] = self._value(kind & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return struct.unpack("<d", self._bytes(8))[0]
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            return self._items(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise _DamagedError("a field of an unknown kind")

    def _items(self, depth: int) -> list[object]:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._varint()
        if length > len(self.data):
            raise _DamagedError("a list longer than the file")
        kind = head & 15
        if kind in (1, 2):
            return [self._byte() == 1 for _ in range(length)]
        return [self._value(kind, depth + 1) for _ in range(length)]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, length: int) -> bytes:
        part = self.data[self.position : self.position + length]
        if len(part) < length:
            raise _DamagedError("a part that ends early")
        self.position += length
        return part

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise _DamagedError("a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
