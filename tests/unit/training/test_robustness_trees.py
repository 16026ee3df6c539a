"""The trees' lower bound against every box of small ensembles, and the attack against the bound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.trainer import Algorithm
from hallmark.training.plain import Tree, TreeScores
from hallmark.training.robustness import measure_robustness
from hallmark.training.robustness.domain import Domain
from hallmark.training.robustness.linear import Norm
from hallmark.training.robustness.trees import TreeDecisions, tree_radii
from tests.examples import examples
from tests.unit.training.fits import MIXES, fitted, made, trainer
from tests.unit.training.test_robustness_linear import space

CUTS = [-1.5, -0.5, 0.0, 0.25, 1.0, 2.0]
THRESHOLDS = st.sampled_from(CUTS)


def cuts(low: float, high: float, whole: bool) -> list[float]:
    """Return thresholds that leave something on both sides, as those of fitted trees do."""
    size = np.floor if whole else float
    return [cut for cut in CUTS if size(low) < size(cut) < size(high)]


@st.composite
def trees(draw: st.DrawFn, whole: list[bool], depth: int = 3) -> Tree:
    """Return a random tree over columns of numbers, whole or not, with one score."""
    nodes: list[tuple[int, float, bool, int, int, float]] = []

    def grow(level: int, ranges: list[tuple[float, float]]) -> int:
        number = len(nodes)
        nodes.append((0, 0.0, False, -1, -1, draw(st.integers(-4, 4)) / 2))
        column = draw(st.integers(0, len(whole) - 1))
        possible = cuts(*ranges[column], whole[column])
        if possible and level < depth and draw(st.booleans() if level else st.just(True)):
            cut, missing = draw(st.sampled_from(possible)), draw(st.booleans())
            below, above = ranges.copy(), ranges.copy()
            below[column], above[column] = (ranges[column][0], cut), (cut, ranges[column][1])
            left = grow(level + 1, below)
            nodes[number] = (column, cut, missing, left, grow(level + 1, above), 0.0)
        return number

    grow(0, [(-np.inf, np.inf)] * len(whole))
    feature, threshold, missing, left, right, value = (
        np.array(part) for part in zip(*nodes, strict=True)
    )
    return Tree(feature, threshold.astype(float), missing, left, right, value[:, None])


@st.composite
def cases(draw: st.DrawFn) -> tuple[TreeScores, Domain, np.ndarray]:
    whole = draw(st.lists(st.booleans(), min_size=2, max_size=2))
    row = [
        float(draw(st.integers(-2, 2))) if integral else draw(THRESHOLDS) + 0.125
        for integral in whole
    ]
    where = space(
        draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=2, max_size=2)),
        whole,
        [value - draw(st.sampled_from([0.0, 1.0, np.inf])) for value in row],
        [value + draw(st.sampled_from([0.0, 1.0, np.inf])) for value in row],
    )
    if draw(st.booleans()):
        row[draw(st.integers(0, 1))] = np.nan
    count = draw(st.integers(1, 3))
    found = tuple(draw(trees([*whole, False])) for _ in range(count))
    base = np.array([draw(st.sampled_from([-0.3, 0.2]))])
    return TreeScores(found, base, draw(st.sampled_from([1, count]))), where, np.array([*row, 1.0])


def decide(model: TreeScores, rows: np.ndarray) -> np.ndarray:
    return (model.compute(rows)[:, 0] >= 0).astype(np.int64)


def true_radius(model: TreeScores, where: Domain, row: np.ndarray, norm: Norm) -> float:
    """Return the distance to the nearest flip: one point is tried in each cell of the grid.

    The two first columns move; the cells' nearest points are values on thresholds and beyond.
    """
    (own,) = decide(model, row[None])
    axes = []
    for j in range(2):
        moves = [row[j]]
        for tree in model.trees:
            for at in tree.threshold[(tree.left >= 0) & (tree.feature == j)]:
                moves += [np.floor(at), np.floor(at) + 1] if where.steps[j] else [at, at + 1e-7]
        low, high = where.low[j] * where.units[j], where.high[j] * where.units[j]
        axes.append(
            [row[j]] if np.isnan(row[j]) else [value for value in moves if low <= value <= high]
        )
    points = np.array([[*point, row[2]] for point in itertools.product(*axes)])
    flips = decide(model, points) != own
    moved = np.nan_to_num(np.abs(points[:, :2] - row[:2]) / where.units)
    order = np.inf if norm is Norm.MAXIMUM else 2
    return float(np.min(np.linalg.norm(moved, ord=order, axis=1)[flips], initial=np.inf))


def bound(model: TreeScores, where: Domain, row: np.ndarray, norm: Norm) -> float:
    asked = TreeDecisions(
        model, 0.0, row[None], decide(model, row[None]), where, np.array([0, 1, -1])
    )
    return float(tree_radii(asked, norm)[0])


@pytest.mark.parametrize("norm", Norm)
@examples(300)
@given(cases())
def test_no_decision_falls_within_the_bound_and_one_trees_bound_is_the_radius(
    norm: Norm, case: tuple[TreeScores, Domain, np.ndarray]
) -> None:
    model, where, row = case
    true = true_radius(model, where, row, norm)
    found = bound(model, where, row, norm)
    assert found <= true + 1e-6 or true > 10
    if len(model.trees) == 1 and true <= 10:
        assert found == pytest.approx(true, abs=1e-6)


def stump(column: int, threshold: float, low: float, high: float) -> Tree:
    look = np.array([column, 0, 0]), np.array([threshold, 0, 0]), np.zeros(3, dtype=np.bool_)
    return Tree(*look, np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([[0], [low], [high]]))


def test_the_falls_of_several_trees_add_up() -> None:
    model = TreeScores((stump(0, 1.0, 2, -1), stump(1, 3.0, 2, -1)), np.array([0.0]), 1)
    where, row = space([1.0, 2.0]), np.array([0.5, 1.0, 0.0])
    # The first turns at 0.5 and leaves 1; the second at 2 / 2 and uses that up.
    assert bound(model, where, row, Norm.MAXIMUM) == 1.0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", [Algorithm.RANDOM_FOREST, Algorithm.HIST_GRADIENT_BOOSTING])
def test_what_is_certified_survives_every_change_that_is_tried(
    algorithm: Algorithm, classes: int
) -> None:
    features = MIXES["all types"]
    rows, truth = made(features, count=400, classes=classes)
    size = {"n_estimators": "8"} if algorithm is Algorithm.RANDOM_FOREST else {"max_iter": "6"}
    model = fitted(rows[:250], truth[:250], features, trainer(algorithm, parameters=size))
    found = measure_robustness(
        model, features, rows[:250], rows[250:], truth[250:], positive=None, epsilon=0.2, seed=1
    )
    certified = found.by_row["certifiedAccuracy"] == 1
    attacked = found.by_row["attackedAccuracy"] == 1
    assert (attacked | ~certified).all()
    assert 0.1 < certified.mean() <= attacked.mean() < 1
    random = np.random.default_rng(2)
    spread = np.nanstd(rows[:250].astype(float), axis=0)
    for _ in range(100):
        moved = rows[250:].astype(float)
        moved[:, 0] += random.choice([-1, 1, random.uniform(-1, 1)], 150) * 0.2 * spread[0]
        moved[:, 0] = np.clip(moved[:, 0], 0, 20)
        still = model.probabilities(moved.astype(np.float32)).argmax(axis=1) == truth[250:]
        assert (still | ~certified).all()
