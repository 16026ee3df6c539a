"""Measurements as text."""

from __future__ import annotations

import math

from hypothesis import given, strategies as st

from hallmark.api.gates import evaluate_gates
from hallmark.training.gates import Measurement, inconclusive, metric_text, metric_values
from tests.unit.training.factories import gate


def test_metrics_are_text_of_six_digits_and_leave_out_what_is_no_number() -> None:
    found = metric_values(
        {
            "b": Measurement(0.1234565, 0.1, 0.2),
            "a": Measurement(-2.0),
            "c": Measurement(None),
            "d": Measurement(math.nan),
            "e": Measurement(1e9),
            "f": Measurement(0.5, inconclusive="too few rows"),
        }
    )
    assert [(metric.name, metric.value, metric.lower, metric.upper) for metric in found] == [
        ("a", "-2.000000", None, None),
        ("b", "0.123456", "0.100000", "0.200000"),
        ("e", "1000000000.000000", None, None),
    ]


def test_what_has_no_number_has_a_reason() -> None:
    found = inconclusive(
        {
            "a": Measurement(0.5),
            "b": Measurement(None, inconclusive="group 'x' has 2 test rows"),
            "c": Measurement(math.inf),
        }
    )
    assert found == {
        "b": "group 'x' has 2 test rows",
        "c": "it is not defined for these rows",
    }


@given(st.floats(-1e6, 1e6), st.decimals(-1000, 1000, places=4))
def test_the_verdict_can_be_repeated_from_the_report(value: float, threshold: object) -> None:
    for comparison in ("AtLeast", "AtMost"):
        asked = [gate("m", comparison, f"{threshold}")]
        (result,) = evaluate_gates(asked, [], metric_values({"m": Measurement(value)}))
        text = metric_text(value)
        assert result.value == text
        (again,) = evaluate_gates(
            asked, [], metric_values({"m": Measurement(float(text or "nan"))})
        )
        assert again.passed == result.passed
