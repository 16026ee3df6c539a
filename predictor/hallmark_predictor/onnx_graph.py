"""Reads an ONNX file into its operators and constants, without a runtime.

The file was hashed against the sealed manifest before; what cannot be read as such a graph is no
error here: ONNX Runtime serves it then.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from hallmark.supply_chain.protobuf import field_at

Array = npt.NDArray[np.generic]

_DTYPES: Mapping[int, type[np.generic]] = {1: np.float32, 7: np.int64, 11: np.float64}
"""numpy's types by TensorProto's number."""


class UnknownFormError(ValueError):
    """The file holds something that is not known here."""


class Node(Struct, frozen=True):
    """An operator."""

    operator: str
    inputs: tuple[str, ...]


class Graph(Struct, frozen=True):
    """A flat graph.

    Attributes:
        nodes: Each value's operator, by the value's name.
        constants: By name.
    """

    nodes: Mapping[str, Node]
    constants: Mapping[str, Array]

    def taken(self, value: str, operator: str, count: int) -> tuple[str, ...]:
        """Return what a value's operator takes.

        Raises:
            UnknownFormError: it is another operator, or takes another number of values.
        """
        node = self.nodes.get(value)
        if node is None or node.operator != operator or len(node.inputs) != count:
            raise UnknownFormError(operator)
        return node.inputs

    def made_by(self, value: str) -> str:
        """Return the operator that makes a value; empty for constants and inputs."""
        return self.nodes[value].operator if value in self.nodes else ""

    def constant(self, name: str) -> Array:
        """Return a constant.

        Raises:
            UnknownFormError: it is none.
        """
        if name not in self.constants:
            raise UnknownFormError(name)
        return self.constants[name]

    def floats(self, name: str) -> npt.NDArray[np.float64]:
        """Return a constant of numbers as float64; raises like ``constant``."""
        return self.constant(name).astype(np.float64)


def read_graph(data: bytes) -> Graph:
    """Return the graph of an ONNX file.

    Raises:
        ValueError: it is not of a known form.
    """
    nodes: dict[str, Node] = {}
    constants: dict[str, Array] = {}
    for number, graph in _messages(data):
        if number != 7:
            continue
        for part, value in _messages(graph):
            if part == 1:
                name, node = _node(value)
                nodes[name] = node
            elif part == 5:
                name, array = _tensor(value)
                constants[name] = array
    return Graph(nodes, constants)


def _node(data: bytes) -> tuple[str, Node]:
    fields = list(_messages(data))
    inputs = tuple(value.decode() for number, value in fields if number == 1)
    outputs = [value.decode() for number, value in fields if number == 2]
    operators = [value.decode() for number, value in fields if number == 4]
    if len(outputs) != 1 or len(operators) != 1:
        raise UnknownFormError("an operator with one output")
    return outputs[0], Node(operators[0], inputs)


def _tensor(data: bytes) -> tuple[str, Array]:
    shape: list[int] = []
    name, raw, kind = "", b"", 0
    for number, value in _fields(data):
        match number, value:
            case 1, int():
                shape.append(value)
            case 1, bytes():
                shape += _packed(value)
            case 2, int():
                kind = value
            case 8, bytes():
                name = value.decode()
            case 9, bytes():
                raw = value
            case _:
                raise UnknownFormError("a tensor's field")
    dtype = np.dtype(_DTYPES.get(kind, np.void)).newbyteorder("<")
    if kind not in _DTYPES or len(raw) != math.prod(shape) * dtype.itemsize:
        raise UnknownFormError("a tensor's data")
    return name, np.frombuffer(raw, dtype).reshape(shape)


def _packed(data: bytes) -> list[int]:
    """Return the numbers that stand in one field."""
    found, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(number)
            number = shift = 0
    return found


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int | None]]:
    at = 0
    while at < len(data):
        number, value, at = field_at(data, at)
        yield number, value


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, value) for number, value in _fields(data) if isinstance(value, bytes))
