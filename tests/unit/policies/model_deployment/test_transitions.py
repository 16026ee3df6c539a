"""Each cell of the table, against the states and triggers as the design says them."""

from __future__ import annotations

import typing

import pytest

from hallmark.api.model_deployment import RolloutState
from hallmark.policies.model_deployment.transitions import TABLE
from hallmark.policies.model_deployment.triggers import Ready, Stepped, TargetReady, Trigger

TRIGGERS: dict[str, type[Trigger]] = {kind.__name__: kind for kind in typing.get_args(Trigger)}

# One row for each trigger; a column for each state, in this order. A dot changes nothing.
STATES = (
    RolloutState.IDLE,
    RolloutState.VERIFYING,
    RolloutState.AWAITING_APPROVAL,
    RolloutState.STARTING,
    RolloutState.MIRRORING,
    RolloutState.CANARY,
    RolloutState.PROMOTED,
    RolloutState.STABLE,
    RolloutState.REFUSED,
    RolloutState.ROLLING_BACK,
    RolloutState.HELD,
)
EXPECTED = """
             Idle        Verifying   Awaiting    Starting    Mirroring   Canary      Promoted    Stable      Refused     RollingBack Held
Intended     Verifying   Verifying   Verifying   Verifying   Verifying   Verifying   Verifying   Verifying   Verifying   .           Verifying
Withdrawn    .           Idle        Idle        Idle        Idle        Idle        .           .           Idle        .           .
Unapproved   .           Awaiting    .           Awaiting    Awaiting    Awaiting    .           .           .           .           .
Cleared      .           Starting    Starting    .           .           .           .           .           .           .           .
Refused      .           Refused     Refused     Refused     Refused     Refused     .           .           .           .           .
Ready        .           .           .           Promoted    Promoted    Promoted    .           .           .           .           .
Mirrored     .           .           .           Mirroring   .           .           .           .           .           .           .
Stepped      .           .           .           Canary      Canary      Canary      .           .           .           .           .
Settled      Stable      Verifying   Awaiting    Starting    Mirroring   Canary      Stable      .           Refused     .           .
RollBack     RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack RollingBack
TargetReady  .           .           .           .           .           .           .           .           .           Stable      .
NoTarget     Held        Held        Held        Held        Held        Held        Held        Held        Held        Held        Held
Stop         Held        Held        Held        Held        Held        Held        Held        Held        Held        Held        Held
Overdue      .           .           .           .           .           .           .           .           .           RollingBack .
Acknowledged Idle        Verifying   Awaiting    Starting    Mirroring   Canary      Promoted    Stable      Refused     .           Idle
"""  # noqa: E501 - a table
SHORT = {"Awaiting": "AwaitingApproval"}


def cells() -> list[tuple[RolloutState, str, str]]:
    rows = [line.split() for line in EXPECTED.strip().splitlines()[1:]]
    return [
        (state, row[0], SHORT.get(cell, cell))
        for row in rows
        for state, cell in zip(STATES, row[1:], strict=True)
    ]


@pytest.mark.parametrize(
    ("state", "trigger", "expected"), cells(), ids=[f"{s}-{t}-{x}" for s, t, x in cells()]
)
def test_a_cell_of_the_table(state: RolloutState, trigger: str, expected: str) -> None:
    found = TABLE.get((state, TRIGGERS[trigger]))
    assert (found.value if found else ".") == expected


def test_the_expected_table_has_every_state_and_trigger() -> None:
    assert {(s, t) for s, t, _ in cells()} == {(s, t) for s in RolloutState for t in TRIGGERS}


def test_only_a_ready_candidate_or_target_moves_traffic() -> None:
    moving = {cell for cell in TABLE if cell[1] in {Ready, Stepped, TargetReady}}
    assert moving == {
        (RolloutState.STARTING, Ready),
        (RolloutState.STARTING, Stepped),
        (RolloutState.MIRRORING, Ready),
        (RolloutState.MIRRORING, Stepped),
        (RolloutState.CANARY, Stepped),
        (RolloutState.CANARY, Ready),
        (RolloutState.ROLLING_BACK, TargetReady),
    }
