"""Every metric of the test rows with hardly any of them: no certainty, no crash, and the reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.gates import FAIRNESS, PERFORMANCE, evaluate_gates
from hallmark.api.metrics import Comparison, Gate, GateResult, Statistic
from hallmark.training.bootstrap import Resampling, measure_performance, row_mean
from hallmark.training.fairness import count, group_rows, measure, report
from hallmark.training.gates import Measurement, inconclusive, metric_values
from hallmark.training.metrics import Predictions
from hallmark.training.robustness import MOST
from tests.examples import examples
from tests.unit.training.test_metrics import predictions

RESAMPLING = Resampling(0.95, 100, 3)
LOWER_IS_BETTER = {"logLoss", "brier", "expectedCalibrationError"}
TINY = (0, 1, 2, 3, 9)


def all_right(rows: int, classes: int = 2, *, one_class: bool = False) -> Predictions:
    """Return predictions that are as sure as can be, and right."""
    truth = np.zeros(rows, dtype=np.int64) if one_class else np.arange(rows) % classes
    return Predictions(truth, np.eye(classes)[truth], 1 if classes == 2 else None)


def verdict(name: str, measured: Measurement, threshold: str) -> GateResult:
    """Return what a gate on the bound says."""
    low = name in LOWER_IS_BETTER or name.endswith("Difference")
    gate = Gate(
        metric=name,
        comparison=Comparison.AT_MOST if low else Comparison.AT_LEAST,
        threshold=threshold,
        statistic=Statistic.BOUND,
    )
    metrics = {name: measured}
    (result,) = evaluate_gates([gate], [], metric_values(metrics), inconclusive(metrics))
    return result


@pytest.mark.parametrize("one_class", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("rows", TINY)
def test_below_the_floor_performance_is_inconclusive_and_says_why(
    rows: int, classes: int, one_class: bool
) -> None:
    measured = measure_performance(all_right(rows, classes, one_class=one_class), RESAMPLING)
    assert set(measured) == set(PERFORMANCE)
    for name, found in measured.items():
        result = verdict(name, found, "0.5")
        assert not result.passed
        assert result.value is None
        assert result.inconclusive is not None
        assert f"measured on {rows} row" in result.inconclusive


@pytest.mark.parametrize("rows", [10, 20, 100])
def test_ten_rows_that_are_all_right_are_no_certainty(rows: int) -> None:
    measured = measure_performance(all_right(rows), RESAMPLING)
    for name, found in measured.items():
        assert found.lower is not None
        assert found.upper is not None
        assert found.upper - found.lower > 1 / rows
        certain = "0.01" if name in LOWER_IS_BETTER else "0.99"
        assert not verdict(name, found, certain).passed
    assert measured["accuracy"].lower == pytest.approx(0.025 ** (1 / rows))


def test_one_class_alone_has_no_metric_of_classes() -> None:
    measured = measure_performance(all_right(40, one_class=True), RESAMPLING)
    for name in ("balancedAccuracy", "rocAuc", "prAuc"):
        assert measured[name].inconclusive == (
            "the rarest class has 0 rows to measure on, 5 are needed"
        )
    assert measured["accuracy"].value == 1


@pytest.mark.parametrize("name", MOST)
@pytest.mark.parametrize("rows", TINY)
def test_below_the_floor_robustness_is_inconclusive(rows: int, name: str) -> None:
    found = row_mean(np.full(rows, MOST[name]), RESAMPLING, name, MOST[name])
    assert not verdict(name, found, "0.1").passed
    assert f"measured on {rows} row" in str(found.inconclusive)


@pytest.mark.parametrize("name", MOST)
def test_rows_that_are_all_alike_are_no_certainty(name: str) -> None:
    most = MOST[name]
    for value in (most, 0.0, most / 2):
        found = row_mean(np.full(10, value), RESAMPLING, name, most)
        assert found.value == value
        assert (found.upper or 0) - (found.lower or 0) > most / 10
        assert 0 <= (found.lower or 0) <= value <= (found.upper or 0) <= most


def test_what_is_no_number_in_one_row_is_no_measurement() -> None:
    for wrong in (np.nan, np.inf):
        found = row_mean(np.array([1.0] * 30 + [wrong]), RESAMPLING, "m")
        assert found.value is None


def groups_of(*sizes: int, one_class: bool = False) -> tuple:
    names = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    given = all_right(len(names), one_class=one_class)
    groups = group_rows("a", names, {f"g{n}" for n in range(len(sizes))}, ())
    return groups, given, count(groups, given)


@pytest.mark.parametrize(
    "sizes", [(40, 1), (40, 2), (40, 3), (3, 3), (9, 9), (40,), (1,), (), (40, 40, 9)], ids=str
)
def test_a_tiny_group_or_a_single_one_is_inconclusive_whatever_the_run_asks(
    sizes: tuple[int, ...],
) -> None:
    groups, given, counts = groups_of(*sizes)
    measured = measure(groups, counts, 1, 0.95)
    assert set(measured) == set(FAIRNESS)
    for name, found in measured.items():
        assert not verdict(name, found, "1" if "Diff" in name else "0").passed
        assert "needed" in str(found.inconclusive)
    said = report(groups, given, counts, measured, 0.95)
    assert said.inconclusive is not None
    for group in said.groups:
        assert (group.selection_rate_upper or 0) - (group.selection_rate_lower or 0) > 0.08


def test_a_group_of_one_class_has_no_error_rates() -> None:
    groups, _, counts = groups_of(40, 40, one_class=True)
    measured = measure(groups, counts, 30, 0.95)
    assert "0 test rows of the positive class" in str(measured[FAIRNESS[2]].inconclusive)
    assert measured[FAIRNESS[0]].value == 0
    assert (measured[FAIRNESS[0]].upper or 0) > 0.05


def test_groups_that_fare_exactly_alike_are_no_certainty() -> None:
    groups, _, counts = groups_of(30, 30)
    for name, found in measure(groups, counts, 30, 0.95).items():
        difference = "Difference" in name
        assert found.value == pytest.approx(0 if difference else 1)
        assert not verdict(name, found, "0.05" if difference else "0.95").passed


def test_a_group_without_a_row_has_no_accuracy() -> None:
    groups = group_rows("a", ["x"] * 40, {"x", "y"}, {"x", "y"})
    given = all_right(40)
    said = report(groups, given, count(groups, given), {}, 0.95)
    assert [group.accuracy for group in said.groups] == [1.0, None]


@examples(40)
@given(st.integers(10, 60), st.integers(2, 4), st.integers(0, 99), st.booleans())
def test_more_of_the_same_rows_is_the_only_way_to_a_narrower_interval(
    rows: int, classes: int, seed: int, right: bool
) -> None:
    given_ = all_right(rows, classes) if right else predictions(rows, classes, seed, digits=1)
    every = np.arange(rows)
    repeated = given_.take(np.tile(every, 9))
    first, many = (measure_performance(each, RESAMPLING) for each in (given_, repeated))
    for name in PERFORMANCE:
        if first[name].value is None:
            continue
        assert many[name].value == pytest.approx(first[name].value, abs=1e-9)
        widths = [(found[name].upper or 0) - (found[name].lower or 0) for found in (first, many)]
        assert 0 < widths[1] < widths[0]
