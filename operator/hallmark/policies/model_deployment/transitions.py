"""The rollout's state machine: one table, state and event to the next state and an effect.

``rollout.py`` finds the event and carries the effect out; nothing else changes a state. A pair
that is not in the table changes nothing: the event is looked at again in the next state.

A candidate goes Verifying -> (AwaitingApproval) -> Starting -> Promoted -> Stable, or ends in
Refused. What serves goes Promoted or Stable -> RollingBack -> Stable, or ends in Held. The two
are independent until Promoted, so a version that is baking becomes stable while a candidate is
looked at, and drift of what serves interrupts a candidate, which begins again afterwards.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hallmark.api.model_deployment import RolloutState


class Event(StrEnum):
    """What was found in the cluster, in the words of the machine."""

    INTENT = "Intent"
    """There is an intent that is neither under way, nor refused, nor serving."""
    WITHDRAWN = "Withdrawn"
    """The candidate is not what is asked for any more, and nothing new is."""
    UNAPPROVED = "Unapproved"
    """The candidate passes every check but the approval."""
    CLEARED = "Cleared"
    """The candidate passes every check."""
    REFUSED = "Refused"
    """The candidate failed a check for good, did not start, or was aborted by a person."""
    READY = "Ready"
    """All Pods of the candidate are ready, it still passes, and promotion is not frozen."""
    SETTLED = "Settled"
    """What serves has been healthy for ``bake``, or was stable already."""
    ROLL_BACK = "RollBack"
    """What serves must give way, and there is a target that passes every check today."""
    TARGET_READY = "TargetReady"
    """All Pods of the rollback's target are ready, and it still passes."""
    NO_TARGET = "NoTarget"
    """What serves must give way, and no target passes."""
    STOP = "Stop"
    """What serves must not serve any longer, whatever there is instead."""
    ACKNOWLEDGED = "Acknowledged"
    """A person has looked at the drift or the rollback."""


class Effect(StrEnum):
    """What a transition does to the record, besides the state."""

    BEGIN = "Begin"
    """The intent becomes the candidate."""
    DROP = "Drop"
    """The candidate and its Pods go."""
    AWAIT = "Await"
    """The candidate stays on record, without Pods."""
    START = "Start"
    """The candidate's Pods are wanted, and their trust is fixed."""
    REFUSE = "Refuse"
    """The intent is remembered as refused; the candidate and its Pods go."""
    PROMOTE = "Promote"
    """The candidate gets the traffic."""
    SETTLE = "Settle"
    """What serves counts as stable."""
    TURN_BACK = "TurnBack"
    """The target of the rollback is recorded, and its Pods are wanted."""
    SWITCH_BACK = "SwitchBack"
    """The target gets the traffic."""
    HOLD = "Hold"
    """What serves goes on, and the record says that nothing can replace it."""
    STOP = "Stop"
    """No Pod is wanted any more."""
    FORGET = "Forget"
    """Drift counts afresh from now, and may cause a rollback again."""


class Transition(NamedTuple):
    """A cell of the table."""

    state: RolloutState
    effect: Effect


_S = RolloutState
_CANDIDATE = (_S.VERIFYING, _S.AWAITING_APPROVAL, _S.STARTING)
_NO_ROLLBACK = tuple(each for each in _S if each is not _S.ROLLING_BACK)

TABLE: dict[tuple[RolloutState, Event], Transition] = {
    # A rollback on record is completed before a new intent is looked at.
    **{(each, Event.INTENT): Transition(_S.VERIFYING, Effect.BEGIN) for each in _NO_ROLLBACK},
    **{
        (each, Event.WITHDRAWN): Transition(_S.IDLE, Effect.DROP)
        for each in (*_CANDIDATE, _S.REFUSED)
    },
    (_S.VERIFYING, Event.UNAPPROVED): Transition(_S.AWAITING_APPROVAL, Effect.AWAIT),
    (_S.STARTING, Event.UNAPPROVED): Transition(_S.AWAITING_APPROVAL, Effect.AWAIT),
    (_S.VERIFYING, Event.CLEARED): Transition(_S.STARTING, Effect.START),
    (_S.AWAITING_APPROVAL, Event.CLEARED): Transition(_S.STARTING, Effect.START),
    **{(each, Event.REFUSED): Transition(_S.REFUSED, Effect.REFUSE) for each in _CANDIDATE},
    (_S.STARTING, Event.READY): Transition(_S.PROMOTED, Effect.PROMOTE),
    (_S.IDLE, Event.SETTLED): Transition(_S.STABLE, Effect.SETTLE),
    (_S.PROMOTED, Event.SETTLED): Transition(_S.STABLE, Effect.SETTLE),
    **{
        (each, Event.SETTLED): Transition(each, Effect.SETTLE) for each in (*_CANDIDATE, _S.REFUSED)
    },
    # In RollingBack it means another target: the one on record does not pass any more.
    **{(each, Event.ROLL_BACK): Transition(_S.ROLLING_BACK, Effect.TURN_BACK) for each in _S},
    (_S.ROLLING_BACK, Event.TARGET_READY): Transition(_S.STABLE, Effect.SWITCH_BACK),
    **{(each, Event.NO_TARGET): Transition(_S.HELD, Effect.HOLD) for each in _S},
    **{(each, Event.STOP): Transition(_S.HELD, Effect.STOP) for each in _S},
    **{
        (each, Event.ACKNOWLEDGED): Transition(each, Effect.FORGET)
        for each in _NO_ROLLBACK
        if each is not _S.HELD
    },
    (_S.HELD, Event.ACKNOWLEDGED): Transition(_S.IDLE, Effect.FORGET),
}


def transition(state: RolloutState, event: Event) -> Transition | None:
    """Return what ``event`` leads to in ``state``, or None where it changes nothing."""
    return TABLE.get((state, event))
