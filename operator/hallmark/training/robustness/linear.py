"""How far a row must move before a linear model decides otherwise.

A decision between two classes falls when ``sum_j w_j d_j`` reaches the margin m, where w_j >= 0 is
what one standard deviation of feature j takes from it and d_j the distance that j moves, at most
its room c_j within the declared range.

* Maximum norm: the smallest r with ``sum_j w_j min(r, c_j) >= m``. Without a range that binds,
  ``m / ||w||_1`` (Hölder's inequality); with one, the sum is concave and piecewise linear in r,
  and the features' rooms, sorted, are its corners (the continuous knapsack of Dantzig, 1957).
  An Integer moves by ``min(floor(r / s) s, c_j)`` with s its whole step; the sum still grows with
  r, so that bisection finds the one point where it reaches the margin. Exact.
* Euclidean norm: by the Karush-Kuhn-Tucker conditions the cheapest change is
  ``d_j = min(t w_j, c_j)``, and t the smallest with ``sum_j w_j^2 min(t, c_j / w_j) >= m``: the
  same sum with other weights. Exact, unless an Integer has a weight: whole steps would make it a
  quadratic knapsack, so that Integers move continuously there, and the radius is a lower bound.

With more than two classes the radius is the smallest over the boundaries to each other class.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from hallmark.training.robustness.domain import Domain, Floats

_CHUNK = 32768
"""Rows at a time: a few megabytes."""
_DOUBT = 1e-6
"""What rounding to float32 can change, relative to the numbers rounded."""
_TILE = 64
"""Rows that are compared as one."""
_HALVINGS = 52
"""As many as a double has digits."""


class Norm(StrEnum):
    """How a change of several features is measured."""

    MAXIMUM = "Linf"
    EUCLIDEAN = "L2"


@dataclass(frozen=True)
class Boundaries:
    """A score for each class, linear in the movable features; the highest decides.

    Attributes:
        weights: Shape (classes, movable features), per standard deviation.
        scores: Shape (rows, classes).
        decided: Shape (rows,): the class that each row is decided as.
    """

    weights: Floats
    scores: Floats
    decided: npt.NDArray[np.int64]

    def part(self, rows: slice) -> Boundaries:
        """Return the same for some of the rows."""
        return Boundaries(self.weights, self.scores[rows], self.decided[rows])

    def exact(self, space: Domain, norm: Norm) -> bool:
        """Tell whether ``linear_radii`` gives the radius itself and not a lower bound."""
        whole = (space.steps > 0) & (np.ptp(self.weights, axis=0) > 0)
        return norm is Norm.MAXIMUM or not whole.any()


def linear_radii(
    model: Boundaries, space: Domain, rows: npt.NDArray[np.floating], norm: Norm
) -> Floats:
    """Return each row's distance to the nearest decision boundary, in standard deviations.

    Infinite where nothing that can move changes the decision.

    Args:
        model: The scores of the same rows.
        space: What can move.
        rows: Shape (rows, features), as the served form takes them.
        norm: How the distance is measured.
    """
    radii = np.full(len(rows), np.inf)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        _chunk_radii(model.part(part), space, rows[part], norm, radii[part])
    return radii


def _chunk_radii(
    model: Boundaries,
    space: Domain,
    rows: npt.NDArray[np.floating],
    norm: Norm,
    radii: Floats,
) -> None:
    """Lower the radii to those of each boundary."""
    for own in range(model.scores.shape[1]):
        here = np.flatnonzero(model.decided == own)
        if not len(here):
            continue
        mine, scores = rows.take(here, axis=0), model.scores.take(here, axis=0)
        for other in range(model.scores.shape[1]):
            if other != own:
                weights = model.weights[own] - model.weights[other]
                margins = np.maximum(scores[:, own] - scores[:, other], 0.0)
                distances = _pair(weights, margins, space, mine, norm)
                radii[here] = np.minimum(radii.take(here), distances)


def _pair(
    weights: Floats,
    margins: Floats,
    space: Domain,
    rows: npt.NDArray[np.floating],
    norm: Norm,
) -> Floats:
    """Return the distances to one boundary; a positive weight is lowered, a negative raised."""
    used = weights != 0
    if not used.any():
        return np.full(len(margins), np.inf)
    if not used.all():
        space, weights = _only(space, used), weights[used]
    size, lowering = np.abs(weights), weights > 0
    if norm is Norm.EUCLIDEAN:
        level = margins / (size**2).sum()
        radii: Floats = level * np.sqrt((size**2).sum())
        bound = _may_bind(space, rows, lowering, level.max() * size)
        if len(bound):
            rooms = space.rooms(space.values(rows[bound]), lowering)
            exact = _level(size**2, rooms / size, margins[bound])
            moved = np.minimum(exact[:, None] * size, rooms)
            radii[bound] = np.where(np.isinf(exact), np.inf, np.sqrt((moved**2).sum(axis=1)))
        return radii
    radii = margins / size.sum()
    whole = bool(space.steps.any())
    bound = (
        np.arange(len(rows))
        if whole
        else _may_bind(space, rows, lowering, np.full(len(size), radii.max()))
    )
    if len(bound):
        rooms = space.rooms(space.values(rows[bound]), lowering)
        exact = _level(size, rooms, margins[bound])
        if whole:
            exact = _whole_level(size, rooms, margins[bound], space.steps, exact)
        radii[bound] = exact
    return radii


def _may_bind(
    space: Domain,
    rows: npt.NDArray[np.floating],
    lowering: npt.NDArray[np.bool_],
    reach_: Floats,
) -> npt.NDArray[np.intp]:
    """Return the rows in which a feature may have less room than ``reach_``, or is null.

    A quick look at the whole block that leaves few rows to look at closely.

    Args:
        space: What can move.
        rows: Shape (rows, features).
        lowering: Shape (movable features,).
        reach_: Shape (movable features,): standard deviations, the same for all rows.
    """
    width, kind = rows.shape[1], rows.dtype
    least, most = np.full(width, -np.inf), np.full(width, np.inf)
    # An Integer's room is rounded down to whole steps; float32 rounds the limits.
    limit = np.where(lowering, space.low, space.high) * space.units
    end = np.isfinite(limit)
    limit[~end] = 0.0
    far = (reach_ + space.steps) * space.units + _DOUBT * np.abs(limit)
    least[space.columns[end & lowering]] = (limit + far)[end & lowering]
    most[space.columns[end & ~lowering]] = (limit - far)[end & ~lowering]
    with np.errstate(over="ignore"):
        least, most = least.astype(kind), most.astype(kind)
    # Many rows as one long one, for long inner loops.
    even = len(rows) // _TILE * _TILE
    block = rows[:even].reshape(-1, _TILE * width)
    near = np.empty((len(rows), width), dtype=np.bool_)
    long = near[:even].reshape(block.shape)
    np.less(block, np.tile(least, _TILE), out=long)
    long |= block > np.tile(most, _TILE)
    near[even:] = (rows[even:] < least) | (rows[even:] > most)
    null = np.isnan(rows)
    if null.any():
        near |= null
    return np.unique(np.flatnonzero(near) // width)


def _only(space: Domain, used: npt.NDArray[np.bool_]) -> Domain:
    return Domain(
        space.columns[used],
        space.units[used],
        space.steps[used],
        space.low[used],
        space.high[used],
    )


def _level(weights: Floats, rooms: Floats, margins: Floats) -> Floats:
    """Return the smallest r with ``sum_j weights_j min(r, rooms_j) >= margin``, by row.

    Args:
        weights: Shape (features,), positive.
        rooms: Shape (rows, features), not negative.
        margins: Shape (rows,), not negative.
    """
    level: Floats = margins / weights.sum()
    bound = (rooms < level[:, None]).any(axis=1)
    if bound.any():
        level[bound] = _bound_level(weights, rooms[bound], margins[bound])
    return level


def _bound_level(weights: Floats, rooms: Floats, margins: Floats) -> Floats:
    """Return the level where rooms bind: between two of them the sum is linear."""
    # No feature needs more room than twice what it takes alone: keeps the sums finite.
    rooms = np.minimum(rooms, (2 * margins / weights.min())[:, None])
    order = np.argsort(rooms, axis=1)
    rooms, sorted_weights = np.take_along_axis(rooms, order, axis=1), weights[order]
    spent = np.cumsum(sorted_weights * rooms, axis=1)
    left = weights.sum() - np.cumsum(sorted_weights, axis=1)
    reached = spent + rooms * np.maximum(left, 0.0) >= margins[:, None]
    reached[:, -1] = spent[:, -1] >= margins
    corner = np.argmax(reached, axis=1)
    row = np.arange(len(margins))
    before = np.where(corner > 0, spent[row, corner - 1], 0.0)
    moving = np.maximum(left[row, corner], 0.0) + sorted_weights[row, corner]
    level: Floats = np.where(reached.any(axis=1), (margins - before) / moving, np.inf)
    return level


def _whole_level(
    weights: Floats, rooms: Floats, margins: Floats, steps: Floats, relaxed: Floats
) -> Floats:
    """Return the level with whole steps, from the level without.

    A feature that lags behind by less than a step catches up within one, so that the level is at
    most the longest step higher.
    """
    level = relaxed.copy()
    open_rows = np.flatnonzero(
        np.isfinite(relaxed) & (_fall(weights, rooms, steps, relaxed) < margins)
    )
    low, high = relaxed[open_rows], relaxed[open_rows] + steps.max()
    rooms, margins = rooms[open_rows], margins[open_rows]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = _fall(weights, rooms, steps, middle) < margins
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    level[open_rows] = low
    return level


def _fall(weights: Floats, rooms: Floats, steps: Floats, level: Floats) -> Floats:
    """Return what a change of at most ``level`` takes from the margins."""
    fall: Floats = np.minimum(reach(level, steps), rooms) @ weights
    return fall


def reach(level: Floats, steps: Floats) -> Floats:
    """Return how far each feature gets within ``level``, (rows, features)."""
    moved = np.repeat(level[:, None], len(steps), axis=1)
    for column in np.flatnonzero(steps):
        moved[:, column] = np.floor(level / steps[column]) * steps[column]
    return moved
