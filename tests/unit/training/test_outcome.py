from __future__ import annotations

from hypothesis import given, strategies as st

from hallmark.api.findings import Finding
from hallmark.api.metrics import Comparison, GateResult, MetricValue
from hallmark.api.tasks import TrainOutcome, TrainStage
from hallmark.training.outcome import MAX_MESSAGE_BYTES, refuse, sentences, termination_message
from tests.examples import examples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=1024)


def metric(number: int, length: int) -> MetricValue:
    return MetricValue(name=f"m{number}".ljust(length, "x"), value="0.123456")


def result(number: int, length: int, *, passed: bool) -> GateResult:
    return GateResult(
        metric=f"m{number}".ljust(length, "x"),
        comparison=Comparison.AT_LEAST,
        threshold="0.5",
        passed=passed,
    )


@examples(60)
@given(TEXT, st.integers(0, 24), st.integers(0, 24), st.integers(3, 96))
def test_the_message_fits_what_the_kubelet_reads(
    message: str, metrics: int, gates: int, length: int
) -> None:
    outcome = TrainOutcome(
        stage=TrainStage.GATES,
        message=message,
        fingerprint=f"sha256:{'0' * 64}",
        metrics=[metric(i, length) for i in range(metrics)],
        gates=[result(i, length, passed=i % 2 == 0) for i in range(gates)],
    )
    document = termination_message(outcome)
    assert len(document) <= MAX_MESSAGE_BYTES
    read = TrainOutcome.model_validate_json(document)
    assert (read.stage, read.fingerprint) == (outcome.stage, outcome.fingerprint)
    assert message.startswith(read.message)


def test_the_failed_gates_are_the_last_to_give_way() -> None:
    gates = [result(i, 90, passed=i != 20) for i in range(24)]
    found = termination_message(
        refuse(TrainStage.GATES, "x" * 1000, gates=gates, metrics=[metric(1, 90)]).outcome
    )
    read = TrainOutcome.model_validate_json(found)
    assert len(read.gates) < 24
    assert not read.gates[0].passed


def test_what_gates_name_comes_first_and_intervals_give_way_before_metrics() -> None:
    metrics = [
        MetricValue(name=name.ljust(80, "x"), value="0.1", lower="0.050000", upper="0.200000")
        for name in "abcdefghijklmnopqrstuv"
    ] + [MetricValue(name="accuracy", value="0.9", lower="0.8", upper="1.0")]
    gate = result(1, 0, passed=True).model_copy(update={"metric": "t".ljust(80, "x")})
    outcome = refuse(TrainStage.GATES, "x" * 1000, gates=[gate], metrics=metrics).outcome
    names = [kept.name.rstrip("x") for kept in outcome.metrics]
    assert names[:3] == ["t", "accuracy", "a"]
    read = TrainOutcome.model_validate_json(termination_message(outcome))
    assert len(read.metrics) == len(outcome.metrics)
    assert {kept.lower for kept in read.metrics} == {None}


def test_as_many_sentences_as_fit_and_how_many_more() -> None:
    finding = Finding(check="Null", column="x", row=3, expected="a value", found="an empty cell")
    assert (
        sentences([finding, finding])
        == (
            "Null in column 'x', first in row 3: expected a value, found an empty cell. " * 2
        ).rstrip()
    )
    many = sentences([finding] * 50)
    assert len(many) <= 1024
    assert many.endswith("And 37 more.")
