"""The columns that a Parquet file says it has, and which of them hold plain values.

By the file's own schema (https://github.com/apache/parquet-format/blob/master/LogicalTypes.md), so
that what cannot be read is called what it is, before anything tries to decode it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.data.failures import unreadable
from hallmark.data.thrift import DamagedError, Fields, list_of, number, struct_of

_BYTES, _FIXED_BYTES = 6, 7
_REPEATED = 2
_NESTED = {1: "a map", 2: "a map", 3: "a list"}
"""Converted types of groups."""
_TEXTS = {0: "text", 4: "an enumeration", 19: "JSON"}
"""Converted types of bytes that are text in UTF-8."""
_OTHER_BYTES = {20: "BSON", 21: "an interval"}
_DECIMAL = 5
_MAX_DIGITS = 38
_LAST_CONVERTED, _LAST_LOGICAL = 21, 18
# Members of the union LogicalType, which newer files have instead of a converted type.
_LOGICAL_NESTED = {2: "a map", 3: "a list", 16: "a variant"}
_LOGICAL_TEXTS = {1: "text", 4: "an enumeration", 12: "JSON"}
_LOGICAL_NUMBERS = {5: "a decimal", 11: "nulls", 15: "a number of 16 bits"}
_LOGICAL_OTHERS = {13: "BSON", 14: "a UUID", 17: "a geometry", 18: "a geography"}


@dataclass(frozen=True)
class ParquetColumn:
    """A column at the top of the schema.

    Attributes:
        name: As it stands in the file.
        unreadable: What it is, if it does not hold plain values.
    """

    name: str
    unreadable: str | None


def flat_columns(footer: Fields) -> tuple[ParquetColumn, ...]:
    """Return the columns at the top of a file's schema.

    Raises:
        DamagedError: the schema is none.
        Unreadable: a name is no text.
    """
    elements = list_of(footer, 2)
    if not elements:
        raise DamagedError("no schema")
    columns: list[ParquetColumn] = []
    position = 1
    for _ in range(_optional(elements[0], 5) or 0):
        if position >= len(elements):
            raise DamagedError("a schema that ends early")
        columns.append(_column(elements[position], len(columns) + 1))
        position = _after(elements, position)
    return tuple(columns)


def _after(elements: list[Fields], position: int) -> int:
    """Return where the element behind one and all below it stands."""
    open_elements = 1
    while open_elements:
        if position >= len(elements):
            raise DamagedError("a schema that ends early")
        children = elements[position].get(5)
        open_elements += (children if isinstance(children, int) and children > 0 else 0) - 1
        position += 1
    return position


def _column(element: Fields, position: int) -> ParquetColumn:
    raw = element.get(4)
    if not isinstance(raw, bytes):
        raise DamagedError("a column without a name")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise unreadable(
            "Header", "names in UTF-8", f"other bytes as the name of column number {position}"
        ) from None
    return ParquetColumn(name, _unreadable(element))


def _optional(element: Fields, name: int) -> int | None:
    return None if element.get(name) is None else number(element, name)


def _unreadable(element: Fields) -> str | None:
    """Return what a column holds, if that is no plain value."""
    converted, logical = _optional(element, 6), None
    if element.get(10) is not None:
        logical = next(iter(struct_of(element, 10)), None)
    if element.get(5):
        return _LOGICAL_NESTED.get(logical or 0) or _NESTED.get(converted or 0, "a struct")
    if element.get(3) == _REPEATED:
        return "a list"
    if logical in _LOGICAL_OTHERS or converted in _OTHER_BYTES:
        return _LOGICAL_OTHERS.get(logical or 0) or _OTHER_BYTES[converted or 0]
    if (converted or 0) > _LAST_CONVERTED or (logical or 0) > _LAST_LOGICAL:
        return "a type of a later version of the format"
    if (_optional(element, 8) or 0) > _MAX_DIGITS:
        return f"a decimal of more than {_MAX_DIGITS} digits"
    if element.get(1) not in (_BYTES, _FIXED_BYTES):
        return None
    known = logical in _LOGICAL_NUMBERS or converted == _DECIMAL
    if element.get(1) == _BYTES:
        known = known or logical in _LOGICAL_TEXTS or converted in _TEXTS
    return None if known else "bytes that are not marked as text"
