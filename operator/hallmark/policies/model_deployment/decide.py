"""Decide about a ModelDeployment: the record after it, what must run, what to say. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from hallmark.api import names
from hallmark.api.common import parse_duration, parse_timestamp, timestamp
from hallmark.api.model_deployment import (
    Action,
    DeploymentReason,
    DriftState,
    HistoryEntry,
    LastAction,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
)
from hallmark.drift.decision import DriftInputs, DriftVerdict, judge
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.decision import Event, Record
from hallmark.policies.model_deployment.actions import Acted, BadAction, act, pending_action
from hallmark.policies.model_deployment.conditions import conditions, is_rolled_back
from hallmark.policies.model_deployment.desired import URL_MARGIN, Plan, mend_trust, plan
from hallmark.policies.model_deployment.effects import Found, carry_out
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, Wait
from hallmark.policies.model_deployment.rollback import stable_entries
from hallmark.policies.model_deployment.transitions import Effect, Transition, transition
from hallmark.policies.model_deployment.triggers import look
from hallmark.policies.model_deployment.view import View


@dataclass(frozen=True)
class DeploymentDecision:
    """What is to be done about a ModelDeployment."""

    status: ModelDeploymentStatus
    moved: bool
    """There was a transition: the record is written before anything else happens."""
    plan: Plan
    conditions: tuple[ConditionUpdate, ...]
    records: tuple[Record, ...] = ()
    notes: tuple[Event, ...] = ()
    gone: tuple[str, ...] = ()
    """Entries of ``status.drift`` whose Pod no longer exists."""
    requeue: float | None = None


@dataclass(frozen=True)
class _Step:
    """What one reconcile found, before the record is mended and described."""

    view: View
    """With the record after it."""
    found: Found | None = None
    transition: Transition | None = None
    wait: Wait | None = None
    acted: Action | BadAction | None = None
    outcome: str = ""


def decide(inputs: DeploymentInputs) -> DeploymentDecision | Need:
    """Return what to do, or the bytes that must be verified before it can be said."""
    before = inputs.deployment.status
    drift = judge_drift(inputs)
    view = View(inputs, _observe(inputs, drift))
    step = _step(view)
    if isinstance(step, Need):
        return step
    mended = mend_trust(step.view.status, inputs)
    if isinstance(mended, Need):
        return mended
    after = replace(step.view, status=mended)
    moved = step.transition is not None or step.acted is not None
    return DeploymentDecision(
        status=mended,
        moved=moved,
        plan=plan(mended, inputs),
        conditions=conditions(after, step.wait, drift.message if drift else ""),
        records=tuple(_records(view, step)) + tuple(_drift_records(before, view)),
        notes=tuple(_notes(before, view, step)),
        gone=drift.gone if drift else _gone(inputs),
        requeue=0.0 if moved else _requeue(after, step.wait),
    )


def _step(view: View) -> _Step | Need:
    action = pending_action(view.inputs.deployment.metadata.annotations, view.status)
    if action is not None:
        return _act(view, action)
    found = look(view)
    if isinstance(found, Need):
        return found
    if isinstance(found, Found):
        return _follow(view, found)
    return _Step(view, wait=found)


def _follow(view: View, found: Found) -> _Step:
    step = transition(view.rollout.state, found.event)
    if step is None:
        return _Step(view)
    return _Step(
        replace(view, status=carry_out(step, found, view.status, view.inputs)), found, step
    )


def _act(view: View, action: Action | BadAction) -> _Step | Need:
    acted = act(view, action) if isinstance(action, Action) else Acted(action.message)
    if isinstance(acted, Need):
        return acted
    changed = replace(view, status=acted.status or view.status)
    step = _follow(changed, acted.found) if acted.found else _Step(changed)
    last = LastAction(
        id=action.id,
        action=action.action if isinstance(action, Action) else None,
        by=action.by if isinstance(action, Action) else "",
        outcome=acted.outcome,
        time=timestamp(view.inputs.now),
    )
    status = step.view.status.replace(last_action=last)
    return _Step(
        replace(view, status=status),
        step.found,
        step.transition,
        acted=action,
        outcome=acted.outcome,
    )


# -- what is seen -----------------------------------------------------------------------------


def judge_drift(inputs: DeploymentInputs) -> DriftVerdict | None:
    """Return what the drift reports say about the version that serves, or None without one."""
    status = inputs.deployment.status
    if not status.history or status.active_digest is None or inputs.baseline is None:
        return None
    head, rollout = status.history[0], status.rollout
    since = (rollout.drift_since if rollout else None) or head.from_
    trust = inputs.trusts.get(head.trust_sha256)
    return judge(
        DriftInputs(
            reports=status.drift,
            baseline=inputs.baseline,
            active_digest=status.active_digest,
            # The windows were counted as the Pods were told, also while a new intent waits.
            drift=trust.drift if trust else inputs.deployment.spec.drift,
            live_pods=frozenset(each.name for each in inputs.pods),
            former=status.drift_state.pods if status.drift_state else {},
            since=parse_timestamp(since),
        )
    )


def _gone(inputs: DeploymentInputs) -> tuple[str, ...]:
    live = {each.name for each in inputs.pods}
    return tuple(sorted(set(inputs.deployment.status.drift) - live))


def _observe(inputs: DeploymentInputs, drift: DriftVerdict | None) -> ModelDeploymentStatus:
    """Return the record with what is seen of the Pods and of drift."""
    deployment, status = inputs.deployment, inputs.deployment.status
    active = status.active_digest
    workload = inputs.workload(active) if active else None
    selector = f"{names.LABEL_DEPLOYMENT}={inputs.name}"
    if active:
        selector += f",{names.LABEL_MANIFEST}={names.manifest_label(active)}"
    asked = deployment.spec.replicas
    healthy = workload is not None and workload.ready >= asked > 0
    return status.replace(
        drift_state=drift.state if drift else status.drift_state,
        history=_with_health(status, healthy, inputs.now),
        rollout=_with_deadline(status, inputs),
        replicas=workload.pods if workload else 0,
        ready_replicas=workload.ready if workload else 0,
        selector=selector,
        url=f"http://{inputs.name}.{deployment.metadata.namespace}.svc" if active else None,
    )


def _with_deadline(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> Rollout | None:
    """Return the rollout; more Pods being asked for than yet exist start its deadline anew."""
    rollout = status.rollout
    if rollout is None or rollout.state not in {RolloutState.STARTING, RolloutState.ROLLING_BACK}:
        return rollout
    workload = inputs.workload(rollout.manifest_digest or "")
    if workload is None or workload.replicas >= inputs.deployment.spec.replicas:
        return rollout
    return rollout.replace(since=timestamp(inputs.now))


def _with_health(status: ModelDeploymentStatus, healthy: bool, now: datetime) -> list[HistoryEntry]:
    if not status.history:
        return []
    head = status.history[0]
    since = (head.healthy_since or timestamp(now)) if healthy else None
    return [head.replace(healthy_since=since), *status.history[1:]]


# -- what is recorded and said ----------------------------------------------------------------

_AUDITED = {
    Effect.AWAIT: ("verify", "passed"),
    Effect.START: ("verify", "passed"),
    Effect.REFUSE: ("verify", "refused"),
    Effect.PROMOTE: ("promote", "promoted"),
    Effect.SETTLE: ("promote", "stable"),
    Effect.TURN_BACK: ("rollback", "started"),
    Effect.SWITCH_BACK: ("rollback", "completed"),
    Effect.HOLD: ("rollback", "held"),
    Effect.STOP: ("rollback", "stopped"),
}


def _records(before: View, step: _Step) -> Iterator[Record]:
    """Return the transitions for the audit log.

    An id is made of what was on record before (uid, intent, since when), so it is the same when
    the decision is made again after a crash, and another one the next time.
    """
    if step.acted is not None:
        yield _record(before, step, "action", "done", f"action/{step.acted.id}")
    if step.transition is None or step.found is None:
        return
    audited = _AUDITED.get(step.transition.effect)
    if audited is None or _says_nothing_new(before, step):
        return
    event, outcome = audited
    if step.found.reason == DeploymentReason.PROGRESS_DEADLINE_EXCEEDED:
        event = "promote"
    yield _record(before, step, event, outcome, step.transition.effect)


def _says_nothing_new(before: View, step: _Step) -> bool:
    head = before.head
    settled = step.transition is not None and step.transition.effect is Effect.SETTLE
    return settled and head is not None and head.outcome is Outcome.STABLE


def _record(before: View, step: _Step, event: str, outcome: str, what: str) -> Record:
    metadata = before.inputs.deployment.metadata
    rollout = step.view.rollout
    head = before.head
    subject = (
        (head.version, head.manifest_digest)
        if what == Effect.SETTLE and head
        else (rollout.model_version or "", rollout.manifest_digest or "")
    )
    reason = (step.found.reason if step.found else "") or rollout.reason or rollout.state
    acted = step.acted
    return Record(
        decision_id="/".join(
            (
                metadata.uid,
                rollout.intent_hash,
                what,
                names.manifest_label(subject[1]),
                before.rollout.since or "",
                head.from_ if head else "",
            )
        ),
        event=event,
        kind="Deployment",
        namespace=metadata.namespace or "",
        name=metadata.name,
        uid=metadata.uid,
        outcome=outcome,
        reason=acted.action if event == "action" and isinstance(acted, Action) else reason,
        message=step.outcome if event == "action" else (step.found.message if step.found else ""),
        actor=_actor(step),
        details={
            "modelVersion": subject[0],
            "manifestDigest": subject[1],
            "intent": rollout.intent_hash,
            **({"from": head.version, "fromDigest": head.manifest_digest} if head else {}),
        },
    )


def _actor(step: _Step) -> str:
    if isinstance(step.acted, Action):
        return step.acted.by
    return (step.found.actor if step.found else "") or names.OPERATOR_NAME


def _new_drift(before: ModelDeploymentStatus, view: View) -> DriftState | None:
    """Return the drift state where it has become Drifted just now."""
    now, then = view.status.drift_state, before.drift_state
    if now is None or now.verdict != "Drifted":
        return None
    same = then is not None and then.manifest_digest == now.manifest_digest
    return None if same and then is not None and then.verdict == "Drifted" else now


def _drift_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    drift, metadata = _new_drift(before, view), view.inputs.deployment.metadata
    if drift is None:
        return
    windows = ",".join(f"{pod}:{each.window}" for pod, each in sorted(drift.pods.items()))
    yield Record(
        decision_id="/".join(
            (
                metadata.uid,
                "drift",
                names.manifest_label(drift.manifest_digest or ""),
                view.rollout.drift_since or "",
                names.short_hash(windows),
            )
        ),
        event="drift",
        kind="Deployment",
        namespace=metadata.namespace or "",
        name=metadata.name,
        uid=metadata.uid,
        outcome="detected",
        reason=DeploymentReason.DRIFT_DETECTED,
        message=f"The traffic of '{view.status.active_model_version}' has drifted.",
        details={
            "manifestDigest": drift.manifest_digest or "",
            **{f"psi.{each.feature}": each.psi for each in drift.top},
        },
    )


def _notes(before: ModelDeploymentStatus, view: View, step: _Step) -> Iterator[Event]:
    if isinstance(step.acted, BadAction):
        yield Event(DeploymentReason.INVALID_ACTION, step.outcome, warning=True)
    drift = _new_drift(before, view)
    if drift is not None:
        again = is_rolled_back(before) and view.rollout.drift_rollback_spent
        reason = DeploymentReason.TARGET_DRIFTS if again else DeploymentReason.DRIFT_DETECTED
        moved = ", ".join(f"{each.feature} (PSI {each.psi})" for each in drift.top[:3])
        yield Event(
            reason,
            f"The traffic of '{before.active_model_version}' has drifted: {moved}.",
            warning=True,
        )


# -- when to look again -----------------------------------------------------------------------


def _requeue(view: View, wait: Wait | None) -> float | None:
    """Return the seconds until something happens by the clock alone."""
    now = view.inputs.now
    moments = [each for each in _moments(view) if each > now]
    soonest = min(((each - now).total_seconds() for each in moments), default=None)
    again = wait.again if wait else None
    # A little late is certain to be past the moment; a little early would be for nothing.
    found = [each for each in (None if soonest is None else soonest + 0.05, again) if each]
    return min(found, default=None)


def _moments(view: View) -> Iterator[datetime]:
    strategy = view.inputs.deployment.spec.strategy
    head, rollout = view.head, view.rollout
    if head and head.outcome is Outcome.SERVING and head.healthy_since:
        yield view.until(head.healthy_since, strategy.bake)
    if rollout.state in {RolloutState.STARTING, RolloutState.ROLLING_BACK}:
        yield view.until(rollout.since, strategy.progress_deadline)
    for entry in stable_entries(view.status)[:1]:
        if entry.to:
            yield parse_timestamp(entry.to) + parse_duration(strategy.keep_warm)
    for until in view.inputs.urls_until.values():
        yield until - URL_MARGIN
    for version in view.inputs.versions:
        if version.metadata.name == rollout.model_version:
            yield from (
                parse_timestamp(each.not_after)
                for each in version.status.approvals
                if each.not_after
            )
