"""Each cell of the table, against the states and events as the design says them."""

from __future__ import annotations

import pytest

from hallmark.api.model_deployment import RolloutState
from hallmark.policies.model_deployment.transitions import TABLE, Effect, Event, transition

# One row for each event; a column for each state, in this order. A dot changes nothing.
STATES = (
    RolloutState.IDLE,
    RolloutState.VERIFYING,
    RolloutState.AWAITING_APPROVAL,
    RolloutState.STARTING,
    RolloutState.PROMOTED,
    RolloutState.STABLE,
    RolloutState.REFUSED,
    RolloutState.ROLLING_BACK,
    RolloutState.HELD,
)
EXPECTED = """
             Idle        Verifying   Awaiting    Starting    Promoted    Stable      Refused     RollingBack Held
Intent       Verifying   Verifying   Verifying   Verifying   Verifying   Verifying   Verifying   .           Verifying
Withdrawn    .           Idle        Idle        Idle        .           .           Idle        .           .
Unapproved   .           Awaiting    .           Awaiting    .           .           .           .           .
Cleared      .           Starting    Starting    .           .           .           .           .           .
Refused      .           Refused     Refused     Refused     .           .           .           .           .
Ready        .           .           .           Promoted    .           .           .           .           .
Settled      Stable      Verifying   Awaiting    Starting    Stable      .           Refused     .           .
RollBack     RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack
TargetReady  .           .           .           .           .           .           .           Stable      .
NoTarget     Held        Held        Held        Held        Held        Held        Held        Held        Held
Stop         Held        Held        Held        Held        Held        Held        Held        Held        Held
Acknowledged Idle        Verifying   Awaiting    Starting    Promoted    Stable      Refused     .           Idle
"""  # noqa: E501 - a table
EFFECTS = {
    Event.INTENT: Effect.BEGIN,
    Event.WITHDRAWN: Effect.DROP,
    Event.UNAPPROVED: Effect.AWAIT,
    Event.CLEARED: Effect.START,
    Event.REFUSED: Effect.REFUSE,
    Event.READY: Effect.PROMOTE,
    Event.SETTLED: Effect.SETTLE,
    Event.ROLL_BACK: Effect.TURN_BACK,
    Event.TARGET_READY: Effect.SWITCH_BACK,
    Event.NO_TARGET: Effect.HOLD,
    Event.STOP: Effect.STOP,
    Event.ACKNOWLEDGED: Effect.FORGET,
}
SHORT = {"Awaiting": "AwaitingApproval"}


def cells() -> list[tuple[RolloutState, Event, str]]:
    rows = [line.split() for line in EXPECTED.strip().splitlines()[1:]]
    return [
        (state, Event(row[0]), SHORT.get(cell, cell))
        for row in rows
        for state, cell in zip(STATES, row[1:], strict=True)
    ]


@pytest.mark.parametrize(
    ("state", "event", "expected"), cells(), ids=[f"{s}-{e}-{x}" for s, e, x in cells()]
)
def test_a_cell_of_the_table(state: RolloutState, event: Event, expected: str) -> None:
    found = transition(state, event)
    assert (found.state.value if found else ".") == expected
    if found:
        assert found.effect is EFFECTS[event]


def test_the_expected_table_has_every_state_and_event() -> None:
    assert {(s, e) for s, e, _ in cells()} == {(s, e) for s in RolloutState for e in Event}


def test_only_a_ready_candidate_or_target_moves_traffic() -> None:
    moving = {
        cell for cell, step in TABLE.items() if step.effect in {Effect.PROMOTE, Effect.SWITCH_BACK}
    }
    assert moving == {
        (RolloutState.STARTING, Event.READY),
        (RolloutState.ROLLING_BACK, Event.TARGET_READY),
    }
