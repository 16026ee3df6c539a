"""How far a row must move before a sum of trees can decide otherwise: a sound lower bound.

Each leaf is a box, and a row reaches it within radius r only if the box is no farther than r. For
a boundary between two classes each tree takes from the margin at most what its worst leaf within r
takes, and the sum of these worsts is no smaller than what any one change can take from all trees
together. The bound is the distance at which that sum first uses up the margin: no decision falls
below it (interval propagation through the ensemble; the one-tree case of Chen et al., "Robustness
verification of tree-based models", NeurIPS 2019). It is the radius itself for a single tree.

Distances to boxes are exact: continuous features to the threshold, Integers to the next whole
number beyond it, infinite where the declared range ends before, or where a feature that stays is
on the other side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hallmark.training.plain import Tree, TreeScores
from hallmark.training.robustness.domain import LARGEST, ROUNDING, TIE, Domain, Floats
from hallmark.training.robustness.linear import Norm

_FAR = 1e6
"""Standard deviations that stand for infinity in sums of squares."""
_CHUNK = 256
"""Rows at a time: bounds the memory for their distances to every node."""


@dataclass(frozen=True)
class TreeDecisions:
    """Rows that a sum of trees decides, and what may change of them.

    Attributes:
        model: The trees; where there is one score it is the second class's.
        threshold: Of two classes with one score, the second is decided from here on.
        encoded: Shape (rows, encoded columns), as the trees take them.
        decided: Shape (rows,): the class that each row is decided as.
        space: What can move.
        movable: Shape (encoded columns,): place among the movable features, -1 for what stays.
    """

    model: TreeScores
    threshold: float
    encoded: npt.NDArray[np.floating]
    decided: npt.NDArray[np.int64]
    space: Domain
    movable: npt.NDArray[np.intp]

    def part(self, rows: slice | npt.NDArray[np.intp]) -> TreeDecisions:
        """Return the same for some of the rows."""
        return replace(self, encoded=self.encoded[rows], decided=self.decided[rows])

    def boundaries(self) -> list[Floats]:
        """Return for each other class the directions, (rows, scores), in which margins count."""
        width = len(self.model.base)
        if width == 1:
            return [np.where(self.decided == 1, 1.0, -1.0)[:, None]]
        axes = np.eye(width)
        others = [(self.decided + turn) % width for turn in range(1, width)]
        return [axes[self.decided] - axes[other] for other in others]

    @property
    def tie(self) -> float:
        """How much of a margin does not count: what is a tie as served, and what sums lose."""
        leaves = sum(tree.leaves for tree in self.model.trees)
        size = np.abs(self.model.base) + sum(
            np.abs(tree.value).max(axis=0) / self.model.divisor for tree in self.model.trees
        )
        return TIE + ROUNDING * leaves * float(np.max(size))

    def base_margins(self, directions: Floats) -> Floats:
        """Return what the margins are before any tree counts, (rows,)."""
        offset = self.threshold if len(self.model.base) == 1 else 0.0
        margins: Floats = directions @ (self.model.base - offset)
        return margins


@dataclass(frozen=True)
class _Falls:
    """The distances at which margins fall as the radius grows: one entry for each fall."""

    rows: npt.NDArray[np.intp]
    distances: Floats
    amounts: Floats


def tree_radii(decisions: TreeDecisions, norm: Norm) -> Floats:
    """Return a lower bound of each row's distance to another decision, in standard deviations.

    Infinite where nothing within ``LARGEST`` standard deviations can change the decision.

    Args:
        decisions: The rows and the trees.
        norm: How the distance is measured.
    """
    rows = len(decisions.decided)
    radii = np.full(rows, np.inf)
    layouts = [Layout.of(tree) for tree in decisions.model.trees]
    for start in range(0, rows, _CHUNK):
        part = slice(start, start + _CHUNK)
        radii[part] = _chunk_radii(decisions.part(part), layouts, norm)
    return radii


def _chunk_radii(decisions: TreeDecisions, layouts: Sequence[Layout], norm: Norm) -> Floats:
    boundaries = decisions.boundaries()
    margins = [decisions.base_margins(directions) for directions in boundaries]
    falls: list[list[_Falls]] = [[] for _ in boundaries]
    groups = [np.flatnonzero(decisions.decided == own) for own in np.unique(decisions.decided)]
    for layout in layouts:
        distances = layout.leaf_distances(decisions, norm)
        values = layout.values / decisions.model.divisor
        for index, directions in enumerate(boundaries):
            for rows in groups:
                own, fall = _falls(distances[rows], values @ directions[rows[0]], rows)
                margins[index][rows] += own
                falls[index].append(fall)
    tie = decisions.tie
    radii = [_used_up(margin - tie, taken) for margin, taken in zip(margins, falls, strict=True)]
    smallest: Floats = np.min(radii, axis=0)
    return smallest


def _falls(distances: Floats, worth: Floats, rows: npt.NDArray[np.intp]) -> tuple[Floats, _Falls]:
    """Return what the rows' own leaves add to a margin, and how the worst leaf takes it away.

    Args:
        distances: Shape (rows, leaves).
        worth: Shape (leaves,): what each leaf adds to the margin.
        rows: Shape (rows,): their numbers.
    """
    order = np.argsort(worth, kind="stable")
    worth = worth[order]
    # How far it is to a leaf that is at most worth this.
    nearest = np.minimum.accumulate(distances[:, order], axis=1)
    closer = np.ones(nearest.shape, dtype=np.bool_)
    np.less(nearest[:, 1:], nearest[:, :-1], out=closer[:, 1:])
    row, leaf = np.nonzero(closer)
    last = np.flatnonzero(np.append(row[1:] != row[:-1], True))  # each row's own leaf: distance 0
    drop = np.zeros(len(row))
    drop[:-1] = worth[leaf[1:]] - worth[leaf[:-1]]
    far = nearest[row, leaf]
    drop[last] = 0.0
    counts = (drop > 0) & (far <= LARGEST)
    return worth[leaf[last]], _Falls(rows[row[counts]], far[counts], drop[counts])


def _used_up(margins: Floats, falls: list[_Falls]) -> Floats:
    """Return the distance at which the falls of all trees have used up each row's margin."""
    rows = np.concatenate([fall.rows for fall in falls])
    distances = np.concatenate([fall.distances for fall in falls])
    amounts = np.concatenate([fall.amounts for fall in falls])
    order = np.lexsort((distances, rows))
    distances, amounts = distances[order], amounts[order]
    ends = np.cumsum(np.bincount(rows, minlength=len(margins)))
    radii = np.full(len(margins), np.inf)
    # Each row's sum is its own: large falls of another row would swallow small ones.
    for row, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        used = ~(np.cumsum(amounts[start:end]) < margins[row])  # true for what is no number
        if used.any():
            radii[row] = distances[start + int(used.argmax())]
    radii[~(margins > 0)] = 0.0
    return radii


@dataclass(frozen=True)
class Layout:
    """A tree's nodes by level, the root left out.

    Attributes:
        tree: The tree.
        levels: For each level its nodes, their parents, whether each is entered by going left, and
            the last node above it that was entered by a look at the same feature (0: none).
        leaves: The leaves' numbers.
    """

    tree: Tree
    levels: tuple[_Level, ...]
    leaves: npt.NDArray[np.intp]

    @classmethod
    def of(cls, tree: Tree) -> Layout:
        """Return a tree's layout."""
        parents = np.zeros(len(tree.left), dtype=np.intp)
        last = np.zeros(len(tree.left), dtype=np.intp)
        levels = []
        inner = np.flatnonzero(tree.left[:1] >= 0)
        while len(inner):
            nodes = np.concatenate([tree.left[inner], tree.right[inner]]).astype(np.intp)
            parents[nodes] = np.concatenate([inner, inner])
            last[nodes] = _last_look(tree, parents, nodes)
            low = np.arange(len(nodes)) < len(inner)
            levels.append(_Level(nodes, parents[nodes], low, last[nodes]))
            inner = nodes[tree.left[nodes] >= 0]
        return cls(tree, tuple(levels), np.flatnonzero(tree.left < 0))

    @property
    def values(self) -> Floats:
        """What the leaves add to the scores, (leaves, scores)."""
        values: Floats = self.tree.value[self.leaves]
        return values

    def leaf_distances(self, decisions: TreeDecisions, norm: Norm) -> Floats:
        """Return how far each row is from each leaf's box, (rows, leaves)."""
        shape = (len(self.tree.left), len(decisions.decided))
        # By node and then row, so that a level's work is on whole lines of memory.
        far = np.zeros(shape)
        if norm is Norm.MAXIMUM:
            for level in self.levels:
                edge = _edge_distances(self.tree, decisions, level)
                far[level.nodes] = np.maximum(far[level.parents], edge)
            return far[self.leaves].T
        # Of a feature that a path looks at twice only the farther edge counts.
        own = np.zeros(shape)
        for level in self.levels:
            earlier = own[level.last_look]
            own[level.nodes] = np.maximum(earlier, _edge_distances(self.tree, decisions, level))
            squares = np.minimum(own[level.nodes], _FAR) ** 2 - np.minimum(earlier, _FAR) ** 2
            far[level.nodes] = far[level.parents] + squares
        distances = np.sqrt(far[self.leaves].T)
        distances[distances >= _FAR] = np.inf
        return distances


@dataclass(frozen=True)
class _Level:
    nodes: npt.NDArray[np.intp]
    parents: npt.NDArray[np.intp]
    low: npt.NDArray[np.bool_]
    last_look: npt.NDArray[np.intp]


def _last_look(
    tree: Tree, parents: npt.NDArray[np.intp], nodes: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Return the nearest nodes above that were entered by a look at the same feature; 0: none."""
    feature = tree.feature[parents[nodes]]
    at = parents[nodes]
    while True:
        other = (at > 0) & (tree.feature[parents[at]] != feature)
        if not other.any():
            return at
        at = np.where(other, parents[at], at)


def _edge_distances(tree: Tree, decisions: TreeDecisions, level: _Level) -> Floats:
    """Return how far each row's value must move to enter each node, (nodes, rows)."""
    feature = tree.feature[level.parents]
    threshold = tree.threshold[level.parents][:, None]
    values = decisions.encoded.T[feature].astype(np.float64)
    missing = tree.missing_left[level.parents][:, None]
    null = np.isnan(values)
    goes_left = (values <= threshold) | (null & missing)
    place = decisions.movable[feature]
    far = np.full(values.shape, np.inf)
    moves = np.flatnonzero(place >= 0)
    if len(moves):
        far[moves] = _moves(
            decisions.space, place[moves], values[moves], threshold[moves, 0], level.low[moves]
        )
    far[null] = np.inf
    far[goes_left == level.low[:, None]] = 0.0
    return far


def _moves(
    space: Domain,
    place: npt.NDArray[np.intp],
    values: Floats,
    thresholds: Floats,
    low: npt.NDArray[np.bool_],
) -> Floats:
    """Return the distances to the other sides of thresholds; infinite beyond the range.

    Values have the shape (nodes, rows), everything else (nodes,).
    """
    unit, whole = space.units[place], space.steps[place] > 0
    up_to = np.where(whole, np.floor(thresholds), thresholds)  # the largest value on the left
    from_ = np.where(whole, np.floor(thresholds) + 1, thresholds)  # the smallest on the right
    least, most = (ends[place] for ends in space.ends)
    beyond = np.where(low, least > up_to, np.where(whole, most < from_, most <= from_))
    beyond |= ~np.isfinite(thresholds)
    target = np.where(beyond, 0.0, np.where(low, up_to, from_))
    distances = np.abs(values - target[:, None]) / unit[:, None]
    distances[beyond] = np.inf
    return distances
