"""Realised quality: evidence that holds whenever one looks, and a verdict that Pods share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.bounds import SCORE_BINS
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.api.feedback import Feedback, OnFeedback, OutcomeReport, OutcomeWindow
from hallmark.api.texts import timestamp
from hallmark.drift.decision import DriftVerdict, judge
from hallmark.drift.outcome_counter import MAX_SEEN, Outcome, OutcomeCounter
from hallmark.drift.quality import quality_rolls_back
from hallmark.drift.quality_evidence import (
    accuracy_evidence,
    calibration_error,
    calibration_evidence,
)
from hallmark.drift.recount import pack, recount, unpack
from hallmark.drift.room import report_bytes
from tests.examples import examples
from tests.unit.drift.factories import PROMOTED, baseline, inputs, received, report, traffic

FEEDBACK = Feedback(
    minimum_accuracy="0.8", maximum_calibration_error="0.1", window=200, groups=["f", "m"]
)
DRIFT = Drift(feedback=FEEDBACK)
CALM = report(traffic(1000, seed=1))
LATER = PROMOTED + timedelta(seconds=5)


def told(
    accuracy: float,
    rows: int,
    *,
    seed: int = 1,
    feedback: Feedback = FEEDBACK,
    score: float = 0.9,
    when: timedelta = timedelta(seconds=5),
) -> OutcomeReport:
    """What a Pod reports that was told so many outcomes; each score is of the answer given."""
    counter, random = OutcomeCounter(feedback), np.random.default_rng(seed)
    for number, right in enumerate(random.random(rows) < accuracy):
        correct = bool(right)
        outcome = Outcome(number, correct, score, correct, ("f", "m", "")[number % 3])
        assert counter.add(outcome, PROMOTED + when)
    return received(OutcomeReport, counter.report())


def with_outcomes(found: OutcomeReport | None, **changes: object) -> DriftReport:
    return CALM.model_copy(update={"outcomes": found, **changes})


def judged(*pods: OutcomeReport | None, drift: Drift = DRIFT, **changes: object) -> DriftVerdict:
    reports = {f"p{index}": with_outcomes(found) for index, found in enumerate(pods)}
    return judge(inputs(reports, drift=drift, **changes))


GOOD, BAD = told(0.9, 1000), told(0.5, 400)


@pytest.mark.parametrize(
    ("pods", "below", "voters"),
    [
        pytest.param([BAD], True, 1, id="one Pod is told all"),
        pytest.param([GOOD], False, 1, id="as good as declared"),
        pytest.param([BAD, None, None], True, 1, id="Pods that were told nothing have no vote"),
        pytest.param([BAD, GOOD], False, 2, id="half of the Pods"),
        pytest.param([BAD, BAD, GOOD], True, 3, id="two of three Pods"),
        pytest.param([told(0.0, 199)], False, 0, id="fewer than the minimum"),
        pytest.param([told(0.5, 400, when=-timedelta(seconds=1))], False, 0, id="before"),
        pytest.param([told(0.78, 200)], False, 1, id="below the floor, as chance may have it"),
        pytest.param([None], False, 0, id="nothing was told"),
    ],
)
def test_more_than_half_of_those_that_know_decide(
    pods: Sequence[OutcomeReport | None], below: bool, voters: int
) -> None:
    found = judged(*pods)
    quality = found.state.quality
    assert quality is not None
    assert (quality.below_floor, quality.voters) == (below, voters)
    assert ("Pods that know enough are below the floor" in found.message) is below
    assert found.state.verdict == "NoDrift", "it is a verdict of its own"
    assert DriftState.model_validate(found.state.to_wire()) == found.state


def test_what_is_shown_is_of_the_newest_windows() -> None:
    state = judged(GOOD, told(0.9, 200, seed=9)).state.quality
    assert state is not None
    newest = [GOOD.windows[-1], told(0.9, 200, seed=9).windows[-1]]
    right = sum(window.correct for window in newest)
    assert (state.outcomes, state.accuracy) == (400, f"{right / 400:.4f}")
    assert state.calibration_error == f"{abs(right / 400 - 0.9):.4f}"
    women = [window.groups[0] for window in newest]
    expected = sum(group.correct for group in women) / sum(group.outcomes for group in women)
    assert state.groups[0].accuracy == f"{expected:.4f}"


SURE = FEEDBACK.replace(minimum_accuracy="0.6")


@pytest.mark.parametrize(
    ("feedback", "below"),
    [
        (SURE, True),
        (SURE.replace(maximum_calibration_error=None), False),
        (SURE.replace(minimum_accuracy=None), True),
        (SURE.replace(minimum_accuracy=None, maximum_calibration_error=None), False),
    ],
)
def test_scores_that_promise_too_much_are_below_the_calibration_floor(
    feedback: Feedback, below: bool
) -> None:
    """95 % promised, 75 % true: accurate enough, and not calibrated."""
    sure = told(0.75, 2000, score=0.95, feedback=feedback)
    state = judged(sure, drift=Drift(feedback=feedback)).state.quality
    assert state is not None
    assert state.below_floor is below


def test_without_feedback_nothing_is_shown_of_it() -> None:
    assert "feedback" not in Drift().to_wire(), "intents of before keep their hashes"
    assert judged(None, drift=Drift()).state.quality is None
    assert "outcomes" not in judged(GOOD, drift=Drift()).message


@pytest.mark.parametrize("then", list(OnFeedback))
def test_it_rolls_back_where_that_is_declared(then: OnFeedback) -> None:
    drift = Drift(feedback=FEEDBACK.replace(then=then))
    assert quality_rolls_back(judged(BAD, drift=drift).state, drift) is (then == "Rollback")
    assert not quality_rolls_back(judged(GOOD, drift=drift).state, drift)
    assert not quality_rolls_back(judged(BAD).state, Drift())


def test_the_verdict_follows_from_the_record() -> None:
    reports = {"a": with_outcomes(BAD), "b": with_outcomes(told(0.6, 600)), "c": CALM}
    asked = inputs(reports, drift=DRIFT)
    state = judge(asked).state
    packed = pack(asked.active_digest, DRIFT, timestamp(asked.since), reports, state.pods)
    evidence = unpack(packed)
    assert evidence is not None
    again, said = recount(evidence, baseline()).quality, state.quality
    assert again is not None
    assert said is not None
    assert said.below_floor
    assert again.replace(needed="", windows=0) == said.replace(needed="", windows=0)


def test_the_budget_goes_on_over_restarts() -> None:
    """A Pod that starts anew, and an operator that does, spend what is left."""
    first = judged(told(0.9, 1000))
    state = first.state.quality
    assert state is not None
    assert first.state.pods["p0"].outcome_window == 5
    fresh = with_outcomes(told(0.9, 200), boot_id="boot-0002")
    same = judge(inputs({"p0": fresh}, drift=DRIFT, memory=first.memory, former=first.state))
    assert same.state.pods["p0"].outcome_windows_before == 5
    restarted = judge(inputs({"p0": fresh}, drift=DRIFT, former=first.state))
    assert restarted.state.pods["p0"].outcome_windows_before == state.windows >= 5
    going_on = with_outcomes(told(0.9, 1200), sequence=2)
    later = judge(inputs({"p0": going_on}, drift=DRIFT, former=first.state))
    assert later.state.pods["p0"].outcome_windows_before == 0


# -- evidence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("floor", [0.55, 0.8, 0.95, 0.99])
def test_the_evidence_against_accuracy_is_a_martingale_at_the_floor(floor: float) -> None:
    """After any past, one more answer leaves its mean where it is, or lower above the floor."""
    for correct, outcomes in ((0, 0), (3, 10), (80, 100), (500, 500), (0, 40)):
        now = accuracy_evidence(correct, outcomes, floor) if outcomes else 0.0
        for chance in (floor, (1 + floor) / 2, 1.0):
            right = exp(accuracy_evidence(correct + 1, outcomes + 1, floor) - now)
            wrong = exp(accuracy_evidence(correct, outcomes + 1, floor) - now)
            mean = chance * right + (1 - chance) * wrong
            assert mean <= 1 + 1e-9
            if chance == floor:
                assert mean == pytest.approx(1)


@given(
    limit=st.floats(0.01, 0.3),
    gaps=st.lists(st.tuples(st.integers(0, 14), st.booleans()), max_size=40),
    score=st.floats(0, 1),
    sign=st.sampled_from([-1, 1]),
)
@examples(200)
def test_the_evidence_against_calibration_is_a_supermartingale(
    limit: float, gaps: list[tuple[int, bool]], score: float, sign: int
) -> None:
    """After any past, whatever the score, as far from it as the limit allows."""

    def after(*more: Outcome) -> float:
        counter = OutcomeCounter(Feedback.model_construct(window=len(gaps) + len(more), groups=[]))
        for number, (place, happened) in enumerate(gaps):
            counter.add(Outcome(number, happened, (place + 0.5) / SCORE_BINS, happened), PROMOTED)
        for outcome in more:
            counter.add(outcome, PROMOTED)
        return calibration_evidence(counter.kept, limit) if counter.kept else 0.0

    chance = min(1.0, max(0.0, score + sign * limit))
    now = after()
    mean = chance * exp(after(Outcome(-1, True, score, True)) - now)
    mean += (1 - chance) * exp(after(Outcome(-1, False, score, False)) - now)
    assert mean <= 1 + 1e-3, "scores are told to four digits"


@pytest.mark.parametrize("seed", range(20))
def test_a_model_at_its_floor_is_never_below_it(seed: int) -> None:
    """20,000 outcomes, looked at after each window; calibrated at the very limit."""
    random = np.random.default_rng(seed)
    feedback = FEEDBACK.replace(minimum_accuracy="0.9", maximum_calibration_error="0.05")
    counter = OutcomeCounter(feedback)
    for number, right in enumerate(random.random(20_000) < 0.9):
        counter.add(Outcome(number, bool(right), 0.95, bool(right)), LATER)
        if number % feedback.window == feedback.window - 1:
            state = judged(
                received(OutcomeReport, counter.report()), drift=Drift(feedback=feedback)
            ).state.quality
            assert state is not None
            assert not state.below_floor


@pytest.mark.parametrize("seed", range(10))
def test_a_loss_of_a_tenth_is_found_late_in_life_too(seed: int) -> None:
    """After 10,000 good outcomes, within five windows of 200."""
    counter, random = OutcomeCounter(FEEDBACK), np.random.default_rng(seed)
    chances = [0.85] * 10_000 + [0.7] * 1000
    for number, right in enumerate(random.random(len(chances)) < chances):
        counter.add(Outcome(number, bool(right), 0.85, bool(right)), LATER)
    state = judged(received(OutcomeReport, counter.report())).state.quality
    assert state is not None
    assert state.below_floor


# -- what a Pod may say -----------------------------------------------------------------------


def first(**changes: object) -> OutcomeReport:
    window = GOOD.windows[0].model_copy(update=changes)
    return GOOD.model_copy(update={"windows": [window]})


def _window() -> OutcomeWindow:
    return GOOD.windows[0]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(GOOD.model_copy(update={"correct": 1001}), id="more right than told"),
        pytest.param(GOOD.model_copy(update={"outcomes": 999, "correct": 9}), id="total too small"),
        pytest.param(first(outcomes=199), id="a short window"),
        pytest.param(first(correct=201), id="more right than in the window"),
        pytest.param(first(scored=[200]), id="one bin"),
        pytest.param(first(scored=[0] * SCORE_BINS), id="no scores"),
        pytest.param(first(scores=[0] * SCORE_BINS), id="scores beyond their bins"),
        pytest.param(first(happened=[1] + [0] * 14), id="an event in an empty bin"),
        pytest.param(first(end="2025-01-01T00:00:00Z"), id="ends before it begins"),
        pytest.param(first(start="2026-13-01T00:00:00Z"), id="no real time"),
        pytest.param(first(groups=[*_window().groups, _window().groups[0]]), id="a group twice"),
        pytest.param(
            first(groups=[_window().groups[0].model_copy(update={"group": "x"})]), id="stranger"
        ),
        pytest.param(
            first(groups=[_window().groups[0].model_copy(update={"outcomes": 201})]),
            id="more in a group than in all",
        ),
        pytest.param(
            GOOD.model_copy(update={"windows": [GOOD.windows[0], GOOD.windows[2]]}), id="a gap"
        ),
    ],
)
def test_outcomes_that_make_no_sense_decide_nothing(bad: OutcomeReport) -> None:
    found = judged(bad)
    assert [refused.reason for refused in found.refused] == ["WrongCounts"]
    assert found.state.quality is not None
    assert found.state.quality.voters == 0


def test_windows_never_go_back() -> None:
    before = judged(told(0.9, 600))
    back = with_outcomes(told(0.9, 400), sequence=2)
    found = judge(inputs({"p0": back}, drift=DRIFT, memory=before.memory, former=before.state))
    assert [refused.reason for refused in found.refused] == ["WrongWindows"]


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.floats(0, 1)), max_size=450))
@examples(100)
def test_what_a_counter_reports_is_always_believed(
    outcomes: list[tuple[int, bool, float]],
) -> None:
    feedback = FEEDBACK.replace(window=100)
    counter = OutcomeCounter(feedback)
    for turn, (_, right, score) in enumerate(outcomes):
        counter.add(Outcome(turn, right, score, right, "f"), LATER)
    drift = Drift(feedback=feedback)
    assert judged(received(OutcomeReport, counter.report()), drift=drift).refused == ()
    largest = report_bytes(baseline().features, drift) - report_bytes(baseline().features, Drift())
    assert len(json.dumps(counter.report().to_wire(), separators=(",", ":"))) <= largest


def test_a_receipt_counts_once_while_it_is_remembered_and_memory_is_bounded() -> None:
    counter = OutcomeCounter(FEEDBACK)
    for number in range(MAX_SEEN + 10):
        assert counter.add(Outcome(number, True, 0.5, True), LATER)
    assert not counter.add(Outcome(MAX_SEEN, True, 0.5, True), LATER)
    assert len(counter._seen) == MAX_SEEN


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    counter = OutcomeCounter(Feedback(window=100))
    rows = [(0.25, at < 10) for at in range(40)] + [(0.75, at < 60) for at in range(60)]
    for number, (score, happened) in enumerate(rows):
        counter.add(Outcome(number, happened, score, happened), LATER)
    assert calibration_error(counter.kept) == pytest.approx(0.6 * 0.25)


def test_the_shares_of_the_budget_are_what_the_drift_budget_has() -> None:
    """One floor, first window: 2 / (risk * share of the first window)."""
    one = FEEDBACK.replace(maximum_calibration_error=None)
    state = judged(told(0.9, 200), drift=Drift(feedback=one)).state.quality
    assert state is not None
    share = 1 - 1 / (1 + log(2))
    assert float(state.needed) == pytest.approx(log(2 / (0.01 * share)) / log(10), abs=0.06)
