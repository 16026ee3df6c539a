"""Limits of few rows: known ones, what they cover, and that nothing but rows makes them narrow."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, strategies as st
from statsmodels.stats.proportion import proportion_confint

from hallmark.training.intervals import (
    area_limits,
    mean_limits,
    mean_of_shares_limits,
    ratio_limits,
    share_limits,
    spread_limits,
    too_few,
    unseen,
)

CONFIDENCE = 0.95
TRUTHS = np.linspace(0.01, 0.99, 25)


def chances(rows: int, truth: float) -> np.ndarray:
    """Return how likely each number of hits is."""
    return np.array(
        [comb(rows, hits) * truth**hits * (1 - truth) ** (rows - hits) for hits in range(rows + 1)]
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 10, 40])
def test_shares_have_the_limits_of_clopper_and_pearson(rows: int) -> None:
    hits = np.arange(rows + 1)
    wanted = proportion_confint(hits, rows, alpha=1 - CONFIDENCE, method="beta")
    assert np.allclose(share_limits(hits, np.full(rows + 1, rows), CONFIDENCE), wanted)


def test_three_of_three_is_no_certainty_and_no_rows_say_nothing() -> None:
    low, high = share_limits([3, 0, 0], [3, 3, 0], CONFIDENCE)
    assert low == pytest.approx([0.2924, 0, 0], abs=1e-4)
    assert high == pytest.approx([1, 0.7076, 1], abs=1e-4)


@pytest.mark.parametrize("rows", [1, 3, 10, 25])
@pytest.mark.parametrize("truth", TRUTHS)
def test_the_truth_is_within_a_shares_limits_as_often_as_claimed(rows: int, truth: float) -> None:
    low, high = share_limits(np.arange(rows + 1), np.full(rows + 1, rows), CONFIDENCE)
    assert chances(rows, truth)[(low <= truth) & (truth <= high)].sum() >= CONFIDENCE


@pytest.mark.parametrize("truths", [(0.5, 0.5), (0.05, 0.05), (0.99, 0.6), (0.3, 0.02), (0.9, 0.8)])
@pytest.mark.parametrize("rows", [(10, 10), (10, 40), (30, 30)])
def test_the_truth_is_within_the_limits_of_two_groups_as_often_as_claimed(
    rows: tuple[int, int], truths: tuple[float, float]
) -> None:
    sizes, spread, ratio = (
        np.array(rows, float),
        abs(np.subtract(*truths)),
        min(truths) / max(truths),
    )
    covered = np.zeros(2)
    for one, first in enumerate(chances(rows[0], truths[0])):
        for two, second in enumerate(chances(rows[1], truths[1])):
            hits = np.array([one, two], float)
            low, high = spread_limits(hits, sizes, CONFIDENCE)
            covered[0] += first * second * (low - 1e-12 <= spread <= high + 1e-12)
            low, high = ratio_limits(hits, sizes, CONFIDENCE)
            covered[1] += first * second * (low - 1e-12 <= ratio <= high + 1e-12)
    assert (covered >= CONFIDENCE).all()


def test_square_and_add_is_a_little_wider_than_newcombes_with_wilsons_limits() -> None:
    """56 of 70 and 48 of 80: method 10 of Newcombe (1998) gives 0.0524 to 0.3339."""
    found = spread_limits(np.array([56.0, 48.0]), np.array([70.0, 80.0]), CONFIDENCE)
    assert found[0] < 0.0524
    assert 0.3339 < found[1] < 0.35


@pytest.mark.parametrize("groups", [2, 5])
def test_groups_that_all_fare_alike_may_still_differ(groups: int) -> None:
    rows = np.full(groups, 30.0)
    for hits in (np.zeros(groups), rows):
        assert spread_limits(hits, rows, CONFIDENCE) == pytest.approx((0, 0.1157), abs=1e-4)
    assert ratio_limits(rows, rows, CONFIDENCE)[0] < 0.9
    assert ratio_limits(np.zeros(groups), rows, CONFIDENCE)[0] == 0


def test_the_area_that_was_reached_by_few_rows_is_no_certainty() -> None:
    assert area_limits(1.0, 3, 3, CONFIDENCE) == pytest.approx((0.501, 1), abs=1e-3)
    assert area_limits(0.0, 3, 3, CONFIDENCE) == pytest.approx((0, 0.499), abs=1e-3)
    assert area_limits(0.9, 0, 3, CONFIDENCE) == (0, 1)


@given(
    st.floats(0, 1),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(2, 9),
    st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_limits_hold_the_estimate_and_shrink_with_rows_alone(
    share: float, rows: int, others: int, times: int, confidence: float
) -> None:
    def all_limits(factor: int) -> list[tuple[float, float]]:
        some, more = rows * factor, others * factor
        sizes = np.array([some, more], dtype=float)
        low, high = share_limits(share * some, some, confidence)
        return [
            (float(low), float(high)),
            area_limits(share, some, more, confidence),
            mean_limits(share, some, 0.0, 1.0, confidence),
            mean_of_shares_limits(share * sizes, sizes, confidence),
        ]

    # A share within the last digits of 0 or 1 is rounded in one of them and not in the other.
    least = 1e-9
    for (low, high), (nearer, closer) in zip(all_limits(1), all_limits(times), strict=True):
        assert 0 <= low <= nearer + least <= share + 2 * least
        assert share - least <= closer <= high + least <= 1 + 2 * least
        assert closer - nearer < high - low + least


@given(st.integers(1, 2000), st.sampled_from([0.8, 0.95, 0.999]))
def test_what_no_row_showed_is_the_limit_of_a_share_without_a_hit(
    rows: int, confidence: float
) -> None:
    assert unseen(rows, confidence) == pytest.approx(float(share_limits(0, rows, confidence)[1]))
    assert unseen(0, confidence) == 1


def test_too_few_rows_are_told() -> None:
    assert too_few(1) == "it is measured on 1 row, 10 are needed"
    assert too_few(9, 9) == "it is measured on 9 rows, 10 are needed"
    assert too_few(10, 1) == "the rarest class has 1 row to measure on, 5 are needed"
    assert too_few(10, 5) is None
