"""Many Pods in a map that holds few, as an operator with a memory judges them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.api.texts import timestamp
from hallmark.drift.decision import DriftInputs, DriftVerdict, Memory, judge
from hallmark.drift.reports import Report, ReportFault
from hallmark.drift.room import MAX_ENTRIES
from tests.examples import examples
from tests.unit.drift.factories import ACTIVE, OTHER, PROMOTED, inputs, report, traffic

CALM = report(traffic(1000, seed=1))
SHIFTED = report(traffic(1000, seed=2, shift=1))
FEW = report(traffic(700, seed=3, shift=1), boot="boot-0002")
GARBAGE = CALM.model_copy(update={"counts": {"x": [1]}})


def later(base: DriftReport, sequence: int) -> DriftReport:
    return base.model_copy(update={"sequence": sequence})


@dataclass
class Operator:
    """Keeps what an operator keeps between two calls, and the object's map."""

    pods: frozenset[str]
    places: int = MAX_ENTRIES
    """What the API server's schema lets in."""
    map: dict[str, Report] = field(default_factory=dict)
    state: DriftState = field(default_factory=DriftState)
    memory: Memory | None = None
    writes: int = 0

    def take(self, pod: str, sent: Report) -> bool:
        """Take a report as the API server does; tell whether there was a place."""
        if pod not in self.map and len(self.map) >= self.places:
            return False
        self.map[pod] = sent
        return True

    def look(self, **changes: object) -> DriftVerdict:
        """Judge, write what is shown, and remove whose entries are to go."""
        given = inputs(
            dict(self.map),
            live_pods=self.pods,
            active_pods=self.pods,
            former=self.state,
            memory=self.memory,
        )
        found = judge(replace(given, **changes))  # type: ignore[arg-type]
        self.writes += found.changed
        self.state, self.memory = found.state, found.memory
        for pod in (*found.gone, *found.room):
            del self.map[pod]
        return found

    def restart(self) -> None:
        """Forget all that is not in the object."""
        self.memory = None

    def hear_all(self, sent: Mapping[str, Report]) -> Memory:
        """Let each Pod try until its report is taken; return what is then remembered."""
        waiting = dict(sent)
        while waiting:
            waiting = {pod: one for pod, one in waiting.items() if not self.take(pod, one)}
            memory = self.look().memory
        return memory


def fleet(count: int) -> frozenset[str]:
    return frozenset(f"pod-{index:03}" for index in range(count))


def of(pods: frozenset[str], choose: Callable[[int], Report]) -> dict[str, Report]:
    return {pod: choose(index) for index, pod in enumerate(sorted(pods))}


# -- every Pod is heard -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 50, 51, 57, 58, 200])
@pytest.mark.parametrize(("drifting", "expected"), [(0.4, "NoDrift"), (0.6, "Drift")])
def test_every_pod_is_heard_however_many_there_are(
    count: int, drifting: float, expected: str
) -> None:
    operator = Operator(fleet(count))
    share = drifting * count if count > 1 else float(expected == "Drift")
    reports = of(operator.pods, lambda index: SHIFTED if index < share else CALM)
    operator.hear_all(reports)
    assert operator.state.voters == count
    assert operator.state.verdict == expected
    assert operator.state.verdict == judge(inputs(reports)).state.verdict, "as if all had fitted"


def test_few_pods_never_lose_their_entries() -> None:
    operator = Operator(fleet(50))
    for sequence in range(1, 4):
        operator.hear_all(of(operator.pods, lambda _, s=sequence: later(CALM, s)))  # type: ignore[misc]
    assert operator.map.keys() == operator.pods


def test_more_pods_than_fit_leave_places_free() -> None:
    operator = Operator(fleet(300))
    operator.hear_all(of(operator.pods, lambda _: CALM))
    assert len(operator.map) <= MAX_ENTRIES - 8


def wide_report(drifts: bool) -> Report:
    """A report of two windows of 200 features."""
    even, odd = [50] * 10 + [0], [500] + [0] * 10
    counts = {f"f{index}": odd if drifts else even for index in range(200)}
    moment = timestamp(PROMOTED + timedelta(seconds=1))
    window = {"rows": 500, "start": moment, "end": moment, "counts": counts}
    return {
        "manifestDigest": ACTIVE,
        "bootID": "boot-0001",
        "sequence": 1,
        "rows": 1000,
        "counts": {name: [2 * count for count in part] for name, part in counts.items()},
        "windows": [{"number": 1, **window}, {"number": 2, **window}],
    }


def test_sixty_four_pods_of_two_hundred_features_are_all_heard_in_few_places() -> None:
    wide = Baseline(
        rows=4000,
        features=[
            BaselineFeature(
                name=f"f{index}",
                type=FeatureType.NUMBER,
                edges=[float(edge) for edge in range(9)],
                counts=[400] * 10 + [0],
            )
            for index in range(200)
        ],
    )
    operator, size = Operator(fleet(64)), 0
    reports = of(operator.pods, lambda index: wide_report(drifts=index < 33))
    for pod, sent in reports.items():
        operator.take(pod, sent)
        size = max(size, len(json.dumps(operator.map)))
        operator.look(baseline=wide)
    assert (operator.state.verdict, operator.state.voters) == ("Drift", 64)
    assert size < 400_000


def test_drift_of_all_of_many_pods_is_found_though_what_drifts_goes_last() -> None:
    operator = Operator(fleet(200))
    operator.hear_all(of(operator.pods, lambda _: CALM))
    assert operator.state.verdict == "NoDrift"
    operator.hear_all(of(operator.pods, lambda _: later(SHIFTED, 2)))
    assert (operator.state.verdict, operator.state.drifting) == ("Drift", 200)


def test_one_pod_takes_one_place_whatever_it_does() -> None:
    operator = Operator(fleet(100))
    for sequence in range(1, 50):
        operator.take("pod-000", later(GARBAGE, sequence))
        operator.look()
    operator.hear_all(dict.fromkeys(operator.pods - {"pod-000"}, CALM))
    assert (operator.state.voters, operator.state.drifting) == (99, 0)


def test_garbage_is_never_counted_even_after_a_believed_report() -> None:
    operator = Operator(fleet(2))
    operator.hear_all({"pod-000": SHIFTED, "pod-001": CALM})
    assert operator.state.voters == 2
    operator.take("pod-000", later(GARBAGE, 2))
    found = operator.look()
    assert [refused.reason for refused in found.refused] == [ReportFault.WRONG_COUNTS]
    assert (operator.state.voters, operator.state.drifting) == (1, 0)
    operator.take("pod-000", later(SHIFTED, 1))
    assert operator.look().refused == (), "the report that was accepted may stand there again"
    operator.take("pod-000", later(SHIFTED, 2))
    operator.look()
    operator.take("pod-000", later(CALM, 1))
    found = operator.look()
    assert [refused.reason for refused in found.refused] == [ReportFault.OLD_SEQUENCE]
    assert operator.state.drifting == 1, "an old report takes nothing back"


def test_a_vote_ends_with_its_pod() -> None:
    operator = Operator(fleet(100))
    operator.hear_all(of(operator.pods, lambda index: SHIFTED if index < 40 else CALM))
    operator.pods = frozenset(sorted(operator.pods)[:60])
    operator.look()
    assert (operator.state.voters, operator.state.drifting) == (60, 40)
    assert operator.state.verdict == "Drift"


def test_another_question_is_answered_by_what_is_reported_since() -> None:
    operator = Operator(fleet(100))
    operator.hear_all(of(operator.pods, lambda _: SHIFTED))
    assert operator.state.verdict == "Drift"
    acknowledged = DriftState(manifest_digest=ACTIVE, pods=operator.state.pods)
    found = operator.look(since=PROMOTED + timedelta(hours=1), former=acknowledged)
    assert (found.state.verdict, found.state.voters) == ("Inconclusive", 0)
    found = operator.look(active_digest=OTHER, former=DriftState(manifest_digest=OTHER))
    assert (found.state.verdict, found.state.voters) == ("Inconclusive", 0)
    assert {refused.reason for refused in found.refused} == {ReportFault.OTHER_DIGEST}


# -- a restart --------------------------------------------------------------------------------


def test_after_a_restart_a_drifting_minority_does_not_decide_for_all() -> None:
    operator = Operator(fleet(200))
    operator.hear_all(of(operator.pods, lambda index: SHIFTED if index < 60 else CALM))
    operator.hear_all({pod: later(CALM, 2) for pod in sorted(operator.pods)[100:]})
    entries = [report_ for report_ in operator.map.values() if report_ is SHIFTED]
    assert 2 * len(entries) > len(operator.map), "mostly what drifts is left in the object"
    for _ in range(3):
        operator.restart()
        operator.look()
        operator.look()
        assert (operator.state.verdict, operator.state.voters) == ("NoDrift", 200)
    operator.hear_all({pod: later(CALM, 3) for pod in sorted(operator.pods)[60:]})
    assert (operator.state.verdict, operator.state.voters) == ("NoDrift", 200)


@pytest.mark.parametrize("drifting", [1, 2, 3])
def test_after_a_restart_few_pods_are_judged_by_what_stands_in_the_object(drifting: int) -> None:
    operator = Operator(fleet(3))
    operator.hear_all(of(operator.pods, lambda index: SHIFTED if index < drifting else CALM))
    before = operator.state
    operator.restart()
    found = operator.look()
    assert (found.state, found.changed) == (before, False)


def test_a_drifted_verdict_outlives_a_restart() -> None:
    operator = Operator(fleet(200))
    operator.hear_all(of(operator.pods, lambda _: SHIFTED))
    operator.restart()
    operator.look()
    assert (operator.state.verdict, operator.state.voters) == ("Drift", 200)


# -- cheap ------------------------------------------------------------------------------------


def test_only_the_report_that_changed_is_judged() -> None:
    operator = Operator(fleet(4))
    first = operator.hear_all(of(operator.pods, lambda _: CALM.to_wire()))
    operator.take("pod-001", later(CALM, 2).to_wire())
    operator.take("pod-002", later(GARBAGE, 2).to_wire())
    second, third = operator.look().memory, operator.look().memory
    turns = {pod: vote.turn for pod, vote in second.votes.items()}
    assert turns == {"pod-000": first.turn, "pod-001": second.turn, "pod-003": first.turn}
    assert third.votes == second.votes
    assert third.refused["pod-002"] is second.refused["pod-002"]


def test_reports_that_say_nothing_new_change_nothing_that_is_shown() -> None:
    operator = Operator(fleet(5))
    operator.hear_all(of(operator.pods, lambda _: CALM))
    writes, shown, message = operator.writes, operator.state, operator.look().message
    for sequence in range(2, 40):
        rows = report(traffic(1000, seed=sequence), sequence=sequence)
        operator.take(f"pod-00{sequence % 5}", rows)
        found = operator.look()
        assert (found.message, found.changed) == (message, False)
    assert (operator.writes, operator.state) == (writes, shown)
    assert operator.memory
    assert operator.memory.accepted["pod-000"].sequence == 35
    assert shown.pods["pod-000"].sequence == 1, "it is written with the next state that differs"


@examples(40)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([CALM, SHIFTED, FEW, GARBAGE])), max_size=30
    )
)
def test_judging_piece_by_piece_says_what_judging_all_at_once_says(
    steps: list[tuple[int, DriftReport]],
) -> None:
    operator = Operator(fleet(5))
    for sequence, (pod, sent) in enumerate(steps, start=1):
        operator.take(f"pod-00{pod}", later(sent, sequence))
        operator.look()
    whole: DriftInputs = inputs(operator.map, live_pods=operator.pods, active_pods=operator.pods)
    found = judge(whole).state
    assert (operator.state.verdict, operator.state.voters, operator.state.drifting) == (
        found.verdict,
        found.voters,
        found.drifting,
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({}, id="nothing in it"),
        pytest.param({"bootID": ["x"], "sequence": "1"}, id="fields of other types"),
        pytest.param({**CALM.to_wire(), "rows": "1000"}, id="a number as text"),
        pytest.param({**CALM.to_wire(), "windows": [1]}, id="windows that are none"),
    ],
)
def test_what_is_no_report_is_refused_with_a_sentence(raw: dict[str, object]) -> None:
    found = judge(inputs({"a": raw, "b": CALM.to_wire()}, drift=Drift()))
    (refused,) = found.refused
    assert refused.reason is ReportFault.UNREADABLE
    assert refused.message.startswith("The drift report of Pod 'a' cannot be read: ")
    assert found.state.voters == 1
