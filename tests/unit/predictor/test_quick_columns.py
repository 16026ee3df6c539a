"""Tensors as bytes for each feature: read quickly, and as the strict reading has them."""

from __future__ import annotations

import itertools
import json
import math
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.datatypes import DATATYPES
from hallmark_predictor.encoding import Column, columns_of
from hallmark_predictor.json_body import parse_object
from hallmark_predictor.problems import BadRequest
from hallmark_predictor.protocol import DTYPES, wanted_outputs, with_data
from hallmark_predictor.quick import Quick
from hallmark_predictor.quick_columns import ColumnReader
from hallmark_predictor.quick_matrix import MatrixReader
from hallmark_predictor.tensors import rows_of_tensors
from tests.examples import examples
from tests.unit.predictor import factories
from tests.unit.predictor.test_quick import CATEGORIES, features, fitting, rarely

MANY = 10**6
PLANE = DataPlane(factories.model())


def packed(texts: Sequence[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def body_of(request: dict[str, Any], tails: Sequence[bytes]) -> tuple[bytes, int]:
    text = json.dumps(request).encode()
    return text + b"".join(tails), len(text)


@st.composite
def column_bytes(draw: st.DrawFn, feature: ServedFeature, count: int) -> tuple[str, bytes]:
    """Draw a column that is mostly right: its datatype and its bytes."""
    datatype = draw(st.sampled_from(DATATYPES[feature.type][1]))
    if datatype == "BYTES":
        name = st.sampled_from(["x", "", "no ", "NO"] if rarely(draw, 20) else CATEGORIES)
        data = packed(draw(st.lists(name, min_size=count, max_size=count)))
        slips = [data[:-1], data + b"\0\0\0\0", data.replace(b"n", b"\xff"), data[4:]]
        return datatype, draw(st.sampled_from(slips)) if rarely(draw, 25) else data
    dtype = np.dtype(DTYPES[datatype])
    if rarely(draw, 15):
        size = count * dtype.itemsize
        return datatype, draw(st.binary(min_size=size, max_size=size))
    values = draw(st.lists(fitting(feature), min_size=count, max_size=count))
    numbers = [value if isinstance(value, (int, float)) else math.nan for value in values]
    with np.errstate(all="ignore"):
        return datatype, np.array(numbers, np.float64).astype(dtype).tobytes()


@st.composite
def requests(draw: st.DrawFn, schema: list[ServedFeature]) -> tuple[bytes, int]:
    """Draw a request that is right or nearly so, and how long its JSON is."""
    count = draw(st.integers(1, 4))
    inputs, tails = [], []
    for feature in draw(st.permutations(schema)):
        shape = draw(st.sampled_from([[count], [count, 1]]))
        tensor: dict[str, Any] = {"name": feature.name, "shape": shape}
        if rarely(draw, 4):
            tensor["datatype"] = draw(st.sampled_from(DATATYPES[feature.type][1]))
            tensor["data"] = draw(st.lists(fitting(feature), min_size=count, max_size=count))
        else:
            tensor["datatype"], data = draw(column_bytes(feature, count))
            tensor["parameters"] = {"binary_data_size": len(data) - rarely(draw, 40)}
            tails.append(data)
        if rarely(draw, 40):
            tensor[draw(st.sampled_from([*tensor, "more", "data", "parameters"]))] = draw(
                st.none() | st.integers(-1, 5) | st.text(max_size=2) | st.just({"binary_data": 1})
            )
        if rarely(draw, 40):
            del tensor[draw(st.sampled_from([*tensor]))]
        inputs.append(tensor)
    if rarely(draw, 40):
        inputs.append(draw(st.sampled_from(inputs)))
    request: dict[str, Any] = {"inputs": inputs}
    if rarely(draw, 3):
        forms: list[dict[str, Any]] = [{}, {"parameters": {"binary_data": True}}]
        form = st.sampled_from([*forms, {"parameters": {}}])
        names = draw(st.lists(st.sampled_from(["label", "probabilities"]), max_size=3))
        request["outputs"] = [{"name": name} | draw(form) for name in names]
    if rarely(draw, 4):
        request["id"] = draw(st.text(max_size=3) | st.integers())
    if rarely(draw, 3):
        request["parameters"] = draw(
            st.sampled_from([{"binary_data_output": True}, {"binary_data_output": False}, {}])
        )
    text, tail = json.dumps(request).encode(), b"".join(tails)
    if rarely(draw, 20):
        text = text.replace(b'"shape"', b'"shape": [1], "shape"', 1)
    return text + tail + (b"\0" if rarely(draw, 40) else b""), len(text)


def strictly(columns: Sequence[Column], body: bytes, length: int) -> Quick | BadRequest:
    """Read as the strict path does."""
    request = parse_object(body[:length], MANY)
    if isinstance(request, BadRequest):
        return request
    outputs = with_data(request, body[length:], MANY) or wanted_outputs(request)
    if isinstance(outputs, BadRequest):
        return outputs
    rows = rows_of_tensors(request.get("inputs"), columns)
    if isinstance(rows, BadRequest):
        return rows
    identity = request.get("id")
    return Quick(rows, identity=identity if isinstance(identity, str) else None, outputs=outputs)


def test_what_is_read_quickly_is_what_the_strict_reading_takes() -> None:
    counts = {"taken": 0, "refused": 0, "left": 0}

    @examples(500, deadline=None)
    @given(st.data(), features())
    def compare(data: st.DataObject, schema: list[ServedFeature]) -> None:
        body, length = data.draw(requests(schema))
        document = factories.SCHEMA_DOCUMENT.model_copy(update={"features": schema})
        columns = columns_of(document)
        quick = ColumnReader(columns).infer(body, length)
        strict = strictly(columns, body, length)
        if quick is None:
            counts["refused" if isinstance(strict, BadRequest) else "left"] += 1
            return
        counts["taken"] += 1
        assert isinstance(strict, Quick), strict
        assert quick.rows is not None
        assert strict.rows is not None
        assert quick.rows.dtype == np.float32
        null = np.isnan(strict.rows)
        np.testing.assert_array_equal(np.isnan(quick.rows), null)
        np.testing.assert_array_equal(
            quick.rows.view(np.uint32)[~null], strict.rows.view(np.uint32)[~null]
        )
        assert (quick.identity, quick.outputs) == (strict.identity, strict.outputs)

    compare()
    assert min(counts["taken"], counts["refused"]) >= 15, counts
    assert counts["taken"] > counts["left"], counts


RIGHT: dict[str, tuple[list[str], list[Any]]] = {
    "income": (["FP16", "FP32", "FP64", "INT32", "INT64", "UINT16", "UINT64"], [51_000, 20, 3]),
    "age": (["INT8", "UINT8", "INT16", "INT64", "FP16", "FP32", "FP64"], [40, 18, 120]),
    "owner": (["BOOL"], [1, 0, 1]),
    "purpose": (["BYTES"], ["car", "other", "home"]),
}
COMBINATIONS = list(itertools.product(*(kinds for kinds, _ in RIGHT.values())))
COLUMNS = columns_of(factories.SCHEMA_DOCUMENT)
READER = ColumnReader(COLUMNS)


def right_request(
    datatypes: Sequence[str], in_json: Sequence[str] = (), *, backwards: bool = False
) -> tuple[bytes, int]:
    """Return a request of three rows with each feature in one of its datatypes."""
    inputs, tails = [], []
    for name, datatype in zip(RIGHT, datatypes, strict=True):
        cells: list[Any] = RIGHT[name][1]
        tensor: dict[str, Any] = {"name": name, "shape": [3], "datatype": datatype}
        if name in in_json:
            tensor["data"] = [bool(cell) for cell in cells] if datatype == "BOOL" else cells
            data = b""
        else:
            is_text = datatype == "BYTES"
            data = packed(cells) if is_text else np.array(cells, DTYPES[datatype]).tobytes()
            tensor["parameters"] = {"binary_data_size": len(data)}
        inputs.append(tensor)
        tails.append(data)
    turn = -1 if backwards else 1
    return body_of({"inputs": inputs[::turn]}, tails[::turn])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("datatypes", COMBINATIONS)
def test_each_datatype_is_read_quickly_in_either_order(
    datatypes: tuple[str, ...], backwards: bool
) -> None:
    found = READER.infer(*right_request(datatypes, backwards=backwards))
    assert found is not None
    assert found.rows is not None
    income = [float(np.float16(51_000)), 20, 3] if datatypes[0] == "FP16" else RIGHT["income"][1]
    columns = [income, RIGHT["age"][1], [1, 0, 1], [1, 2, 0]]
    np.testing.assert_array_equal(found.rows, np.array(columns, np.float32).T)


@pytest.mark.parametrize("in_json", [s for n in range(4) for s in itertools.combinations(RIGHT, n)])
def test_tensors_as_json_may_stand_beside_those_as_bytes(in_json: tuple[str, ...]) -> None:
    mixed = right_request(["FP32", "INT64", "BOOL", "BYTES"], in_json)
    found = READER.infer(*mixed)
    assert found is not None
    assert found.rows is not None
    np.testing.assert_array_equal(found.rows[:, 3], [1, 2, 0])
    answer, strict = PLANE.infer(*mixed), PLANE._infer_strictly(*mixed)
    assert isinstance(answer, Answer)
    assert isinstance(strict, Answer)
    assert answer.body == strict.body


@pytest.mark.parametrize("datatype", ["FP64", "INT64", "UINT64"])
@pytest.mark.parametrize("number", [2**53 - 1, 2**53, 2**53 + 1, 2**62 + 2**38 + 1])
def test_whole_numbers_that_no_double_holds_are_rounded_once(datatype: str, number: int) -> None:
    """A double between the sent number and its float32 would round it twice, both ways alike."""
    request = right_request(["FP32", "INT64", "BOOL", "BYTES"])
    data = np.array([number] * 3, DTYPES[datatype]).tobytes()
    text = json.loads(request[0][: request[1]])
    text["inputs"][0] |= {"datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    tail = request[0][request[1] + 12 :]
    body, length = body_of(text, [data, tail])
    found, strict = PLANE.infer(body, length), PLANE._infer_strictly(body, length)
    assert isinstance(found, Answer)
    assert isinstance(strict, Answer)
    np.testing.assert_array_equal(found.rows, strict.rows)


def test_texts_without_end_take_no_more_memory_than_the_rows_of_a_request() -> None:
    """A byte of a text or a small number becomes an object of fifty."""
    tails = {"BYTES": packed(["ab"]) * 1_000_000, "FP16": b"\1\2" * 3_000_000}
    for datatype, tail in tails.items():
        tensor = {
            "name": "purpose" if datatype == "BYTES" else "income",
            "shape": [10_000],
            "datatype": datatype,
            "parameters": {"binary_data_size": len(tail)},
        }
        body, length = body_of({"inputs": [tensor]}, [tail])
        tracemalloc.start()
        found = PLANE.infer(body, length)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert isinstance(found, BadRequest)
        assert "values after its JSON" in json.dumps(found.body())
        assert peak < 24 * 1024 * 1024, peak


def test_an_only_feature_that_is_named_like_the_matrix_is_a_feature() -> None:
    feature = ServedFeature(
        name="input", type=FeatureType.CATEGORY, nullable=False, categories=["no", "yes"]
    )
    document = factories.SCHEMA_DOCUMENT.model_copy(update={"features": [feature]})
    columns = columns_of(document)
    tensor = {"name": "input", "shape": [1, 1], "datatype": "FP32"}
    body, length = body_of({"inputs": [tensor | {"data": [1]}]}, [])
    assert isinstance(strictly(columns, body, length), BadRequest)
    assert MatrixReader(columns).infer(body) is None
    size = {"parameters": {"binary_data_size": 4}}
    body, length = body_of({"inputs": [tensor | size]}, [b"\0\0\x80?"])
    assert isinstance(strictly(columns, body, length), BadRequest)
    assert MatrixReader(columns).infer_binary(body, length) is None
