"""What is recorded in the audit log and told by Events of a reconcile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hallmark.api import names
from hallmark.api.model_deployment import (
    Action,
    DeploymentReason,
    DriftState,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    Verdict,
)
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.drift.silence import sentence
from hallmark.policies.decision import Event, Record
from hallmark.policies.model_deployment.actions import BadAction
from hallmark.policies.model_deployment.conditions import is_rolled_back
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.triggers import (
    Cleared,
    NoTarget,
    Ready,
    Refused,
    RollBack,
    Settled,
    Stop,
    TargetReady,
    Trigger,
    Unapproved,
    has_drifted,
)


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
    Settled: (AuditEvent.PROMOTE, AuditOutcome.STABLE, "Settle"),
    RollBack: (AuditEvent.ROLLBACK, AuditOutcome.STARTED, "TurnBack"),
    TargetReady: (AuditEvent.ROLLBACK, AuditOutcome.COMPLETED, "SwitchBack"),
    NoTarget: (AuditEvent.ROLLBACK, AuditOutcome.HELD, "Hold"),
    Stop: (AuditEvent.ROLLBACK, AuditOutcome.STOPPED, "Stop"),
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
    reason, message = _said(step.trigger, step.view.rollout)
    if reason == DeploymentReason.PROGRESS_DEADLINE_EXCEEDED:
        event = AuditEvent.PROMOTE
    yield _record(before, step, event, outcome, word, reason, message)


def _says_nothing_new(before: View, trigger: Trigger) -> bool:
    head = before.head
    return isinstance(trigger, Settled) and head is not None and head.outcome is Outcome.STABLE


def _said(trigger: Trigger, rollout: Rollout) -> tuple[str, str]:
    """Return why the trigger was followed: a reason, and a sentence where there is one."""
    current = rollout.reason or rollout.state
    match trigger:
        case Refused(refusal):
            return refusal.reason, refusal.message
        case RollBack() | NoTarget() | Stop():
            return trigger.reason, trigger.message
        case TargetReady():
            return current, rollout.message
        case Unapproved(message):
            return current, message
        case Settled():
            return DeploymentReason.SERVING, ""
        case _:
            return current, ""


def _action_record(before: View, step: Step, action: Action | BadAction) -> Record:
    rollout = step.view.rollout
    asked = action.action if isinstance(action, Action) else rollout.reason or rollout.state
    word = f"action/{action.id}"
    event, outcome = AuditEvent.ACTION, AuditOutcome.DONE
    return _record(before, step, event, outcome, word, asked, step.outcome)


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
    label, since = names.manifest_label(digest), before.rollout.since or ""
    began = head.from_ if head else ""
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
        },
    )


# -- drift ------------------------------------------------------------------------------------


def drift_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that the traffic has drifted, where it has just now."""
    drift, metadata = _new_drift(before, view), view.inputs.deployment.metadata
    if drift is None:
        return
    label = names.manifest_label(drift.manifest_digest or "")
    windows = ",".join(f"{pod}:{state.window}" for pod, state in sorted(drift.pods.items()))
    since, counted = view.rollout.drift_since or "", names.short_hash(windows)
    yield Record(
        decision_id="/".join((metadata.uid, "drift", label, since, counted)),
        event=AuditEvent.DRIFT,
        kind="Deployment",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=AuditOutcome.DETECTED,
        reason=DeploymentReason.DRIFT_DETECTED,
        message=f"The traffic of '{view.status.active_model_version}' has drifted.",
        details={
            "manifestDigest": drift.manifest_digest or "",
            **{f"psi.{moved.feature}": moved.psi for moved in drift.top},
        },
    )


def _new_drift(before: ModelDeploymentStatus, view: View) -> DriftState | None:
    """Return the drift state where it has become Drifted just now."""
    now, then = view.status.drift_state, before.drift_state
    if now is None or now.verdict is not Verdict.DRIFTED:
        return None
    same = then is not None and then.manifest_digest == now.manifest_digest
    return None if same and then is not None and then.verdict is Verdict.DRIFTED else now


def events(before: ModelDeploymentStatus, view: View, step: Step) -> Iterator[Event]:
    """Return the Events besides the one for a change of Ready."""
    if isinstance(step.action, BadAction):
        yield Event(DeploymentReason.INVALID_ACTION, step.outcome, warning=True)
    drift = _new_drift(before, view)
    if drift is not None:
        again = is_rolled_back(before) and view.rollout.drift_rollback_spent
        reason = DeploymentReason.TARGET_DRIFTS if again else DeploymentReason.DRIFT_DETECTED
        yield Event(reason, has_drifted(before, drift), warning=True)
    yield from _silence_events(before.drift_state or DriftState(), view.status.drift_state)


def _silence_events(before: DriftState, now: DriftState | None) -> Iterator[Event]:
    if now is not None and now.silent_pods and not before.silent_pods:
        message = f"{sentence(now)}, so that nobody knows whether their traffic drifts."
        yield Event(DeploymentReason.REPORTS_MISSING, message, warning=True)
