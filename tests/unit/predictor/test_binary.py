"""Bytes behind the JSON that are no cells: a refusal says of which tensor, and counts its rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hallmark.drift.refusals import NO_FEATURE, Reason
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.problems import BadRequest
from hallmark_predictor.protocol import DTYPES, SIZE
from tests.unit.predictor import factories
from tests.unit.predictor.test_data_plane import matrix, tensors as usual_tensors
from tests.unit.predictor.test_quick_columns import body_of, packed

PLANE = DataPlane(factories.model())
NAMES = [feature.name for feature in factories.SCHEMA_DOCUMENT.features]
Tensor = dict[str, Any]


def tensors() -> list[tuple[Tensor, bytes]]:
    """Return a tensor for each feature, and its bytes."""
    found = []
    for tensor in usual_tensors():
        data, datatype = np.array(tensor.pop("data")).ravel().tolist(), tensor["datatype"]
        tail = packed(data) if datatype == "BYTES" else np.array(data, DTYPES[datatype]).tobytes()
        found.append((tensor | {"parameters": {SIZE: len(tail)}}, tail))
    return found


def ask(two: list[tuple[Tensor, bytes]], **more: object) -> Answer | BadRequest:
    inputs = [tensor for tensor, _ in two]
    body, length = body_of({"inputs": inputs} | more, [tail for _, tail in two])
    return PLANE.infer(body, length)


def test_as_they_should_be_they_are_answered() -> None:
    assert isinstance(ask(tensors()), Answer)


def sized(size: object) -> Callable[[Tensor, bytes], tuple[Tensor, bytes]]:
    return lambda tensor, tail: (tensor | {"parameters": {SIZE: size}}, tail)


def cut(tensor: Tensor, tail: bytes) -> tuple[Tensor, bytes]:
    # A text of one byte less, or a number of one byte less; a boolean is a byte itself.
    tail = tail[:-1] if tensor["datatype"] != "BOOL" else tail
    other = {"datatype": "INT32"} if tensor["datatype"] == "BOOL" else {}
    return tensor | other | {"parameters": {SIZE: len(tail)}}, tail


WRONG: dict[str, Callable[[Tensor, bytes], tuple[Tensor, bytes]]] = {
    "a datatype that numpy lacks": lambda tensor, tail: (tensor | {"datatype": "BF16"}, tail),
    "no datatype": lambda tensor, tail: (tensor | {"datatype": None}, tail),
    "an unhashable datatype": lambda tensor, tail: (tensor | {"datatype": ["FP32"]}, tail),
    "a part of a value": cut,
    "data as well": lambda tensor, tail: (tensor | {"data": [1] * 7}, tail),
    "a size below 0": sized(-1),
    "a size with a fraction": sized(4.0),
    "a size that is a text": sized("4"),
    "a size that is true": sized(True),
    "a size beyond all": sized(2**70),
}


@pytest.mark.parametrize("at", range(len(NAMES)), ids=NAMES)
@pytest.mark.parametrize("kind", WRONG)
def test_a_tensor_that_cannot_be_read_is_named_and_its_rows_are_counted(kind: str, at: int) -> None:
    asked = tensors()
    asked[at] = WRONG[kind](*asked[at])
    found = ask(asked)
    assert isinstance(found, BadRequest)
    assert found.problems[0].field == NAMES[at]
    assert found.refusals.rows == 7
    assert found.refusals.faults == {(NAMES[at], Reason.WRONG_TYPE): 7}


TEXTS = {
    "another encoding": "Zürich".encode("latin-1"),
    "a surrogate": b"\xed\xa0\x80",
    "an overlong form": b"\xc1\xa1",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_of_another_encoding_are_refused_rows(text: bytes) -> None:
    asked = tensors()
    tail = (len(text).to_bytes(4, "little") + text) * 7
    asked[3] = asked[3][0] | {"parameters": {SIZE: len(tail)}}, tail
    found = ask(asked)
    assert isinstance(found, BadRequest)
    assert found.refusals.faults == {("purpose", Reason.WRONG_TYPE): 7}


@pytest.mark.parametrize("claimed", [[10**9], [2**70], [-1], [0], [], [True], ["7"], None, 7])
def test_no_more_rows_are_counted_than_bytes_came(claimed: object) -> None:
    found = ask([({"name": "jane", "shape": claimed, "parameters": {SIZE: 40}}, b"x" * 40)])
    assert isinstance(found, BadRequest)
    assert "jane" not in [feature for feature, _ in found.refusals.faults]
    rows = 40 if claimed in ([10**9], [2**70]) else 1
    assert found.refusals.faults == {(NO_FEATURE, Reason.WRONG_TYPE): rows}


# -- what stands beside the tensors -----------------------------------------------------------

HOLDERS = ["request", "tensor", "output"]


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("given", [5, "x", [], True, 1.5])
def test_parameters_are_an_object(holder: str, binary: bool, given: object) -> None:
    found = with_parameters(holder, given, binary=binary)
    assert isinstance(found, BadRequest)
    assert found.problems[0].field == "parameters"


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("given", [None, {}, {"a": 1, "b": [None], "c": {"d": "e"}}])
def test_parameters_that_mean_nothing_here_change_nothing(holder: str, given: object) -> None:
    assert isinstance(with_parameters(holder, given, binary=False), Answer)


@pytest.mark.parametrize("name", ["binary_data_output", "binary_data"])
@pytest.mark.parametrize("given", [0, 1, "true", [], {}])
def test_the_form_of_an_answer_is_asked_for_by_true_or_false(name: str, given: object) -> None:
    holder = "request" if name == "binary_data_output" else "output"
    found = with_parameters(holder, {name: given}, binary=False)
    assert isinstance(found, BadRequest)
    assert found.problems[0].field == name


@pytest.mark.parametrize("given", [5, True, [], {}, 1.5, "x" * 1025, "\0" * 1025])
@pytest.mark.parametrize("form", ["tensors as bytes", "tensors", "a matrix", "a matrix as bytes"])
def test_an_id_is_a_short_text(form: str, given: object) -> None:
    found = with_id(form, given)
    assert isinstance(found, BadRequest)
    assert found.problems[0].field == "id"
    assert len(found.problems[0].found) < 40


@pytest.mark.parametrize("given", ["", "x" * 1024, "\0" * 1024, "\U0001f600" * 1024])
@pytest.mark.parametrize("form", ["tensors as bytes", "tensors", "a matrix", "a matrix as bytes"])
def test_a_short_text_comes_back_and_is_no_more_than_was_reckoned_with(
    form: str, given: str
) -> None:
    found = with_id(form, given)
    assert isinstance(found, Answer)
    assert json.loads(found.body)["id"] == given
    assert len(found.body) <= PLANE.answer_bytes(2 * found.count)


def with_id(form: str, given: object) -> Answer | BadRequest:
    match form:
        case "tensors as bytes":
            return ask(tensors(), id=given)
        case "tensors":
            body, _ = body_of({"inputs": usual_tensors(), "id": given}, [])
            return PLANE.infer(body)
        case "a matrix":
            body, _ = body_of(matrix() | {"id": given}, [])
            return PLANE.infer(body)
        case _:
            tail = factories.traffic(7).tobytes()
            tensor = {"name": "input", "shape": [7, 4], "datatype": "FP32"}
            return ask([(tensor | {"parameters": {SIZE: len(tail)}}, tail)], id=given)


def with_parameters(holder: str, given: object, *, binary: bool) -> Answer | BadRequest:
    two = tensors() if binary else [(tensor, b"") for tensor in usual_tensors()]
    more: dict[str, object] = {}
    match holder:
        case "request":
            more["parameters"] = given
        case "tensor":
            two[0] = two[0][0] | {"parameters": given}, b""
        case _:
            more["outputs"] = [{"name": "label", "parameters": given}]
    if binary:
        return ask(two, **more)
    body, _ = body_of({"inputs": [tensor for tensor, _ in two]} | more, [])
    return PLANE.infer(body)
