"""What people ask for through the annotation ``hallmark.dev/action``: each id once."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from hallmark.api.model_deployment import (
    Action,
    ActionName,
    DeploymentReason,
    ModelDeploymentStatus,
    RolloutState,
)
from hallmark.api.names import ANNOTATION_ACTION, short_hash
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.rollback import TargetMissing, find_target
from hallmark.policies.model_deployment.triggers import (
    CANDIDATE,
    Acknowledged,
    Refused,
    RollBack,
    Trigger,
    serves_revoked,
)
from hallmark.policies.refusals import Refusal

EXPECTED = '{"id": "<new for each action>", "action": "rollback", "by": "<you>", "reason": "..."}'


@dataclass(frozen=True)
class BadAction:
    """An annotation that cannot be read; ``id`` stands for its text."""

    id: str
    message: str


def pending_action(
    annotations: dict[str, str], status: ModelDeploymentStatus
) -> Action | BadAction | None:
    """Return the action that was asked for and has not run, or None. Never raises."""
    text = annotations.get(ANNOTATION_ACTION)
    if not text:
        return None
    found = _read(text)
    if status.last_action is not None and status.last_action.id == found.id:
        return None
    return found


def _read(text: str) -> Action | BadAction:
    identity = f"unreadable-{short_hash(text, digits=16)}"
    try:
        return Action.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        actions = ", ".join(ActionName)
        return BadAction(
            identity,
            f"Nothing was done: in the annotation {ANNOTATION_ACTION}, {where[:64]} is not as "
            f"expected ({first['type']}); actions are {actions}.",
        )
    except (ValueError, RecursionError):
        return BadAction(
            identity,
            f"Nothing was done: the annotation {ANNOTATION_ACTION} is not JSON; "
            f"expected {EXPECTED}.",
        )


@dataclass(frozen=True)
class Acted:
    """What an action leads to: a sentence for the record, and a trigger or changed flags."""

    outcome: str
    trigger: Trigger | None = None
    status: ModelDeploymentStatus | None = None


def act(view: View, action: Action) -> Acted | Need:
    """Return what a person's action leads to. Never an error: what cannot be done is said."""
    under_way = view.rollout.state in CANDIDATE
    candidate = view.rollout.model_version
    match action.action:
        case ActionName.PAUSE:
            return _flag(view, "Promotion is paused.", paused=True)
        case ActionName.RESUME:
            return _flag(view, "Promotion is resumed.", paused=False)
        case ActionName.PROMOTE if under_way:
            released = view.rollout.replace(released=True)
            status = view.status.replace(rollout=released)
            return Acted(f"'{candidate}' is promoted as soon as it is ready.", status=status)
        case ActionName.ABORT if under_way:
            refusal = Refusal(
                DeploymentReason.ABORTED,
                f"{action.by} aborted '{candidate}': {action.reason or 'no reason was given'}",
            )
            return Acted(f"'{candidate}' was dropped.", Refused(refusal))
        case ActionName.PROMOTE | ActionName.ABORT:
            return Acted("Nothing was done: there is no candidate.")
        case ActionName.ACKNOWLEDGE:
            return _acknowledge(view, action)
        case ActionName.ROLLBACK:
            return _roll_back_by_hand(view, action)


def _flag(view: View, outcome: str, *, paused: bool) -> Acted:
    return Acted(outcome, status=view.status.replace(paused=paused))


def _acknowledge(view: View, action: Action) -> Acted:
    if view.rollout.state is RolloutState.ROLLING_BACK:
        return Acted("Nothing was done: a rollback is under way; acknowledge it afterwards.")
    if view.head is None:
        return Acted("Nothing was done: no version serves.")
    if serves_revoked(view):
        return Acted(
            "Nothing was done: what serves was revoked or denied; ask for another version."
        )
    return Acted("Acknowledged: drift counts afresh from now.", Acknowledged(action.by))


def _roll_back_by_hand(view: View, action: Action) -> Acted | Need:
    if view.head is None:
        return Acted("Nothing was done: no version serves.")
    if view.rollout.state is RolloutState.ROLLING_BACK:
        return Acted("Nothing was done: a rollback is under way.")
    why = f"{action.by} asked for it: {action.reason or 'no reason was given'}"
    target = find_target(view.inputs, view.status, action.target)
    if isinstance(target, Need):
        return target
    if isinstance(target, Wait | TargetMissing):
        return Acted(f"Nothing was done: {target.message}")
    trigger = RollBack(target, DeploymentReason.MANUAL_ROLLBACK, why)
    return Acted(f"Rolling back to '{target.metadata.name}'.", trigger)
