"""The closed form against brute force, and what a change of a row can do to a real model."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hallmark.training.assay import Examined, examine
from hallmark.training.model import fit
from hallmark.training.pipeline import encoded, linear_model, probabilities
from hallmark.training.robustness import EPSILON, LinearModel, radii, robustness
from tests.unit.training.factories import mixed_parquet, mixed_spec, task

NUMBERS = st.floats(-10, 10).map(lambda x: round(x, 3))


def model(weights: list[float], bias: float, movable: list[bool] | None = None) -> LinearModel:
    return LinearModel(np.array(weights), bias, np.array(movable or [True] * len(weights)))


def smallest_change_that_flips(weights: np.ndarray, bias: float, row: np.ndarray) -> float:
    """Search the corners of ever larger boxes: a linear function is extreme in a corner."""
    sign = np.sign(row @ weights + bias)

    def flips(radius: float) -> bool:
        corners = itertools.product((-radius, radius), repeat=len(row))
        return any(
            sign * ((row + corner) @ weights + bias) <= 0 for corner in map(np.array, corners)
        )

    high = 1.0
    while not flips(high):
        high *= 2
    low = 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if flips(middle) else (middle, high)
    return high


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4), NUMBERS)
def test_the_radius_is_the_smallest_change_that_flips_a_decision(
    features: list[tuple[float, float]], bias: float
) -> None:
    weights, row = (np.array(part) for part in zip(*features, strict=True))
    assume(np.abs(weights).sum() > 0.1)
    assume(abs(row @ weights + bias) > 1e-6)
    (radius,) = radii(model(weights.tolist(), bias), row[None, :])
    assert radius == pytest.approx(smallest_change_that_flips(weights, bias, row), rel=1e-6)


def test_what_may_not_move_does_not_count() -> None:
    row = np.array([[1.0, 1.0]])
    assert radii(model([2.0, 5.0], 0.0, [True, False]), row).tolist() == [3.5]
    assert radii(model([0.0, 5.0], 0.0, [True, False]), row).tolist() == [np.inf]


def test_certified_accuracy_counts_right_decisions_that_stay_right() -> None:
    rows = np.array([[0.05], [0.5], [-0.5], [-2.0]])
    found = robustness(model([1.0], 0.0), rows, np.array([1, 1, 1, 0]))
    # Row 1 is right but within epsilon of the boundary, row 3 is wrong.
    assert found == {"certifiedAccuracy": 0.5, "meanRobustRadius": pytest.approx(2.55 / 4)}


def test_a_model_that_no_number_moves_is_certified_where_it_is_right() -> None:
    found = robustness(model([1.0], 1.0, [False]), np.array([[0.0], [0.0]]), np.array([1, 0]))
    assert found == {"certifiedAccuracy": 0.5, "meanRobustRadius": None}


@pytest.fixture(scope="module")
def examined() -> Examined:
    found = examine(task(mixed_spec()), mixed_parquet(), lambda *_: None)
    assert isinstance(found, Examined)
    return found


def test_the_decision_function_is_the_pipelines(examined: Examined) -> None:
    trained = fit(examined, task(mixed_spec()).spec.trainer)
    estimator = trained.fitted.pipeline
    for positive, column in (("no", 0), ("yes", 1)):
        margins = linear_model(estimator, positive).margins(encoded(estimator, trained.rows))
        expected = probabilities(estimator, trained.rows)[:, column]
        assert np.allclose(1 / (1 + np.exp(-margins)), expected, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    direction=arrays.arrays(np.int8, 2, elements=st.sampled_from([-1, 1])),
    share=st.floats(0, 0.999),
)
def test_no_change_within_the_radius_flips_the_real_model_and_the_worst_one_beyond_does(
    examined: Examined, direction: np.ndarray, share: float
) -> None:
    trained = fit(examined, task(mixed_spec()).spec.trainer)
    estimator = trained.fitted.pipeline
    linear = linear_model(estimator, "yes")
    assert linear.movable.sum() == 2  # amount and count; flag and colour stay
    rows = trained.test_rows[~np.isnan(trained.test_rows[:, :2]).any(axis=1)].astype(np.float64)
    distances = radii(linear, encoded(estimator, rows))
    scale = estimator.named_steps["features"].named_transformers_["number"]["scale"].scale_
    decisions = estimator.predict(rows)

    def moved(step: np.ndarray) -> np.ndarray:
        changed = rows.copy()
        changed[:, :2] += step * scale
        return np.asarray(estimator.predict(changed))

    inside = distances[:, None] * share * direction[None, :]
    assert (moved(inside) == decisions).all()
    worst = np.where(decisions == "yes", -1, 1)[:, None] * np.sign(linear.weights[:2])[None, :]
    assert (moved(worst * (distances[:, None] * 1.001 + 1e-9)) != decisions).all()


def test_epsilon_is_a_tenth_of_a_standard_deviation() -> None:
    assert EPSILON == 0.1
