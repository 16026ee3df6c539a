"""A floor for each group: evidence that holds whenever one looks, shared by the groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
import pytest

from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState
from hallmark.api.feedback import Feedback, OutcomeReport, QualityState
from hallmark.api.texts import timestamp
from hallmark.drift.decision import judge
from hallmark.drift.outcome_counter import Outcome, OutcomeCounter
from hallmark.drift.quality import newly_below
from hallmark.drift.recount import pack, recount, unpack
from hallmark.drift.shown import shown_differs
from tests.unit.drift.factories import baseline, inputs, received
from tests.unit.drift.test_quality import CALM, LATER, with_outcomes

FLOOR = {"minimumAccuracy": "0.8", "minimumOutcomes": 100}
FEEDBACK = Feedback.model_validate(
    {"window": 200, "groups": ["f", "m", "x"], "groupFloor": FLOOR, "minimumAccuracy": "0.5"}
)
Told = Mapping[str, Sequence[bool]]


def told(feedback: Feedback = FEEDBACK, **groups: tuple[float, float]) -> OutcomeReport:
    """What a Pod reports of 1,000 outcomes: each group's share of them, and its accuracy.

    The rest names no group and is right; rows alternate in a fixed order without chance.
    """
    counter, debts, right = OutcomeCounter(feedback), dict.fromkeys(groups, 0.0), dict(groups)
    scores = dict.fromkeys(groups, 0.0)
    for number in range(1000):
        for group, (share, _) in groups.items():
            debts[group] += share
        owed = max(debts, key=lambda name: debts[name], default="")
        group = owed if owed and debts[owed] >= 1 else ""
        correct = True
        if group:
            debts[group] -= 1
            scores[group] += right[group][1]
            correct = scores[group] >= 1
            scores[group] -= correct
        counter.add(Outcome(number, correct, 0.9, correct, group), LATER)
    return received(OutcomeReport, counter.report())


def judged(*pods: OutcomeReport, feedback: Feedback = FEEDBACK) -> QualityState:
    reports = {f"p{index}": with_outcomes(found) for index, found in enumerate(pods)}
    state = judge(inputs(reports, drift=Drift(feedback=feedback))).state
    assert DriftState.model_validate(state.to_wire()) == state
    assert state.quality is not None
    return state.quality


def below(quality: QualityState) -> list[str]:
    return [group.group for group in quality.groups if group.below_floor]


FAIR = told(f=(0.4, 0.85), m=(0.4, 0.85))
UNFAIR = told(f=(0.4, 0.55), m=(0.4, 0.95))
OTHERS = told(m=(0.9, 0.95))


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([FAIR], [], id="all groups above"),
        pytest.param([UNFAIR], ["f"], id="one group below, all answers above"),
        pytest.param([UNFAIR, OTHERS, OTHERS], ["f"], id="who knows nothing of it has no vote"),
        pytest.param([UNFAIR, FAIR], [], id="half of those that know"),
        pytest.param([UNFAIR, UNFAIR, FAIR], ["f"], id="two of three that know"),
        pytest.param([told(f=(0.4, 0.6), m=(0.4, 0.6))], ["f", "m"], id="two groups"),
        pytest.param([told(f=(0.4, 0.79))], [], id="below, without evidence"),
        pytest.param([told(f=(0.02, 0.0))], [], id="fewer than the minimum, all wrong"),
        pytest.param([told(f=(0.101, 0.0))], ["f"], id="just the minimum, over five windows"),
    ],
)
def test_a_group_is_judged_by_those_that_know_enough_of_it(
    pods: Sequence[OutcomeReport], expected: list[str]
) -> None:
    quality = judged(*pods)
    assert below(quality) == expected
    assert quality.below_floor is bool(expected)
    assert quality.failing == 0, "of all answers enough are right"


def test_the_verdict_is_of_as_few_windows_as_know_enough_and_names_its_numbers() -> None:
    (group,) = judged(told(f=(0.25, 0.5))).groups
    assert (group.outcomes, group.accuracy) == (100, "0.5000"), "two windows of 50"
    assert (group.voters, group.failing, group.below_floor) == (1, 1, True)
    reports = {"p": with_outcomes(UNFAIR)}
    message = judge(inputs(reports, drift=Drift(feedback=FEEDBACK))).message
    assert "of the group 'f' 55 % are right (at least 80 % expected); evidence 10^" in message
    assert "roll back." in message
    assert "Pods that know enough are below" not in message


def test_without_a_floor_groups_are_shown_and_never_below() -> None:
    shown = judged(UNFAIR, feedback=FEEDBACK.replace(group_floor=None))
    assert not shown.below_floor
    assert [group.group for group in shown.groups] == ["f", "m"]
    assert shown.needed_of_group == ""
    assert "groupFloor" not in Feedback(groups=["f"]).to_wire(), "intents of before keep their hash"


def test_groups_share_one_floor_s_part_of_the_budget() -> None:
    share = 1 - 1 / (1 + log(2))
    for names in (["f"], ["f", "m", "x"], [f"g{number}" for number in range(16)]):
        feedback = FEEDBACK.replace(groups=names, window=1000)
        needed = float(judged(told(feedback), feedback=feedback).needed_of_group)
        expected = log(2 * 2 * len(names) / (0.01 * share)) / log(10)
        assert needed == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("seed", range(10))
def test_groups_at_their_floor_are_never_below_it(seed: int) -> None:
    """16 groups of unequal size, 20,000 outcomes, looked at after each window."""
    random = np.random.default_rng(seed)
    names = [f"g{number}" for number in range(16)]
    feedback = FEEDBACK.replace(groups=names, minimum_accuracy=None)
    counter, shares = OutcomeCounter(feedback), np.arange(1, 17) / 136
    places, right = random.choice(16, 20_000, p=shares), random.random(20_000) < 0.8
    for number in range(20_000):
        correct = bool(right[number])
        counter.add(Outcome(number, correct, 0.9, correct, names[places[number]]), LATER)
        if number % 1000 == 999:
            assert not judged(
                received(OutcomeReport, counter.report()), feedback=feedback
            ).below_floor


def test_many_groups_below_fit_a_message() -> None:
    names = [f"a group with a long name {number:02}" for number in range(16)]
    feedback = FEEDBACK.replace(groups=names)
    counter = OutcomeCounter(feedback.replace(window=2000))
    for number in range(2000):
        counter.add(Outcome(number, False, 0.9, False, names[number % 16]), LATER)
    feedback = feedback.replace(window=2000)
    found = judge(
        inputs(
            {"p": with_outcomes(received(OutcomeReport, counter.report()))},
            drift=Drift(feedback=feedback),
        )
    )
    assert "So are 13 more groups." in found.message
    assert len(found.message) < 2048


def test_the_verdict_follows_from_the_record() -> None:
    drift = Drift(feedback=FEEDBACK)
    reports = {"a": with_outcomes(UNFAIR), "b": with_outcomes(OTHERS), "c": CALM}
    asked = inputs(reports, drift=drift)
    state = judge(asked).state
    evidence = unpack(pack(asked.active_digest, drift, timestamp(asked.since), reports, state.pods))
    assert evidence is not None
    again = recount(evidence, baseline()).quality
    assert again is not None
    assert state.quality is not None
    assert again.groups == state.quality.groups
    assert below(again) == ["f"]


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        (None, UNFAIR, True),
        (FAIR, UNFAIR, True),
        (UNFAIR, UNFAIR, False),
        (UNFAIR, told(f=(0.4, 0.6), m=(0.4, 0.6)), True),
        (told(f=(0.4, 0.6), m=(0.4, 0.6)), UNFAIR, False),
        (UNFAIR, told(f=(0.5, 0.1), m=(0.4, 0.1)), True),
        (UNFAIR, FAIR, False),
    ],
    ids=["at first", "one", "the same", "another", "one fewer", "all answers too", "none"],
)
def test_a_floor_that_is_missed_is_new_once(
    before: OutcomeReport | None, now: OutcomeReport, *, new: bool
) -> None:
    former = judged(before) if before else None
    assert newly_below(former, judged(now)) is new


def test_a_verdict_on_a_group_is_worth_a_write() -> None:
    states = [
        judge(inputs({"p": with_outcomes(found)}, drift=Drift(feedback=FEEDBACK))).state
        for found in (FAIR, UNFAIR)
    ]
    assert shown_differs(states[0], states[1], 0.2)
    assert not shown_differs(states[1], states[1], 0.2)
