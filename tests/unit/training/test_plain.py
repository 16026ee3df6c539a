"""The arithmetic of a fitted model as arrays, against the estimator."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from hallmark.api.trainer import Algorithm
from hallmark.training.plain import LinearScores, Link, PlainModel, TreeScores
from tests.unit.training.fits import MIXES, fitted, made, small

FEATURES = MIXES["all types"]


def probabilities(plain: PlainModel, scores: np.ndarray) -> np.ndarray:
    match plain.link:
        case Link.SOFTMAX:
            return np.asarray(softmax(scores, axis=1))
        case Link.ONE_VS_REST:
            parts = expit(scores)
            return np.asarray(parts / parts.sum(axis=1, keepdims=True))
        case Link.SIGMOID:
            scores = expit(scores)
    return np.hstack([1 - scores, scores]) if scores.shape[1] == 1 else scores


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_arrays_compute_what_the_estimator_does(algorithm: Algorithm, classes: int) -> None:
    rows, truth = made(FEATURES, 600, classes, nulls=0.2)
    found = fitted(rows[:400], truth[:400], FEATURES, small(algorithm))
    plain = found.plain
    linear = algorithm in (Algorithm.LOGISTIC_REGRESSION, Algorithm.LINEAR_SVM)
    assert isinstance(plain.scores, LinearScores if linear else TreeScores)
    assert plain.classes == classes
    scores = plain.scores.compute(found.encoded(rows))
    assert scores.shape == (600, 1 if classes == 2 else classes)
    assert probabilities(plain, scores) == pytest.approx(found.probabilities(rows), abs=1e-7)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", [Algorithm.LOGISTIC_REGRESSION, Algorithm.LINEAR_SVM])
def test_a_linear_models_highest_score_decides(algorithm: Algorithm, classes: int) -> None:
    rows, truth = made(FEATURES, 600, classes)
    found = fitted(rows, truth, FEATURES, small(algorithm))
    scores = found.plain.scores.compute(found.encoded(rows))
    decided = (scores[:, 0] >= 0).astype(int) if classes == 2 else scores.argmax(axis=1)
    assert np.array_equal(decided, found.probabilities(rows).argmax(axis=1))


@pytest.mark.parametrize("algorithm", [Algorithm.RANDOM_FOREST, Algorithm.HIST_GRADIENT_BOOSTING])
def test_trees_stay_within_the_leaves_that_were_asked_for(algorithm: Algorithm) -> None:
    found = fitted(*made(FEATURES, 600), FEATURES, small(algorithm))
    assert isinstance(found.plain.scores, TreeScores)
    most = 24 if algorithm is Algorithm.RANDOM_FOREST else 15
    leaves = [tree.leaves for tree in found.plain.scores.trees]
    assert max(leaves) <= most
    assert [len(tree.left) for tree in found.plain.scores.trees] == [
        2 * count - 1 for count in leaves
    ]
