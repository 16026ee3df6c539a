"""What an ONNX file may contain, read from its wire format before any runtime sees it.

A served form is a flat graph of standard operators whose numbers stand in the file. Refused are
tensors kept in other files (they could name any path), operators outside the standard, and graphs
inside graphs (loops).

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator

from hallmark.api.artifacts import Finding
from hallmark.supply_chain.findings import finding

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})


class _Malformed(ValueError):
    """The bytes are not a protobuf message, or hold what is not allowed."""


def check_onnx_form(data: bytes) -> list[Finding]:
    """Return why an ONNX file may not be loaded; empty if it may. Never raises for bad bytes."""
    try:
        graphs = _check_model(data)
    except _Malformed as error:
        return [finding("ONNX", "a flat graph of standard operators in one file", str(error))]
    if graphs != 1:
        return [finding("ONNX", "exactly one graph", f"{graphs} graphs")]
    return []


def _check_model(data: bytes) -> int:
    """Check a ModelProto; return how many graphs it has."""
    graphs = 0
    for field, value in _fields(data):
        match field:
            case 7:
                graphs += 1
                _check_graph(_message(value))
            case 8:
                _check_domain(_strings(_message(value), 1))
            case 20 | 25:
                raise _Malformed("training steps or functions")
    return graphs


def _check_graph(data: bytes) -> None:
    for field, value in _fields(data):
        match field:
            case 1:
                _check_node(_message(value))
            case 5:
                _check_tensor(_message(value))
            case 15:
                raise _Malformed("sparse initializers")


def _check_node(data: bytes) -> None:
    _check_domain(_strings(data, 7))
    for field, value in _fields(data):
        if field == 5:
            _check_attribute(_message(value))


def _check_attribute(data: bytes) -> None:
    for field, value in _fields(data):
        match field:
            case 5 | 10:
                _check_tensor(_message(value))
            case 6 | 11:
                raise _Malformed("a graph inside an operator")
            case 22 | 23:
                raise _Malformed("a sparse tensor")


def _check_tensor(data: bytes) -> None:
    for field, value in _fields(data):
        if field == 13 or (field == 14 and value != 0):
            raise _Malformed("a tensor that is kept in another file")


def _check_domain(found: list[bytes]) -> None:
    for each in found:
        if each.decode(errors="replace") not in ALLOWED_DOMAINS:
            raise _Malformed(f"operators of the domain '{each.decode(errors='replace')}'")


def _strings(data: bytes, wanted: int) -> list[bytes]:
    return [_message(value) for field, value in _fields(data) if field == wanted]


def _message(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise _Malformed("a number where a message belongs")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of each field of a protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key >= 1 << 32:  # Parsers cut it to 32 bits, and so would see another field.
            raise _Malformed("bytes that are not ONNX (a field number that is too large)")
        match key & 7:
            case 0:
                number, at = _varint(data, at)
                yield key >> 3, number
            case 2:
                length, at = _varint(data, at)
                yield key >> 3, data[at : at + length]
                at += length
            case 1:
                at += 8
            case 5:
                at += 4
            case kind:
                raise _Malformed(f"bytes that are not ONNX (wire type {kind})")
    if at != len(data):
        raise _Malformed("bytes that end too early")


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
    raise _Malformed("bytes that are not ONNX (a broken number)")
