"""Intervals: equal for equal seeds, of the right width, and around the truth often enough."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from hallmark.api.metrics import Evaluation
from hallmark.training.bootstrap import Resampling, draws, measure_performance, row_mean
from hallmark.training.metrics import performance
from tests.unit.training.test_metrics import predictions

RESAMPLING = Resampling(0.95, 400, 7)


def test_a_run_says_how_sure_a_measurement_must_be() -> None:
    asked = Evaluation.model_validate({"confidence": "0.9", "resamples": 250})
    assert Resampling.of(asked, 3) == Resampling(0.9, 250, 3)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_interval_holds_the_estimate_and_is_the_same_again(classes: int) -> None:
    given = predictions(rows=400, classes=classes)
    found = measure_performance(given, RESAMPLING)
    assert found == measure_performance(given, RESAMPLING)
    assert found != measure_performance(given, Resampling(0.95, 400, 8))
    for name, value in performance(given).items():
        measurement = found[name]
        assert measurement.value == value
        assert measurement.lower is not None
        assert measurement.upper is not None
        assert measurement.lower <= (value or 0) <= measurement.upper
        assert measurement.lower < measurement.upper


def test_more_confidence_is_a_wider_interval() -> None:
    given = predictions()
    narrow = measure_performance(given, Resampling(0.8, 400, 7))["rocAuc"]
    wide = measure_performance(given, Resampling(0.99, 400, 7))["rocAuc"]
    assert (wide.lower or 0) < (narrow.lower or 0) < (narrow.upper or 0) < (wide.upper or 0)


def test_each_resample_has_as_many_rows_of_each_class() -> None:
    strata = np.repeat([0, 1, 2], [5, 0, 9])
    weights = np.concatenate(list(draws(strata, 50, np.random.default_rng(1))))
    assert weights.shape == (50, 14)
    assert (weights[:, :5].sum(axis=1) == 5).all()
    assert (weights[:, 5:].sum(axis=1) == 9).all()


def test_the_width_of_a_mean_is_that_of_the_normal_distribution() -> None:
    random = np.random.default_rng(2)
    values = random.random(2000)
    found = row_mean(values, Resampling(0.95, 4000, 1), "m")
    wanted = 2 * NormalDist().inv_cdf(0.975) * values.std() / math.sqrt(2000)
    assert (found.upper or 0) - (found.lower or 0) == pytest.approx(wanted, rel=0.05)


def test_a_sample_of_many_rows_gives_the_width_of_all() -> None:
    given = predictions(rows=6000)
    resampling = Resampling(0.95, 1000, 7)
    whole = measure_performance(given, resampling)
    part = measure_performance(given, replace(resampling, max_rows=1500))
    for name in ("accuracy", "rocAuc", "logLoss", "brier"):
        full, sampled = whole[name], part[name]
        assert sampled.value == full.value
        width = (full.upper or 0) - (full.lower or 0)
        assert (sampled.upper or 0) - (sampled.lower or 0) == pytest.approx(width, rel=0.25)


def test_the_truth_is_inside_about_as_often_as_claimed() -> None:
    """Of calibrated probabilities drawn uniformly, ROC-AUC is 5/6 and accuracy 3/4."""
    inside = {"rocAuc": 0, "accuracy": 0}
    trials = 100
    for seed in range(trials):
        found = measure_performance(predictions(rows=250, seed=seed), Resampling(0.9, 200, seed))
        for name, truth in (("rocAuc", 5 / 6), ("accuracy", 3 / 4)):
            inside[name] += (found[name].lower or 0) <= truth <= (found[name].upper or 0)
    # 90 of 100 are expected, with a standard deviation of 3.
    assert all(80 <= count <= 98 for count in inside.values()), inside
