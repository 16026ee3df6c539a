"""Protobuf's wire format: a field at a time, whatever the message is.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations


class MalformedMessage(ValueError):
    """The bytes are not a protobuf message, or hold what is not allowed."""


def field_at(data: bytes, at: int) -> tuple[int, bytes | int | None, int]:
    """Return a field's number, its value (none for fixed-width numbers), and where it ends."""
    key, at = _varint(data, at)
    if key >= 1 << 32:  # Parsers cut it to 32 bits, and so would see another field.
        raise MalformedMessage("bytes that are not ONNX (a field number that is too large)")
    match key & 7:
        case 0:
            number, at = _varint(data, at)
            return key >> 3, number, at
        case 2:
            length, at = _varint(data, at)
            return key >> 3, data[at : at + length], at + length
        case 1:
            return key >> 3, None, at + 8
        case 5:
            return key >> 3, None, at + 4
        case kind:
            raise MalformedMessage(f"bytes that are not ONNX (wire type {kind})")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at``, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise MalformedMessage("bytes that are not ONNX (a broken number)")
