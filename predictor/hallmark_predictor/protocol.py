"""The Open Inference Protocol's words, and its binary tensor extension.

With the extension a body is JSON, of the length in the header ``Inference-Header-Content-Length``,
and then the tensors' bytes one after the other: little-endian numbers, a byte for each boolean, and
texts with four bytes of length before each.

https://github.com/kserve/open-inference-protocol and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hallmark_predictor.json_body import Object
from hallmark_predictor.problems import BadRequest, describe, refuse

LABEL = "label"
PROBABILITIES = "probabilities"
RECEIPT = "receipt"
"""Where feedback is declared: what comes back with the truth about a row."""
EXTENSIONS = ("binary_tensor_data",)
BINARY_HEADER = "inference-header-content-length"

SIZE = "binary_data_size"
DTYPES: Mapping[str, str] = {
    "BOOL": "u1",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""numpy's types by the protocol's datatype; BYTES has none."""


class Output(Struct, frozen=True):
    """A tensor that is asked for."""

    name: str
    binary: bool = False


BOTH = (Output(LABEL), Output(PROBABILITIES))
WITH_RECEIPT = (*BOTH, Output(RECEIPT))


def wanted_outputs(
    request: Object, known: Sequence[Output] = BOTH
) -> tuple[Output, ...] | BadRequest:
    """Return the outputs that a request asks for, in the order of those that there are."""
    parameters = request.get("parameters")
    by_default = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return tuple(Output(output.name, by_default) for output in known)
    listed = outputs if isinstance(outputs, list) else []
    asked = {
        output["name"]: _is_binary(output, by_default)
        for output in listed
        if isinstance(output, dict) and isinstance(output.get("name"), str)
    }
    wanted = tuple(Output(one.name, asked[one.name]) for one in known if one.name in asked)
    if not wanted or len(wanted) != len(listed):
        expected = f"'{LABEL}', '{PROBABILITIES}' or both"
        if len(known) > len(BOTH):
            expected = f"'{LABEL}', '{PROBABILITIES}' and '{RECEIPT}', or some of them"
        return refuse("outputs", expected, describe(outputs))
    return wanted


def _is_binary(output: Object, by_default: bool) -> bool:
    parameters = output.get("parameters")
    said = parameters.get("binary_data") if isinstance(parameters, dict) else None
    return said if isinstance(said, bool) else by_default


def with_data(request: Object, tail: bytes, most: int) -> BadRequest | None:
    """Give each tensor whose data stands behind the JSON that data, as JSON would have it.

    Args:
        request: Changed in place.
        tail: What stands behind the JSON.
        most: How many values it may hold: each takes many times the memory of its bytes.
    """
    at, left = 0, most
    inputs = request.get("inputs")
    for tensor in inputs if isinstance(inputs, list) else []:
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get(SIZE) if isinstance(parameters, dict) else None
        if size is None:
            continue
        if type(size) is not int or not 0 <= size <= len(tail) - at:
            return refuse(SIZE, f"a whole number up to {len(tail) - at}", describe(size))
        if "data" in tensor:
            return refuse("data", f"nothing beside '{SIZE}'", "it")
        cells = _cells(tensor.get("datatype"), tail[at : at + size], left)
        if isinstance(cells, BadRequest):
            return cells
        if len(cells) > left:
            return refuse("the body", f"at most {most} values after its JSON", "more")
        left -= len(cells)
        tensor["data"] = cells
        at += size
    if at != len(tail):
        return refuse("the body", f"{at} bytes after its JSON, as '{SIZE}' says", f"{len(tail)}")
    return None


def _cells(datatype: object, data: bytes, most: int) -> list[Any] | BadRequest:
    """Return the cells; where they are more than ``most``, not all of them."""
    if datatype == "BYTES":
        return _texts(data, most)
    numbers = numbers_of(datatype, data)
    if numbers is None:
        return refuse(SIZE, "bytes of whole numbers of its datatype", describe(len(data)))
    numbers = numbers[: most + 1]
    if datatype == "BOOL":
        return [{0: False, 1: True}.get(number, number) for number in numbers.tolist()]
    return [None if number != number else number for number in numbers.tolist()]


def numbers_of(datatype: object, data: bytes) -> NDArray[Any] | None:
    """Return a tensor's numbers, or None if the bytes are none of the datatype."""
    dtype = np.dtype(DTYPES[datatype]) if isinstance(datatype, str) and datatype in DTYPES else None
    if dtype is None or len(data) % dtype.itemsize:
        return None
    return np.frombuffer(data, dtype)


def _texts(data: bytes, most: int) -> list[str] | BadRequest:
    found: list[str] = []
    at = 0
    try:
        while at < len(data) and len(found) <= most:
            start = at + 4
            at = start + int.from_bytes(data[at:start], "little")
            found.append(data[start:at].decode())
    except UnicodeDecodeError:
        at = len(data) + 1
    if at == len(data) or len(found) > most:
        return found
    return refuse(SIZE, "texts with their length before each", "others")


def with_binary(text: bytes, tails: Sequence[bytes]) -> tuple[bytes, int | None]:
    """Return an answer's body, and the length of its JSON where bytes follow it."""
    tail = b"".join(tails)
    return (text + tail, len(text)) if tail else (text, None)
