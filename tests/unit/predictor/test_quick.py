"""The quick reading takes nothing that the strict one refuses, and reads all of it alike."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.served import ServedFeature
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.encoding import columns_of, rows_of_instances
from hallmark_predictor.json_body import parse_object
from hallmark_predictor.problems import BadRequest
from hallmark_predictor.protocol import wanted_outputs
from hallmark_predictor.quick import Quick, QuickReader
from hallmark_predictor.tensors import rows_of_tensors
from tests.unit.predictor import factories

NAMES = ["a", "b-c d", "e.f", "g", "h", "i"]
CATEGORIES = ["no", 'q"uo:te', "übung", "a,b{[", "%s"]


@st.composite
def features(draw: st.DrawFn) -> list[ServedFeature]:
    """Draw a schema: each type, with and without null, range and the leave to pass it."""
    found = []
    for name in NAMES[: draw(st.integers(1, 6))]:
        kind = draw(st.sampled_from(FeatureType))
        numeric = kind in (FeatureType.NUMBER, FeatureType.INTEGER)
        low, high = sorted(draw(st.tuples(st.integers(-5, 5), st.integers(-5, 500))))
        found.append(
            ServedFeature(
                name=name,
                type=kind,
                nullable=draw(st.booleans()),
                minimum=low if numeric and draw(st.booleans()) else None,
                maximum=high if numeric and draw(st.booleans()) else None,
                out_of_range=draw(st.sampled_from(OutOfRange)),
                categories=CATEGORIES if kind is FeatureType.CATEGORY else None,
            )
        )
    return found


NUMBERS = (
    st.integers(-6, 600)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 3.4028235677973366e38, 2**53, 2**53 + 1, 2**63, 10**30, 5e-324, 40.0])
)
ANYTHING = (
    st.none() | st.booleans() | NUMBERS | st.sampled_from([*CATEGORIES, "x", [], {}]) | st.text()
)


def fitting(feature: ServedFeature) -> st.SearchStrategy[object]:
    """Draw mostly what the feature takes."""
    right: st.SearchStrategy[object]
    match feature.type:
        case FeatureType.CATEGORY:
            right = st.sampled_from(CATEGORIES)
        case FeatureType.BOOLEAN:
            right = st.booleans()
        case _:
            low, high = feature.minimum or 0, feature.maximum or 0
            inside = st.integers(math.ceil(low), max(math.ceil(low), math.floor(high)))
            right = st.integers(0, 8).flatmap(lambda dice: NUMBERS if dice == 0 else inside)
    if feature.nullable:
        right = right | st.none()
    return st.integers(0, 30).flatmap(lambda dice: ANYTHING if dice == 0 else right)


def rarely(draw: st.DrawFn, among: int = 12) -> bool:
    return draw(st.integers(1, among)) == among


DATATYPES = {
    FeatureType.NUMBER: ["FP32", "FP64", "INT64", "INT8"],
    FeatureType.INTEGER: ["INT64", "FP64", "FP32", "INT32", "UINT8"],
    FeatureType.BOOLEAN: ["BOOL"],
    FeatureType.CATEGORY: ["BYTES"],
}


@st.composite
def texts(draw: st.DrawFn, schema: list[ServedFeature], tensors: bool) -> bytes:
    """Draw a request that is right or nearly so, and its text in some spelling."""
    count = draw(st.integers(1, 4))
    cells = [draw(st.lists(fitting(f), min_size=count, max_size=count)) for f in schema]
    request: dict[str, Any]
    if tensors:
        inputs = []
        for feature, column in zip(schema, cells, strict=True):
            tensor: dict[str, Any] = {
                "name": feature.name,
                "shape": [count] if draw(st.booleans()) else [count, 1],
                "datatype": draw(st.sampled_from(DATATYPES[feature.type])),
                "data": column,
            }
            if rarely(draw):
                tensor["parameters"] = draw(
                    st.sampled_from([{}, {"k": 1}, {"k": 1, "l": 2}, {"binary_data_size": 0}, 7])
                )
            if rarely(draw, 40):
                tensor[draw(st.sampled_from([*tensor, "more"]))] = draw(ANYTHING)
            if rarely(draw, 40):
                del tensor[draw(st.sampled_from([*tensor]))]
            inputs.append(tensor)
        request = {"inputs": draw(st.permutations(inputs)) if rarely(draw, 4) else inputs}
        if rarely(draw, 4):
            request["id"] = draw(st.text() | ANYTHING)
        if rarely(draw, 6):
            names = st.lists(st.sampled_from(["label", "probabilities", "x"]), max_size=3)
            request["outputs"] = [{"name": name} for name in draw(names)]
        if rarely(draw, 6):
            request["parameters"] = draw(
                st.sampled_from([{}, {"k": 1}, {"binary_data_output": True}])
            )
    else:
        rows = [
            dict(zip([f.name for f in schema], row, strict=True))
            for row in zip(*cells, strict=True)
        ]
        if rarely(draw):
            rows[0][draw(st.sampled_from([*rows[0], "more"]))] = draw(ANYTHING)
        if rarely(draw):
            del rows[-1][draw(st.sampled_from([*rows[-1]]))]
        request = {"features": rows[0]} if rarely(draw, 4) else {"instances": rows}
    compact = (",", ":") if draw(st.booleans()) else (", ", ": ")
    text = json.dumps(request, ensure_ascii=draw(st.booleans()), separators=compact)
    if rarely(draw, 6):  # A member twice, or some other slip of a hand.
        old = draw(st.sampled_from(['"data"', '"name"', '"a"', '"shape"', '"instances"', "]", "1"]))
        new = draw(st.sampled_from([f"{old}: 1, {old}", f"{old} ", "", '"\\u0061"', "1e0", "01"]))
        text = text.replace(old, new, draw(st.integers(1, 2)))
    return text.encode("utf-8", "surrogatepass")


def strictly(schema: list[ServedFeature], body: bytes, tensors: bool) -> Quick | BadRequest:
    """Read as the strict path does."""
    columns = columns_of(factories.SCHEMA_DOCUMENT.model_copy(update={"features": schema}))
    request = parse_object(body, 10**6)
    if isinstance(request, BadRequest):
        return request
    if not tensors:
        if request.keys() == {"features"}:
            request = {"instances": [request["features"]]}
        if request.keys() != {"instances"}:
            return BadRequest(())
        rows = rows_of_instances(request["instances"], columns)
        return rows if isinstance(rows, BadRequest) else Quick(rows)
    outputs = wanted_outputs(request)
    if isinstance(outputs, BadRequest):
        return outputs
    rows = rows_of_tensors(request.get("inputs"), columns)
    if isinstance(rows, BadRequest):
        return rows
    identity = request.get("id")
    return Quick(rows, identity=identity if isinstance(identity, str) else None, outputs=outputs)


def test_what_is_read_quickly_is_what_the_strict_reading_takes() -> None:
    taken = {True: 0, False: 0}

    @settings(max_examples=500, deadline=None)
    @given(st.data(), features(), st.sampled_from([True, True, False]))
    def compare(data: st.DataObject, schema: list[ServedFeature], tensors: bool) -> None:
        body = data.draw(texts(schema, tensors))
        document = factories.SCHEMA_DOCUMENT.model_copy(update={"features": schema})
        reader = QuickReader(columns_of(document))
        quick = reader.infer(body) if tensors else reader.predict(body)
        if quick is None:
            return
        taken[tensors] += 1
        assert b"binary" not in body, "bytes beside the JSON, given or asked for"
        strict = strictly(schema, body, tensors)
        assert isinstance(strict, Quick), strict
        assert strict.rows is not None
        rows = quick.rows
        if rows is None:
            rows = np.frombuffer(quick.packed, np.float32).reshape(1, -1)
            np.testing.assert_array_equal(np.array([quick.row], np.float32), rows)
        np.testing.assert_array_equal(rows.view(np.uint32), strict.rows.view(np.uint32))
        assert quick.identity == strict.identity
        assert set(quick.outputs or strict.outputs) == set(strict.outputs)

    compare()
    assert min(taken.values()) >= 15, taken


MATRIX_CELLS = st.sampled_from([0, 1, 2, 3, 0.5, -1, 17, 18, 40, 120, 121, 3.4e38, 1e39, 2**24 + 1])
RIGHT_ROW = [51000.5, 40, 1, 2]


@st.composite
def matrices(draw: st.DrawFn, binary: bool) -> tuple[bytes, int | None]:
    """Draw a matrix that is right or nearly so, and how long its JSON is."""
    rows = draw(st.integers(1, 3))
    cells: list[Any] = RIGHT_ROW * rows
    for at in draw(st.lists(st.integers(0, 4 * rows - 1), max_size=2)):
        cells[at] = draw(MATRIX_CELLS | (st.just(math.nan) if binary else st.none()))
    datatype = draw(
        st.sampled_from(["FP32", "FP64", "INT64"] if rarely(draw) else ["FP32", "FP64"])
    )
    shape = draw(
        st.sampled_from([[rows, 4]] * 8 + [[rows], [4 * rows, 1], [rows, 4, 1], [rows + 1, 4]])
    )
    tensor: dict[str, Any] = {"name": "input", "shape": shape, "datatype": datatype}
    request: dict[str, Any] = {"inputs": [tensor]}
    tail = b""
    if binary:
        with np.errstate(over="ignore"):
            tail = np.array(cells).astype("<f8" if datatype == "FP64" else "<f4").tobytes()
        tensor["parameters"] = {"binary_data_size": len(tail) + (1 if rarely(draw) else 0)}
    else:
        tensor["data"] = cells
    if rarely(draw, 3):
        names = st.lists(st.sampled_from(["label", "probabilities"]), max_size=3)
        form = {"parameters": {"binary_data": draw(st.booleans())}} if binary else {}
        request["outputs"] = [{"name": name} | form for name in draw(names)]
    if rarely(draw, 4):
        request["id"] = draw(st.text(max_size=3) | st.integers())
    if binary and rarely(draw, 4):
        request["parameters"] = {"binary_data_output": draw(st.booleans())}
    text = json.dumps(request).encode()
    if rarely(draw, 8):
        text = text.replace(b'"shape"', b'"shape": [1, 4], "shape"', 1)
    return text + tail, len(text) if binary else None


def test_matrices_are_read_quickly_as_the_strict_reading_takes_them() -> None:
    taken = {True: 0, False: 0}
    plane = DataPlane(factories.model())

    @settings(max_examples=400, deadline=None)
    @given(st.data(), st.booleans())
    def compare(data: st.DataObject, binary: bool) -> None:
        body, length = data.draw(matrices(binary))
        quick = plane._read_quickly(body, length)
        strict = plane._infer_strictly(body, length)
        if quick is None:
            return
        taken[binary] += 1
        found = plane._infer_quick(quick)
        if isinstance(strict, BadRequest):
            assert found == strict, "numbers that the model cannot score"
            return
        assert isinstance(found, Answer)
        np.testing.assert_array_equal(found.rows.view(np.uint32), strict.rows.view(np.uint32))
        assert (found.json_length, json_of(found)) == (strict.json_length, json_of(strict))

    compare()
    assert min(taken.values()) >= 30, taken


def json_of(answer: Answer) -> tuple[Any, bytes]:
    text = answer.body[: answer.json_length]
    return json.loads(text), answer.body[len(text) :]


READER = QuickReader(columns_of(factories.SCHEMA_DOCUMENT))
ROW = factories.ROW


def tensors_of(rows: int) -> list[dict[str, Any]]:
    columns = zip(*factories.traffic(rows).tolist(), strict=True)
    income, age, owner, purpose = map(list, columns)
    return [
        {"name": "income", "shape": [rows], "datatype": "FP32", "data": income},
        {"name": "age", "shape": [rows, 1], "datatype": "INT64", "data": [int(v) for v in age]},
        {"name": "owner", "shape": [rows], "datatype": "BOOL", "data": [bool(v) for v in owner]},
        {
            "name": "purpose",
            "shape": [rows],
            "datatype": "BYTES",
            "data": [factories.PURPOSES[int(v)] for v in purpose],
        },
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"features": ROW},
        {"instances": [ROW]},
        {"instances": [ROW] * 3},
        {"instances": [ROW | {"income": None, "age": 40.0}]},
        {"inputs": tensors_of(1)},
        {"inputs": tensors_of(1), "id": "x", "outputs": [{"name": "label"}]},
        {"inputs": tensors_of(1)[::-1]},
        {"inputs": tensors_of(50), "parameters": {}},
        {"inputs": [tensor | {"parameters": {"content_type": "np"}} for tensor in tensors_of(2)]},
    ],
    ids=lambda request_: json.dumps(request_)[:60],
)
def test_what_clients_send_is_read_quickly(request_: dict[str, object]) -> None:
    body = json.dumps(request_).encode()
    assert (READER.infer(body) if "inputs" in request_ else READER.predict(body)) is not None
