"""Every metric beside scikit-learn's, with and without weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn import metrics as peer
from sklearn.preprocessing import label_binarize

from hallmark.api.gates import PERFORMANCE
from hallmark.training.metrics import CALIBRATION_BINS, Performance, Predictions, performance
from tests.examples import examples


def predictions(
    rows: int = 300,
    classes: int = 2,
    seed: int = 1,
    positive: int | None = 1,
    digits: int | None = None,
) -> Predictions:
    """Return probabilities that are calibrated; rounded to ``digits`` they are full of ties."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), rows)
    truth = (probabilities.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    truth[:classes] = np.arange(classes)
    if digits is not None:
        first = np.floor(probabilities[:, :-1] * 10**digits) / 10**digits
        probabilities = np.column_stack([first, 1 - first.sum(axis=1)])
    return Predictions(truth.clip(0, classes - 1).astype(np.int64), probabilities, positive)


def expected(given: Predictions, weights: np.ndarray | None = None) -> dict[str, float]:
    """Return what scikit-learn computes."""
    truth, predicted = given.truth, given.probabilities
    labels = np.arange(given.classes)
    if given.classes == 2:
        class_ = 1 if given.positive is None else given.positive
        ranked = [class_] if given.positive is not None else [0, 1]
        brier = peer.brier_score_loss(truth == class_, predicted[:, class_], sample_weight=weights)
    else:
        ranked = list(labels)
        brier = peer.brier_score_loss(truth, predicted, sample_weight=weights, labels=labels)
    binary = {label: (truth == label).astype(int) for label in ranked}
    return {
        "accuracy": peer.accuracy_score(truth, given.decisions, sample_weight=weights),
        "balancedAccuracy": peer.balanced_accuracy_score(
            truth, given.decisions, sample_weight=weights
        ),
        "rocAuc": np.mean(
            [
                peer.roc_auc_score(binary[label], predicted[:, label], sample_weight=weights)
                for label in ranked
            ]
        ),
        "prAuc": np.mean(
            [
                peer.average_precision_score(
                    binary[label], predicted[:, label], sample_weight=weights
                )
                for label in ranked
            ]
        ),
        "logLoss": peer.log_loss(truth, predicted, sample_weight=weights, labels=labels),
        "brier": brier,
    }


CASES = {
    "two classes": predictions(),
    "two classes, the first is positive": predictions(positive=0),
    "two classes that are peers": predictions(positive=None),
    "many ties": predictions(digits=1),
    "three classes": predictions(classes=3, positive=None),
    "five classes with ties": predictions(rows=500, classes=5, positive=2, digits=2),
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_the_metrics_are_scikit_learns(given: Predictions) -> None:
    found = performance(given)
    assert tuple(found) == PERFORMANCE
    for name, value in expected(given).items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_weighted_metrics_are_scikit_learns_too(given: Predictions) -> None:
    prepared = Performance(given)
    order = np.lexsort((given.probabilities[:, -1], given.truth))
    random = np.random.default_rng(5)
    weights = random.integers(0, 4, (3, len(given.truth))).astype(np.float64)
    found = prepared.compute(weights)
    for number, row in enumerate(weights):
        of_rows = np.empty_like(row)
        of_rows[order] = row
        for name, value in expected(given, of_rows).items():
            assert found[name][number] == pytest.approx(value, abs=1e-12), name


def test_macro_roc_auc_is_scikit_learns_one_vs_rest() -> None:
    given = CASES["three classes"]
    wanted = peer.roc_auc_score(given.truth, given.probabilities, multi_class="ovr")
    assert performance(given)["rocAuc"] == pytest.approx(wanted, abs=1e-12)
    truth = label_binarize(given.truth, classes=[0, 1, 2])
    wanted = peer.average_precision_score(truth, given.probabilities, average="macro")
    assert performance(given)["prAuc"] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_calibration_error_is_that_of_the_definition(given: Predictions) -> None:
    if given.classes == 2:
        class_ = 1 if given.positive is None else given.positive
        predicted, observed = given.probabilities[:, class_], given.truth == class_
    else:
        predicted, observed = given.probabilities.max(axis=1), given.truth == given.decisions
    error = 0.0
    for number in range(CALIBRATION_BINS):
        low, high = number / CALIBRATION_BINS, (number + 1) / CALIBRATION_BINS
        last = number == CALIBRATION_BINS - 1
        inside = (predicted >= low) & ((predicted < high) | last)
        if inside.any():
            error += inside.mean() * abs(predicted[inside].mean() - observed[inside].mean())
    assert performance(given)["expectedCalibrationError"] == pytest.approx(error, abs=1e-12)


def test_a_class_without_rows_leaves_its_metrics_undefined() -> None:
    given = predictions(positive=1)
    found = performance(given.take(given.truth == 1))
    assert found["rocAuc"] is None
    assert found["balancedAccuracy"] is None
    assert found["accuracy"] is not None


def test_no_rows_are_no_metrics() -> None:
    nothing = predictions().take(np.array([], dtype=np.intp))
    assert set(performance(nothing).values()) == {None}


def test_certain_and_wrong_has_a_finite_loss() -> None:
    certain = Predictions(np.array([0, 1, 1]), np.array([[1.0, 0.0]] * 3), 1)
    loss = performance(certain)["logLoss"]
    assert loss is not None
    assert math.isfinite(loss)
    wanted = peer.log_loss(certain.truth, certain.probabilities)
    assert loss == pytest.approx(wanted)


@examples(30)
@given(st.integers(2, 5), st.integers(10, 80), st.integers(0, 10**6), st.sampled_from([1, 2, None]))
def test_the_order_of_rows_changes_nothing(
    classes: int, rows: int, seed: int, digits: int | None
) -> None:
    straight = predictions(rows, classes, seed, digits=digits)
    shuffled = straight.take(np.random.default_rng(seed).permutation(rows))
    one, other = performance(straight), performance(shuffled)
    for name, value in one.items():
        assert other[name] == pytest.approx(value, abs=1e-12)
