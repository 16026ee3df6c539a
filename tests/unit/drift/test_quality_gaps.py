"""How far groups may be apart: evidence against every level, whenever one looks."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift import Drift
from hallmark.api.feedback import Feedback, OutcomeReport, QualityState
from hallmark.api.texts import timestamp
from hallmark.drift.decision import judge
from hallmark.drift.outcome_counter import Outcome, OutcomeCounter
from hallmark.drift.quality import newly_below
from hallmark.drift.quality_evidence import accuracy_evidence
from hallmark.drift.quality_gaps import gap_evidence
from hallmark.drift.recount import pack, recount, unpack
from hallmark.drift.shown import shown_differs
from tests.unit.drift.factories import baseline, inputs, received
from tests.unit.drift.test_quality import CALM, LATER, with_outcomes
from tests.unit.drift.test_quality_groups import judged, told

FEEDBACK = Feedback.model_validate(
    {
        "window": 200,
        "groups": ["f", "m", "x"],
        "groupGap": {"maximum": "0.1", "minimumOutcomes": 100},
    }
)
APART, NEAR = told(f=(0.4, 0.55), m=(0.4, 0.95)), told(f=(0.4, 0.8), m=(0.4, 0.85))
OTHERS = told(m=(0.9, 0.95))


def seen(*pods: OutcomeReport, feedback: Feedback = FEEDBACK) -> QualityState:
    return judged(*pods, feedback=feedback)


def lagging(quality: QualityState) -> list[tuple[str, str]]:
    return [(group.group, group.behind) for group in quality.groups if group.lags]


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([NEAR], [], id="near enough"),
        pytest.param([APART], [("f", "m")], id="too far apart"),
        pytest.param([APART, OTHERS, OTHERS], [("f", "m")], id="who knows one alone has no vote"),
        pytest.param([APART, NEAR], [], id="half of those that know"),
        pytest.param([APART, APART, NEAR], [("f", "m")], id="two of three that know"),
        pytest.param([told(f=(0.4, 0.7), m=(0.4, 0.82))], [], id="apart, without evidence"),
        pytest.param([told(f=(0.02, 0.0), m=(0.4, 1.0))], [], id="too few of the one"),
        pytest.param([told(f=(0.4, 0.0), m=(0.02, 1.0))], [], id="too few of the other"),
        pytest.param([told(f=(0.9, 0.1))], [], id="one group alone"),
        pytest.param(
            [told(f=(0.3, 0.3), m=(0.3, 0.6), x=(0.3, 1.0))],
            [("f", "x"), ("m", "x")],
            id="two behind the third",
        ),
    ],
)
def test_a_group_is_held_against_the_best_by_those_that_know_enough_of_both(
    pods: Sequence[OutcomeReport], expected: list[tuple[str, str]]
) -> None:
    quality = seen(*pods)
    assert lagging(quality) == expected
    assert quality.below_floor is bool(expected)
    assert not any(group.below_floor for group in quality.groups), "there is no floor"
    assert quality.failing == 0


def test_the_verdict_is_said_with_both_groups_and_their_numbers() -> None:
    reports = {"p": with_outcomes(APART)}
    message = judge(inputs(reports, drift=Drift(feedback=FEEDBACK))).message
    assert "of the group 'f' 55 % are right, 40 % of all fewer than of 'm' (at most 10 %" in message
    assert "evidence 10^" in message
    (low, high) = seen(APART).groups
    assert (low.gap, low.compared, low.lagging) == ("0.4000", 1, 1)
    assert (high.behind, high.gap, high.lags) == ("f", "-0.4000", False)


def test_floor_and_gap_are_both_told() -> None:
    floor = {"minimumAccuracy": "0.8", "minimumOutcomes": 100}
    both = Feedback.model_validate({**FEEDBACK.to_wire(), "groupFloor": floor})
    reports = {"p": with_outcomes(APART)}
    message = judge(inputs(reports, drift=Drift(feedback=both))).message
    assert "at least 80 % expected" in message
    assert "at most 10 % expected" in message
    assert len(message) < 2048


def test_without_a_gap_groups_are_never_compared() -> None:
    shown = seen(APART, feedback=FEEDBACK.replace(group_gap=None))
    assert (shown.below_floor, shown.needed_of_gap, shown.groups[0].behind) == (False, "", "")
    assert "groupGap" not in Feedback(groups=["f"]).to_wire(), "intents of before keep their hash"


def test_each_ordered_pair_has_a_part_of_the_budget() -> None:
    share = 1 - 1 / (1 + log(2))
    for number in (2, 3, 16):
        feedback = FEEDBACK.replace(groups=[f"g{one}" for one in range(number)], window=1000)
        needed = float(seen(told(feedback), feedback=feedback).needed_of_gap)
        expected = log(2 * number * (number - 1) / (0.01 * share)) / log(10)
        assert needed == pytest.approx(expected, abs=0.06)


def test_a_further_group_behind_is_news() -> None:
    one, two = seen(APART), seen(told(f=(0.3, 0.3), m=(0.3, 0.6), x=(0.3, 1.0)))
    assert newly_below(None, one)
    assert not newly_below(one, one)
    assert newly_below(one, two)
    states = [
        judge(inputs({"p": with_outcomes(found)}, drift=Drift(feedback=FEEDBACK))).state
        for found in (APART, NEAR)
    ]
    assert shown_differs(*states, threshold=0.2)


# -- evidence -----------------------------------------------------------------------------------

COUNTS = st.integers(0, 300).flatmap(
    lambda outcomes: st.tuples(st.just(outcomes), st.integers(0, outcomes))
)


@given(COUNTS, COUNTS, st.floats(0.01, 0.5), st.floats(0.001, 0.999))
def test_no_level_has_less_evidence_than_is_claimed(
    low: tuple[int, int], high: tuple[int, int], most: float, place: float
) -> None:
    level = place * (1 - most)
    below = accuracy_evidence(low[1], low[0], level)
    above = accuracy_evidence(high[0] - high[1], high[0], 1 - level - most)
    assert gap_evidence(low, high, most) <= below + above + 1e-6


@pytest.mark.parametrize(("level", "most"), [(0.0, 0.1), (0.5, 0.1), (0.85, 0.1), (0.9, 0.1)])
def test_the_e_value_is_one_at_most_on_average_where_the_gap_is_just_allowed(
    level: float, most: float
) -> None:
    """All outcomes of a dozen rows of each group, with their probabilities."""
    rows, total = 12, 0.0
    chances = [_binomial(rows, min(1.0, share)) for share in (level, level + most)]
    for right, chance in enumerate(chances[0]):
        for other, likely in enumerate(chances[1]):
            total += chance * likely * exp(gap_evidence((rows, right), (rows, other), most))
    assert total <= 1.0


def _binomial(rows: int, share: float) -> list[float]:
    from math import comb

    return [comb(rows, k) * share**k * (1 - share) ** (rows - k) for k in range(rows + 1)]


@pytest.mark.parametrize("seed", range(5))
def test_groups_just_as_far_apart_as_they_may_be_are_never_too_far(seed: int) -> None:
    """8 groups of unequal size, 20,000 outcomes, looked at after each window."""
    random = np.random.default_rng(seed)
    names = [f"g{number}" for number in range(8)]
    feedback = FEEDBACK.replace(groups=names, window=1000)
    counter, shares = OutcomeCounter(feedback), np.arange(1, 9) / 36
    places, draws = random.choice(8, 20_000, p=shares), random.random(20_000)
    # The level moves; the odd groups are always as far above as they may be.
    levels = 0.7 + 0.15 * np.sin(np.arange(20_000) / 1500) + 0.1 * (places % 2)
    for number in range(20_000):
        correct = bool(draws[number] < levels[number])
        counter.add(Outcome(number, correct, 0.9, correct, names[places[number]]), LATER)
        if number % 1000 == 999:
            assert not judged(
                received(OutcomeReport, counter.report()), feedback=feedback
            ).below_floor


def test_the_verdict_follows_from_the_record() -> None:
    drift = Drift(feedback=FEEDBACK)
    reports = {"a": with_outcomes(APART), "b": with_outcomes(OTHERS), "c": CALM}
    asked = inputs(reports, drift=drift)
    state = judge(asked).state
    evidence = unpack(pack(asked.active_digest, drift, timestamp(asked.since), reports, state.pods))
    assert evidence is not None
    again = recount(evidence, baseline()).quality
    assert again is not None
    assert state.quality is not None
    assert again.groups == state.quality.groups
    assert lagging(again) == [("f", "m")]
