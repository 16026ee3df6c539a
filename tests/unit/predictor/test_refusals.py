"""What a predictor refuses by the schema, member names and datatypes, and how it counts that."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.bounds import FLOAT32_MAX, MAX_REFUSED_FEATURES
from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.drift import Drift, Rejections
from hallmark.api.drift_report import DriftReport
from hallmark.api.served import ServedFeature
from hallmark.drift.refusals import NO_FEATURE, Fault, Reason, RefusalCounter, Refusals
from hallmark.drift.rejection_counter import rejection_counter
from hallmark_predictor.app import create_app
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.datatypes import NUMBERS
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.encoding import columns_of
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.problems import MAX_PROBLEMS, BadRequest
from hallmark_predictor.serving import Serving
from tests.examples import examples
from tests.unit.drift.factories import received
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_app import DIGEST, client_of, loading, serving
from tests.unit.predictor.test_data_plane import matrix, tensors
from tests.unit.predictor.test_drift_reporter import recorder

PLANE = DataPlane(factories.model())
NAMES = ("income", "age", "owner", "purpose")


def ask(request: object) -> Answer | BadRequest:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return PLANE.infer(body) if b'"inputs"' in body else PLANE.predict(body)


def faults(request: object) -> tuple[int, dict[Fault, int]]:
    found = ask(request)
    assert isinstance(found, BadRequest)
    assert found.body()["error"]
    return found.refusals.rows, dict(found.refusals.faults)


# -- the declared range -----------------------------------------------------------------------


def encoder(kind: str, low: float | None, high: float | None, **more: Any) -> Any:  # noqa: ANN401
    feature = ServedFeature(
        name="f", type=FeatureType(kind), nullable=False, minimum=low, maximum=high, **more
    )
    (column,) = columns_of(factories.SCHEMA_DOCUMENT.model_copy(update={"features": [feature]}))
    return column.encode


@pytest.mark.parametrize(
    ("kind", "low", "high", "taken", "refused"),
    [
        ("Integer", 18, 120, [18, 120, 18.0, 120.0, 40], [17, 121, 400, -400, 10**40, 40.5]),
        ("Integer", None, 0, [0, -5, -(2**60)], [1, 0.5]),
        ("Integer", 2**24, None, [2**24, 2**25], [2**24 - 1]),
        ("Number", 0.1, 0.7, [0.1, 0.7, float(np.float32(0.1)), float(np.float32(0.7))], [0.7001]),
        ("Number", -0.5, 0.5, [-0.5, 0.5, 0, -0.0], [-0.50001, 0.50001, 1, math.inf]),
        ("Number", 0, None, [0, 1e38, FLOAT32_MAX], [-1, -1e-30, 3.5e38, 1e300, math.inf]),
        ("Number", None, None, [-FLOAT32_MAX, FLOAT32_MAX, 5e-324], [1e39, -math.inf]),
        ("Number", 5, 5, [5], [4.999, 5.001]),
    ],
)
def test_the_ends_of_a_range_are_taken_and_nothing_beyond_as_float32_has_it(
    kind: str, low: float | None, high: float | None, taken: list[float], refused: list[float]
) -> None:
    encode = encoder(kind, low, high)
    assert [encode(value) for value in taken] == [float(value) for value in taken]
    assert [encode(value) for value in refused] == [None] * len(refused)


@examples(300)
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(-2e9, 2e9), st.booleans())
def test_a_number_is_taken_where_its_float32_is_within_the_bounds_float32(
    one: float, two: float, value: float, at_the_end: bool
) -> None:
    low, high = sorted((one, two))
    value = math.nextafter(high, math.inf) if at_the_end else value
    rounded, ends = np.float32(value), np.float32([low, high])
    assert (encoder("Number", low, high)(value) is not None) == bool(ends[0] <= rounded <= ends[1])


@pytest.mark.parametrize("kind", ["Number", "Integer"])
def test_a_feature_that_may_leave_its_range_does(kind: str) -> None:
    encode = encoder(kind, 0, 120, out_of_range=OutOfRange.ALLOW)
    assert [encode(value) for value in (-5, 400, 10**39)] == [-5, 400, None]


@pytest.mark.parametrize("value", [17, 121, 1e39])
def test_both_protocols_and_both_forms_refuse_alike(value: float) -> None:
    row = ROW | {"age": value}
    by_tensor = tensors(np.array([[5e4, 40, 1, 1]] * 2, dtype=np.float32))
    by_tensor[1]["data"][1] = value
    by_tensor[1]["datatype"] = "FP64"
    cells = [5e4, 40, 1, 1, 5e4, value, 1, 1]
    for request in (
        {"instances": [ROW, row]},
        {"inputs": by_tensor},
        matrix(cells, shape=[2, 4], datatype="FP64"),
    ):
        assert faults(request) == (1, {("age", Reason.OUT_OF_RANGE): 1})


# -- members that stand twice -----------------------------------------------------------------

GOOD = json.dumps(ROW)
TWICE = {
    "a feature": GOOD.replace('"age"', '"age": 41, "age"'),
    "a feature by another spelling": GOOD.replace('"age"', '"\\u0061ge": 40, "age"'),
    "the same value": GOOD.replace('"age"', '"age": 40, "age"'),
    "the rows": f'{{"instances": [{GOOD}], "instances": [{GOOD}]}}',
    "the rows by another spelling": f'{{"inst\\u0061nces": [], "instances": [{GOOD}]}}',
    "a tensor's data": '{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", '
    '"data": [1, 1, 1, 1], "data": [1, 40, 1, 1]}]}',
    "a tensor's datatype": '{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "INT8", '
    '"datatype": "FP32", "data": [1, 40, 1, 1]}]}',
    "a parameter": '{"parameters": {"a": 1, "a": 2}, "inputs": []}',
    "a parameter of a tensor": '{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", '
    '"parameters": {"binary": false, "binary": true}, "data": [1, 40, 1, 1]}]}',
    "deep in a parameter": '{"parameters": {"a": [[{"b": {"c": 1, "c": 2}}]]}, "inputs": []}',
    "a name with a colon": '{"parameters": {"a:b": 1, "a:b": 2}, "inputs": []}',
    "an empty name": '{"parameters": {"": 1, "": 2}, "inputs": []}',
}


@pytest.mark.parametrize("text", TWICE.values(), ids=TWICE)
def test_a_member_that_stands_twice_is_refused_wherever_it_is(text: str) -> None:
    body = text if text.startswith(('{"inst', '{"inp', '{"par')) else f'{{"instances": [{text}]}}'
    for method in (PLANE.predict, PLANE.infer):
        found = method(body.encode())
        assert isinstance(found, BadRequest)
        (detail,) = found.body()["details"]  # type: ignore[misc]
        assert detail["expected"] == "each member of an object once"


def test_the_name_of_what_stands_twice_is_not_told_where_it_may_be_anybodys_text() -> None:
    found = PLANE.predict(b'{"jane@example.org": 1, "jane@example.org": 2}')
    assert isinstance(found, BadRequest)
    assert "jane" not in json.dumps(found.body())


@pytest.mark.parametrize("text", ["a:b", '":":"', "\\", '\\":', "12:30:00", "\u00e9:"])
def test_colons_and_quotes_in_texts_are_no_members(text: str) -> None:
    request = matrix() | {"id": text, "parameters": {text: text, f"{text}2": {text: [{text: 1}]}}}
    assert isinstance(PLANE.infer(json.dumps(request).encode()), Answer)
    assert isinstance(
        PLANE.infer(json.dumps(request, ensure_ascii=False, indent=1).encode()), Answer
    )


MEMBER = st.text(alphabet='ab:"\\é', max_size=2)
NESTED = st.recursive(
    st.integers() | st.text(alphabet='a:"\\é', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(MEMBER, inner), max_size=3).map(tuple)
    ),
    max_leaves=8,
)
"""A tuple of pairs is an object."""


def written(value: object) -> tuple[str, bool]:
    """Return JSON in which tuples are objects, and whether a member stands twice in it."""
    if isinstance(value, tuple):
        parts = [(json.dumps(name), *written(inner)) for name, inner in value]
        twice = len({name for name, _ in value}) < len(value)
        text = ",".join(f"{name}:{inner}" for name, inner, _ in parts)
        return f"{{{text}}}", twice or any(part[2] for part in parts)
    if isinstance(value, list):
        found = [written(inner) for inner in value]
        return f"[{','.join(text for text, _ in found)}]", any(twice for _, twice in found)
    return json.dumps(value), False


@examples(300)
@given(NESTED)
def test_whatever_the_parameters_are_twice_is_found_exactly_where_it_is(value: object) -> None:
    text, twice = written(value)
    body = json.dumps(matrix() | {"parameters": {"any": "@"}}).replace('"@"', text).encode()
    found = PLANE.infer(body)
    assert isinstance(found, BadRequest if twice else Answer), text


# -- datatypes --------------------------------------------------------------------------------

ENDS = {name: (numbers.low, numbers.high) for name, numbers in NUMBERS.items()}
WHOLE = [name for name, numbers in NUMBERS.items() if numbers.whole]


def one(datatype: str, value: object, position: int = 1) -> dict[str, object]:
    """Return a request of one row whose tensor for a feature has this datatype and value."""
    inputs = tensors(np.array([[5e4, 40, 1, 1]], dtype=np.float32))
    inputs[position] |= {"datatype": datatype, "shape": [1], "data": [value]}
    return {"inputs": inputs}


@pytest.mark.parametrize("datatype", [name for name in NUMBERS if name != "FP64"])
def test_a_datatype_takes_its_own_ends_and_nothing_beyond(datatype: str) -> None:
    low, high = ENDS[datatype]
    rounds = 1 if NUMBERS[datatype].whole else None
    below, above = (low - 1, high + 1) if rounds else (low * 1.001, high * 1.001)
    for end, beyond in ((low, below), (high, above)):
        rows, found = faults(one(datatype, beyond, position=0))
        assert (rows, found) == (1, {("income", Reason.OUT_OF_RANGE): 1})
        # Within the datatype the schema has its say: income is at least 0.
        within = ask(one(datatype, end, position=0))
        fits = 0 <= end <= FLOAT32_MAX
        assert isinstance(within, Answer) or not fits


@pytest.mark.parametrize("datatype", WHOLE)
@pytest.mark.parametrize("value", [40.5, 1e-9, 0.1])
def test_a_whole_datatype_takes_no_fraction_for_a_number_or_a_whole_number(
    datatype: str, value: float
) -> None:
    for position, name in ((0, "income"), (1, "age")):
        assert faults(one(datatype, value, position)) == (1, {(name, Reason.WRONG_TYPE): 1})
        assert isinstance(ask(one(datatype, 40, position)), Answer)
        assert isinstance(ask(one(datatype, 40.0, position)), Answer)


@pytest.mark.parametrize("datatype", NUMBERS)
@pytest.mark.parametrize("value", ["40", True, [], {}, [40]])
def test_what_is_no_number_is_none_in_any_datatype(datatype: str, value: object) -> None:
    assert faults(one(datatype, value)) == (1, {("age", Reason.WRONG_TYPE): 1})


@pytest.mark.parametrize("value", [0, 1, "true", 1.0, [], 2])
def test_a_bool_is_true_or_false(value: object) -> None:
    assert faults(one("BOOL", value, 2)) == (1, {("owner", Reason.WRONG_TYPE): 1})
    for right in (True, False):
        assert isinstance(ask(one("BOOL", right, 2)), Answer)


@pytest.mark.parametrize("datatype", ["FP16", "FP32"])
def test_a_matrix_is_held_to_its_datatype_too(datatype: str) -> None:
    _, high = ENDS[datatype]
    cells = [high * 1.01, 40, 1, 1]
    assert faults(matrix(cells, shape=[1, 4], datatype=datatype)) == (
        1,
        {("income", Reason.OUT_OF_RANGE): 1},
    )
    assert isinstance(ask(matrix([high, 40, 1, 1], shape=[1, 4], datatype=datatype)), Answer)


# -- counting ---------------------------------------------------------------------------------


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in ROW.items() if key != name}


REASONS: dict[str, tuple[object, int, dict[Fault, int]]] = {
    "a category that nobody has seen": (
        {"instances": [ROW, ROW | {"purpose": "boat"}, ROW | {"purpose": ""}]},
        2,
        {("purpose", Reason.UNSEEN_CATEGORY): 2},
    ),
    "a number for a category": (
        {"instances": [ROW | {"purpose": 1}]},
        1,
        {("purpose", Reason.WRONG_TYPE): 1},
    ),
    "null where none may be": (
        {"instances": [ROW | {"age": None}]},
        1,
        {("age", Reason.MISSING): 1},
    ),
    "an absent feature": ({"instances": [without("owner")]}, 1, {("owner", Reason.MISSING): 1}),
    "a fraction": ({"instances": [ROW | {"age": 40.5}]}, 1, {("age", Reason.WRONG_TYPE): 1}),
    "out of range": ({"features": ROW | {"age": 121}}, 1, {("age", Reason.OUT_OF_RANGE): 1}),
    "two in one row": (
        {"instances": [ROW | {"age": 400, "purpose": "boat"}]},
        1,
        {("age", Reason.OUT_OF_RANGE): 1, ("purpose", Reason.UNSEEN_CATEGORY): 1},
    ),
    "a feature that nobody declared": (
        {"instances": [ROW | {"jane": 1}, ROW | {"joe": 2}]},
        2,
        {(NO_FEATURE, Reason.UNKNOWN_FEATURE): 2},
    ),
    "another name for a feature": (
        {"instances": [without("age") | {"Age": 40}]},
        1,
        {("age", Reason.MISSING): 1, (NO_FEATURE, Reason.UNKNOWN_FEATURE): 1},
    ),
    "no object": ({"instances": [1, ROW]}, 1, {(NO_FEATURE, Reason.WRONG_TYPE): 1}),
    "a tensor that lacks": (
        {"inputs": tensors()[:3]},
        7,
        {("purpose", Reason.MISSING): 7},
    ),
    "a tensor of another name": (
        {"inputs": [*tensors()[:3], tensors()[3] | {"name": "jane"}]},
        7,
        {("purpose", Reason.MISSING): 7, (NO_FEATURE, Reason.UNKNOWN_FEATURE): 7},
    ),
    "a tensor of another datatype": (
        {"inputs": [*tensors()[:3], tensors()[3] | {"datatype": "INT64"}]},
        7,
        {("purpose", Reason.WRONG_TYPE): 7},
    ),
    "a matrix of another datatype": (
        matrix(datatype="INT64"),
        7,
        {(NO_FEATURE, Reason.WRONG_TYPE): 7},
    ),
    "a shape that the data do not bear out": (
        matrix([1, 2, 3, 4], shape=[10_000, 4]),
        4,
        {(NO_FEATURE, Reason.WRONG_TYPE): 4},
    ),
    "tensors of different lengths": (
        {"inputs": [*tensors()[:3], tensors()[3] | {"shape": [1], "data": ["car"]}]},
        7,
        {("purpose", Reason.WRONG_TYPE): 7},
    ),
    "a category's index too high": (
        matrix([5e4, 40, 1, 3], shape=[1, 4]),
        1,
        {("purpose", Reason.UNSEEN_CATEGORY): 1},
    ),
    "a null in a matrix": (
        matrix([5e4, None, 1, 1], shape=[1, 4]),
        1,
        {("age", Reason.MISSING): 1},
    ),
    "a text in a matrix": (
        matrix([5e4, 40, 1, 1, "5", 40, 1, 1], shape=[2, 4]),
        1,
        {("income", Reason.WRONG_TYPE): 1},
    ),
    "no rows at all": ({"instances": 1}, 0, {}),
    "no JSON": (b"{", 0, {}),
}


@pytest.mark.parametrize("case", REASONS.values(), ids=REASONS)
def test_rows_are_counted_by_feature_and_reason(case: tuple[object, int, dict]) -> None:
    request, rows, wanted = case
    assert faults(request) == (rows, wanted)


def test_all_rows_are_counted_however_few_problems_are_told() -> None:
    found = ask({"instances": [ROW | {"purpose": "boat"}] * 5000})
    assert isinstance(found, BadRequest)
    assert len(found.problems) == MAX_PROBLEMS
    assert found.refusals == Refusals(5000, {("purpose", Reason.UNSEEN_CATEGORY): 5000})


HOSTILE = st.dictionaries(
    st.sampled_from([*NAMES, "x"]) | st.text(max_size=9),
    st.none() | st.integers() | st.text(max_size=4),
    max_size=6,
)


@examples(200)
@given(st.lists(HOSTILE, min_size=1, max_size=5))
def test_no_name_from_a_request_becomes_a_label(rows: list[dict[str, object]]) -> None:
    found = ask({"instances": rows})
    if isinstance(found, Answer):
        return
    assert {feature for feature, _ in found.refusals.faults} <= {*NAMES, NO_FEATURE}
    assert 1 <= found.refusals.rows <= len(rows)
    assert max(found.refusals.faults.values()) <= found.refusals.rows


def test_a_report_names_the_features_most_often_at_fault_and_counts_all_rows() -> None:
    counter = RefusalCounter()
    for number in range(9):
        counter.add(Refusals(number, {(f"f{number}", Reason.MISSING): number}))
    counter.add(Refusals(3, {("f0", Reason.OUT_OF_RANGE): 2, ("f0", Reason.WRONG_TYPE): 1}))
    counter.add(Refusals(7, {(NO_FEATURE, Reason.UNKNOWN_FEATURE): 7}))
    assert counter.rows == 46
    found = counter.most()
    assert [entry.feature for entry in found] == [f"f{number}" for number in (8, 7, 6, 5, 4)]
    assert len(found) == MAX_REFUSED_FEATURES
    assert found[0].to_wire() == {"feature": "f8", "missing": 8}


def test_refused_rows_stand_in_the_report_beside_what_was_answered() -> None:
    what = recorder()
    what.record(factories.traffic(120))
    what.refuse(Refusals(30, {("purpose", Reason.UNSEEN_CATEGORY): 30}))
    found = received(DriftReport, what.report(1))
    assert (found.rows, found.refused_rows) == (120, 30)
    assert [entry.to_wire() for entry in found.refused] == [
        {"feature": "purpose", "unseenCategory": 30}
    ]
    assert sum(found.counts["purpose"]) == 120


async def test_rows_are_counted_by_the_address_that_they_come_from() -> None:
    drift = Drift(rejections=Rejections(minimum=100))
    what = loading()
    model = factories.model()
    counter = rejection_counter(drift)
    what.start(
        DataPlane(model), DriftRecorder(model.windows, model.columns, DIGEST, rejections=counter)
    )
    good, bad = {"instances": [ROW] * 30}, {"instances": [ROW | {"age": "old"}] * 30}
    app = create_app(what)
    for _ in range(drift.consecutive * 4):
        for number, body in enumerate((bad, good, bad, good, good)):
            transport = httpx.ASGITransport(app=app, client=(f"10.0.0.{number}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://p") as client:
                await client.post("/predict", json=body)
    assert what.recorder is not None
    blocks = what.recorder.report(1).rejections
    assert len(blocks) == drift.consecutive
    assert all(0 < block.refused < block.rows for block in blocks)


async def test_refused_rows_are_counted_in_the_metrics() -> None:
    what: Serving = serving()
    async with client_of(what) as client:
        for row in (ROW, ROW | {"purpose": "boat"}, ROW | {"age": 400, "jane@example.org": 1}):
            await client.post("/predict", json={"instances": [row]})
        await client.post("/predict", json={})
        lines = (await client.get("/metrics")).text.splitlines()
    for line in (
        "hallmark_predictor_rows_total 1.0",
        "hallmark_predictor_refused_rows_total 2.0",
        'hallmark_predictor_faults_total{feature="purpose",reason="UnseenCategory"} 1.0',
        'hallmark_predictor_faults_total{feature="age",reason="OutOfRange"} 1.0',
        'hallmark_predictor_faults_total{feature="",reason="UnknownFeature"} 1.0',
    ):
        assert line in lines
    assert not any("jane" in line for line in lines)


def test_without_a_model_nothing_is_counted_for_drift() -> None:
    what = Serving(Metrics())
    what.refused(Refusals(1, {(NO_FEATURE, Reason.WRONG_TYPE): 1}), "")
    assert "refused_rows_total 1.0" in what.metrics.exposition().decode()
