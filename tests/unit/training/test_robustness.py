"""What the assay says about robustness, on fitted models: promises kept, samples, equal numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Algorithm
from hallmark.training.matrix import Matrix, Truth
from hallmark.training.pipeline import Fitted
from hallmark.training.robustness import Robustness, attack, certify, measure_robustness
from hallmark.training.robustness.domain import domain
from hallmark.training.robustness.linear import Norm, linear_radii
from hallmark.training.robustness.noise import moved
from tests.unit.training.fits import FLAG, INTEGER, MIXES, NUMBER, fitted, made, small, trainer

LINEAR = (Algorithm.LOGISTIC_REGRESSION, Algorithm.LINEAR_SVM)
TRAIN = 300


def measured(
    features: list[ServedFeature],
    rows: Matrix,
    truth: Truth,
    model: Fitted,
    epsilon: float = 0.1,
    seed: int = 0,
    **options: int,
) -> Robustness:
    return measure_robustness(
        model,
        features,
        rows[:TRAIN],
        rows[TRAIN:],
        truth[TRAIN:],
        positive=None,
        epsilon=epsilon,
        seed=seed,
        **options,
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", LINEAR)
def test_no_change_within_the_radius_flips_the_fitted_model_and_the_worst_beyond_does(
    algorithm: Algorithm, classes: int
) -> None:
    features = MIXES["all types"]
    rows, truth = made(features, count=500, classes=classes)
    model = fitted(rows[:TRAIN], truth[:TRAIN], features, trainer(algorithm))
    test = rows[TRAIN:]
    decided = model.probabilities(test).argmax(axis=1)
    where = domain(features, rows[:TRAIN])
    assert [features[column].name for column in where.columns] == ["x", "k"]
    bounds = certify.boundaries(model, model.plain.scores, test, decided, where)
    radii = linear_radii(bounds, where, test, Norm.MAXIMUM)
    random = np.random.default_rng(1)
    for _ in range(40):
        by = random.choice([-1, 1, 0.5], (len(test), 2)) * np.minimum(radii, 9)[:, None] * 0.9999
        by[:, 1] = np.trunc(by[:, 1] / where.steps[1]) * where.steps[1]  # whole steps, no more
        assert (model.probabilities(moved(test, where, by)).argmax(axis=1) == decided).all()
    beyond = np.where(np.isfinite(radii), radii * 1.0001 + 1e-5, 0)
    flipped = attack.flipped_linear(
        bounds, lambda changed: model.probabilities(changed).argmax(axis=1), test, where, 0.2
    )
    assert np.array_equal(flipped, radii <= 0.2)
    for row in np.flatnonzero(np.isfinite(radii))[:12]:
        part = certify.boundaries(model, model.plain.scores, test[[row]], decided[[row]], where)
        (falls,) = attack.flipped_linear(
            part,
            lambda changed: model.probabilities(changed).argmax(axis=1),
            test[[row]],
            where,
            float(beyond[row]),
        )
        assert falls


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_numbers_are_the_same_again_and_in_order(algorithm: Algorithm) -> None:
    features = MIXES["all types"]
    rows, truth = made(features, count=450)
    model = fitted(rows[:TRAIN], truth[:TRAIN], features, small(algorithm))
    first, second = (measured(features, rows, truth, model) for _ in range(2))
    assert first.report == second.report
    assert first.metrics == second.metrics
    metrics = {name: value for name, value in first.metrics.items() if value is not None}
    accuracy = (model.probabilities(rows[TRAIN:]).argmax(axis=1) == truth[TRAIN:]).mean()
    assert metrics["certifiedAccuracy"] <= metrics["attackedAccuracy"] <= accuracy
    assert metrics["certifiedAccuracyL2"] >= metrics["certifiedAccuracy"] - 0.02
    curve = [point.certified_accuracy for point in first.report.curve]
    assert curve == sorted(curve, reverse=True)
    noise = [level.stability for level in first.report.noise]
    assert noise == sorted(noise, reverse=True)
    assert 0.5 < noise[-1] < noise[0] <= 1


def test_certified_and_attacked_accuracy_meet_where_the_radius_is_exact() -> None:
    features = MIXES["all types"]
    rows, truth = made(features, count=500, classes=3)
    model = fitted(rows[:TRAIN], truth[:TRAIN], features)
    found = measured(features, rows, truth, model, epsilon=0.3)
    assert found.report.bound == "Exact"
    assert found.report.attack == "WorstCase"
    assert found.metrics["certifiedAccuracy"] == found.metrics["attackedAccuracy"]


def test_whole_steps_that_are_longer_than_epsilon_cannot_be_taken() -> None:
    # k has a standard deviation of 2.3: a whole step is 0.43 of it.
    features = [INTEGER]
    rows, truth = made(features, count=500, nulls=0)
    model = fitted(rows[:TRAIN], truth[:TRAIN], features)
    found = measured(features, rows, truth, model, epsilon=0.4)
    accuracy = (model.probabilities(rows[TRAIN:]).argmax(axis=1) == truth[TRAIN:]).mean()
    assert found.metrics["certifiedAccuracy"] == accuracy
    assert (
        measured(features, rows, truth, model, epsilon=0.5).metrics["certifiedAccuracy"] < accuracy
    )
    assert (found.report.bound, found.report.bound_l2) == ("Exact", "Lower")


def test_the_declared_range_protects_what_cannot_leave_it() -> None:
    tight = NUMBER.model_copy(update={"minimum": 4.0, "maximum": 16.0})
    rows, truth = made([NUMBER], count=500, nulls=0)
    rows = np.clip(rows, 4, 16)
    model = fitted(rows[:TRAIN], truth[:TRAIN], [NUMBER])
    ranged = measured([tight], rows, truth, model, epsilon=1.5)
    free = measured(
        [NUMBER.model_copy(update={"minimum": None, "maximum": None})], rows, truth, model, 1.5
    )
    assert ranged.report.certified_without_range == free.metrics["certifiedAccuracy"]
    assert ranged.report.certified_without_range_l2 == free.metrics["certifiedAccuracyL2"]
    assert ranged.metrics["certifiedAccuracy"] >= free.metrics["certifiedAccuracy"]


def test_a_model_of_what_cannot_move_is_certified_where_it_is_right() -> None:
    rows, truth = made([FLAG], count=500, nulls=0)
    for algorithm in Algorithm:
        model = fitted(rows[:TRAIN], truth[:TRAIN], [FLAG], small(algorithm))
        found = measured([FLAG], rows, truth, model, epsilon=5)
        accuracy = (model.probabilities(rows[TRAIN:]).argmax(axis=1) == truth[TRAIN:]).mean()
        assert found.metrics["certifiedAccuracy"] == found.metrics["attackedAccuracy"] == accuracy
        assert found.metrics["noiseStability"] == found.report.unmovable == 1
        assert found.report.moving == []


def test_many_rows_are_sampled_by_the_seed() -> None:
    features = MIXES["all types"]
    rows, truth = made(features, count=700)
    model = fitted(rows[:TRAIN], truth[:TRAIN], features)
    one, again, other = (
        measured(features, rows, truth, model, seed=seed, max_linear_rows=100) for seed in (1, 1, 2)
    )
    assert (one.report.rows, one.report.test_rows) == (100, 400)
    assert one.metrics == again.metrics
    assert one.metrics != other.metrics


def test_what_is_moved_stays_whole_and_in_range() -> None:
    unit = ServedFeature(name="k", type=FeatureType.INTEGER, nullable=False, minimum=0, maximum=4)
    rows = np.array([[0, 5], [4, 5], [2, np.nan], [9, 5]], dtype=np.float32)
    where = domain([unit, NUMBER], np.array([[0, 0], [2, 10]], dtype=np.float32))
    found = moved(rows, where, np.array([[-9.0, 0.1], [9.0, 9.0], [0.6, 1.0], [0.0, 0.0]]))
    expected = [[0, 5.5], [4, 20], [3, np.nan], [9, 5]]
    assert np.allclose(found, expected, equal_nan=True)
