"""Gates: at the bar, beside it, and without a number."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.api.training_run import Comparison, Gate, MetricValue
from hallmark.policies.gates import failures, judge

DECIMALS = st.decimals(-1000, 1000, places=6)


def gate(comparison: str, threshold: str) -> Gate:
    return Gate.model_validate({"metric": "m", "comparison": comparison, "threshold": threshold})


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
    (result,) = judge([gate(comparison, "0.8")], [], [MetricValue(name="m", value=value)])
    assert result.passed is passed
    assert bool(failures([result])) is not passed


def test_a_metric_that_nobody_measured_fails() -> None:
    (result,) = judge([gate("AtMost", "100")], [], [])
    assert not result.passed
    assert result.value is None
    assert failures([result]) == "Expected m at most 100, found no number."


@given(DECIMALS, DECIMALS)
def test_a_value_passes_one_of_two_opposite_gates_and_both_only_at_the_bar(
    value: Decimal, bar: Decimal
) -> None:
    metric = [MetricValue(name="m", value=f"{value:.6f}")]
    text = f"{bar:.6f}"
    low, high = judge([gate("AtLeast", text)], [gate("AtMost", text)], metric)
    assert low.passed or high.passed
    assert (low.passed and high.passed) == (value == bar)
    assert (low.source, high.source) == ("Run", "Policy")


@given(st.text(max_size=32), st.sampled_from(list(Comparison)))
def test_no_text_breaks_a_gate(text: str, comparison: Comparison) -> None:
    results = judge([gate(comparison, "0")], [], [MetricValue(name="m", value=text)])
    assert len(results) == 1
