from datetime import timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import timestamp
from hallmark.drift.counts import BinCounter
from hallmark.drift.decision import judge
from hallmark.drift.reports import ReportFault, newest_number
from hallmark.drift.room import MAX_ENTRIES
from tests.examples import examples, slow_but
from tests.unit.drift.factories import (
    OTHER,
    PROMOTED,
    baseline,
    former,
    inputs,
    report,
    schema,
    traffic,
    window,
    with_windows,
)

CALM = report(traffic(1000, seed=1))
SHIFTED = report(traffic(1000, seed=2, shift=1))


def verdict(reports: dict[str, DriftReport], **changes: object) -> str:
    return judge(inputs(reports, **changes)).state.verdict


# -- verdicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param({}, "Inconclusive", id="no Pod has reported"),
        pytest.param({"a": CALM}, "NoDrift", id="the only Pod is calm"),
        pytest.param({"a": SHIFTED}, "Drift", id="the only Pod drifts"),
        pytest.param({"a": SHIFTED, "b": CALM}, "NoDrift", id="half of the Pods is not enough"),
        pytest.param(
            {"a": SHIFTED, "b": CALM, "c": SHIFTED}, "Drift", id="two of three Pods drift"
        ),
        pytest.param(
            {"a": SHIFTED, "b": report(traffic(999, seed=3))},
            "Drift",
            id="a Pod without enough windows has no vote",
        ),
        pytest.param(
            {"a": report(traffic(999, seed=2, shift=1))},
            "Inconclusive",
            id="one drifted window of two is no verdict",
        ),
    ],
)
def test_more_than_half_of_the_pods_with_enough_windows_decide(
    reports: dict[str, DriftReport], expected: str
) -> None:
    assert verdict(reports) == expected


def test_the_windows_that_drift_up_to_the_newest_are_counted() -> None:
    counted = [
        judge(inputs({"a": report(np.concatenate(rows))})).state.pods["a"].drifted_windows
        for rows in (
            [traffic(500, seed=1, shift=1), traffic(500, seed=2, shift=1)],
            [traffic(500, seed=3), traffic(500, seed=2, shift=1)],
            [traffic(500, seed=1, shift=1), traffic(500, seed=3)],
            [traffic(400, seed=3)],
        )
    ]
    assert counted == [2, 1, 0, 0]


def test_a_calm_window_between_drifted_ones_is_no_drift() -> None:
    rows = [traffic(500, seed=1, shift=1), traffic(500, seed=2), traffic(500, seed=3, shift=1)]
    found = judge(inputs({"a": report(np.concatenate(rows))}))
    assert found.state.verdict == "NoDrift"
    assert found.state.pods["a"].drifted_windows == 1


def test_windows_that_began_before_the_promotion_do_not_count() -> None:
    since = PROMOTED + timedelta(seconds=2)
    assert verdict({"a": SHIFTED}, since=since) == "Inconclusive"
    more = report(traffic(1500, seed=2, shift=1), keep=2)
    assert verdict({"a": more}, since=since) == "Drift"


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        pytest.param(Drift(window=501), "Inconclusive", id="windows smaller than asked for"),
        pytest.param(Drift(consecutive=3), "Inconclusive", id="fewer windows than asked for"),
        pytest.param(Drift(threshold="3"), "NoDrift", id="a threshold above the shift"),
    ],
)
def test_the_spec_says_what_is_enough(drift: Drift, expected: str) -> None:
    assert verdict({"a": SHIFTED}, drift=drift) == expected


def test_unwatched_features_do_not_drift() -> None:
    calm_purpose = {name: SHIFTED.windows[0].counts[name] for name in ["purpose"]}
    windows = [w.model_copy(update={"counts": calm_purpose}) for w in SHIFTED.windows]
    counts = {"purpose": SHIFTED.counts["purpose"]}
    only = SHIFTED.model_copy(update={"counts": counts, "windows": windows})
    assert verdict({"a": only}, drift=Drift(features=["purpose"])) == "NoDrift"


def test_the_features_that_moved_most_are_named() -> None:
    found = judge(inputs({"a": SHIFTED}))
    assert [each.feature for each in found.state.top] == ["income", "purpose"]
    assert float(found.state.top[0].psi) > 0.7
    assert "1 of 1 Pods" in found.message
    assert "'income' moved most" in found.message


def test_one_lying_pod_cannot_move_what_is_shown() -> None:
    lie = with_windows(CALM, [window(n, counts=liar_counts()) for n in (1, 2)])
    found = judge(inputs({"a": CALM, "b": CALM, "c": lie}))
    assert (found.refused, found.state.verdict) == ((), "NoDrift")
    assert all(float(each.psi) < 0.1 for each in found.state.top)


def liar_counts() -> dict[str, list[int]]:
    return {"income": [0] * 10 + [500], "purpose": [0, 0, 0, 0, 500]}


# -- what decides nothing ---------------------------------------------------------------------


def without_income(each: DriftReport) -> DriftReport:
    return each.model_copy(update={"counts": {"purpose": each.counts["purpose"]}})


def changed_window(**changes: object) -> DriftReport:
    return with_windows(CALM, [window(1), window(2, **changes)])


WINDOW_COUNTS = window(2).counts


@pytest.mark.parametrize(
    ("bad", "reason", "sentence"),
    [
        pytest.param(
            SHIFTED.model_copy(update={"manifest_digest": OTHER}),
            ReportFault.OTHER_DIGEST,
            "is about sha256:bbbb",
            id="another version's report",
        ),
        pytest.param(
            without_income(SHIFTED),
            ReportFault.WRONG_COUNTS,
            "1 are missing",
            id="a missing feature",
        ),
        pytest.param(
            SHIFTED.model_copy(update={"counts": SHIFTED.counts | {"x": [1]}}),
            ReportFault.WRONG_COUNTS,
            "1 are not watched",
            id="a feature that is not watched",
        ),
        pytest.param(
            changed_window(counts=WINDOW_COUNTS | {"income": [500]}),
            ReportFault.WRONG_COUNTS,
            "has 1 bins for 'income' in window 2; the baseline has 11",
            id="other bins than the baseline's",
        ),
        pytest.param(
            changed_window(counts=WINDOW_COUNTS | {"purpose": [1, 2, 3, 4, 5]}),
            ReportFault.WRONG_COUNTS,
            "counts 15 rows of 'purpose' in window 2, which has 500",
            id="counts that do not add up to the rows",
        ),
        pytest.param(
            SHIFTED.model_copy(update={"rows": 10**400}),
            ReportFault.WRONG_COUNTS,
            "claims more than",
            id="more rows than anyone can count",
        ),
        pytest.param(
            with_windows(CALM, [window(1), window(2), window(3)]),
            ReportFault.WRONG_COUNTS,
            "1500 rows in its windows, more than its total of 1000",
            id="more rows in the windows than in all",
        ),
        pytest.param(
            with_windows(CALM, [window(1), window(3)]),
            ReportFault.WRONG_WINDOWS,
            "has window 3 after window 1",
            id="a gap between windows",
        ),
        pytest.param(
            with_windows(CALM, [window(1), window(1)]),
            ReportFault.WRONG_WINDOWS,
            "has window 1 after window 1",
            id="one window twice",
        ),
        pytest.param(
            changed_window(start="2026-13-45T99:99:99Z"),
            ReportFault.WRONG_WINDOWS,
            "no real times in window 2",
            id="a month that does not exist",
        ),
        pytest.param(
            changed_window(end="2026-01-01T00:00:00Z"),
            ReportFault.WRONG_WINDOWS,
            "ends before",
            id="an end before the start",
        ),
        pytest.param(
            with_windows(
                CALM, [window(1, end=timestamp(PROMOTED + timedelta(hours=3))), window(2)]
            ),
            ReportFault.WRONG_WINDOWS,
            "or the one before it began",
            id="windows that overlap",
        ),
    ],
)
def test_a_report_that_cannot_be_believed_decides_nothing(
    bad: DriftReport, reason: ReportFault, sentence: str
) -> None:
    found = judge(inputs({"a": bad}))
    assert found.state.verdict == "Inconclusive"
    assert found.state.pods == {}
    (refused,) = found.refused
    assert (refused.pod, refused.reason) == ("a", reason)
    assert refused.message.startswith("The drift report of Pod 'a' ")
    assert sentence in refused.message


def test_a_pod_that_does_not_exist_decides_nothing_and_its_entry_is_to_be_removed() -> None:
    found = judge(inputs({"a": SHIFTED, "b": CALM}, live_pods=frozenset({"b"})))
    assert [each.reason for each in found.refused] == [ReportFault.UNKNOWN_POD]
    assert found.gone == ("a",)
    assert found.state.verdict == "NoDrift"


# -- sequences --------------------------------------------------------------------------------


def test_the_same_report_seen_again_says_the_same() -> None:
    first = judge(inputs({"a": SHIFTED}))
    again = judge(inputs({"a": SHIFTED}, former=first.state))
    assert (again.state, again.message, again.changed) == (first.state, first.message, False)


def forged(base: DriftReport) -> DriftReport:
    return base.model_copy(update={"windows": SHIFTED.windows})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"sequence": 3}, ReportFault.OLD_SEQUENCE, id="an old sequence"),
        pytest.param({"sequence": 4}, ReportFault.OLD_SEQUENCE, id="a sequence with other content"),
        pytest.param(
            {"sequence": 5, "windows": []}, ReportFault.WRONG_WINDOWS, id="windows that went back"
        ),
    ],
)
def test_a_report_that_goes_back_decides_nothing(
    change: dict[str, object], reason: ReportFault
) -> None:
    accepted = judge(inputs({"a": CALM.model_copy(update={"sequence": 4})})).state
    back = forged(CALM).model_copy(update=change)
    found = judge(inputs({"a": back}, former=accepted))
    assert [each.reason for each in found.refused] == [reason]
    assert found.state.verdict == "Inconclusive"
    assert found.state.pods == accepted.pods, "what was accepted stays accepted"


def test_a_restarted_predictor_starts_its_sequence_anew() -> None:
    accepted = {"a": former(boot_id="boot-0000", sequence=900, window=70)}
    found = judge(inputs({"a": SHIFTED}, former=DriftState(pods=accepted)))
    assert found.state.verdict == "Drift"
    assert found.state.pods["a"].sequence == 1


def test_the_accepted_sequence_of_a_pod_that_is_gone_is_forgotten() -> None:
    found = judge(inputs({"a": CALM}, former=DriftState(pods={"z": former()})))
    assert set(found.state.pods) == {"a"}


def test_the_newest_window_is_the_last_one() -> None:
    assert newest_number(CALM) == CALM.windows[-1].number
    assert newest_number(with_windows(CALM, [])) == 0


@pytest.mark.parametrize("others", [{}, {"a": CALM}], ids=["with the last", "beside others"])
def test_what_is_shown_names_no_pod_that_is_gone_though_nothing_else_changes(
    others: dict[str, DriftReport],
) -> None:
    shown = judge(inputs(others)).state
    stale = shown.replace(pods={**shown.pods, "z": former()})
    found = judge(inputs(others, former=stale))
    assert (found.changed, set(found.state.pods)) == (True, set(others))
    assert not judge(inputs(others, former=found.state)).changed


# -- properties -------------------------------------------------------------------------------

PODS = [CALM, SHIFTED, report(traffic(700, seed=3, shift=1)), report(traffic(1000, seed=4))]


@given(st.lists(st.sampled_from(PODS), max_size=7), st.randoms())
def test_the_order_of_the_pods_changes_nothing(reports: list[DriftReport], random: Random) -> None:
    named = [(f"pod-{index}", each) for index, each in enumerate(reports)]
    shuffled = random.sample(named, len(named))
    assert judge(inputs(dict(named))) == judge(inputs(dict(shuffled)))
    votes = [judge(inputs({"a": each})).state.verdict for each in reports]
    rows = {one: 1000 * votes.count(one) for one in ("Drift", "NoDrift")}
    half = (rows["Drift"] + rows["NoDrift"] + 700 * votes.count("Inconclusive")) / 2
    expected = "Inconclusive"
    if rows["Drift"] or rows["NoDrift"]:
        drifts, calm = rows["Drift"] > half, rows["NoDrift"] >= half
        expected = "Drift" if drifts else "NoDrift" if calm else "Inconclusive"
    assert judge(inputs(dict(named))).state.verdict == expected


@pytest.mark.parametrize("size", slow_but(500, of=[100, 500]))
def test_unshifted_traffic_never_drifts_in_two_thousand_windows(size: int) -> None:
    drift = Drift(window=size, consecutive=1)
    rows = traffic(2000 * size, seed=11)
    reports = {
        f"pod-{index}": report(rows[index * 5 * size :][: 5 * size], window=size, keep=5)
        for index in range(400)
    }
    drifted = [
        (pod, each.number)
        for pod, whole in reports.items()
        for each in whole.windows
        if verdict({pod: with_windows(whole, [each])}, drift=drift) != "NoDrift"
    ]
    assert drifted == []


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_a_shift_of_one_standard_deviation_is_found(shift: float, seed: int) -> None:
    assert verdict({"a": report(traffic(1000, seed=seed, shift=shift))}) == "Drift"


@examples(50)
@given(st.floats(width=32), st.integers(0, 499), st.booleans())
def test_one_outlier_neither_causes_nor_hides_drift(value: float, row: int, shifted: bool) -> None:
    rows = traffic(1000, seed=5, shift=float(shifted))
    rows[[row, row + 500], 0] = value
    assert verdict({"a": report(rows)}) == ("Drift" if shifted else "NoDrift")


def test_many_new_nulls_are_drift() -> None:
    assert verdict({"a": report(traffic(1000, seed=6, nulls=0.3))}) == "Drift"


def test_counts_are_whole_numbers() -> None:
    counter = BinCounter(baseline().features, schema())
    assert counter.zeros().dtype == np.int64


def test_features_that_the_version_lacks_are_named_and_no_others() -> None:
    found = judge(inputs({"a": CALM}, drift=Drift(features=["income", "height", "age"])))
    assert "Not features of this version, and so not watched: height, age." in found.message
    assert "Not features" not in judge(inputs({"a": CALM})).message


def test_what_was_accepted_is_remembered_while_the_pod_lives() -> None:
    newer = CALM.model_copy(update={"sequence": 7})
    first = judge(inputs({"a": newer}))
    older = judge(inputs({"a": CALM}, memory=first.memory))
    assert [refused.reason for refused in older.refused] == [ReportFault.OLD_SEQUENCE]
    gone = judge(inputs({}, memory=first.memory, former=DriftState()))
    back = judge(inputs({"a": CALM}, memory=gone.memory))
    assert not back.refused


def test_of_more_pods_than_are_shown_those_with_an_entry_are() -> None:
    names = [f"pod-{number:03}" for number in range(MAX_ENTRIES + 6)]
    pods, first, last = frozenset(names), names[:MAX_ENTRIES], names[MAX_ENTRIES:]
    earlier = judge(inputs(dict.fromkeys(first, CALM), live_pods=pods))
    found = judge(inputs(dict.fromkeys(last, SHIFTED), live_pods=pods, memory=earlier.memory))
    assert len(found.memory.accepted) == len(names)
    assert found.changed
    assert set(last) <= found.state.pods.keys(), "a restarted operator looks at these again"
