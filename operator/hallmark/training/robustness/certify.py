"""Certificates and attack of a fitted model: how far rows can go, and which an attack turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hallmark.classification import DECISION_THRESHOLD, predicted_classes
from hallmark.training.matrix import Matrix
from hallmark.training.pipeline import Fitted
from hallmark.training.plain import LinearScores, Link, TreeScores
from hallmark.training.preprocessing import Encoded
from hallmark.training.robustness import attack
from hallmark.training.robustness.domain import LARGEST, ROUNDING, SLACK, TIE, Domain, Floats
from hallmark.training.robustness.linear import Boundaries, Norm, linear_radii
from hallmark.training.robustness.trees import TreeDecisions, tree_radii

SATURATED = 3.0
"""Up to this score two classes' sigmoids differ in float32 where their scores differ by
``SIGMOID_TIE``: the logarithm of a sigmoid has the slope 0.047 there."""
SIGMOID_TIE = 4e-6
VANISHED = -700.0
"""Below this score a sigmoid is no normal double."""


@dataclass(frozen=True)
class Certificate:
    """What is known of rows by their norm, and which of them the attack turned.

    Attributes:
        exact: Whether the radii are the distances themselves and not lower bounds of them.
        radii: Shape (rows,), in standard deviations.
        unranged: The same if values could leave the declared range; linear models alone.
        exact_attack: Whether the attack is the worst change.
        flipped: Shape (rows,): whether a change within epsilon turned the decision.
    """

    exact: dict[Norm, bool]
    radii: dict[Norm, Floats]
    unranged: dict[Norm, Floats]
    exact_attack: bool
    flipped: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Model:
    """A fitted model and the class that it decides from one half on, if there is one."""

    fitted: Fitted
    positive: int | None

    def decide(self, rows: Matrix) -> npt.NDArray[np.int64]:
        """Return the class of each row."""
        return predicted_classes(self.fitted.probabilities(rows), self.positive)


def certify(
    model: Model,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    epsilon: float,
) -> Certificate:
    """Return how far rows can go before their decision turns, and which did within epsilon.

    Args:
        model: What decides.
        rows: Shape (rows, features).
        decided: Shape (rows,): what they are decided as.
        space: What can move.
        epsilon: In standard deviations.
    """
    plain = model.fitted.plain
    if isinstance(plain.scores, LinearScores):
        return _certify_linear(model, plain.scores, rows, decided, space, epsilon)
    return _certify_trees(model, plain.scores, rows, decided, space, epsilon)


def _certify_linear(
    model: Model,
    linear: LinearScores,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    epsilon: float,
) -> Certificate:
    bounds = boundaries(model.fitted, linear, rows, decided, space)
    radii = {norm: linear_radii(bounds, space, rows, norm) for norm in Norm}
    unranged = {norm: linear_radii(bounds, space.unbounded(), rows, norm) for norm in Norm}
    exact = {norm: bounds.exact(space, norm) for norm in Norm}
    if model.fitted.plain.link is Link.ONE_VS_REST:
        for norm in Norm:
            known = _known_radii(bounds, space, rows, norm)
            exact[norm] &= bool((known >= radii[norm]).all())
            radii[norm] = np.minimum(radii[norm], known)
            free = _known_radii(bounds, space.unbounded(), rows, norm)
            unranged[norm] = np.minimum(unranged[norm], free)
    flipped = attack.flipped_linear(bounds, model.decide, rows, space, epsilon)
    return Certificate(exact, radii, unranged, True, flipped)


def _known_radii(bounds: Boundaries, space: Domain, rows: Matrix, norm: Norm) -> Floats:
    """Return how far rows can go until sigmoids, as they are served, may not tell classes apart.

    Where two are both 1, or all are 0, the order of the scores is lost, and the first class is
    decided. So it counts as another decision, too, that another class's score gets up to where
    sigmoids saturate, or the row's own down to where they vanish.
    """
    radii = np.full(len(rows), np.inf)
    still = np.zeros_like(bounds.weights[:1])
    for own in np.unique(bounds.decided):
        here = np.flatnonzero(bounds.decided == own)
        column = np.zeros((len(here), 1))
        others = np.delete(np.arange(len(bounds.weights)), own)
        weights, scores = bounds.weights, bounds.scores[here]
        up = np.vstack([still, weights[others]]), np.hstack([column + SATURATED, scores[:, others]])
        down = np.vstack([weights[[own]], still]), np.hstack([scores[:, [own]], column + VANISHED])
        for ends in (up, down):
            between = Boundaries(*ends, np.zeros(len(here), dtype=np.int64))
            radii[here] = np.minimum(radii[here], linear_radii(between, space, rows[here], norm))
    return radii


def boundaries(
    fitted: Fitted,
    linear: LinearScores,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
) -> Boundaries:
    """Return a linear model's scores, one for each class, and its weights in the domain's units.

    Of two classes with one score the first one's is 0.
    """
    encoding = fitted.plain.encoding
    at = [int(np.flatnonzero(encoding.numbers == column)[0]) for column in space.columns]
    weights = linear.weights[:, at] * (space.units / encoding.scale[at])
    encoded = encoding.apply(rows)
    scores = linear.compute(encoded)
    tie = SIGMOID_TIE if fitted.plain.link is Link.ONE_VS_REST else TIE
    lost = tie + _lost(linear, encoded, weights)
    if scores.shape[1] == 1:
        weights = np.vstack([np.zeros_like(weights), weights])
        scores = np.hstack([np.zeros_like(scores), scores])
    scores[np.arange(len(scores)), decided] -= lost
    return Boundaries(weights, scores, decided)


def _lost(linear: LinearScores, encoded: Encoded, weights: Floats) -> Floats:
    """Return what a row's scores can lose by rounding, (rows,), also where its numbers moved."""
    size = np.abs(encoded) @ np.abs(linear.weights).T + np.abs(linear.biases)
    size += LARGEST * np.abs(weights).sum(axis=1)
    lost: Floats = ROUNDING * (encoded.shape[1] + 1) * size.max(axis=1)
    return lost


def _certify_trees(
    model: Model,
    trees: TreeScores,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    epsilon: float,
) -> Certificate:
    encoding = model.fitted.plain.encoding
    place = np.full(encoding.width, -1, dtype=np.intp)
    for position, column in enumerate(space.columns):
        place[np.flatnonzero(encoding.numbers == column)] = position
    half = DECISION_THRESHOLD if model.fitted.plain.link is Link.SHARE else 0.0
    asked = TreeDecisions(trees, half, encoding.apply(rows), decided, space, place)
    radii = {norm: tree_radii(asked, norm) for norm in Norm}
    flipped = np.zeros(len(rows), dtype=np.bool_)
    open_rows = np.flatnonzero(radii[Norm.MAXIMUM] <= epsilon * SLACK)
    if len(open_rows):
        attacked = attack.flipped_trees(
            trees,
            model.fitted.probabilities,
            rows[open_rows],
            decided[open_rows],
            space,
            place,
            epsilon,
        )
        flipped[open_rows] = model.decide(attacked) != decided[open_rows]
    exact = len(trees.trees) == 1
    return Certificate(dict.fromkeys(Norm, exact), radii, {}, False, flipped)
