import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.spatial import distance

from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState
from hallmark.drift.decision import judge
from hallmark.drift.opinion import jensen_shannon, null_share
from tests.examples import examples
from tests.unit.drift.factories import baseline, inputs, report, traffic

COUNTS = st.integers(2, 12).flatmap(
    lambda bins: st.tuples(
        *[st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins).filter(any)] * 2
    )
)


@examples(300)
@given(COUNTS)
def test_the_distance_is_scipys(pair: tuple[list[int], list[int]]) -> None:
    found = jensen_shannon(*pair)
    # SciPy takes the root of a sum that rounding may bring a little below zero.
    expected = np.nan_to_num(distance.jensenshannon(*pair, base=2))
    assert found**2 == pytest.approx(expected**2, abs=1e-12)


@examples(300)
@given(COUNTS)
def test_the_distance_is_a_bounded_metric(pair: tuple[list[int], list[int]]) -> None:
    one, other = pair
    found = jensen_shannon(one, other)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(jensen_shannon(other, one), abs=1e-9)
    assert jensen_shannon([7 * rows for rows in one], one) == pytest.approx(0, abs=1e-7)
    apart = [*one, *[0] * len(one)], [*[0] * len(other), *other]
    assert jensen_shannon(*apart) == pytest.approx(1)


@pytest.mark.parametrize("pair", [([1], [1, 2]), ([0, 0], [1, 2]), ([1, 2], [0, 0])])
def test_what_cannot_be_compared_is_no_distance(pair: tuple[list[int], list[int]]) -> None:
    with pytest.raises(ValueError, match="rows in the same bins"):
        jensen_shannon(*pair)


def test_each_shown_feature_has_its_second_opinion_and_its_nulls() -> None:
    drift = Drift(window=500, consecutive=2)
    pods = {f"pod-{seed}": report(traffic(1000, seed, nulls=0.3)) for seed in (1, 2, 3)}
    found = judge(inputs(pods, drift=drift))
    known = {feature.name: feature.counts for feature in baseline().features}
    for moved in found.state.top:
        newest = [each.windows[-1].counts[moved.feature] for each in pods.values()]
        said = np.median([jensen_shannon(one, known[moved.feature]) for one in newest])
        assert moved.jensen_shannon == f"{said:.4f}"
    income = next(moved for moved in found.state.top if moved.feature == "income")
    assert float(income.nulls) == pytest.approx(0.3, abs=0.05)
    assert income.training_nulls == f"{null_share(known['income']):.4f}"
    assert "nulls 3" in found.message
    assert ", in training 2" in found.message
    purpose = next(moved for moved in found.state.top if moved.feature == "purpose")
    assert (purpose.nulls, purpose.training_nulls) == ("", "")


def test_a_null_share_that_moved_is_drift() -> None:
    """Nulls have a bin of their own, so that they need no rule of their own."""
    calm, moved = (
        judge(inputs({"pod": report(traffic(1000, 1, nulls=nulls))})) for nulls in (0.02, 0.4)
    )
    assert (calm.state.verdict, moved.state.verdict) == ("NoDrift", "Drift")
    assert moved.state.top[0].feature == "income"


def test_a_second_opinion_is_no_reason_to_write() -> None:
    pods = {"pod": report(traffic(1000, 1))}
    shown = judge(inputs(pods)).state
    without = [moved.replace(jensen_shannon="", nulls="") for moved in shown.top]
    former = DriftState.model_validate({**shown.model_dump(), "top": without})
    again = judge(inputs(pods, former=former))
    assert not again.changed
    assert again.state is former
