import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.drift.psi import chance_limit, chi_square_quantile, stability

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=30).filter(sum)


@settings(deadline=None)
@given(COUNTS)
def test_psi_of_equal_shares_is_zero(counts: list[int]) -> None:
    assert stability(counts, counts, 1).psi == pytest.approx(0, abs=1e-12)


@settings(deadline=None)
@given(st.data(), st.integers(2, 30))
def test_psi_is_finite_never_negative_and_symmetric(data: st.DataObject, bins: int) -> None:
    same_length = st.lists(st.integers(0, 10**6), min_size=bins, max_size=bins).filter(sum)
    a, b = data.draw(same_length), data.draw(same_length)
    there, back = stability(a, b, 1), stability(b, a, 1)
    assert 0 <= there.psi < math.inf
    assert there.psi == pytest.approx(back.psi)
    assert there.limit == pytest.approx(back.limit)


def test_psi_is_that_of_the_definition() -> None:
    p, q = np.array([30.5, 70.5]) / 101, np.array([500.5, 500.5]) / 1001
    expected = float(((p - q) * np.log(p / q)).sum())
    assert stability([30, 70], [500, 500], 1).psi == pytest.approx(expected)


def test_a_bin_that_is_empty_on_both_sides_changes_nothing() -> None:
    assert stability([30, 0, 70], [500, 0, 500], 3) == stability([30, 70], [500, 500], 3)


@pytest.mark.parametrize(
    ("probability", "freedom", "exact"),
    [
        # From R: qchisq(p, df).
        (0.95, 9, 16.9190),
        (0.999, 9, 27.8772),
        (1 - 5e-6, 9, 41.0009),
        (1 - 5e-6, 1, 20.8373),
        (1 - 5e-6, 60, 121.1959),
    ],
)
def test_chi_square_quantile_is_near_and_in_the_tail_never_below(
    probability: float, freedom: int, exact: float
) -> None:
    found = chi_square_quantile(probability, freedom)
    assert exact * 0.999 <= found <= exact * 1.13


def test_the_limit_falls_with_rows_and_rises_with_features_and_bins() -> None:
    base = chance_limit(500, 4000, 9, 10)
    assert chance_limit(1000, 4000, 9, 10) < base < chance_limit(500, 4000, 9, 100)
    assert base < chance_limit(500, 4000, 19, 10)
    assert chance_limit(500, 4000, 0, 10) == 0


@pytest.mark.parametrize("rows", [100, 200, 500, 2000])
@pytest.mark.parametrize("bins", [2, 5, 10, 20])
def test_chance_alone_stays_below_the_limit(rows: int, bins: int) -> None:
    random = np.random.default_rng([rows, bins])
    shares = random.dirichlet(np.full(bins, 2.0))
    found = [
        stability(window.tolist(), training.tolist(), 10)
        for window, training in zip(
            random.multinomial(rows, shares, 500),
            random.multinomial(4000, shares, 500),
            strict=True,
        )
    ]
    assert [each for each in found if each.psi > each.limit] == []


@pytest.mark.parametrize(
    ("observed", "baseline"),
    [
        pytest.param([1, 2], [1, 2, 3], id="lengths differ"),
        pytest.param([0, 0], [1, 2], id="a window without rows"),
        pytest.param([1, 2], [0, 0], id="a baseline without rows"),
    ],
)
def test_psi_needs_rows_in_the_same_bins(observed: list[int], baseline: list[int]) -> None:
    with pytest.raises(ValueError, match="PSI needs"):
        stability(observed, baseline, 1)
