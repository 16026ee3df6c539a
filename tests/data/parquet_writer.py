"""A writer of small Parquet files of any physical and logical type, by the format's specification.

polars writes only the types that it has itself; a file of another program may hold INT96, UUID,
BSON, intervals, enumerations, numbers of 16 bits or the same name twice. One row group, one plain
page to a column (https://github.com/apache/parquet-format).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

Thrift = tuple[int, int, object]
"""A field of a Thrift struct: number, type in the compact protocol, value."""
TRUE, FALSE, BYTE, I32, I64, BINARY, LIST, STRUCT = 1, 2, 3, 5, 6, 8, 9, 12


class Physical(IntEnum):
    """A physical type."""

    BOOLEAN = 0
    INT32 = 1
    INT64 = 2
    INT96 = 3
    FLOAT = 4
    DOUBLE = 5
    BYTE_ARRAY = 6
    FIXED_LEN_BYTE_ARRAY = 7


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        physical: How its values are stored.
        values: As the plain encoding has each, None for null; a bool for a BOOLEAN.
        length: Of a FIXED_LEN_BYTE_ARRAY.
        converted: The older annotation.
        logical: The newer one, as fields of the union.
        scale: Of a decimal.
        precision: Of a decimal.
        codec: The compression that the footer tells; nothing is compressed.
    """

    name: str
    physical: Physical
    values: Sequence[bytes | bool | None]
    length: int | None = None
    converted: int | None = None
    logical: Sequence[Thrift] | None = None
    scale: int | None = None
    precision: int | None = None
    codec: int = 0


def parquet(*columns: Column) -> bytes:
    """Return a file with these columns."""
    out = bytearray(b"PAR1")
    chunks = []
    for column in columns:
        start = len(out)
        body = _levels(column.values) + _plain(column)
        out += _struct([
            (1, I32, 0),
            (2, I32, len(body)),
            (3, I32, len(body)),
            (5, STRUCT, [(1, I32, len(column.values)), (2, I32, 0), (3, I32, 3), (4, I32, 3)]),
        ]) + body  # fmt: skip
        chunks.append([
            (2, I64, start),
            (3, STRUCT, [
                (1, I32, int(column.physical)),
                (2, LIST, (I32, [0, 3])),
                (3, LIST, (BINARY, [column.name.encode()])),
                (4, I32, column.codec),
                (5, I64, len(column.values)),
                (6, I64, len(out) - start),
                (7, I64, len(out) - start),
                (9, I64, start),
            ]),
        ])  # fmt: skip
    rows = len(columns[0].values) if columns else 0
    footer = _struct([
        (1, I32, 2),
        (2, LIST, (STRUCT, [
            [(4, BINARY, b"schema"), (5, I32, len(columns))],
            *map(_element, columns),
        ])),
        (3, I64, rows),
        (4, LIST, (STRUCT, [[
            (1, LIST, (STRUCT, chunks)), (2, I64, len(out) - 4), (3, I64, rows),
        ]])),
        (6, BINARY, b"hallmark tests"),
    ])  # fmt: skip
    return bytes(out + footer + struct.pack("<I", len(footer)) + b"PAR1")


def _element(column: Column) -> list[Thrift]:
    optional = [
        (2, I32, column.length),
        (6, I32, column.converted),
        (7, I32, column.scale),
        (8, I32, column.precision),
        (10, STRUCT, column.logical),
    ]
    given = [one for one in optional if one[2] is not None]
    fields: list[Thrift] = [
        (1, I32, int(column.physical)),
        (3, I32, 1),
        (4, BINARY, column.name.encode()),
        *given,
    ]
    return sorted(fields, key=lambda one: one[0])


def _levels(values: Sequence[object]) -> bytes:
    """Return definition levels: runs of 1 for a value and 0 for null."""
    runs = b"".join(_varint(1 << 1) + bytes([value is not None]) for value in values)
    return struct.pack("<I", len(runs)) + runs


def _plain(column: Column) -> bytes:
    present = [value for value in column.values if value is not None]
    if column.physical is Physical.BOOLEAN:
        bits = sum(1 << place for place, value in enumerate(present) if value)
        return bits.to_bytes((len(present) + 7) // 8, "little")
    cells = [value for value in present if isinstance(value, bytes)]
    if column.physical is Physical.BYTE_ARRAY:
        return b"".join(struct.pack("<I", len(cell)) + cell for cell in cells)
    return b"".join(cells)


def _struct(fields: Sequence[Thrift]) -> bytes:
    out = bytearray()
    last = 0
    for number, kind, value in fields:
        step = number - last
        head = bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + _varint(number << 1)
        out += head + _value(kind, value)
        last = number
    return bytes(out + b"\0")


def _value(kind: int, value: object) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if isinstance(value, bytes):
        return _varint(len(value)) + value
    if isinstance(value, int):
        return bytes([value]) if kind == BYTE else _varint(value << 1 ^ value >> 63)
    if isinstance(value, tuple):
        of, members = value
        head = min(len(members), 15) << 4 | of
        size = _varint(len(members)) if len(members) >= 15 else b""
        return bytes([head]) + size + b"".join(_value(of, member) for member in members)
    assert isinstance(value, list)
    return _struct(value)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
