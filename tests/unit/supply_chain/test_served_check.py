"""The served form must be a harmless file and answer the golden rows as training recorded."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from hallmark.api.served import Golden
from hallmark.api.trainer import Algorithm
from hallmark.supply_chain.onnx_form import ALLOWED_OPERATORS, MAX_BYTES, check_onnx_form
from hallmark.supply_chain.served_check import check_apart, check_golden, check_served_form
from hallmark.training.graph import build
from tests.unit.supply_chain.uploads import golden, onnx_model, schema, with_nodes
from tests.unit.training.fits import MIXES, fitted, made, small

GOOD = onnx_model().SerializeToString()


def edited(**changes: object) -> Golden:
    return golden().model_copy(update=changes)


def external(location: str) -> bytes:
    """Return a model whose weights are to be read from another file."""
    model = ModelProto.FromString(GOOD)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return bytes(model.SerializeToString())


def message(field: int, content: bytes) -> bytes:
    """Return a protobuf field of less than 128 bytes."""
    return bytes([field << 3 | 2, len(content)]) + content


def nested() -> bytes:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["features"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    node = helper.make_node("Sigmoid", ["features"], ["probabilities"], then_branch=branch)
    return with_nodes(node)


def in_attribute() -> bytes:
    tensor = numpy_helper.from_array(np.zeros(1, dtype=np.float32))
    tensor.data_location = TensorProto.EXTERNAL
    return with_nodes(helper.make_node("Sigmoid", [], ["probabilities"], value=tensor))


@pytest.mark.parametrize("algorithm", Algorithm)
def test_what_is_allowed_is_what_the_served_forms_need(algorithm: Algorithm) -> None:
    features = MIXES["all types"]
    data = build(fitted(*made(features, classes=3), features, small(algorithm)).plain, "m")
    assert check_onnx_form(data) == []


def test_every_operator_that_is_allowed_is_needed() -> None:
    features = MIXES["all types"]
    used: set[tuple[str, str]] = set()
    for algorithm in Algorithm:
        for classes in (2, 3):
            plain = fitted(*made(features, classes=classes), features, small(algorithm)).plain
            nodes = ModelProto.FromString(build(plain, "m")).graph.node
            used |= {(node.domain, node.op_type) for node in nodes}
    allowed = {(d, name) for d, names in ALLOWED_OPERATORS.items() for name in names}
    assert used == {each for each in allowed if each[0] != "ai.onnx"}  # another name of ""


def test_a_list_of_numbers_is_one_part_and_many_fields_are_too_many() -> None:
    ints = helper.make_node("Sigmoid", ["features"], ["probabilities"], numbers=range(300_000))
    assert check_onnx_form(with_nodes(ints)) == []
    floats = helper.make_node("Sigmoid", ["features"], ["probabilities"], numbers=[0.5] * 300_000)
    (found,) = check_onnx_form(with_nodes(floats))
    assert "found more than 100000 parts" in found.sentence()


def test_numbers_that_are_skipped_hide_nothing() -> None:
    node = helper.make_node("Sigmoid", ["features"], ["probabilities"], numbers=[1, 1 << 40, -1])
    tensor = numpy_helper.from_array(np.zeros(1, dtype=np.float32))
    tensor.data_location = TensorProto.EXTERNAL
    node.attribute[0].t.CopyFrom(tensor)
    (found,) = check_onnx_form(with_nodes(node))
    assert "another file" in found.sentence()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"", "found 0 graphs", id="nothing"),
        pytest.param(GOOD + GOOD, "found 2 graphs", id="two graphs"),
        pytest.param(GOOD[: len(GOOD) // 2], "end too early", id="half a file"),
        pytest.param(pickle.dumps([1, "x"]), "not ONNX", id="a pickle"),
        pytest.param(
            b"\xba\x80\x80\x80\x10" + GOOD[1:], "too large", id="a field number of 33 bits"
        ),
        pytest.param(b"\xff" * 20, "a broken number", id="a number without end"),
        pytest.param(external("/var/run/key"), "another file", id="weights in another file"),
        pytest.param(in_attribute(), "another file", id="a constant in another file"),
        pytest.param(nested(), "a graph inside an operator", id="a branch or loop"),
        pytest.param(
            with_nodes(helper.make_node("Inverse", ["x"], ["y"], domain="com.microsoft")),
            "domain 'com.microsoft'",
            id="an operator outside the standard",
        ),
        pytest.param(
            with_nodes(helper.make_node("NoSuchOperator", ["features"], ["probabilities"])),
            "the operator 'NoSuchOperator'",
            id="an unknown operator",
        ),
        pytest.param(
            with_nodes(helper.make_node("Loop", ["features"], ["probabilities"])),
            "the operator 'Loop'",
            id="a standard operator that no form needs",
        ),
        pytest.param(
            with_nodes(
                helper.make_node("TreeEnsembleClassifier", ["x"], ["y"], domain="ai.onnx.ml")
            ),
            "the operator 'TreeEnsembleClassifier'",
            id="an operator for models that no form needs",
        ),
        pytest.param(
            with_nodes(helper.make_node("TreeEnsemble", ["x"], ["y"])),
            "the operator 'TreeEnsemble'",
            id="an allowed operator's name in another domain",
        ),
        pytest.param(
            message(7, message(1, message(4, b"Add") + message(4, b"Mod"))),
            "the operator 'Mod'",
            id="a second name in an operator",
        ),
        pytest.param(
            with_nodes(*[helper.make_node("Sigmoid", ["x"], ["y"])] * 2049),
            "more than 2048 operators",
            id="too many operators",
        ),
        pytest.param(b"\x00" * (MAX_BYTES + 1), f"at most {MAX_BYTES} bytes", id="a huge file"),
        pytest.param(
            with_nodes(opsets={"evil.example": 1}), "domain 'evil.example'", id="a foreign domain"
        ),
    ],
)
def test_a_file_is_refused(data: bytes, sentence: str) -> None:
    (found,) = check_onnx_form(data)
    assert sentence in found.sentence()


@given(st.integers(0), st.binary(max_size=8), st.integers(0, 8))
def test_reading_a_changed_file_never_raises(at: int, noise: bytes, cut: int) -> None:
    at %= len(GOOD)
    assert len(check_onnx_form(GOOD[:at] + noise + GOOD[at + cut :])) <= 1


def test_the_right_answers_pass() -> None:
    assert check_served_form(GOOD, schema(), golden()) == []
    assert check_apart(GOOD, schema().to_bytes(), golden().to_bytes()) == []


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        pytest.param(
            edited(probabilities=[[0.5, 0.5]] * 3), "found a difference of", id="other answers"
        ),
        pytest.param(
            edited(rows=[[None, 0.0]] * 3, probabilities=[[0.5, 0.5]] * 3),
            "found a difference of nan",
            id="an answer that is not a number",
        ),
        pytest.param(
            edited(tolerance=0.5), "a tolerance of at most 0.0001", id="a loose tolerance"
        ),
        pytest.param(edited(tolerance=float("nan")), "found nan", id="a tolerance that is NaN"),
        pytest.param(edited(rows=[[1.0]] * 3), "rows of 2 features", id="narrow rows"),
        pytest.param(edited(probabilities=[[0.5, 0.5]]), "expected 3 answers", id="few answers"),
        pytest.param(
            edited(probabilities=[[1.0]] * 3), "answers for 2 classes", id="answers for one class"
        ),
    ],
)
def test_wrong_answers_are_found(answers: Golden, sentence: str) -> None:
    found = check_served_form(GOOD, schema(), answers)
    assert any(sentence in each.sentence() for each in found)


@pytest.mark.parametrize(
    ("onnx", "sentence"),
    [
        pytest.param(
            with_nodes(helper.make_node("Add", ["features"], ["probabilities"])),
            "answers to the golden rows, found",
            id="an operator with too few inputs",
        ),
        pytest.param(
            with_nodes(helper.make_node("Sigmoid", ["features"], ["other"])),
            "answers to the golden rows",
            id="no such output",
        ),
        pytest.param(
            with_nodes(helper.make_node("ReduceSum", ["features"], ["probabilities"])),
            "found shape (1, 1)",
            id="another shape",
        ),
    ],
)
def test_a_graph_that_does_not_answer_is_found(onnx: bytes, sentence: str) -> None:
    (found,) = check_served_form(onnx, schema(), golden())
    assert sentence in found.sentence()


def test_a_graph_that_takes_all_memory_is_a_refusal_and_not_a_crash() -> None:
    model = ModelProto.FromString(
        with_nodes(helper.make_node("MatMul", ["column", "row"], ["probabilities"]))
    )
    for name, shape in (("column", (1 << 20, 1)), ("row", (1, 1 << 20))):
        zeros = np.zeros(shape, dtype=np.float32)
        model.graph.initializer.append(numpy_helper.from_array(zeros, name))
    (found,) = check_apart(model.SerializeToString(), schema().to_bytes(), golden().to_bytes())
    assert found.check == "Served form"


def test_a_child_that_dies_or_hangs_is_a_refusal() -> None:
    (found,) = check_apart(GOOD, b"not a schema", golden().to_bytes())
    assert "found exit code 1" in found.sentence()
    (found,) = check_apart(GOOD, schema().to_bytes(), golden().to_bytes(), timeout=0.01)
    assert "within 0.01 s" in found.sentence()


def test_golden_rows_that_fit_have_no_findings() -> None:
    assert check_golden(schema(), golden()) == []
