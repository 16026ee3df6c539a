"""Changes of at most epsilon that turn decisions: what no certificate may promise beyond.

For a linear model the worst change is known: every feature goes as far as it may against its
weight. For trees a coordinate search tries, feature by feature, values on both sides of the
thresholds within reach, and keeps the one that lowers the margin most. What survives is an upper
bound of what is robust; what is certified is a lower bound. Every candidate goes through the
fitted model itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hallmark.training.matrix import Matrix
from hallmark.training.plain import TreeScores
from hallmark.training.robustness.domain import Domain, Floats
from hallmark.training.robustness.linear import Boundaries, reach
from hallmark.training.robustness.noise import Decide, moved, within

Probabilities = Callable[[Matrix], Floats]
"""From rows as the served form takes them to the classes' probabilities."""

PASSES = 2
"""How often the coordinate search goes through all features."""
_CANDIDATES = 6
"""Thresholds that are tried for a feature, besides the ends of its reach."""


def flipped_linear(
    model: Boundaries, decide: Decide, rows: Matrix, space: Domain, epsilon: float
) -> npt.NDArray[np.bool_]:
    """Return for each row whether the worst change within epsilon turns its decision.

    Args:
        model: The scores of the same rows.
        decide: The fitted model.
        rows: Shape (rows, features).
        space: What can move.
        epsilon: In standard deviations of each feature.
    """
    flipped = np.zeros(len(rows), dtype=np.bool_)
    values = space.values(rows)
    far = reach(np.full(len(rows), epsilon), space.steps)
    for turn in range(1, model.scores.shape[1]):
        for own in np.unique(model.decided):
            here = np.flatnonzero(model.decided == own)
            weights = model.weights[own] - model.weights[(own + turn) % model.scores.shape[1]]
            rooms = space.rooms(values[here], weights > 0)
            by = -np.sign(weights) * np.minimum(far[here], rooms)
            flipped[here] |= decide(moved(rows[here], space, by)) != own
    return flipped


def flipped_trees(
    model: TreeScores,
    probabilities: Probabilities,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    movable: npt.NDArray[np.intp],
    epsilon: float,
) -> Matrix:
    """Return the rows, each changed by at most epsilon so that its margin is as low as was found.

    Args:
        model: The trees, for their thresholds.
        probabilities: The fitted model.
        rows: Shape (rows, features).
        decided: Shape (rows,): what the rows are decided as.
        space: What can move.
        movable: Shape (encoded columns,): place among the movable features, -1 for what stays.
        epsilon: In standard deviations of each feature.
    """
    best = rows.copy()
    lowest = _margins(probabilities(best), decided)
    numbers = np.arange(len(rows))
    for _ in range(PASSES):
        for place in range(len(space.columns)):
            thresholds = _thresholds(model, np.flatnonzero(movable == place))
            tried = _candidates(rows, space, place, thresholds, epsilon)
            trial = np.repeat(best[None], len(tried), axis=0)
            trial[:, :, space.columns[place]] = tried
            predicted = probabilities(trial.reshape(-1, rows.shape[1]))
            margins = _margins(predicted, np.tile(decided, len(tried))).reshape(len(tried), -1)
            choice = margins.argmin(axis=0)
            reached = margins[choice, numbers]
            better = reached < lowest
            best[better] = trial[choice, numbers][better]
            lowest[better] = reached[better]
    return best


def _margins(probabilities: Floats, decided: npt.NDArray[np.int64]) -> Floats:
    own = np.take_along_axis(probabilities, decided[:, None], axis=1)[:, 0]
    others = probabilities.copy()
    np.put_along_axis(others, decided[:, None], -np.inf, axis=1)
    margins: Floats = own - others.max(axis=1)
    return margins


def _thresholds(model: TreeScores, columns: npt.NDArray[np.intp]) -> Floats:
    looked_at = [
        tree.threshold[(tree.left >= 0) & np.isin(tree.feature, columns)] for tree in model.trees
    ]
    thresholds = np.unique(np.concatenate(looked_at))
    return thresholds[np.isfinite(thresholds)]


def _candidates(
    rows: Matrix, space: Domain, place: int, thresholds: Floats, epsilon: float
) -> Matrix:
    """Return values to try for one feature, shape (values, rows); a null stays."""
    values = rows[:, space.columns[place]].astype(np.float64)
    unit, whole = space.units[place], space.steps[place] > 0
    least, most = (ends[place] for ends in space.ends)
    low = np.minimum(np.maximum(values - epsilon * unit, least), values)
    high = np.maximum(np.minimum(values + epsilon * unit, most), values)
    if whole:
        low, high = np.ceil(low - 1e-9), np.floor(high + 1e-9)
    tried = [low, high]
    first = np.searchsorted(thresholds, low)
    count = np.searchsorted(thresholds, high) - first
    for share in np.linspace(0, 1, _CANDIDATES) if len(thresholds) and count.max() > 0 else ():
        pick = first + np.rint(share * np.maximum(count - 1, 0)).astype(np.intp)
        at = thresholds[np.minimum(pick, len(thresholds) - 1)]
        for side in (np.floor(at), np.floor(at) + 1) if whole else (at, at + 1e-6 * unit):
            tried.append(np.where(count > 0, np.clip(side, low, high), values))
    targets = np.where(np.isnan(values), np.nan, np.stack(tried))
    return within(targets, np.broadcast_to(rows[:, space.columns[place]], targets.shape))
