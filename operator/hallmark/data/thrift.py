"""Thrift's compact protocol, as far as the footers and page headers of Parquet need it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 16

Fields = dict[int, Any]
"""A Thrift struct: values by field number."""


class DamagedError(Exception):
    """The bytes are no Thrift, or a field is not what it must be."""


def number(fields: Fields, name: int) -> int:
    """Return a field that must be a number from 0 on.

    Raises:
        DamagedError: it is none.
    """
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DamagedError(f"no number where field {name} should be one")
    return value


def list_of(fields: Fields, name: int) -> list[Fields]:
    """Return a field that must be a list of structs.

    Raises:
        DamagedError: it is none.
    """
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise DamagedError(f"no list where field {name} should be one")
    return value


def struct_of(fields: Fields, name: int) -> Fields:
    """Return a field that must be a struct.

    Raises:
        DamagedError: it is none.
    """
    value = fields.get(name)
    if not isinstance(value, dict):
        raise DamagedError(f"no struct where field {name} should be one")
    return value


@dataclass
class Thrift:
    """A reader of Thrift's compact protocol."""

    data: bytes
    position: int = 0

    def struct(self, depth: int = 0) -> Fields:
        """Return the struct at the position.

        Raises:
            DamagedError: there is none.
        """
        if depth > _MAX_DEPTH:
            raise DamagedError("a footer nested too deep")
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
        raise DamagedError("a field of an unknown kind")

    def _items(self, depth: int) -> list[object]:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._varint()
        if length > len(self.data):
            raise DamagedError("a list longer than the file")
        kind = head & 15
        if kind in (1, 2):
            return [self._byte() == 1 for _ in range(length)]
        return [self._value(kind, depth + 1) for _ in range(length)]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, length: int) -> bytes:
        part = self.data[self.position : self.position + length]
        if len(part) < length:
            raise DamagedError("a part that ends early")
        self.position += length
        return part

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise DamagedError("a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
