"""What happened: the triggers of a rollout, in the words of the state machine.

``look.py`` says which one the inputs hold for the record; ``transitions.py`` says what follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.model_deployment import RolloutState
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.hold import said
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.intent import Intent
from hallmark.refusal import Refusal

CANDIDATE = (
    RolloutState.VERIFYING,
    RolloutState.AWAITING_APPROVAL,
    RolloutState.STARTING,
    RolloutState.MIRRORING,
    RolloutState.CANARY,
)
"""The states in which a candidate is under way."""
WATCHED = (RolloutState.STARTING, RolloutState.MIRRORING, RolloutState.CANARY)
"""Those in which it has Pods."""


@dataclass(frozen=True)
class Intended:
    """There is an intent that is neither under way, nor refused, nor serving."""

    intent: Intent


@dataclass(frozen=True)
class Withdrawn:
    """The candidate is not what is asked for any more, and nothing new is."""


@dataclass(frozen=True)
class Unapproved:
    """The candidate passes every check but the approval."""

    message: str


@dataclass(frozen=True)
class Cleared:
    """The candidate passes every check."""

    version: ModelVersion


@dataclass(frozen=True)
class Refused:
    """The candidate failed a check for good, did not start, or was aborted by a person."""

    refusal: Refusal


@dataclass(frozen=True)
class Ready:
    """All Pods of the candidate are ready, it still passes, and promotion is not frozen."""


@dataclass(frozen=True)
class Mirrored:
    """The candidate gets copies of requests, and answers nobody."""


@dataclass(frozen=True)
class Stepped:
    """The candidate gets its first or a greater share of the traffic."""

    step: int
    """The number of the step, from 0."""
    evidence: Evidence
    """What is known of its traffic so far."""


@dataclass(frozen=True)
class Settled:
    """What serves has been healthy for ``bake``, or was stable already."""


@dataclass(frozen=True)
class RollBack:
    """What serves must give way, and there is a target that passes every check today."""

    target: ModelVersion
    reason: str
    message: str
    lost: str = ""
    """Why the target on record did not start; it is not chosen again."""


@dataclass(frozen=True)
class TargetReady:
    """All Pods of the rollback's target are ready, and it still passes."""


@dataclass(frozen=True)
class NoTarget:
    """What serves must give way, and no target passes."""

    reason: str
    message: str
    lost: str = ""
    """As in ``RollBack``."""


@dataclass(frozen=True)
class Stop:
    """What serves must not serve any longer, whatever there is instead."""

    reason: str
    message: str
    lost: str = ""
    """As in ``RollBack``."""


@dataclass(frozen=True)
class Overdue:
    """What serves was withdrawn, and the target of its rollback did not take over in time."""

    reason: str
    message: str


@dataclass(frozen=True)
class Acknowledged:
    """A person has looked at the drift or the rollback."""

    by: str = ""


Trigger = (
    Intended
    | Withdrawn
    | Unapproved
    | Cleared
    | Refused
    | Ready
    | Mirrored
    | Stepped
    | Settled
    | RollBack
    | TargetReady
    | NoTarget
    | Stop
    | Overdue
    | Acknowledged
)
"""What was found in the cluster."""
Look = Trigger | Need | Wait | None
"""What looking at one side of a ModelDeployment shows."""


MOVING = (Stepped, Ready, RollBack, TargetReady, NoTarget, Stop)
"""The triggers after which other Pods answer, or none."""


def on_hold(view: View) -> Wait | None:
    """Return that a person's hold is waited for, where there is one."""
    hold = view.held
    if hold is None:
        return None
    what = f"'{view.rollout.model_version}' takes over after it, or once somebody lifts it."
    return Wait(DeploymentReason.ON_HOLD, f"{said(hold, view.inputs.policy)} {what}")
