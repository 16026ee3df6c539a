"""The error budget of a ModelDeployment's whole life, as the operator spends it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.drift.budget import MOST_WINDOWS
from hallmark.drift.decision import DriftVerdict, judge
from tests.unit.drift.factories import inputs, report, traffic
from tests.unit.drift.replay import Traffic, replay

CALM = report(traffic(1000, seed=1))
SHIFTED = report(traffic(1000, seed=2, shift=1))
TINY = Drift(false_rollback_risk="0.000000001", window=100, threshold="0.1", consecutive=1)
"""A risk of which a weak shift in 500 rows does not get below, late in a life."""


def in_small_windows(shift: float, *, seed: int = 5, rows: int = 500) -> DriftReport:
    return report(traffic(rows, seed=seed, shift=shift), window=100, keep=5)


# -- honest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [100, 1000])
@pytest.mark.parametrize("features", [10, 50, 200])
def test_unshifted_rows_never_roll_back(features: int, window: int) -> None:
    drift = Drift(window=window, consecutive=1, threshold="0.1")
    assert replay(Traffic(features, drift), 50_000 // window).drifted_after is None


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("window", [100, 1000])
@pytest.mark.parametrize("features", [10, 50, 200])
def test_ten_million_unshifted_rows_never_roll_back(features: int, window: int) -> None:
    drift = Drift(window=window, consecutive=1, threshold="0.1")
    assert replay(Traffic(features, drift), 10_000_000 // window).drifted_after is None


@pytest.mark.parametrize(("window", "consecutive"), [(100, 2), (500, 1)])
@pytest.mark.parametrize("first_window", [1, 100_000])
def test_half_a_standard_deviation_is_decided_within_500_rows_early_and_late(
    window: int, consecutive: int, first_window: int
) -> None:
    drift = Drift(window=window, consecutive=consecutive, threshold="0.1")
    for seed in range(10):
        moved = Traffic(50, drift, seed=seed, shift=0.5, first_window=first_window)
        after = replay(moved, 500 // window, until_drift=True).drifted_after
        assert after is not None


# -- effect and evidence ----------------------------------------------------------------------


def test_an_effect_without_evidence_is_inconclusive_and_rolls_nothing_back() -> None:
    weak = in_small_windows(0.45)
    known = DriftState(windows=2**40)
    found = judge(inputs({"a": weak}, drift=TINY, former=known))
    assert (found.state.verdict, found.state.unsure) == ("Inconclusive", 1)
    assert "the evidence does not suffice yet" in found.message
    assert float(found.state.top[0].evidence) < float(found.state.needed)
    more = judge(inputs({"a": in_small_windows(1.5)}, drift=TINY, former=known))
    assert (more.state.verdict, more.state.unsure) == ("Drift", 0)


def test_evidence_without_an_effect_rolls_nothing_back() -> None:
    weighed = judge(inputs({"a": SHIFTED})).state
    assert float(weighed.top[0].evidence) > float(weighed.needed)
    found = judge(inputs({"a": SHIFTED}, drift=Drift(threshold="3"))).state
    assert (found.verdict, found.unsure) == ("NoDrift", 0)
    assert (found.top[0].psi, found.top[0].evidence) == (weighed.top[0].psi, "")


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([CALM, SHIFTED]), st.integers(0, 2**30))
def test_a_verdict_can_be_replayed_from_what_is_stored(sent: DriftReport, windows: int) -> None:
    former = DriftState(windows=windows)
    found = judge(inputs({"a": sent}, former=former)).state
    stored = json.loads(json.dumps({"a": sent.to_wire()}))
    known = DriftState(windows=found.pods["a"].windows_before)
    assert judge(inputs(stored, former=known)).state == found


# -- whose windows spend it -------------------------------------------------------------------


def look(reports: dict[str, DriftReport], former: DriftState, **changes: object) -> DriftVerdict:
    return judge(inputs(reports, former=former, **changes))


def test_a_pod_that_starts_goes_on_where_the_budget_stands() -> None:
    state = DriftState()
    spent = []
    for boot in range(6):
        fresh = CALM.model_copy(update={"boot_id": f"boot-{boot:04}"})
        found = look({"a": fresh}, state)
        state = found.state
        spent.append(state.windows)
    assert spent == sorted(set(spent)), "each start spends"
    assert state.pods["a"].windows_before == spent[-2]
    again = look({"a": fresh}, state)
    assert not again.changed, "the same windows spend nothing twice, also after a restart"


def test_an_operator_that_remembers_spends_what_was_counted_and_not_what_is_on_record() -> None:
    found = look({"a": CALM}, DriftState())
    for boot in range(40):
        fresh = CALM.model_copy(update={"boot_id": f"boot-{boot:04}"})
        found = look({"a": fresh}, found.state, memory=found.memory)
    assert found.memory.windows == 41 * CALM.windows[-1].number
    assert found.memory.windows <= found.state.windows < 4 * found.memory.windows


def test_the_budget_is_on_record_before_it_is_spent() -> None:
    found = look({"a": CALM}, DriftState())
    assert found.changed
    assert found.state.windows >= CALM.windows[-1].number


def numbered(base: DriftReport, add: int) -> DriftReport:
    windows = [one.model_copy(update={"number": one.number + add}) for one in base.windows]
    return base.model_copy(update={"windows": windows})


@pytest.mark.parametrize("claimed", [10**6, 2**52])
def test_a_minority_of_pods_cannot_spend_the_budget(claimed: int) -> None:
    counts = {name: [2**50, *[0] * (len(bins) - 1)] for name, bins in CALM.counts.items()}
    liar = numbered(CALM, claimed).model_copy(update={"rows": 2**50, "counts": counts})
    calm = look({"a": CALM, "b": CALM, "c": liar}, DriftState())
    assert calm.state.windows == look({"a": CALM, "b": CALM, "c": CALM}, DriftState()).state.windows
    assert look({"a": SHIFTED, "b": SHIFTED, "c": liar}, DriftState()).state.verdict == "Drift"


def test_what_all_pods_claim_stays_within_what_a_status_holds() -> None:
    state = DriftState()
    for boot in range(3):
        claimed = numbered(CALM, 2**53 - 10).model_copy(update={"boot_id": f"boot-{boot:04}"})
        state = look({"a": claimed}, state).state
        assert DriftState.model_validate(state.model_dump()) == state
    assert state.windows == MOST_WINDOWS


def test_a_budget_that_is_spent_long_ago_still_lets_a_strong_shift_through() -> None:
    assert look({"a": SHIFTED}, DriftState(windows=2**50)).state.verdict == "Drift"


def test_what_was_spent_is_never_forgotten() -> None:
    found = look({"a": CALM}, DriftState(windows=4096))
    later = judge(
        replace(inputs({"a": SHIFTED}), active_digest="sha256:" + "c" * 64, memory=found.memory)
    )
    assert later.state.windows >= 4096
