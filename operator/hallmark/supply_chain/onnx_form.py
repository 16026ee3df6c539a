"""What an ONNX file may contain, read from its wire format before any runtime sees it.

A served form is a flat graph of few operators whose numbers stand in the file. Refused are every
other operator (what no form needs is only a way in), tensors kept in other files (they could name
any path), graphs inside graphs (loops), and files of more bytes or parts than any form has.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hallmark.api.findings import Finding
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.protobuf import MalformedMessage, field_at

_ARITHMETIC = frozenset({"Add", "Sub", "Div", "MatMul", "ReduceSum", "Sigmoid", "Softmax"})
_STANDARD = _ARITHMETIC | {"Cast", "Concat", "Equal", "Gather", "IsNaN", "Where"}
ALLOWED_OPERATORS: Mapping[str, frozenset[str]] = {
    "": _STANDARD,
    "ai.onnx": _STANDARD,
    "ai.onnx.ml": frozenset({"TreeEnsemble"}),
}
"""The operators that served forms are made of, by domain."""
MAX_BYTES = 16 * 1024 * 1024
"""The largest ensemble of trees has about 9 MiB."""
MAX_NODES = 2048
MAX_PARTS = 100_000
"""Fields that are read one by one; a list of whole numbers counts as one."""

_INTS = re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])+")
"""A run of an attribute's ``ints`` (field 8): a tree's nodes are hundreds of thousands of them."""


def check_onnx_form(data: bytes) -> list[Finding]:
    """Return why an ONNX file may not be loaded; empty if it may. Never raises for bad bytes."""
    if len(data) > MAX_BYTES:
        return [finding("ONNX", f"at most {MAX_BYTES} bytes", f"{len(data)}")]
    try:
        graphs = _Reader().check_model(data)
    except MalformedMessage as error:
        return [finding("ONNX", "a flat graph of the served forms' operators", str(error))]
    if graphs != 1:
        return [finding("ONNX", "exactly one graph", f"{graphs} graphs")]
    return []


@dataclass
class _Reader:
    """Checks a file's messages, and counts what it reads."""

    parts: int = 0
    nodes: int = 0

    def check_model(self, data: bytes) -> int:
        """Check a ModelProto; return how many graphs it has."""
        graphs = 0
        for field, value in self._fields(data):
            match field:
                case 7:
                    graphs += 1
                    self._check_graph(_message(value))
                case 8:
                    for domain in self._texts(_message(value), 1):
                        _check_domain(domain)
                case 20 | 25:
                    raise MalformedMessage("training steps or functions")
        return graphs

    def _check_graph(self, data: bytes) -> None:
        for field, value in self._fields(data):
            match field:
                case 1:
                    self._check_node(_message(value))
                case 5:
                    self._check_tensor(_message(value))
                case 15:
                    raise MalformedMessage("sparse initializers")

    def _check_node(self, data: bytes) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise MalformedMessage(f"more than {MAX_NODES} operators")
        # A parser takes the last of a field that comes twice: every one must be allowed.
        domains, operators = self._texts(data, 7) or [""], self._texts(data, 4) or [""]
        for domain in domains:
            _check_domain(domain)
            for operator in operators:
                if operator not in ALLOWED_OPERATORS[domain]:
                    raise MalformedMessage(f"the operator '{operator[:64]}'")
        for field, value in self._fields(data):
            if field == 5:
                self._check_attribute(_message(value))

    def _check_attribute(self, data: bytes) -> None:
        for field, value in self._fields(data, skip=_INTS):
            match field:
                case 5 | 10:
                    self._check_tensor(_message(value))
                case 6 | 11:
                    raise MalformedMessage("a graph inside an operator")
                case 22 | 23:
                    raise MalformedMessage("a sparse tensor")

    def _check_tensor(self, data: bytes) -> None:
        for field, value in self._fields(data):
            if field == 13 or (field == 14 and value != 0):
                raise MalformedMessage("a tensor that is kept in another file")

    def _texts(self, data: bytes, wanted: int) -> list[str]:
        found = [_message(value) for field, value in self._fields(data) if field == wanted]
        return [each.decode(errors="replace") for each in found]

    def _fields(
        self, data: bytes, skip: re.Pattern[bytes] | None = None
    ) -> Iterator[tuple[int, bytes | int]]:
        """Yield number and value of each field of a protobuf message, but those to skip."""
        at = 0
        while at < len(data):
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise MalformedMessage(f"more than {MAX_PARTS} parts")
            if skip and (run := skip.match(data, at)):
                at = run.end()
                continue
            number, value, at = field_at(data, at)
            if value is not None:
                yield number, value
        if at != len(data):
            raise MalformedMessage("bytes that end too early")


def _check_domain(domain: str) -> None:
    if domain not in ALLOWED_OPERATORS:
        raise MalformedMessage(f"operators of the domain '{domain[:64]}'")


def _message(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise MalformedMessage("a number where a message belongs")
    return value
