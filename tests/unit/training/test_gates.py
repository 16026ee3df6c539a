from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.training.gates import failure, judge, metric_text, metric_values
from tests.unit.training.factories import gate

VERDICTS = {
    "above at-least passes": ("AtLeast", "0.8", 0.9, True),
    "equal to at-least passes": ("AtLeast", "0.8", 0.8, True),
    "below at-least fails": ("AtLeast", "0.8", 0.79999, False),
    "below at-most passes": ("AtMost", "0.12", 0.1, True),
    "equal to at-most passes": ("AtMost", "0.12", 0.12, True),
    "above at-most fails": ("AtMost", "0.12", 0.12001, False),
    "what the report shows decides: six digits": ("AtMost", "0.12", 0.1200004, True),
    "a negative threshold": ("AtLeast", "-1.5", -1.4, True),
    "undefined fails at-least": ("AtLeast", "0", None, False),
    "undefined fails at-most": ("AtMost", "1", None, False),
    "not a number fails at-least": ("AtLeast", "-999999999", math.nan, False),
    "not a number fails at-most": ("AtMost", "999999999", math.nan, False),
    "infinity fails at-least": ("AtLeast", "0", math.inf, False),
    "minus infinity fails at-most": ("AtMost", "0", -math.inf, False),
}


@pytest.mark.parametrize("case", VERDICTS.values(), ids=VERDICTS)
def test_verdict(case: tuple[str, str, float | None, bool]) -> None:
    comparison, threshold, value, passed = case
    (result,) = judge([gate("m", comparison, threshold)], [], {"m": value})
    assert result.passed is passed
    assert (result.value is None) == (value is None or not math.isfinite(value))


def test_a_metric_that_nobody_measured_never_passes() -> None:
    results = judge([gate("rocauc", "AtLeast", "0")], [], {"rocAuc": 1.0})
    assert [result.passed for result in results] == [False]
    assert failure(results) == (
        "Gate rocauc failed: expected at least 0, it could not be measured (no such metric, or "
        "too few rows)."
    )


def test_the_runs_gates_and_the_policys_floors_all_count() -> None:
    results = judge(
        [gate("m", "AtLeast", "0.5")],
        [gate("m", "AtLeast", "0.9"), gate("n", "AtMost", "0.1")],
        {"m": 0.7, "n": 0.05},
    )
    assert [(each.source, each.metric, each.passed) for each in results] == [
        ("Run", "m", True),
        ("Policy", "m", False),
        ("Policy", "n", True),
    ]
    assert failure(results) == (
        "The policy's gate m failed: expected at least 0.9, measured 0.700000."
    )


def test_without_gates_nothing_fails() -> None:
    assert failure(judge([], [], {})) is None


def test_metrics_are_text_of_six_digits_and_leave_out_what_is_no_number() -> None:
    found = metric_values({"b": 0.1234565, "a": -2.0, "c": None, "d": math.nan, "e": 1e9})
    assert [(each.name, each.value) for each in found] == [
        ("a", "-2.000000"),
        ("b", "0.123456"),
        ("e", "1000000000.000000"),
    ]


@given(st.floats(-1e6, 1e6), st.decimals(-1000, 1000, places=4))
def test_the_verdict_can_be_repeated_from_the_report(value: float, threshold: object) -> None:
    for comparison in ("AtLeast", "AtMost"):
        (result,) = judge([gate("m", comparison, f"{threshold}")], [], {"m": value})
        text = metric_text(value)
        assert result.value == text
        again = judge([gate("m", comparison, f"{threshold}")], [], {"m": float(text or "nan")})
        assert again[0].passed == result.passed
