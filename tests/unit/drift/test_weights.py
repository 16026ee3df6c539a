"""A vote has an age: Pods weigh as much as they were asked lately, one vote at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift import Drift, RequestLimits
from hallmark.api.drift_report import AnswerBlock, DriftReport, RequestCounts
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import timestamp
from hallmark.drift.budget import MAJORITY
from hallmark.drift.counts import BinCounter, Rows
from hallmark.drift.decision import DriftVerdict, judge
from hallmark.drift.recount import pack, recount, unpack
from hallmark.drift.weights import SPAN, STEP, asked, least_of_half, middle, most, surely
from hallmark.drift.windows import WindowCounter
from tests.examples import examples
from tests.unit.drift.factories import (
    ACTIVE,
    PROMOTED,
    baseline,
    inputs,
    received,
    report,
    schema,
    traffic,
)

MORNING = PROMOTED + timedelta(minutes=1)
EVENING = PROMOTED + timedelta(hours=6)
CALM, SHIFTED = traffic(1000, seed=1), traffic(1000, seed=2, shift=1)


@dataclass
class Pod:
    """A predictor that counts what it is asked."""

    counter: WindowCounter = field(
        default_factory=lambda: WindowCounter(BinCounter(baseline().features, schema()), 500, 2)
    )
    sequence: int = 0

    def answer(self, rows: Rows, at: datetime) -> None:
        """Count rows."""
        self.counter.add(rows, at, at)

    def report(self) -> DriftReport:
        """Return what is told now."""
        self.sequence += 1
        told = self.counter.report(ACTIVE, "boot-0001", self.sequence)
        return received(DriftReport, told)


def claimed(told: DriftReport) -> DriftReport:
    """What a Pod that was taken over claims: more rows than all others, in the far future."""
    counts = {name: [2**50, *[0] * (len(bins) - 1)] for name, bins in told.counts.items()}
    end = {"start": "2099-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
    windows = [
        window.model_copy(update={"number": window.number + 10**6, **end})
        for window in told.windows
    ]
    return told.model_copy(update={"windows": windows, "rows": 2**50, "counts": counts})


IN_THE_EVENING: Mapping[str, Rows] = {
    "drifts": SHIFTED,
    "calm": CALM,
    "lies calmly": CALM,
    "lies": SHIFTED,
    "a row": CALM[:1],
    "499 rows": CALM[:499],
    "500 rows": CALM[:500],
    "200 rows": CALM[:200],
}
"""What a Pod is asked then; the others nothing."""


@dataclass
class Fleet:
    """Pods that were asked calm rows in the morning, and what an operator makes of them."""

    kinds: tuple[str, ...]
    restarts: bool = False
    reports: dict[str, DriftReport] = field(default_factory=dict)
    found: DriftVerdict | None = None

    def evening(self) -> DriftVerdict:
        """Return what is found in the evening."""
        pods = {f"{number}-{kind}": Pod() for number, kind in enumerate(self.kinds)}
        for name, pod in pods.items():
            if not name.endswith("never asked"):
                pod.answer(CALM, MORNING)
            self.reports[name] = pod.report()
        self.look(MORNING)
        for name, pod in pods.items():
            rows = IN_THE_EVENING.get(name[2:])
            if rows is not None:
                pod.answer(rows, EVENING)
            told = pod.report()
            if "lies" in name:
                told = claimed(told)
            if not name.endswith("silent"):
                self.reports[name] = told
        return self.look(EVENING)

    def look(self, now: datetime) -> DriftVerdict:
        """Judge what stands in the object."""
        remembered = {"memory": self.found.memory} if self.found and not self.restarts else {}
        shown = {"former": self.found.state} if self.found else {}
        self.found = judge(inputs(self.reports, now=now, **shown, **remembered))
        return self.found


MATRIX = [
    # The traffic has shifted, and few Pods are asked.
    (("drifts", "idle", "idle"), "Drift"),
    (("drifts", "never asked", "never asked"), "Drift"),
    (("drifts", "silent", "silent"), "Drift"),
    (("drifts", "idle", "never asked", "silent"), "Drift"),
    (("drifts", "drifts", "drifts"), "Drift"),
    (("drifts", "drifts", "idle", "idle", "idle"), "Drift"),
    # Who sends a few calm rows hides nothing; as many as those that drift do.
    (("drifts", "a row", "a row"), "Drift"),
    (("drifts", "499 rows", "499 rows"), "Drift"),
    (("drifts", "500 rows", "500 rows"), "NoDrift"),
    # Who sends a minority of the rows causes nothing, however slow the others are.
    (("drifts", "calm", "calm"), "NoDrift"),
    (("drifts", "calm", "idle"), "NoDrift"),
    (("drifts", *["200 rows"] * 5), "NoDrift"),
    (("calm", "idle", "never asked"), "NoDrift"),
    # A Pod that lies is one Pod.
    (("lies", "calm", "calm"), "NoDrift"),
    (("lies", "calm", "idle"), "NoDrift"),
    (("lies", "lies", "calm", "calm", "calm"), "NoDrift"),
    (("drifts", "drifts", "lies calmly"), "Drift"),
    (("drifts", "drifts", "lies calmly", "idle", "silent"), "Drift"),
    (("drifts", "lies calmly", "idle"), "NoDrift"),
    # Nobody is asked: what was known stands.
    (("idle", "idle", "idle"), "NoDrift"),
    (("silent", "silent"), "NoDrift"),
    (("never asked", "never asked"), "Inconclusive"),
]


@pytest.mark.parametrize("restarts", [False, True], ids=["remembers", "has just started"])
@pytest.mark.parametrize(("kinds", "expected"), MATRIX, ids=[", ".join(row[0]) for row in MATRIX])
def test_pods_count_by_what_they_were_asked_lately(
    kinds: tuple[str, ...], expected: str, restarts: bool
) -> None:
    fleet = Fleet(kinds, restarts)
    found = fleet.evening()
    assert found.state.verdict == expected
    assert not found.refused, "what lies is believed, and still one Pod"
    packed = pack(ACTIVE, Drift(), timestamp(PROMOTED), fleet.reports, found.state.pods)
    evidence = unpack(packed)
    assert evidence is not None
    again = recount(evidence, baseline())
    assert (again.voters, again.drifting) == (found.state.voters, found.state.drifting)
    assert again.drifts == (expected == "Drift")
    assert list(again.top) == found.state.top


def test_who_is_idle_is_said_and_what_moved_is_what_is_asked() -> None:
    found = Fleet(("drifts", "idle", "idle")).evening()
    assert (found.state.voters, found.state.drifting, found.state.idle) == (3, 1, 2)
    assert float(found.state.top[0].psi) > 0.7
    assert "1 of 3 Pods" in found.message
    assert "2 of them answered no row in the last 30 minutes" in found.message


def test_a_verdict_stands_while_nobody_asks() -> None:
    fleet = Fleet(("drifts", "idle", "idle"))
    fleet.evening()
    assert fleet.look(EVENING + timedelta(hours=8)).state.verdict == "Drift"


def test_rows_before_the_promotion_weigh_nothing() -> None:
    served = report(traffic(2000, seed=1), start=PROMOTED - timedelta(hours=5))
    known = asked(served, None, Drift(), PROMOTED, PROMOTED + timedelta(seconds=1))
    assert known.lately(PROMOTED + timedelta(seconds=1)).rows == 0


# -- the sums behind it -----------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(1, 600), st.integers(0, 900)), min_size=1, max_size=60))
def test_the_rows_of_the_span_count_and_few_totals_are_remembered(
    steps: list[tuple[float, int]],
) -> None:
    empty = report(CALM[:0])
    now, rows, known, told = MORNING, 0, None, [(MORNING - 2 * SPAN, 0)]
    for seconds, more in steps:
        now, rows = now + timedelta(seconds=seconds), rows + more
        told.append((now, rows))
        new = empty.model_copy(update={"rows": rows})
        known = asked(new, known, Drift(), PROMOTED, now)
        assert len(known.marks) <= 2 * SPAN / STEP + 4
        least = rows - max(total for at, total in told if at <= now - SPAN)
        most_rows = rows - max(total for at, total in told if at <= now - SPAN - STEP)
        assert least <= known.lately(now).rows <= max(least, most_rows)


def test_another_boot_is_asked_from_its_start() -> None:
    first = asked(report(CALM), None, Drift(), PROMOTED, EVENING)
    again = report(CALM[:300], boot="boot-0002")
    assert asked(again, first, Drift(), PROMOTED, EVENING).lately(EVENING).rows == 300


@given(st.lists(st.floats(-50, 2000), max_size=12), st.integers(0, 40))
def test_the_mean_of_the_evidence_of_those_that_decide_is_what_one_would_need(
    proofs: list[float], others: int
) -> None:
    pods = len(proofs) + others
    sure = surely(proofs, pods)
    decide = [min(proof, 600) for proof, enough in zip(proofs, sure, strict=True) if enough]
    assert not decide or MAJORITY * sum(map(exp, decide)) >= pods * (1 - 1e-9)
    assert all(proof >= 0 for proof in decide)
    enough = [proof >= 0 for proof in proofs]
    if 2 * sum(enough) >= pods:
        assert sure == enough, "a majority needs what the budget asks, and no more"
    more = surely([*proofs, 2000.0], pods + 1)[:-1]
    assert all(now or not before for before, now in zip(sure, more, strict=True))


@given(st.lists(st.lists(st.floats(0, 9), min_size=3, max_size=3), min_size=1, max_size=7))
def test_where_all_weigh_alike_the_middle_is_the_median(values: list[list[float]]) -> None:
    told = np.asarray(values)
    assert middle(told, [5] * len(values)).tolist() == np.median(told, axis=0).tolist()
    heavy = [1] * (len(values) - 1) + [len(values)]
    assert middle(told, heavy).tolist() == values[-1]


@examples(40)
@given(st.integers(0, 2**53), st.integers(0, 2**53), st.booleans())
def test_whatever_one_pod_of_three_claims_the_others_decide(
    number: int, rows: int, drift: bool
) -> None:
    honest, other = (SHIFTED, CALM) if drift else (CALM, SHIFTED)
    said = report(honest)
    base = report(other)
    windows = [
        window.model_copy(update={"number": number + place})
        for place, window in enumerate(base.windows, start=1)
    ]
    liar = base.model_copy(update={"windows": windows, "boot_id": "boot-liar"})
    counts = {name: [rows, *[0] * (len(bins) - 1)] for name, bins in base.counts.items()}
    liar = liar.model_copy(update={"rows": rows, "counts": counts})
    found = judge(inputs({"a": said, "b": said, "c": liar})).state
    assert found.verdict == ("Drift" if drift else "NoDrift")


def test_one_pod_that_decides_alone_needs_the_evidence_of_as_many_as_there_are() -> None:
    assert surely([log(9.9)], 20) == [False]
    assert surely([log(10.1)], 20) == [True]
    assert surely([log(5.1), log(5.1)], 20) == [True, True]


def test_idle_pods_do_not_hold_back_what_the_only_busy_one_spends() -> None:
    fleet = Fleet(("calm", "idle", "idle"))
    fleet.evening()
    busy = report(CALM, sequence=9)
    windows = [
        window.model_copy(update={"number": number})
        for number, window in enumerate(busy.windows, start=4000)
    ]
    counts = {name: [3 * count for count in bins] for name, bins in busy.counts.items()}
    more = {"windows": windows, "rows": 3 * busy.rows, "counts": counts}
    fleet.reports["0-calm"] = busy.model_copy(update=more)
    assert fleet.look(EVENING).memory.windows == 4001
    fleet.reports["0-calm"] = report(CALM, boot="boot-0002")
    assert fleet.look(EVENING).memory.accepted["0-calm"].windows_before == 4001


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), min_size=1, max_size=9))
def test_half_of_the_weight_is_at_most_that_number(said: list[tuple[int, int]]) -> None:
    found, whole = least_of_half(said), sum(weight for _, weight in said)
    if not whole:
        numbers = sorted(number for number, _ in said)
        assert found == numbers[(len(numbers) - 1) // 2]
        return
    assert 2 * sum(weight for number, weight in said if number <= found) >= whole
    assert 2 * sum(weight for number, weight in said if number < found) < whole


# -- errors and late answers age likewise -----------------------------------------------------


@pytest.mark.parametrize(("idle", "fails"), [(True, True), (False, False)])
def test_pods_that_are_not_asked_hide_no_failures(idle: bool, fails: bool) -> None:
    drift = Drift(requests=RequestLimits(max_errors="0.1", minimum=100))

    def told(at: datetime, sequence: int, requests: int, failed: int) -> DriftReport:
        blocks = [
            AnswerBlock(
                number=sequence * 2 + place,
                start=timestamp(at),
                requests=100,
                failed=failed,
                timed=100,
                late=0,
            )
            for place in range(2)
        ]
        counts = RequestCounts(uptime=1, count=requests)
        changes = {"answers": blocks, "requests": counts, "sequence": sequence}
        return report(CALM[:10]).model_copy(update=changes)

    before = dict.fromkeys("abc", told(MORNING, 1, 200, 0))
    first = judge(inputs(before, drift=drift, now=MORNING))
    more = 200 if idle else 400
    calm = told(MORNING, 2, more, 0)
    after = {"a": told(EVENING, 2, 400, 90), "b": calm, "c": calm}
    found = judge(
        inputs(after, drift=drift, now=EVENING, memory=first.memory, former=first.state)
    ).state
    assert found.answers is not None
    assert (found.answers.failing, found.answers.fails) == (1, fails)


def test_where_nobody_is_asked_all_that_was_said_weighs_alike() -> None:
    assert most([(True, 0), (True, 0), (False, 0)])
    assert not most([(True, 0), (False, 0)])
    assert not most([])
    assert not DriftState().idle
