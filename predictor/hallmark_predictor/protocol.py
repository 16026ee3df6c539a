"""The Open Inference Protocol's words, and its binary tensor extension.

With the extension a body is JSON, of the length in the header ``Inference-Header-Content-Length``,
and then the tensors' bytes one after the other: little-endian numbers, a byte for each boolean, and
texts with four bytes of length before each.

https://github.com/kserve/open-inference-protocol and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from hallmark.drift.refusals import NO_FEATURE, Reason
from hallmark_predictor.encoding import MAX_ROWS
from hallmark_predictor.json_body import Object
from hallmark_predictor.problems import BadRequest, describe, refuse, shown

LABEL = "label"
PROBABILITIES = "probabilities"
RECEIPT = "receipt"
"""Where feedback is declared: what comes back with the truth about a row."""
EXTENSIONS = ("binary_tensor_data",)
BINARY_HEADER = "inference-header-content-length"

MAX_ID = 1024
"""Characters of a request's ``id``, which comes back: answers are bounded by their rows."""
Identity = Annotated[str, Meta(max_length=MAX_ID)]

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
    by_default = _flag(request, "binary_data_output", False)
    if isinstance(by_default, BadRequest):
        return by_default
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return tuple(Output(output.name, by_default) for output in known)
    listed = outputs if isinstance(outputs, list) else []
    asked: dict[str, bool] = {}
    for output in listed:
        if isinstance(output, dict) and isinstance(output.get("name"), str):
            binary = _flag(output, "binary_data", by_default)
            if isinstance(binary, BadRequest):
                return binary
            asked[output["name"]] = binary
    wanted = tuple(Output(one.name, asked[one.name]) for one in known if one.name in asked)
    if not wanted or len(wanted) != len(listed):
        expected = f"'{LABEL}', '{PROBABILITIES}' or both"
        if len(known) > len(BOTH):
            expected = f"'{LABEL}', '{PROBABILITIES}' and '{RECEIPT}', or some of them"
        return refuse("outputs", expected, describe(outputs))
    return wanted


def identity_of(request: Object) -> str | BadRequest | None:
    """Return a request's ``id``, or why it is none."""
    found = request.get("id")
    if found is None or (isinstance(found, str) and len(found) <= MAX_ID):
        return found
    return refuse("id", f"a text of at most {MAX_ID} characters", describe(found))


def _parameters(holder: Object) -> Object | BadRequest:
    """Return the parameters of a request, a tensor or an output; empty where there are none."""
    found = holder.get("parameters")
    if isinstance(found, dict | None):
        return found or {}
    return refuse("parameters", "an object", describe(found))


def _flag(holder: Object, name: str, by_default: bool) -> bool | BadRequest:
    """Return a parameter that is true or false."""
    parameters = _parameters(holder)
    if isinstance(parameters, BadRequest):
        return parameters
    found = parameters.get(name)
    if found is None:
        return by_default
    return found if isinstance(found, bool) else refuse(name, "true or false", describe(found))


def with_data(
    request: Object, tail: bytes, most: int, features: Collection[str] = ()
) -> BadRequest | None:
    """Give each tensor whose data stands behind the JSON that data, as JSON would have it.

    Args:
        request: Changed in place.
        tail: What stands behind the JSON.
        most: How many values it may hold: each takes many times the memory of its bytes.
        features: Names of tensors by which refused rows are counted.
    """
    at, left = 0, most
    inputs = request.get("inputs")
    for tensor in inputs if isinstance(inputs, list) else []:
        if not isinstance(tensor, dict):
            continue
        parameters = _parameters(tensor)
        if isinstance(parameters, BadRequest):
            return parameters
        size = parameters.get(SIZE)
        if size is None:
            continue
        wrong = _problem_of_size(tensor, size, len(tail) - at)
        cells = wrong or _cells(tensor.get("datatype"), tail[at : at + size], left)
        if isinstance(cells, tuple):
            return _unread(tensor, features, len(tail) - at, *cells)
        if len(cells) > left:
            return refuse("the body", f"at most {most} values after its JSON", "more")
        left -= len(cells)
        tensor["data"] = cells
        at += size
    if at != len(tail):
        return refuse("the body", f"{at} bytes after its JSON, as '{SIZE}' says", f"{len(tail)}")
    return None


_Wrong = tuple[str, str]
"""What was expected of a tensor, and what was found."""


def _unread(
    tensor: Object, features: Collection[str], left: int, expected: str, found: str
) -> BadRequest:
    """Return the refusal of a tensor whose bytes are no cells, its rows counted.

    Args:
        tensor: The tensor.
        features: Names that are counted.
        left: Bytes that there are for it: it has no more rows.
        expected: Of it.
        found: In its place.
    """
    name, shape = tensor.get("name"), tensor.get("shape")
    claimed = shape[0] if isinstance(shape, list) and shape else None
    rows = max(1, min(claimed, MAX_ROWS, left)) if type(claimed) is int else 1
    feature = name if isinstance(name, str) and name in features else NO_FEATURE
    field = shown(name) if isinstance(name, str) else "inputs"
    return refuse(field, expected, found, rows=rows, faults={(feature, Reason.WRONG_TYPE): rows})


def _problem_of_size(tensor: Object, size: object, left: int) -> _Wrong | None:
    """Return what is wrong with the size of a tensor's data, of which ``left`` bytes are there."""
    if type(size) is not int or not 0 <= size <= left:
        return f"'{SIZE}' of at most the {left} bytes that are left after the JSON", describe(size)
    return (f"no 'data' beside '{SIZE}'", "both") if "data" in tensor else None


def _cells(datatype: object, data: bytes, most: int) -> list[Any] | _Wrong:
    """Return the cells; where they are more than ``most``, not all of them."""
    if datatype == "BYTES":
        return _texts(data, most)
    numbers = numbers_of(datatype, data)
    if numbers is None:
        if not isinstance(datatype, str) or datatype not in DTYPES:
            return f"datatype {', '.join([*DTYPES, 'BYTES'])}", "another"
        return f"'{SIZE}' of whole numbers of {datatype}", f"{len(data)} bytes"
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


def _texts(data: bytes, most: int) -> list[str] | _Wrong:
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
    return "texts in UTF-8, each after its length in four bytes", "something else"


def with_binary(text: bytes, tails: Sequence[bytes]) -> tuple[bytes, int | None]:
    """Return an answer's body, and the length of its JSON where bytes follow it."""
    tail = b"".join(tails)
    return (text + tail, len(text)) if tail else (text, None)
