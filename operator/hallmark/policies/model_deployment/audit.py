"""What is recorded in the audit log and told by Events of a reconcile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hallmark.api import names
from hallmark.api.model_deployment import Action, ModelDeploymentStatus, Outcome
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.memory import DECIDED_AT
from hallmark.audit.record import Record
from hallmark.policies.decision import Event
from hallmark.policies.model_deployment import canary, mirror
from hallmark.policies.model_deployment.actions import BadAction, action_details
from hallmark.policies.model_deployment.findings import finding_events
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.record import rollout_of
from hallmark.policies.model_deployment.stage import stage_of
from hallmark.policies.model_deployment.triggers import (
    Cleared,
    Mirrored,
    NoTarget,
    Overdue,
    Ready,
    Refused,
    RollBack,
    Settled,
    Stepped,
    Stop,
    TargetReady,
    Trigger,
    Unapproved,
)
from hallmark.policies.model_deployment.withdrawal import must_give_way
from hallmark.policies.model_version.demands import demands_of


@dataclass(frozen=True)
class Step:
    """What one reconcile found and did, before the record is mended and described."""

    view: View
    """With the record after it."""
    trigger: Trigger | None = None
    """What was followed; None: nothing changed the state."""
    wait: Wait | None = None
    action: Action | BadAction | None = None
    outcome: str = ""
    """What came of the action."""


_AUDITED: dict[type[Trigger], tuple[AuditEvent, AuditOutcome, str]] = {
    Unapproved: (AuditEvent.VERIFY, AuditOutcome.PASSED, "Await"),
    Cleared: (AuditEvent.VERIFY, AuditOutcome.PASSED, "Start"),
    Refused: (AuditEvent.VERIFY, AuditOutcome.REFUSED, "Refuse"),
    Ready: (AuditEvent.PROMOTE, AuditOutcome.PROMOTED, "Promote"),
    Mirrored: (AuditEvent.PROMOTE, AuditOutcome.STARTED, "Mirror"),
    Stepped: (AuditEvent.PROMOTE, AuditOutcome.STARTED, "Step"),
    Settled: (AuditEvent.PROMOTE, AuditOutcome.STABLE, "Settle"),
    RollBack: (AuditEvent.ROLLBACK, AuditOutcome.STARTED, "TurnBack"),
    TargetReady: (AuditEvent.ROLLBACK, AuditOutcome.COMPLETED, "SwitchBack"),
    NoTarget: (AuditEvent.ROLLBACK, AuditOutcome.HELD, "Hold"),
    Stop: (AuditEvent.ROLLBACK, AuditOutcome.STOPPED, "Stop"),
    Overdue: (AuditEvent.ROLLBACK, AuditOutcome.STOPPED, "Overdue"),
}
"""What each trigger is in the log, and its word in the decision's id."""


def transition_records(before: View, step: Step) -> Iterator[Record]:
    """Return the action and the transition for the audit log.

    An id is made of what was on record before (uid, intent, since when), so it is the same when
    the decision is made again after a crash, and another one the next time.
    """
    if step.action is not None:
        yield _action_record(before, step, step.action)
    if step.trigger is None:
        return
    audited = _AUDITED.get(type(step.trigger))
    if audited is None or _says_nothing_new(before, step.trigger):
        return
    event, outcome, word = audited
    reason, message = _said(step.trigger, step.view)
    if before.rollout.mirror is not None and isinstance(step.trigger, Ready | Stepped):
        message = f"{mirror.said(before)} {message}".rstrip()
    if reason in _AFTER_THE_CHECKS:
        event = AuditEvent.PROMOTE
    yield _record(before, step, event, outcome, word, reason, message)


_AFTER_THE_CHECKS = (
    DeploymentReason.PROGRESS_DEADLINE_EXCEEDED,
    DeploymentReason.MIRROR_FAILED,
    DeploymentReason.CANARY_FAILED,
)
"""Why a candidate is refused that passed every check."""


def _says_nothing_new(before: View, trigger: Trigger) -> bool:
    head = before.head
    return isinstance(trigger, Settled) and head is not None and head.outcome is Outcome.STABLE


def _said(trigger: Trigger, after: View) -> tuple[str, str]:
    """Return why the trigger was followed: a reason, and a sentence where there is one."""
    rollout = after.rollout
    current = rollout.reason or rollout.state
    match trigger:
        case Refused(refusal):
            return refusal.reason, refusal.message
        case RollBack() | NoTarget() | Stop() | Overdue():
            return trigger.reason, trigger.message
        case TargetReady():
            return current, rollout.message
        case Unapproved(message):
            return current, message
        case Settled():
            return DeploymentReason.SERVING, ""
        case Mirrored():
            return DeploymentReason.MIRRORING, mirror.said(after)
        case Stepped():
            return DeploymentReason.CANARY, canary.said(after)
        case _:
            return current, ""


def _action_record(before: View, step: Step, action: Action | BadAction) -> Record:
    rollout = step.view.rollout
    asked = action.action if isinstance(action, Action) else rollout.reason or rollout.state
    # After another one the same id is another action: its record is none of the former's.
    last = before.status.last_action
    word = f"action/{action.id}/{f'{last.id}@{last.time}' if last else ''}"
    refused = isinstance(action, BadAction)
    outcome = AuditOutcome.REFUSED if refused else AuditOutcome.DONE
    record = _record(before, step, AuditEvent.ACTION, outcome, word, asked, step.outcome)
    return replace(record, details={**record.details, **action_details(action)})


def _record(
    before: View,
    step: Step,
    event: AuditEvent,
    outcome: AuditOutcome,
    word: str,
    reason: str,
    message: str,
) -> Record:
    metadata = before.inputs.deployment.metadata
    rollout, head = step.view.rollout, before.head
    version, digest = rollout.model_version or "", rollout.manifest_digest or ""
    if head and event is not AuditEvent.ACTION and isinstance(step.trigger, Settled):
        version, digest = head.version, head.manifest_digest
    label, began = names.manifest_label(digest), head.from_ if head else ""
    # Once for each time in service; since when the rollback goes on may be lost with its record.
    once = isinstance(step.trigger, TargetReady | Overdue) and event is not AuditEvent.ACTION
    since = "" if once else before.rollout.since or ""
    serves = event is not AuditEvent.ACTION and isinstance(step.trigger, Ready | TargetReady)
    return Record(
        decision_id="/".join((metadata.uid, rollout.intent_hash, word, label, since, began)),
        event=event,
        kind="Deployment",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=outcome,
        reason=reason,
        message=message,
        actor=step.action.by if isinstance(step.action, Action) else names.OPERATOR_NAME,
        details={
            "modelVersion": version,
            "manifestDigest": digest,
            "intent": rollout.intent_hash,
            **({"from": head.version, "fromDigest": head.manifest_digest} if head else {}),
            **({GAVE_WAY: "true"} if serves and _gave_way(before) else {}),
            **({DECIDED_AT: timestamp(before.inputs.now)} if event == AuditEvent.ROLLBACK else {}),
        },
        evidence=_evidence(before, step, serves) if event is not AuditEvent.ACTION else "",
    )


def _evidence(before: View, step: Step, serves: bool) -> str:
    """Return what was asked and counted, of what gives a candidate traffic, or takes it."""
    stage = stage_of(before, step.trigger)
    return demands_of(before.inputs.policy, stage) if serves or stage else ""


GAVE_WAY = "gaveWay"
"""The detail that what served had to give way, so that its successor was watched beside nothing."""


def _gave_way(before: View) -> bool:
    return before.head is not None and (before.stopped or must_give_way(before) is not None)


# -- traffic ----------------------------------------------------------------------------------


def traffic_records(before: ModelDeploymentStatus, after: View) -> Iterator[Record]:
    """Return that the former version answers for a while, or does so no longer.

    The id holds the version of the Service that was looked at, so that it is the same when the
    decision is made again after a crash, and another one the next time.
    """
    status, inputs = after.status, after.inputs
    stands_in = after.rollout.stand_in
    if stands_in is rollout_of(before).stand_in or before.active_digest != status.active_digest:
        return
    head, former = status.history[:2]
    metadata, to, instead = inputs.deployment.metadata, head, former
    if stands_in:
        to, instead = former, head
    why = "is not ready" if stands_in else "stood in for it"
    label = names.manifest_label(to.manifest_digest)
    yield Record(
        decision_id="/".join((metadata.uid, "traffic", label, inputs.selected_in)),
        event=AuditEvent.PROMOTE,
        kind="Deployment",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=AuditOutcome.HELD if stands_in else AuditOutcome.DONE,
        reason=DeploymentReason.UNAVAILABLE if stands_in else DeploymentReason.SERVING,
        message=f"'{to.version}' answers instead of '{instead.version}', which {why}.",
        details={"modelVersion": to.version, "manifestDigest": to.manifest_digest},
    )


# -- hold -------------------------------------------------------------------------------------


def hold_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that the hold on record has ended by itself, where it has just now."""
    hold, metadata = before.hold, view.inputs.deployment.metadata
    if hold is None or view.status.hold is not None:
        return
    yield Record(
        decision_id="/".join((metadata.uid, "hold", hold.id, hold.since, "ended")),
        event=AuditEvent.ACTION,
        kind="Deployment",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=AuditOutcome.DONE,
        reason=DeploymentReason.HOLD_ENDED,
        message=f"The hold of {hold.by} has ended by itself: {hold.reason}",
        details={"actionId": hold.id, "since": hold.since, "until": hold.until},
    )


def events(before: ModelDeploymentStatus, view: View, step: Step) -> Iterator[Event]:
    """Return the Events besides the one for a change of Ready."""
    if isinstance(step.action, BadAction):
        yield Event(DeploymentReason.INVALID_ACTION, step.outcome, warning=True)
    yield from finding_events(before, view)
