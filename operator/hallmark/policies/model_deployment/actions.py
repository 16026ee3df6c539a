"""What people ask for through the annotation ``hallmark.dev/action``: each id once."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from hallmark.api.model_deployment import (
    ACTION_IDS,
    Action,
    ActionName,
    LastAction,
    ModelDeployment,
    ModelDeploymentStatus,
    RolloutState,
)
from hallmark.api.names import ANNOTATION_ACTION, OPERATOR_NAME, UNREADABLE, short_hash
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.policies.model_deployment.canary import counted_anew
from hallmark.policies.model_deployment.hold import asked_hold, ends_at, said
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.look import serves_revoked
from hallmark.policies.model_deployment.rollback import TargetMissing, find_target
from hallmark.policies.model_deployment.triggers import (
    CANDIDATE,
    Acknowledged,
    Refused,
    RollBack,
    Trigger,
)
from hallmark.refusal import Refusal
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

MAX_TEXT = 4096
"""Characters of an annotation that are read; admission takes no more bytes."""
EXPECTED = '{"id": "<new for each action>", "action": "rollback", "by": "<you>", "reason": "..."}'


@dataclass(frozen=True)
class BadAction:
    """An annotation that cannot be read; ``id`` stands for its text."""

    id: str
    message: str


def pending_action(
    annotations: dict[str, str], status: ModelDeploymentStatus
) -> Action | BadAction | None:
    """Return the action that was asked for and has not run, or None. Never raises.

    An id is used once, whatever its case. Admission refuses one that was used; where it came past
    admission it is an action that is told and recorded, and does nothing.
    """
    text = annotations.get(ANNOTATION_ACTION)
    if not text:
        return None
    found, last = _read(text), status.last_action
    if last is not None and last.id == found.id and last.text_hash in {"", text_hash(text)}:
        return None
    if isinstance(found, Action) and found.id.lower() in used_ids(status):
        return BadAction(
            found.id,
            f"Nothing was done: an action with the id '{found.id}' ran before. Ask again with a "
            f"new id.",
        )
    return found


def used_ids(status: ModelDeploymentStatus) -> list[str]:
    """Return the ids that no action may have again, the last one first."""
    last = [status.last_action.id.lower()] if status.last_action else []
    return list(dict.fromkeys([*last, *status.action_ids]))


def text_hash(text: str) -> str:
    """Return what tells an annotation's text from another one's."""
    return short_hash(text, digits=16)


def with_action(
    status: ModelDeploymentStatus, action: Action | BadAction, text: str, outcome: str, now: str
) -> ModelDeploymentStatus:
    """Return the record with an action that has run, or was refused in sight."""
    known = isinstance(action, Action)
    last = LastAction(
        id=action.id,
        action=action.action if isinstance(action, Action) else None,
        by=action.by if isinstance(action, Action) else "",
        outcome=outcome,
        time=now,
        text_hash=text_hash(text),
    )
    ids = [*([action.id.lower()] if known else []), *used_ids(status)]
    return status.replace(last_action=last, action_ids=list(dict.fromkeys(ids))[:ACTION_IDS])


def lost_action(deployment: ModelDeployment) -> Record | None:
    """Return the record of an action that stood on a ModelDeployment that is gone, if one did."""
    metadata, status = deployment.metadata, deployment.status
    action = pending_action(metadata.annotations, status)
    if action is None:
        return None
    return Record(
        decision_id=f"{metadata.uid}/action/{action.id}/lost",
        event=AuditEvent.ACTION,
        kind="Deployment",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=AuditOutcome.REFUSED,
        reason=DeploymentReason.ACTION_LOST,
        message="Nothing was done: the ModelDeployment was deleted before the action ran.",
        actor=action.by if isinstance(action, Action) else OPERATOR_NAME,
        details=action_details(action),
    )


def action_details(action: Action | BadAction) -> dict[str, str]:
    """Return what the audit log keeps of an action."""
    if isinstance(action, BadAction):
        return {"actionId": action.id}
    about = {"target": action.target, "until": action.until}
    return {
        "actionId": action.id,
        "action": action.action.value,
        "why": action.reason,
        **{name: value for name, value in about.items() if value},
    }


def _read(text: str) -> Action | BadAction:
    # With a slash, which no id of a person has: admission tells them apart.
    identity = f"{UNREADABLE}{text_hash(text)}"
    try:
        return Action.model_validate(parse_object(text, MAX_TEXT))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        actions = ", ".join(ActionName)
        return BadAction(
            identity,
            f"Nothing was done: in the annotation {ANNOTATION_ACTION}, {where[:64]} is not as "
            f"expected ({first['type']}); actions are {actions}.",
        )
    except UnreadableJSON as error:
        return BadAction(
            identity,
            f"Nothing was done: the annotation {ANNOTATION_ACTION} is no action ({error}); "
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
    shares = view.rollout.state is RolloutState.CANARY and action.action is ActionName.ABORT
    if (action.action in _MOVING or shares) and (hold := view.held):
        sentence = said(hold, view.inputs.policy)
        return Acted(f"Nothing was done: lift the hold first (unhold). {sentence}")
    match action.action:
        case ActionName.HOLD:
            return _hold(view, action)
        case ActionName.UNHOLD:
            return _lift(view)
        case ActionName.PAUSE:
            return _flag(view, "Promotion is paused.", paused=True)
        case ActionName.RESUME:
            return _flag(view, "Promotion is resumed.", paused=False)
        case ActionName.PROMOTE if under_way:
            return _promote(view)
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


_MOVING = (ActionName.PROMOTE, ActionName.ROLLBACK)
"""The actions that move traffic."""


def _hold(view: View, action: Action) -> Acted:
    """Begin a hold, or one that lasts longer: to end one sooner needs the verb of lifting it."""
    policy, former = view.inputs.policy, view.held
    asked = asked_hold(action, policy, view.inputs.now)
    if isinstance(asked, str):
        return Acted(f"Nothing was done: {asked}")
    if former is not None and ends_at(former, policy) > ends_at(asked, policy):
        longer = "Nothing was done: one that lasts longer stands; lift it first (unhold). {}"
        return Acted(longer.format(said(former, policy)))
    return Acted(said(asked, policy), status=view.status.replace(hold=asked))


def _lift(view: View) -> Acted:
    hold = view.held
    if hold is None:
        return Acted("Nothing was done: there is no hold.")
    rollout = view.status.rollout
    if rollout is not None:
        rollout = counted_anew(rollout, timestamp(view.inputs.now))
    status = view.status.replace(hold=None, rollout=rollout)
    return Acted(f"The hold of {hold.by} is lifted.", status=status)


def _promote(view: View) -> Acted:
    """Let the candidate through what freezes promotions, and past its watching where it may."""
    policy = view.inputs.policy
    outcome = f"'{view.rollout.model_version}' is promoted as soon as it is ready."
    if policy and policy.spec.rollout and policy.spec.rollout.watched_first:
        outcome = (
            f"'{view.rollout.model_version}' waits for no freeze any more; the ModelPolicy demands "
            "that it is watched beside what serves all the same (spec.rollout)."
        )
    released = view.rollout.replace(released=True)
    return Acted(outcome, status=view.status.replace(rollout=released))


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
