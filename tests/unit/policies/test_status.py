"""Conditions: what moves when, and which changes are worth an Event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.policies.conditions import ConditionUpdate, ready, stalled, waiting
from hallmark.policies.status import MESSAGE_LIMIT, merge_conditions, transition_event

T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
VERDICTS = st.lists(
    st.builds(
        ConditionUpdate,
        type=st.sampled_from(["Ready", "Verified", "Approved", "Denied"]),
        status=st.sampled_from(list(ConditionStatus)),
        reason=st.sampled_from(["One", "Two"]),
        message=st.text(max_size=20),
    ),
    unique_by=lambda each: each.type,
)


def conditions(
    *verdicts: ConditionUpdate, at: datetime = T0, generation: int = 1
) -> list[Condition]:
    return merge_conditions([], verdicts, at, generation)


@given(VERDICTS, VERDICTS)
def test_the_time_moves_where_the_status_flips_and_nowhere_else(
    first: list[ConditionUpdate], second: list[ConditionUpdate]
) -> None:
    before = {each.type: each for each in conditions(*first)}
    merged = merge_conditions(before.values(), second, T0 + timedelta(hours=1), 2)
    claimed = {each.type: each for each in second}
    for each in merged:
        old = before.get(each.type)
        flipped = old is None or old.status != each.status
        moved = each.last_transition_time == "2026-06-01T13:00:00Z"
        assert moved == flipped
        if each.type in claimed:
            assert (each.reason, each.observed_generation) == (claimed[each.type].reason, 2)
        else:
            assert each == old


@pytest.mark.parametrize(
    ("length", "kept"),
    [(MESSAGE_LIMIT - 1, True), (MESSAGE_LIMIT, True), (MESSAGE_LIMIT + 1, False)],
)
def test_a_message_is_cut_where_it_is_too_long_and_nowhere_else(length: int, kept: bool) -> None:
    text = "x" * length
    (found,) = conditions(ready("Sealed", text)[0])
    assert len(found.message) <= MESSAGE_LIMIT
    assert (found.message == text) is kept
    assert found.message.endswith("…") is not kept


@pytest.mark.parametrize(("message", "told"), [("It holds.", "It holds."), ("", "Sealed")])
def test_an_event_says_what_the_condition_says(message: str, told: str) -> None:
    found = transition_event([], conditions(*ready("Sealed", message)))
    assert found is not None
    assert (found.reason, found.message) == ("Sealed", told)


@given(VERDICTS, VERDICTS)
def test_every_type_stands_once_and_none_is_lost(
    first: list[ConditionUpdate], second: list[ConditionUpdate]
) -> None:
    merged = merge_conditions(conditions(*first), second, T0, 1)
    types = [each.type for each in merged]
    assert types == sorted({each.type for each in (*first, *second)})


@given(VERDICTS)
def test_saying_the_same_again_changes_nothing(verdicts: list[ConditionUpdate]) -> None:
    once = conditions(*verdicts)
    assert merge_conditions(once, verdicts, T0 + timedelta(days=1), 1) == once


def test_a_long_message_is_cut_to_what_a_condition_holds() -> None:
    (found,) = conditions(ConditionUpdate("Ready", ConditionStatus.TRUE, "One", "x" * 5000))
    assert len(found.message) == MESSAGE_LIMIT


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param((), waiting("Training", "It runs."), ("Training", False), id="the first"),
        pytest.param(waiting("Training"), waiting("Training", "x"), None, id="another message"),
        pytest.param(waiting("Training"), ready("Sealed"), ("Sealed", False), id="it is ready"),
        pytest.param(
            waiting("Training"), stalled("GateFailed", "No."), ("GateFailed", True), id="refused"
        ),
        pytest.param((), (), None, id="nothing is said of Ready"),
    ],
)
def test_an_event_is_made_for_a_change_of_ready(
    before: tuple[ConditionUpdate, ...],
    after: tuple[ConditionUpdate, ...],
    expected: tuple[str, bool] | None,
) -> None:
    old = conditions(*before)
    note = transition_event(old, merge_conditions(old, after, T0, 1))
    assert (note and (note.reason, note.warning)) == expected
