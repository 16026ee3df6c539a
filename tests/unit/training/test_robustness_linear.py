"""Radii of linear models against brute force over every move that the domain allows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.training.robustness.domain import Domain
from hallmark.training.robustness.linear import Boundaries, Norm, linear_radii
from tests.examples import examples

WEIGHTS = st.floats(-3, 3).map(lambda number: round(number, 2))
CELLS = st.integers(-6, 6).map(lambda number: number / 2)


def space(
    units: list[float],
    whole: list[bool] | None = None,
    low: list[float] | None = None,
    high: list[float] | None = None,
) -> Domain:
    """Return a domain; low and high in the values' own unit."""
    unit = np.array(units)
    count = len(units)
    steps = np.array(whole if whole is not None else [False] * count, dtype=float) / unit
    return Domain(
        columns=np.arange(count),
        units=unit,
        steps=steps,
        low=np.array(low if low is not None else [-np.inf] * count) / unit,
        high=np.array(high if high is not None else [np.inf] * count) / unit,
    )


def two_classes(weights: list[float], margins: list[float]) -> Boundaries:
    scores = np.array([[0.0, margin] for margin in margins]).reshape(-1, 2)
    return Boundaries(np.array([[0.0] * len(weights), weights]), scores, (scores[:, 1] >= 0) * 1)


def radius(
    weights: list[float], margin: float, where: Domain, row: list[float], norm: Norm
) -> float:
    (found,) = linear_radii(
        two_classes(weights, [margin]), where, np.array([row], dtype=float), norm
    )
    return float(found)


def worst_fall(
    weights: list[float], where: Domain, row: list[float], within: float, sign: float
) -> float:
    """Return the largest fall of the margin within a radius, feature by feature, by listing."""
    total = 0.0
    for j, weight in enumerate(weights):
        unit = where.units[j]
        reach = within * unit
        if where.steps[j]:
            moves = np.arange(-np.floor(reach + 1e-9), np.floor(reach + 1e-9) + 1)
        else:
            ends = where.low[j] * unit - row[j], where.high[j] * unit - row[j]
            moves = np.clip(np.array([-reach, 0.0, reach]), *ends)
        allowed = moves[
            (row[j] + moves >= where.low[j] * unit - 1e-9)
            & (row[j] + moves <= where.high[j] * unit + 1e-9)
        ]
        total += max(0.0, float(np.max(-sign * weight * allowed / unit)))
    return total


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], float, Domain, list[float]]:
    count = draw(st.integers(1, 4))
    whole = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    row = [float(round(draw(CELLS))) if integral else draw(CELLS) for integral in whole]
    where = space(
        draw(st.lists(st.sampled_from([0.5, 1.0, 1.7, 4.0]), min_size=count, max_size=count)),
        whole,
        [value - draw(st.sampled_from([0.0, 1.0, 1.5, np.inf])) for value in row],
        [value + draw(st.sampled_from([0.0, 1.0, 2.5, np.inf])) for value in row],
    )
    weights = draw(st.lists(WEIGHTS, min_size=count, max_size=count))
    margin = draw(st.floats(-4, 4).filter(lambda m: abs(m) > 0.01))
    return weights, margin, where, row


@examples(300)
@given(cases())
def test_nothing_within_the_radius_flips_the_decision_and_something_just_beyond_does(
    case: tuple[list[float], float, Domain, list[float]],
) -> None:
    weights, margin, where, row = case
    found = radius(weights, margin, where, row, Norm.MAXIMUM)
    sign = 1.0 if margin > 0 else -1.0
    if np.isinf(found):
        assert worst_fall(weights, where, row, 1e4, sign) < abs(margin) + 1e-6
    else:
        assert worst_fall(weights, where, row, found * (1 - 1e-7) - 1e-8, sign) < abs(margin) + 1e-6
        assert worst_fall(weights, where, row, found * (1 + 1e-7) + 1e-8, sign) > abs(margin) - 1e-6


def shortest_of_two(weights: list[float], margin: float, rooms: list[float]) -> float:
    """Return the shortest move of two features that uses up the margin, from a fine grid."""
    first = np.linspace(0, min(rooms[0], 25.0), 50001)
    second = np.maximum(margin - abs(weights[0]) * first, 0.0) / abs(weights[1])
    reached = second <= rooms[1] + 1e-12
    return float(np.min(np.hypot(first, second)[reached], initial=np.inf))


@examples(30)
@given(
    st.lists(WEIGHTS.filter(lambda w: abs(w) > 0.2), min_size=2, max_size=2),
    st.floats(0.5, 4),
    st.lists(st.sampled_from([0.3, 1.0, np.inf]), min_size=2, max_size=2),
)
def test_the_euclidean_radius_is_the_shortest_move_within_the_range(
    weights: list[float], margin: float, rooms: list[float]
) -> None:
    high = [rooms[0], 2 * rooms[1]]
    where = space([1.0, 2.0], low=[-room for room in high], high=high)
    found = radius(weights, margin, where, [0.0, 0.0], Norm.EUCLIDEAN)
    expected = shortest_of_two(weights, margin, rooms)
    assert found == pytest.approx(expected, rel=1e-3)
    assert np.isinf(found) or found <= expected + 1e-9


CASES = {
    "without a range it is the margin over the sum of weights": (
        radius([3.0, -1.0], 2.0, space([1, 1]), [0, 0], Norm.MAXIMUM),
        0.5,
    ),
    "without a range the Euclidean one is the margin over the weights' length": (
        radius([3.0, -4.0], 2.0, space([1, 1]), [0, 0], Norm.EUCLIDEAN),
        0.4,
    ),
    "a feature at its minimum cannot be lowered": (
        radius([3.0, 1.0], 2.0, space([1, 1], low=[0, -9]), [0, 0], Norm.MAXIMUM),
        2.0,
    ),
    "a feature near its minimum gives what it can": (
        radius([3.0, 1.0], 2.0, space([1, 1], low=[-0.25, -9]), [0, 0], Norm.MAXIMUM),
        1.25,
    ),
    "nothing flips a row whose range is too narrow": (
        radius([3.0, 1.0], 2.0, space([1, 1], low=[-0.25, -1]), [0, 0], Norm.MAXIMUM),
        np.inf,
    ),
    "an integer moves by whole steps": (
        radius([1.0], 0.1, space([4.0], [True]), [3], Norm.MAXIMUM),
        0.25,
    ),
    "an integer stays below its step and the number does it alone": (
        radius([1.0, 1.0], 0.1, space([4.0, 1.0], [True, False]), [3, 0], Norm.MAXIMUM),
        0.1,
    ),
    "a null stays a null": (
        radius([3.0, 1.0], 2.0, space([1, 1]), [np.nan, 0], Norm.MAXIMUM),
        2.0,
    ),
    "a model that no number moves": (
        radius([0.0, 0.0], 2.0, space([1, 1]), [0, 0], Norm.MAXIMUM),
        np.inf,
    ),
    "a row on the boundary": (
        radius([1.0, 1.0], 0.0, space([1, 1]), [0, 0], Norm.MAXIMUM),
        0.0,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_radius(case: tuple[float, float]) -> None:
    found, expected = case
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_one_feature_alone_is_enough_whatever_rounding_does() -> None:
    where = space([1, 1], high=[9, 9], low=[-np.inf, 0])
    for weight, margin in itertools.product(np.linspace(0.1, 0.9, 40), repeat=2):
        found = radius([weight, 1e3], margin, where, [0, 0], Norm.MAXIMUM)
        assert found == pytest.approx(margin / weight, rel=0, abs=1e-12)


def test_with_more_classes_the_nearest_boundary_counts() -> None:
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    rows = np.array([[2.0, 1.5], [-3.0, -1.0]])
    scores = rows @ weights.T
    model = Boundaries(weights, scores, scores.argmax(axis=1))
    found = linear_radii(model, space([1, 1]), rows, Norm.MAXIMUM)
    # Row 1, class 0: against class 1 by (1, -1): 0.5 / 2; against class 2 by (2, 1): 5.5 / 3.
    # Row 2, class 2: against class 0 by (-2, -1): 7 / 3; against class 1 by (-1, -2): 5 / 3.
    assert found.tolist() == pytest.approx([0.25, 5 / 3])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("norm", Norm)
def test_the_nearest_boundary_counts_within_the_range_too(norm: Norm, whole: bool) -> None:
    random = np.random.default_rng(9)
    rows = random.normal(size=(200, 3)).clip(-2, 2).round(0 if whole else 8)
    rows[random.random(rows.shape) < 0.02] = np.nan
    where = space([1.0, 0.5, 2.0], [whole, False, False], [-2, -2, -np.inf], [2, np.inf, 2])
    weights = np.array([[1.0, 0.0, 0.5], [0.2, -1.0, 0.0], [0.2, -1.0, 0.0], [-0.7, 0.4, 1.5]])
    scores = np.nan_to_num(where.values(rows)) @ weights.T
    model = Boundaries(weights, scores, scores.argmax(axis=1))
    found = linear_radii(model, where, rows, norm)
    for row, score, decided, radius_ in zip(rows, scores, model.decided, found, strict=True):
        to_each = [
            radius((weights[decided] - theirs).tolist(), score[decided] - other, where, row, norm)
            for theirs, other in zip(weights, score, strict=True)
        ]
        assert radius_ == pytest.approx(min(np.delete(to_each, decided)), rel=1e-9)


def test_no_rows_have_no_radii() -> None:
    found = linear_radii(two_classes([1.0], []), space([1]), np.empty((0, 1)), Norm.MAXIMUM)
    assert found.shape == (0,)


def test_only_whole_steps_make_the_euclidean_radius_a_bound() -> None:
    model = two_classes([1.0, 0.0], [1.0])
    assert model.exact(space([1, 1], [True, False]), Norm.MAXIMUM)
    assert not model.exact(space([1, 1], [True, False]), Norm.EUCLIDEAN)
    assert model.exact(space([1, 1], [False, True]), Norm.EUCLIDEAN)


@pytest.mark.parametrize("norm", Norm)
def test_a_block_of_rows_gets_what_each_row_gets_by_the_slow_way(norm: Norm) -> None:
    # The block leaves out rows whose range is far; the slow way looks at all of them.
    random = np.random.default_rng(4)
    rows = random.normal(size=(1000, 5)).clip(-2, 2).astype(np.float32)
    rows[random.random(rows.shape) < 0.01] = np.nan
    where = space([1.0, 0.5, 2.0, 1.0, 1.0], low=[-2] * 5, high=[2, 2, 2, np.inf, 2])
    weights = np.array([0.5, -1.0, 0.25, 2.0, 0.0])
    margins = np.nan_to_num(where.values(rows)) @ weights + 0.3
    found = linear_radii(two_classes(weights.tolist(), margins.tolist()), where, rows, norm)
    for row, margin, radius_ in zip(rows, margins, found, strict=True):
        rooms = where.rooms(where.values(row[None]), margin * weights > 0)[0][:4]
        size = np.abs(weights[:4])
        if np.isinf(radius_):
            assert rooms @ size < abs(margin) + 1e-9
        elif norm is Norm.MAXIMUM:
            assert np.minimum(radius_, rooms) @ size == pytest.approx(abs(margin), rel=1e-6)
        else:
            low, high = 0.0, 1e6
            for _ in range(80):
                middle = (low + high) / 2
                short = np.minimum(middle * size, rooms) @ size < abs(margin)
                low, high = (middle, high) if short else (low, middle)
            moved = np.minimum(high * size, rooms)
            assert radius_ == pytest.approx(float(np.linalg.norm(moved)), rel=1e-6)
