import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.served import BaselineFeature
from hallmark.drift.psi import FALSE_ALARM, Reference, Stability, chi_square_quantile
from tests.examples import examples

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=30).filter(sum)


@dataclass(frozen=True)
class Single:
    """One feature's stability."""

    psi: float
    limit: float


def reference(*training: Sequence[int]) -> Reference:
    return Reference(
        [
            BaselineFeature(name=f"x{i}", type=FeatureType.NUMBER, edges=[], counts=list(counts))
            for i, counts in enumerate(training)
        ]
    )


def stability(observed: Sequence[int], training: Sequence[int], features: int) -> Single:
    """The stability of the first of ``features`` features; the others are as they were."""
    others = [[1, 1]] * (features - 1)
    counts = {f"x{i}": bins for i, bins in enumerate([observed, *others])}
    found = reference(training, *others).stability(counts)
    return Single(float(found.psi[0]), float(found.limit[0]))


def by_definition(observed: Sequence[int], training: Sequence[int], features: int) -> Single:
    """PSI bin by bin, and its limit, without numpy."""
    pairs = [(a + 0.5, b + 0.5) for a, b in zip(observed, training, strict=True) if a + b]
    p_sum, q_sum = (math.fsum(side) for side in zip(*pairs, strict=True))
    psi = math.fsum((p / p_sum - q / q_sum) * math.log((p / p_sum) / (q / q_sum)) for p, q in pairs)
    freedom, noise = len(pairs) - 1, 1 / sum(observed) + 1 / sum(training)
    quantile = chi_square_quantile(1 - FALSE_ALARM / features, freedom) if freedom else 0.0
    return Single(psi, noise * quantile)


@given(COUNTS)
def test_psi_of_equal_shares_is_zero(counts: list[int]) -> None:
    assert stability(counts, counts, 1).psi == pytest.approx(0, abs=1e-12)


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


FEATURE = st.integers(2, 40).flatmap(
    lambda bins: st.tuples(
        *[st.lists(st.integers(0, 10**6), min_size=bins, max_size=bins).filter(sum)] * 2
    )
)


@examples(60)
@given(st.lists(FEATURE, min_size=1, max_size=20))
def test_many_features_at_once_give_what_each_gives_by_definition(
    features: list[tuple[list[int], list[int]]],
) -> None:
    found = reference(*(training for _, training in features)).stability(
        {f"x{i}": observed for i, (observed, _) in enumerate(features)}
    )
    alone = [by_definition(*feature, len(features)) for feature in features]
    assert found.psi.tolist() == pytest.approx([single.psi for single in alone], abs=1e-12)
    assert found.limit.tolist() == pytest.approx([single.limit for single in alone])


@pytest.mark.parametrize(
    ("psi", "limit", "drifts"),
    [
        pytest.param([0.1, 0.3], [0.1, 0.1], True, id="one feature is above both"),
        pytest.param([0.1, 0.3], [0.1, 0.4], False, id="chance would show as much"),
        pytest.param([0.1, 0.19], [0.1, 0.1], False, id="below the threshold"),
        pytest.param([0.2], [0.1], False, id="on the threshold"),
        pytest.param([], [], False, id="nothing is watched"),
    ],
)
def test_a_window_drifts_above_both_threshold_and_chance(
    psi: list[float], limit: list[float], drifts: bool
) -> None:
    assert Stability(np.array(psi), np.array(limit)).moved(0.2).any() == drifts


def test_without_features_nothing_is_measured() -> None:
    assert Reference([]).stability({}).psi.tolist() == []


def test_a_bin_that_is_empty_on_both_sides_changes_nothing() -> None:
    with_it, without = stability([30, 0, 70], [500, 0, 500], 3), stability([30, 70], [500, 500], 3)
    assert (with_it.psi, with_it.limit) == pytest.approx((without.psi, without.limit))


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
    def limit(rows: int, bins: int, features: int) -> float:
        return stability([rows // bins] * bins, [4000 // bins] * bins, features).limit

    base = limit(500, 10, 10)
    assert limit(1000, 10, 10) < base < limit(500, 10, 100)
    assert base < limit(500, 20, 10)
    assert stability([500, 0], [4000, 0], 10).limit == 0, "a single bin shows nothing"


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
    assert [single for single in found if single.psi > single.limit] == []


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
