"""Evidence that holds whenever one looks, and the budget that it is held against."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.served import BaselineFeature
from hallmark.drift.budget import MOST_WINDOWS, kept_windows, needed, rounded_up, weight
from hallmark.drift.evidence import Evidence, log_gamma, log_urn

COUNTS = st.lists(st.integers(0, 2000), min_size=3, max_size=30).filter(sum)


def feature(counts: Sequence[int], *, ordered: bool = True) -> BaselineFeature:
    kind = FeatureType.NUMBER if ordered else FeatureType.CATEGORY
    inner = len(counts) - 2
    edges = [float(edge) for edge in range(inner)] if ordered else None
    names = None if ordered else [f"c{index}" for index in range(inner)]
    return BaselineFeature(name="x", type=kind, edges=edges, categories=names, counts=list(counts))


# -- the pieces -------------------------------------------------------------------------------


@given(st.floats(1e-3, 2.0**53))
def test_log_gamma_is_the_standard_librarys(value: float) -> None:
    expected = math.lgamma(value)
    assert float(log_gamma(np.asarray(value))) == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_an_urn_gives_probabilities() -> None:
    urn = np.asarray([3.5, 0.5, 1.25])
    orders = [[(row == place) for place in range(3)] for row in range(3)]
    one_row = np.asarray(orders, dtype=np.float64)
    assert np.exp(log_urn(one_row, urn)) == pytest.approx(urn / urn.sum())
    two_rows = one_row[:, None, :] + one_row[None, :, :]
    assert np.exp(log_urn(two_rows, urn)).sum() == pytest.approx(1)


def test_the_shares_of_all_windows_add_up_to_the_budget() -> None:
    last = 100_000
    given_away = math.fsum(weight(window) for window in range(1, last))
    assert given_away == pytest.approx(1 - 1 / (1 + math.log(last)))


@given(st.integers(1, 2**53))
def test_a_later_window_needs_more_evidence_but_hardly(window: int) -> None:
    drift = Drift()
    now, later = needed(drift, 10, window), needed(drift, 10, window + 1)
    assert now <= later
    assert now <= needed(drift, 10, 1) + math.log(window) + 2 * math.log(2 + math.log(window))


def test_what_the_evidence_must_reach() -> None:
    drift = Drift(false_rollback_risk="0.05")
    first = math.log(2 * 20 / 0.05 / (1 - 1 / (1 + math.log(2))))
    assert needed(drift, 20, 1) == pytest.approx(first)
    tenth = Drift(false_rollback_risk="0.005")
    assert needed(tenth, 20, 1) == pytest.approx(first + math.log(10))


@pytest.mark.parametrize(
    ("window", "consecutive", "kept"), [(500, 2, 2), (100, 1, 5), (200, 2, 3), (100, 5, 5)]
)
def test_a_report_holds_enough_rows_for_evidence(window: int, consecutive: int, kept: int) -> None:
    assert kept_windows(Drift(window=window, consecutive=consecutive)) == kept


@given(st.integers(1, MOST_WINDOWS))
def test_windows_are_put_on_record_rounded_up(window: int) -> None:
    recorded = rounded_up(window)
    assert window <= recorded < max(65, 4 * window)
    assert recorded == MOST_WINDOWS or rounded_up(recorded) == recorded


# -- the guarantee ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(COUNTS, st.booleans())
def test_evidence_for_rows_like_the_training_rows_is_against_a_shift(
    counts: list[int], ordered: bool
) -> None:
    assert Evidence(feature(counts, ordered=ordered)).since_any([counts]) < math.log(10)


@settings(deadline=None, max_examples=100)
@given(st.data(), COUNTS, st.booleans())
def test_evidence_is_finite_whatever_is_counted(
    data: st.DataObject, counts: list[int], ordered: bool
) -> None:
    bins = st.lists(st.integers(0, 2**53), min_size=len(counts), max_size=len(counts)).filter(sum)
    found = Evidence(feature(counts, ordered=ordered)).since_any([data.draw(bins)])
    assert math.isfinite(found)


TRAINING, ROWS = 60, 240


@pytest.mark.parametrize("expected", [0.05, 0.3, 1, 3, 10, 30])
@pytest.mark.parametrize("ordered", [True, False])
def test_evidence_lies_as_seldom_as_it_says_for_every_rare_value(
    expected: float, ordered: bool
) -> None:
    """Exactly, over all training and traffic counts of two bins, with an empty bin for nulls."""
    rare = expected / TRAINING
    training, rows = binomial(TRAINING, rare), binomial(ROWS, rare)
    seen = np.arange(ROWS + 1.0)
    counts = np.stack([ROWS - seen, seen, 0 * seen], axis=1)
    for power in (1, 2, 4, 6):
        wrong = 0.0
        for found in range(TRAINING + 1):
            evidence = Evidence(feature([TRAINING - found, found, 0], ordered=ordered))
            lies = evidence.log_values(counts) >= power * math.log(10)
            wrong += training[found] * rows[lies].sum()
        assert wrong * 10**power <= 0.5


def binomial(rows: int, share: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = np.arange(rows + 1)
    ways = np.asarray(
        [math.lgamma(rows + 1) - math.lgamma(k + 1) - math.lgamma(rows - k + 1) for k in found]
    )
    return np.exp(ways + found * math.log(share) + (rows - found) * math.log1p(-share))
