import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.drift.counts import Rows
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.problems import BadRequest
from tests.examples import examples
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW

PLANE = DataPlane(factories.model())
ROWS = factories.traffic(7)


def predict(request: object) -> Answer | BadRequest:
    return PLANE.predict(json.dumps(request).encode())


def infer(request: object) -> Answer | BadRequest:
    return PLANE.infer(json.dumps(request).encode())


def answer(found: Answer | BadRequest) -> dict[str, Any]:
    assert isinstance(found, Answer), found
    body: dict[str, Any] = json.loads(found.body)
    return body


def refusal(found: Answer | BadRequest) -> list[dict[str, Any]]:
    assert isinstance(found, BadRequest), found
    assert found.status == 422
    body: Any = json.loads(json.dumps(found.body()))
    assert body["error"].startswith(f"'{body['details'][0]['field']}'")
    details: list[dict[str, Any]] = body["details"]
    return details


def expected_probabilities() -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = factories.estimator().probabilities(ROWS)
    return found


# -- /predict ---------------------------------------------------------------------------------


def test_rows_are_answered_with_label_probabilities_version_and_digest() -> None:
    found = answer(predict({"instances": factories.instances(ROWS)}))
    trust = PLANE.model.trust
    assert (found["modelVersion"], found["manifestDigest"]) == ("credit-1", trust.manifest_digest)
    expected = expected_probabilities()
    for prediction, probabilities in zip(found["predictions"], expected, strict=True):
        assert prediction["probabilities"]["yes"] == pytest.approx(probabilities[1], abs=1e-6)
        assert prediction["probabilities"]["no"] == pytest.approx(probabilities[0], abs=1e-6)
        assert prediction["label"] == ("yes" if probabilities[1] > 0.5 else "no")


def test_a_single_row_may_come_as_features() -> None:
    assert answer(predict({"features": ROW})) == answer(predict({"instances": [ROW]}))


@pytest.mark.parametrize(
    ("change", "encoded"),
    [
        pytest.param({}, [51_000.5, 40, 1, 1], id="each type"),
        pytest.param({"income": None}, [math.nan, 40, 1, 1], id="null where it is declared"),
        pytest.param({"income": 7}, [7, 40, 1, 1], id="a whole number is a number"),
        pytest.param({"age": 40.0}, [51_000.5, 40, 1, 1], id="40.0 is a whole number"),
        pytest.param({"owner": False}, [51_000.5, 40, 0, 1], id="false"),
        pytest.param({"age": 18}, [51_000.5, 18, 1, 1], id="the minimum"),
        pytest.param({"age": 120.0}, [51_000.5, 120, 1, 1], id="the maximum"),
        pytest.param({"income": -0.0}, [0, 40, 1, 1], id="a zero with a sign"),
    ],
)
def test_a_row_is_encoded_by_the_schema(change: dict[str, object], encoded: list[float]) -> None:
    found = predict({"instances": [ROW | change]})
    assert isinstance(found, Answer)
    np.testing.assert_allclose(found.rows, [np.asarray(encoded, dtype=np.float32)])


@pytest.mark.parametrize(
    ("change", "field", "expected", "found"),
    [
        pytest.param(
            {"income": "51000"},
            "income",
            "a finite number of at least 0 or null",
            "a text of 5 characters",
            id="a text for a number",
        ),
        pytest.param(
            {"income": True},
            "income",
            "a finite number of at least 0 or null",
            "a boolean",
            id="a boolean",
        ),
        pytest.param(
            {"income": [1]},
            "income",
            "a finite number of at least 0 or null",
            "a list of 1 elements",
            id="list",
        ),
        pytest.param(
            {"income": 10**39},
            "income",
            "a finite number of at least 0 or null",
            "a number of more than 15 digits",
            id="a number beyond float32",
        ),
        pytest.param(
            {"age": 40.5},
            "age",
            "a whole number from 18 to 120",
            "the number 40.5",
            id="a fraction of a year",
        ),
        pytest.param(
            {"age": None},
            "age",
            "a whole number from 18 to 120",
            "null",
            id="null where none may be",
        ),
        pytest.param(
            {"age": 400},
            "age",
            "a whole number from 18 to 120",
            "the number 400",
            id="above the maximum",
        ),
        pytest.param(
            {"income": -1},
            "income",
            "a finite number of at least 0 or null",
            "the number -1",
            id="below the minimum",
        ),
        pytest.param({"owner": 1}, "owner", "true or false", "a number", id="1 for true"),
        pytest.param(
            {"purpose": "jane@example.org"},
            "purpose",
            "one of 'home', 'car', 'other'",
            "a text of 16 characters",
            id="an unknown category, which is not repeated",
        ),
        pytest.param(
            {"purpose": 4111111111111111},
            "purpose",
            "one of 'home', 'car', 'other'",
            "a number",
            id="a number for a category, which is not repeated",
        ),
        pytest.param({"agee": 1}, "agee", "no such feature", "one", id="an undeclared feature"),
        pytest.param(
            {"jane@example.org": 1},
            "a name of 16 characters",
            "no such feature",
            "one",
            id="an undeclared feature that is no column's name is not repeated",
        ),
    ],
)
def test_a_bad_value_is_refused_by_field_row_expected_and_found(
    change: dict[str, object], field: str, expected: str, found: str
) -> None:
    details = refusal(predict({"instances": [ROW, ROW | change]}))
    assert details == [{"field": field, "row": 1, "expected": expected, "found": found}]


def test_a_missing_feature_is_refused() -> None:
    row = {name: value for name, value in ROW.items() if name != "income"}
    details = refusal(predict({"instances": [row]}))
    assert [(each["field"], each["found"]) for each in details] == [("income", "nothing")]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"{", id="half of an object"),
        pytest.param(b'{"instances": [NaN]}', id="NaN"),
        pytest.param(b'{"instances": [Infinity]}', id="Infinity"),
        pytest.param(b'{"instances": [-Infinity]}', id="minus Infinity"),
        pytest.param(b"[" * 500_000, id="deep nesting"),
        pytest.param(b'{"a":' * 500_000, id="deep nesting of objects"),
        pytest.param(b'{"instances": [' + b"9" * 100_000 + b"]}", id="a number without an end"),
        pytest.param(b'"\\ud800"', id="half of a character"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b'{"instances": []}', id="no rows"),
        pytest.param(b'{"instances": {}}', id="an object for the rows"),
        pytest.param(b'{"instances": [[]]}', id="a list for a row"),
        pytest.param(b'{"instances": [], "features": {}}', id="both forms at once"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    for found in (PLANE.predict(body), PLANE.infer(body)):
        assert refusal(found)


def test_too_many_rows_are_refused() -> None:
    (detail,) = refusal(predict({"instances": [{}] * 10_001}))
    assert (detail["expected"], detail["found"]) == ("at most 10000 rows", "10001 rows")


def test_many_problems_are_told_up_to_a_bound() -> None:
    assert len(refusal(predict({"instances": [{}] * 10_000}))) == 50
    extra = {f"x{index}": 0 for index in range(5000)}
    assert len(refusal(predict({"instances": [ROW | extra]}))) == 50


# -- the Open Inference Protocol --------------------------------------------------------------


def tensors(rows: Rows = ROWS) -> list[dict[str, Any]]:
    n = [len(rows)]
    return [
        {"name": "income", "shape": n, "datatype": "FP32", "data": rows[:, 0].tolist()},
        {
            "name": "age",
            "shape": [*n, 1],
            "datatype": "INT64",
            "data": [int(v) for v in rows[:, 1]],
        },
        {"name": "owner", "shape": n, "datatype": "BOOL", "data": [bool(v) for v in rows[:, 2]]},
        {
            "name": "purpose",
            "shape": [*n, 1],
            "datatype": "BYTES",
            "data": [[factories.PURPOSES[int(v)]] for v in rows[:, 3]],
        },
    ]


def matrix(data: object = None, **changes: object) -> dict[str, object]:
    cells = ROWS.ravel().tolist() if data is None else data
    tensor = {"name": "input", "shape": [7, 4], "datatype": "FP32", "data": cells}
    return {"inputs": [tensor | changes]}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"inputs": tensors()}, id="a tensor for each feature"),
        pytest.param({"inputs": tensors()[::-1]}, id="tensors in another order"),
        pytest.param(matrix(), id="a flat matrix"),
        pytest.param(matrix(ROWS.tolist()), id="a nested matrix"),
    ],
)
def test_tensors_are_answered_with_labels_and_probabilities(request_: dict[str, object]) -> None:
    found = answer(infer(request_ | {"id": "r-1", "parameters": {"ignored": 1}}))
    assert (found["model_name"], found["model_version"], found["id"]) == ("credit", "7", "r-1")
    label, probabilities = found["outputs"]
    assert (label["name"], label["datatype"], label["shape"]) == ("label", "BYTES", [7])
    assert (probabilities["name"], probabilities["datatype"]) == ("probabilities", "FP32")
    assert probabilities["shape"] == [7, 2]
    expected = expected_probabilities()
    assert probabilities["data"] == pytest.approx(expected.ravel().tolist(), abs=1e-6)
    assert label["data"] == ["yes" if each[1] > 0.5 else "no" for each in expected]


def test_only_the_outputs_that_are_asked_for_come() -> None:
    found = answer(infer(matrix() | {"outputs": [{"name": "probabilities"}]}))
    assert [each["name"] for each in found["outputs"]] == ["probabilities"]


def test_both_protocols_and_both_forms_encode_alike() -> None:
    nulls = ROWS.copy()
    nulls[2, 0] = np.nan
    cells = [None if math.isnan(v) else v for v in nulls.ravel().tolist()]
    by_tensor = tensors(nulls)
    by_tensor[0]["data"][2] = None
    by_name = factories.instances(ROWS)
    by_name[2]["income"] = None
    found = [
        infer(matrix(cells)),
        infer({"inputs": by_tensor}),
        predict({"instances": by_name}),
    ]
    for each in found:
        assert isinstance(each, Answer)
        np.testing.assert_array_equal(each.rows, nulls)


def changed(position: int, **changes: object) -> dict[str, object]:
    inputs = tensors()
    inputs[position] = inputs[position] | changes
    return {"inputs": inputs}


@pytest.mark.parametrize(
    ("request_", "field", "expected"),
    [
        pytest.param({"inputs": 1}, "inputs", "a list of tensors", id="no list"),
        pytest.param({"inputs": [1]}, "inputs", "tensors with name", id="no tensor"),
        pytest.param({"inputs": tensors()[:3]}, "inputs", "each of the 4", id="one missing"),
        pytest.param({"inputs": tensors() * 2}, "inputs", "each tensor once", id="each twice"),
        pytest.param(changed(0, name="x"), "inputs", "each of the 4", id="an undeclared one"),
        pytest.param(changed(0, datatype="BYTES"), "income", "datatype FP32", id="a datatype"),
        pytest.param(changed(3, datatype="INT64"), "purpose", "datatype BYTES", id="an index"),
        pytest.param(changed(0, datatype=[]), "income", "datatype FP32", id="no datatype"),
        pytest.param(changed(0, shape=[8]), "income", "8 values", id="a longer shape"),
        pytest.param(changed(0, shape=[]), "income", "a shape", id="an empty shape"),
        pytest.param(changed(0, shape=[7, 2]), "income", "shape [rows]", id="a wide shape"),
        pytest.param(changed(0, shape=[-1]), "income", "a shape", id="a negative shape"),
        pytest.param(changed(0, shape=[10**40]), "income", "at most 10000", id="a giant shape"),
        pytest.param(changed(0, shape=[True]), "income", "a shape", id="a boolean shape"),
        pytest.param(changed(0, shape=[1], data=[1]), "age", "1 rows", id="lengths differ"),
        pytest.param(changed(0, data=["a"] * 7), "income", "a finite", id="texts for numbers"),
        pytest.param(changed(0, data=[[]] * 7), "income", "a finite", id="lists for numbers"),
        pytest.param(changed(0, data=None), "income", "7 values", id="no data"),
        pytest.param(changed(3, data=["boat"] * 7), "purpose", "one of", id="a category"),
        pytest.param(matrix(shape=[7, 3]), "input", "shape [rows, 4]", id="a narrow matrix"),
        pytest.param(matrix(shape=[28]), "input", "shape [rows, 4]", id="a vector"),
        pytest.param(matrix(datatype="INT64"), "input", "datatype FP32", id="an integer matrix"),
        pytest.param(matrix([1] * 27), "input", "28 values", id="a cell too few"),
        pytest.param(matrix(["1"] * 28), "income", "a number or null", id="texts in a matrix"),
        pytest.param(matrix([True] * 28), "income", "a number", id="booleans in a matrix"),
        pytest.param(matrix([1e39] * 28), "income", "a number from", id="beyond float32"),
        pytest.param(matrix([None] * 28), "age", "a whole number", id="nulls in a matrix"),
        pytest.param(matrix([1, 18, 2, 1] * 7), "owner", "0 or 1", id="a boolean of 2"),
        pytest.param(matrix([1, 18, 1, 3] * 7), "purpose", "0 to 2", id="an index too high"),
        pytest.param(matrix([1, 18, 1, 0.5] * 7), "purpose", "0 to 2", id="half an index"),
        pytest.param(matrix() | {"outputs": 1}, "outputs", "'label'", id="outputs no list"),
        pytest.param(
            matrix() | {"outputs": [{"name": "x"}]}, "outputs", "'label'", id="unknown output"
        ),
        pytest.param(
            matrix() | {"outputs": [{"name": {}}]}, "outputs", "'label'", id="output of no name"
        ),
    ],
)
def test_bad_tensors_are_refused(request_: dict[str, object], field: str, expected: str) -> None:
    detail = refusal(infer(request_))[0]
    assert detail["field"] == field
    assert expected in detail["expected"]


def test_metadata_names_each_feature_and_output() -> None:
    found = PLANE.metadata()
    assert [(each["name"], each["datatype"]) for each in found["inputs"]] == [
        ("income", "FP32"),
        ("age", "INT64"),
        ("owner", "BOOL"),
        ("purpose", "BYTES"),
    ]
    assert found["outputs"][1] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}


# -- whatever comes ---------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["car"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
ROWLIKE = st.dictionaries(st.sampled_from([*ROW, "x"]), JSON, max_size=6)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*ROW, "input"]) | JSON,
        "shape": st.lists(st.integers(-1, 5) | JSON, max_size=3) | JSON,
        "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "BOOL"]) | JSON,
        "data": st.lists(JSON, max_size=20) | JSON,
    },
)
REQUESTS = st.one_of(
    JSON,
    st.fixed_dictionaries({"instances": st.lists(ROWLIKE | JSON, max_size=5)}),
    st.fixed_dictionaries({"features": ROWLIKE}),
    st.fixed_dictionaries(
        {"inputs": st.lists(TENSOR | JSON, max_size=5)}, optional={"outputs": JSON, "id": JSON}
    ),
)


@examples(500)
@given(REQUESTS)
def test_any_json_is_answered_or_refused(request_: object) -> None:
    for found in (predict(request_), infer(request_)):
        if isinstance(found, Answer):
            answer(found)
        else:
            refusal(found)


@examples(300)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    for found in (PLANE.predict(body), PLANE.infer(body)):
        assert refusal(found)


@examples(200)
@given(
    st.fixed_dictionaries(
        {
            "income": st.none() | st.floats(0, width=32, allow_nan=False, allow_infinity=False),
            "age": st.integers(18, 120),
            "owner": st.booleans(),
            "purpose": st.sampled_from(factories.PURPOSES),
        }
    )
)
def test_any_row_of_the_schema_is_answered(row: dict[str, object]) -> None:
    found = predict({"instances": [row]})
    if isinstance(found, Answer):
        assert len(answer(found)["predictions"]) == 1
    else:  # An income that overflows in the model's own arithmetic.
        assert refusal(found)[0]["found"] == "too large a number"
