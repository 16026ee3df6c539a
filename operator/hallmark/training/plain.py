"""What a fitted pipeline computes, as plain arrays: what is served, and what is attacked.

probabilities = link(scores(encoding(row))), where the scores are linear or a sum of trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from hallmark.training.preprocessing import Encoded, Encoding

Floats = npt.NDArray[np.float64]


class Link(StrEnum):
    """From scores to probabilities. Each keeps the order of the classes' scores."""

    SIGMOID = "Sigmoid"
    """One score, of the second class: its probability is 1 / (1 + exp(-score))."""
    SOFTMAX = "Softmax"
    """One score for each class: exp(score) over their sum."""
    ONE_VS_REST = "OneVsRest"
    """One score for each class: its sigmoid over their sum; all alike if that sum is 0."""
    SHARE = "Share"
    """The scores are probabilities; where there is one, it is the second class's."""


@dataclass(frozen=True)
class LinearScores:
    """scores = encoded @ weights.T + biases.

    With one score the second class is decided where it is at least 0; with a score for each class
    the one of the highest score is.

    Attributes:
        weights: Shape (scores, encoded columns).
        biases: Shape (scores,).
    """

    weights: Floats
    biases: Floats

    def compute(self, encoded: Encoded) -> Floats:
        """Return the scores, shape (rows, scores)."""
        scores: Floats = encoded @ self.weights.T + self.biases
        return scores


@dataclass(frozen=True)
class Tree:
    """A binary tree; node 0 is its root, and a node whose ``left`` is -1 is a leaf.

    A row goes left where its value is at most the threshold. Rows are float32 and thresholds
    float64, compared as float64.

    Attributes:
        feature: Shape (nodes,): the encoded column that is looked at.
        threshold: Shape (nodes,).
        missing_left: Shape (nodes,): whether a null goes left.
        left: Shape (nodes,): the node for values up to the threshold, or -1.
        right: Shape (nodes,): the node for values above, or -1.
        value: Shape (nodes, scores): what a leaf adds to each score.
    """

    feature: npt.NDArray[np.int64]
    threshold: Floats
    missing_left: npt.NDArray[np.bool_]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: Floats

    @property
    def leaves(self) -> int:
        """How many leaves it has."""
        return int((self.left < 0).sum())


@dataclass(frozen=True)
class TreeScores:
    """scores = base + (sum of each tree's leaf) / divisor.

    Attributes:
        trees: In the order in which they are summed.
        base: Shape (scores,).
        divisor: How many trees are averaged; 1 where they are summed.
    """

    trees: tuple[Tree, ...]
    base: Floats
    divisor: int

    def compute(self, encoded: Encoded) -> Floats:
        """Return the scores, shape (rows, scores)."""
        total = np.zeros((len(encoded), len(self.base)))
        for tree in self.trees:
            total += tree.value[_leaves(tree, encoded)]
        return self.base + total / self.divisor


@dataclass(frozen=True)
class PlainModel:
    """A fitted model as arrays.

    Attributes:
        encoding: From the float matrix to encoded columns.
        scores: From encoded columns to scores, shape (rows, scores).
        link: From scores to probabilities.
        classes: How many classes there are.
    """

    encoding: Encoding
    scores: LinearScores | TreeScores
    link: Link
    classes: int


def _leaves(tree: Tree, encoded: Encoded) -> npt.NDArray[np.int64]:
    at = np.zeros(len(encoded), dtype=np.int64)
    inner = np.flatnonzero(tree.left[at] >= 0)
    while len(inner):
        nodes = at[inner]
        values = encoded[inner, tree.feature[nodes]].astype(np.float64)
        low = np.where(np.isnan(values), tree.missing_left[nodes], values <= tree.threshold[nodes])
        at[inner] = np.where(low, tree.left[nodes], tree.right[nodes])
        inner = inner[tree.left[at[inner]] >= 0]
    return at


def plain_model(encoding: Encoding, classifier: Any) -> PlainModel:  # noqa: ANN401 - an estimator of scikit-learn
    """Return what a fitted classifier computes.

    Args:
        encoding: What it was fitted to.
        classifier: One of those that ``estimators`` makes.
    """
    classes = len(classifier.classes_)
    link = Link.SIGMOID if classes == 2 else Link.SOFTMAX
    if isinstance(classifier, RandomForestClassifier):
        return PlainModel(encoding, _forest(classifier), Link.SHARE, classes)
    if isinstance(classifier, HistGradientBoostingClassifier):
        return PlainModel(encoding, _boosting(classifier), link, classes)
    if isinstance(classifier, CalibratedClassifierCV):
        link = link if classes == 2 else Link.ONE_VS_REST
        return PlainModel(encoding, _calibrated(classifier), link, classes)
    return PlainModel(
        encoding, LinearScores(classifier.coef_, classifier.intercept_), link, classes
    )


def _calibrated(classifier: CalibratedClassifierCV) -> LinearScores:
    """Return Platt's sigmoid, 1 / (1 + exp(a f + b)), folded into the linear function f."""
    (fitted,) = classifier.calibrated_classifiers_
    slopes = np.array([sigmoid.a_ for sigmoid in fitted.calibrators])
    offsets = np.array([sigmoid.b_ for sigmoid in fitted.calibrators])
    weights = -slopes[:, None] * fitted.estimator.coef_
    return LinearScores(weights, -(slopes * fitted.estimator.intercept_ + offsets))


def _forest(classifier: RandomForestClassifier) -> TreeScores:
    classes = len(classifier.classes_)
    first = 1 if classes == 2 else 0  # of two classes, the second one's probability says all
    trees = tuple(
        Tree(
            feature=tree.feature,
            threshold=tree.threshold,
            missing_left=tree.missing_go_to_left.astype(np.bool_),
            left=tree.children_left,
            right=tree.children_right,
            value=tree.value[:, 0, first:],
        )
        for tree in (estimator.tree_ for estimator in classifier.estimators_)
    )
    return TreeScores(trees, np.zeros(classes - first), len(trees))


def _boosting(classifier: HistGradientBoostingClassifier) -> TreeScores:
    base = np.ravel(classifier._baseline_prediction).astype(np.float64)
    return TreeScores(tuple(_boosted_trees(classifier, len(base))), base, 1)


def _boosted_trees(classifier: HistGradientBoostingClassifier, scores: int) -> Iterator[Tree]:
    for round_ in classifier._predictors:
        for score, nodes in enumerate(predictor.nodes for predictor in round_):
            leaf = nodes["is_leaf"].astype(np.bool_)
            value = np.zeros((len(nodes), scores))
            value[leaf, score] = nodes["value"][leaf]
            yield Tree(
                feature=np.where(leaf, 0, nodes["feature_idx"]),
                threshold=nodes["num_threshold"],
                missing_left=nodes["missing_go_to_left"].astype(np.bool_),
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                value=value,
            )
