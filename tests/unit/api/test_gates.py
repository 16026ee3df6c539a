"""Gates: what they can name, and when they pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.gates import (
    ambiguous_attributes,
    evaluate_gates,
    failure,
    known_metrics,
    unknown_metrics,
)
from hallmark.api.metrics import Comparison, Gate, MetricValue
from hallmark.api.training_run import TrainingRunSpec

DECIMALS = st.decimals(-1000, 1000, places=6)
METRIC = MetricValue(name="m", value="0.700000", lower="0.600000", upper="0.800000")


def gate(comparison: str, threshold: str, metric: str = "m", **more: str) -> Gate:
    wire = {"metric": metric, "comparison": comparison, "threshold": threshold, **more}
    return Gate.model_validate(wire)


def spec(*gates: Gate, positive: str | None = "yes", **changes: Any) -> TrainingRunSpec:  # noqa: ANN401
    return TrainingRunSpec.model_validate(
        {
            "model": "credit",
            "dataset": {"records": "a"},
            "schema": {
                "features": [{"name": "income", "type": "Number"}],
                "target": {"name": "paid", "positive": positive},
                "sensitive": [{"name": "sex"}, {"name": "age band"}],
            },
            "gates": [asked.to_wire() for asked in gates],
            "requestedBy": "alice",
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("comparison", "value", "passed"),
    [
        pytest.param("AtLeast", "0.800000", True, id="at the bar passes from below"),
        pytest.param("AtLeast", "0.799999", False, id="a millionth below fails"),
        pytest.param("AtMost", "0.800000", True, id="at the bar passes from above"),
        pytest.param("AtMost", "0.800001", False, id="a millionth above fails"),
        pytest.param("AtMost", "NaN", False, id="not a number fails"),
        pytest.param("AtLeast", "Infinity", False, id="infinity fails"),
        pytest.param("AtMost", "-Infinity", False, id="minus infinity fails"),
        pytest.param("AtMost", "Inconclusive", False, id="a word fails"),
        pytest.param("AtMost", "", False, id="nothing fails"),
    ],
)
def test_a_gate(comparison: str, value: str, passed: bool) -> None:
    (result,) = evaluate_gates([gate(comparison, "0.8")], [], [MetricValue(name="m", value=value)])
    assert result.passed is passed
    assert bool(failure([result])) is not passed


@pytest.mark.parametrize(
    ("comparison", "threshold", "statistic", "compared", "passed"),
    [
        pytest.param("AtLeast", "0.65", "Estimate", "0.700000", True, id="the estimate clears it"),
        pytest.param("AtLeast", "0.65", "Bound", "0.600000", False, id="its lower bound does not"),
        pytest.param("AtMost", "0.75", "Estimate", "0.700000", True, id="the estimate is below"),
        pytest.param("AtMost", "0.75", "Bound", "0.800000", False, id="its upper bound is above"),
        pytest.param("AtMost", "0.8", "Bound", "0.800000", True, id="a bound at the bar passes"),
    ],
)
def test_a_bound_is_the_unfavourable_end(
    comparison: str, threshold: str, statistic: str, compared: str, passed: bool
) -> None:
    (result,) = evaluate_gates([gate(comparison, threshold, statistic=statistic)], [], [METRIC])
    assert (result.value, result.passed, result.statistic) == (compared, passed, statistic)


def test_a_bound_that_nobody_computed_never_passes() -> None:
    bare = MetricValue(name="m", value="1.000000")
    (result,) = evaluate_gates([gate("AtLeast", "0", statistic="Bound")], [], [bare])
    assert (result.value, result.passed) == (None, False)


def test_the_bound_of_what_is_counted_exactly_is_its_value() -> None:
    exact = MetricValue(name="dataQuality", value="98.000000")
    (result,) = evaluate_gates(
        [gate("AtLeast", "98", "dataQuality", statistic="Bound")], [], [exact]
    )
    assert result.passed


def test_a_metric_that_nobody_measured_fails() -> None:
    (result,) = evaluate_gates([gate("AtMost", "100")], [], [])
    assert not result.passed
    assert result.value is None
    assert failure([result]) == "Gate m failed: expected at most 100, it could not be measured."


def test_an_inconclusive_metric_fails_and_says_why() -> None:
    why = {"m": "group 'b' of 'sex' has 12 test rows, 30 are needed"}
    (result,) = evaluate_gates([gate("AtMost", "100")], [], [METRIC], why)
    assert not result.passed
    assert result.value is None
    assert failure([result]) == (
        "Gate m failed: expected at most 100, it is inconclusive: group 'b' of 'sex' has 12 test "
        "rows, 30 are needed."
    )


def test_the_runs_gates_and_the_policys_floors_all_count() -> None:
    results = evaluate_gates(
        [gate("AtLeast", "0.5")],
        [gate("AtLeast", "0.65", statistic="Bound"), gate("AtMost", "0.1", "n")],
        [METRIC, MetricValue(name="n", value="0.050000")],
    )
    assert [(result.source, result.metric, result.passed) for result in results] == [
        ("Run", "m", True),
        ("Policy", "m", False),
        ("Policy", "n", True),
    ]
    assert failure(results) == (
        "The policy's gate m failed: expected at least 0.65 of its lower confidence bound, "
        "measured 0.600000."
    )


@given(DECIMALS, DECIMALS)
def test_a_value_passes_one_of_two_opposite_gates_and_both_only_at_the_bar(
    value: Decimal, bar: Decimal
) -> None:
    metric = [MetricValue(name="m", value=f"{value:.6f}")]
    text = f"{bar:.6f}"
    low, high = evaluate_gates([gate("AtLeast", text)], [gate("AtMost", text)], metric)
    assert low.passed or high.passed
    assert (low.passed and high.passed) == (value == bar)


@given(st.text(max_size=32), st.sampled_from(list(Comparison)))
def test_no_text_breaks_a_gate(text: str, comparison: Comparison) -> None:
    assert (
        len(evaluate_gates([gate(comparison, "0")], [], [MetricValue(name="m", value=text)])) == 1
    )


@pytest.mark.parametrize(
    "metric",
    [
        "accuracy",
        "certifiedAccuracy",
        "dataQuality",
        "demographicParityDifference.sex",
        "equalOpportunityDifference.age_band",
        "equalizedOddsDifference.sex_x_age_band",
        "proxyAuc.sex",
    ],
)
def test_what_is_measured_can_be_named(metric: str) -> None:
    assert metric in known_metrics(spec())
    assert unknown_metrics(spec(gate("AtLeast", "0", metric)), [gate("AtLeast", "0", metric)]) == ""


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(
            spec(gate("AtLeast", "0", "rocauc")),
            "A gate names the metric 'rocauc', which is not measured: did you mean 'rocAuc'?",
            id="another case",
        ),
        pytest.param(
            spec(gate("AtMost", "1", "demographicParityDifference.race")),
            "'demographicParityDifference.race', which is not measured",
            id="an attribute that the schema does not declare",
        ),
        pytest.param(
            spec(gate("AtMost", "1", "demographicParityDifference.sex"), positive=None),
            "fairness needs 'positive' in the schema's target",
            id="fairness between classes that are peers",
        ),
        pytest.param(
            spec(
                gate("AtMost", "1", "demographicParityRatio.sex_x_age_band"),
                evaluation={"intersections": False},
            ),
            "which is not measured",
            id="a pair of attributes that nobody asked for",
        ),
    ],
)
def test_a_gate_on_what_nobody_measures_is_refused_with_the_list(
    asked: TrainingRunSpec, words: str
) -> None:
    sentence = unknown_metrics(asked, [])
    assert words in sentence
    assert "Measured are: accuracy, balancedAccuracy, rocAuc," in sentence
    assert len(sentence) <= 1024


def test_a_floor_on_what_nobody_measures_is_the_policys() -> None:
    sentence = unknown_metrics(spec(), [gate("AtLeast", "0", "speed")])
    assert sentence.startswith("A gate of the policy names the metric 'speed'")


def test_attributes_whose_metrics_would_have_one_name_are_refused() -> None:
    features = [{"name": "income", "type": "Number"}]
    both = [{"name": "age band"}, {"name": "age_band"}]
    schema = {"features": features, "target": {"name": "paid"}, "sensitive": both}
    assert "'age band' and 'age_band', both 'age_band'" in ambiguous_attributes(spec(schema=schema))
    assert ambiguous_attributes(spec()) == ""
