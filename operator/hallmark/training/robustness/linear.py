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

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.data.duplicates import Rows
from hallmark.training.robustness.domain import Domain, Floats

_CHUNK = 32768
"""Rows at a time: a few megabytes."""
_SPAN = 131072
"""Rows that a thread takes at a time."""
_EIGHT_TRUE = np.uint64(0x0101010101010101)
_DOUBT = 1e-6
"""What rounding to float32 can change, relative to the numbers rounded."""
_TILE = 64
"""Rows that are compared as one."""
_HALVINGS = 52
"""As many as a double has digits."""


class Norm(StrEnum):
    """The norm by which a change of several features is measured."""

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
    scores: npt.NDArray[np.floating]
    decided: npt.NDArray[np.integer]

    def part(self, rows: slice | npt.NDArray[np.intp]) -> Boundaries:
        """Return the same for some of the rows."""
        return Boundaries(self.weights, self.scores[rows], self.decided[rows])

    def exact(self, space: Domain, norm: Norm) -> bool:
        """Whether ``linear_radii`` gives the radius itself and not a lower bound."""
        whole = (space.steps > 0) & (np.ptp(self.weights, axis=0) > 0)
        return norm is Norm.MAXIMUM or not whole.any()


def linear_radii(
    model: Boundaries, space: Domain, rows: npt.NDArray[np.floating], norm: Norm
) -> Floats:
    """Return each row's distance to the nearest decision boundary, in standard deviations.

    Infinite where nothing that can move changes the decision; 0 where a score is no finite number.

    Args:
        model: The scores of the same rows.
        space: What can move.
        rows: Shape (rows, features), as the served form takes them.
        norm: How the distance is measured.
    """
    free = _Unlimited.of(model.weights, norm)
    limits = _Limits.of(space, free.shares, rows.shape[1])
    radii = np.empty(len(rows))
    whole = norm is Norm.MAXIMUM and bool((space.steps[free.shares > 0] > 0).any())
    limited = np.full(len(rows), whole)

    def look(span: slice) -> None:
        for part in _parts(span, _CHUNK):
            radii[part] = free.radii(model.part(part))
            limited[part][limits.may_bind(rows[part], radii[part])] = True

    if not whole:
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            list(threads.map(look, _parts(slice(0, len(rows)), _SPAN)))
    # Limits only lengthen distances: where none binds within the shortest, it stays the shortest.
    near = np.flatnonzero(limited)
    for part in _parts(slice(0, len(near)), _CHUNK):
        some = near[part]
        radii[some] = _limited_radii(model.part(some), space, rows[some], norm)
    radii[np.isnan(radii) | ~np.isfinite(model.scores).all(axis=1)] = 0.0
    return radii


def _parts(rows: slice, size: int) -> list[slice]:
    starts = range(rows.start, rows.stop, size)
    return [slice(start, min(start + size, rows.stop)) for start in starts]


@dataclass(frozen=True)
class _Unlimited:
    """How far rows are from the boundaries if every feature moves as far as it takes.

    Attributes:
        norm: How the distance is measured.
        lengths: Shape (classes, classes): what one unit of distance takes from the margin.
        shares: Shape (movable features,): the most that each feature moves of a unit.
    """

    norm: Norm
    lengths: Floats
    shares: Floats

    @classmethod
    def of(cls, weights: Floats, norm: Norm) -> _Unlimited:
        """Return it for the classes' weights, (classes, movable features)."""
        order = 1 if norm is Norm.MAXIMUM else 2
        lengths = np.empty((len(weights), len(weights)))
        shares = np.zeros(weights.shape[1])
        for own, own_weights in enumerate(weights):
            size = np.abs(own_weights - weights)
            lengths[own] = np.linalg.norm(size, ord=order, axis=1)
            apart = lengths[own] > 0
            size, length = size[apart], lengths[own][apart, None]
            moved = size > 0 if norm is Norm.MAXIMUM else size / length
            np.maximum(shares, moved.max(axis=0, initial=0.0), out=shares)
        return cls(norm, lengths, shares)

    def radii(self, model: Boundaries) -> Floats:
        """Return the distance of each row, (rows,)."""
        classes = len(self.lengths)
        own = model.scores.ravel().take(np.arange(len(model.decided)) * classes + model.decided)
        radii: Floats = np.full(len(own), np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            for other in range(classes):
                margins = np.maximum(own - model.scores[:, other], 0.0)
                # Nothing leads to a class of the same weights: x / 0, or 0 / 0.
                np.fmin(radii, margins / self.lengths[:, other].take(model.decided), out=radii)
        return radii


@dataclass(frozen=True)
class _Limits:
    """Where a row's numbers have so little room that it may count.

    All of shape (features,), as the rows have them; nothing limits a feature that does not move.

    Attributes:
        low: The least number with room to be lowered.
        high: The greatest with room to be raised.
        moves: How far the number goes for one unit of distance, at most.
    """

    low: Floats
    high: Floats
    moves: Floats

    @classmethod
    def of(cls, space: Domain, shares: Floats, features: int) -> _Limits:
        """Return them, from the most that each movable feature moves of a unit."""
        moves, low, high = np.zeros(features), np.full(features, -np.inf), np.full(features, np.inf)
        moves[space.columns] = shares * space.units
        for limit, ends, sign in ((space.low, low, 1.0), (space.high, high, -1.0)):
            there = (shares > 0) & np.isfinite(limit)
            end, step = limit[there] * space.units[there], (space.steps * space.units)[there]
            # An Integer's room is rounded down to whole steps; float32 rounds the limits.
            ends[space.columns[there]] = end + sign * (step + _DOUBT * np.abs(end))
        return cls(low, high, moves)

    def may_bind(self, rows: npt.NDArray[np.floating], radii: Floats) -> Rows:
        """Return the rows in which a feature may have less room than it takes, or is null.

        A quick look with the same limits for all leaves few rows to look at closely.

        Args:
            rows: Shape (rows, features).
            radii: Shape (rows,): their distances without limits.
        """
        radii = np.where(np.isfinite(radii), radii, 0.0)
        far = radii.max(initial=0.0) * self.moves
        with np.errstate(over="ignore"):
            least, most = (self.low + far).astype(rows.dtype), (self.high - far).astype(rows.dtype)
        cells = _outside(rows, least, most)
        row, column = cells // rows.shape[1], cells % rows.shape[1]
        number, own = rows[row, column], radii[row] * self.moves[column]
        room = (number >= self.low[column] + own) & (number <= self.high[column] - own)
        return np.unique(row[~room])


def _outside(
    rows: npt.NDArray[np.floating],
    least: npt.NDArray[np.floating],
    most: npt.NDArray[np.floating],
) -> npt.NDArray[np.intp]:
    """Return the cells, counted row by row, that are null or outside their column's limits."""
    # Many rows as one long one, for long inner loops.
    even = len(rows) // _TILE * _TILE
    block, rest = rows[:even].reshape(-1, _TILE * rows.shape[1]), rows[even:]
    inside = np.empty(rows.size, dtype=np.bool_)
    long = inside[: block.size].reshape(block.shape)
    np.greater_equal(block, np.tile(least, _TILE), out=long)
    long &= block <= np.tile(most, _TILE)
    inside[block.size :] = ((rest >= least) & (rest <= most)).ravel()
    return _false(inside)


def _false(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return where the flags are false, eight at a time; few are."""
    whole = len(flags) // 8 * 8
    words = np.flatnonzero(flags[:whole].view(np.uint64) != _EIGHT_TRUE)
    cells = (words[:, None] * 8 + np.arange(8)).ravel()
    cells = np.append(cells, np.arange(whole, len(flags)))
    places: npt.NDArray[np.intp] = cells[~flags[cells]]
    return places


def _limited_radii(
    model: Boundaries, space: Domain, rows: npt.NDArray[np.floating], norm: Norm
) -> Floats:
    """Return the distances within the limits: the smallest over the boundaries to each class."""
    radii = np.full(len(rows), np.inf)
    for own, own_weights in enumerate(model.weights):
        here = np.flatnonzero(model.decided == own)
        if not len(here):
            continue
        values, scores = space.values(rows[here]), model.scores[here]
        for other, other_weights in enumerate(model.weights):
            if other != own:
                margins = np.maximum(scores[:, own] - scores[:, other], 0.0)
                distances = _limited_pair(own_weights - other_weights, margins, space, values, norm)
                radii[here] = np.minimum(radii[here], distances)
    return radii


def _limited_pair(
    weights: Floats, margins: Floats, space: Domain, values: Floats, norm: Norm
) -> Floats:
    """Return the distances to one boundary; a positive weight is lowered, a negative raised."""
    used = weights != 0
    if not used.any():
        return np.full(len(margins), np.inf)
    size, steps = np.abs(weights[used]), space.steps[used]
    rooms = space.rooms(values, weights > 0)[:, used]
    if norm is Norm.EUCLIDEAN:
        level = _level(size**2, rooms / size, margins)
        moved = np.minimum(level[:, None] * size, rooms)
        return np.where(np.isinf(level), np.inf, np.sqrt((moved**2).sum(axis=1)))
    level = _level(size, rooms, margins)
    return _whole_level(size, rooms, margins, steps, level) if steps.any() else level


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
