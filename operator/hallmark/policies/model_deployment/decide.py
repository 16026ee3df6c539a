"""Decide about a ModelDeployment: the record after it, what must run, what to say. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hallmark.api import names
from hallmark.api.drift_state import DriftState
from hallmark.api.model_deployment import (
    Action,
    HistoryEntry,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
)
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp
from hallmark.audit.record import Record
from hallmark.drift.decision import DriftVerdict, Memory, living
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.decision import Event
from hallmark.policies.model_deployment.actions import (
    Acted,
    BadAction,
    act,
    pending_action,
    with_action,
)
from hallmark.policies.model_deployment.audit import (
    Step,
    events,
    hold_records,
    traffic_records,
    transition_records,
)
from hallmark.policies.model_deployment.bounds import bake, progress_deadline
from hallmark.policies.model_deployment.canary import (
    active_replicas,
    candidate_replicas,
    observed,
)
from hallmark.policies.model_deployment.carrying import store_dependence
from hallmark.policies.model_deployment.conditions import conditions
from hallmark.policies.model_deployment.desired import (
    URL_MARGIN,
    Plan,
    handover_ends,
    mend_trust,
    plan,
)
from hallmark.policies.model_deployment.drift import judge_drift
from hallmark.policies.model_deployment.findings import drift_records
from hallmark.policies.model_deployment.hold import ends_at, hold_in_force
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, View, Wait
from hallmark.policies.model_deployment.look import look
from hallmark.policies.model_deployment.look_candidate import rejected_candidate
from hallmark.policies.model_deployment.look_serving import look_at_serving
from hallmark.policies.model_deployment.mirror import observed as with_comparison
from hallmark.policies.model_deployment.record import rollout_of
from hallmark.policies.model_deployment.rollback import stable_entries
from hallmark.policies.model_deployment.routing import observed as with_share
from hallmark.policies.model_deployment.transitions import follow
from hallmark.policies.model_deployment.triggers import TargetReady, Trigger
from hallmark.policies.model_deployment.unserved import unserved
from hallmark.policies.model_deployment.withdrawal import (
    deadline,
    must_give_way,
    must_stop,
    noted,
)
from hallmark.policies.model_version.approvals import approvals_in_force

WAITING_PODS = timedelta(seconds=30)
"""When Pods that are not ready are looked at again; what they wait for may tell nobody."""
WAITING_TARGET = timedelta(seconds=30)
"""When something is looked for again that may take the place of what was withdrawn."""
CANARY_LOOK = timedelta(seconds=5)
"""When what a candidate's traffic says is looked at again."""
_SHOWN = (RolloutState.MIRRORING, RolloutState.CANARY)
"""The states in which requests, or copies of them, reach the candidate."""
BASELINE_SECONDS = 30.0
"""When a baseline that the store did not give is asked for again."""


@dataclass(frozen=True)
class DeploymentDecision:
    """What is to be done about a ModelDeployment."""

    status: ModelDeploymentStatus
    moved: bool
    """There was a transition or an action: the record is written before anything else happens."""
    plan: Plan
    conditions: tuple[ConditionUpdate, ...]
    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()
    gone: tuple[str, ...] = ()
    """Entries of ``status.drift`` whose Pod no longer exists."""
    room: tuple[str, ...] = ()
    """Entries that were judged, and whose place other Pods need."""
    drift_memory: Memory | None = None
    """What the reports said, for the next decision."""
    completes: bool = False
    """It ends a rollback on record: the traffic need not wait until the status says so, for
    whoever reads the status before leads it there as well. See also ``switches_to``."""
    withdraws: bool = False
    """It takes Pods or traffic from bytes that must not serve, and waits for no status."""
    requeue: float | None = None


def decide(inputs: DeploymentInputs) -> DeploymentDecision | Need:
    """Return what to do, or the bytes that must be verified before it can be said."""
    before = inputs.deployment.status
    drift = _judge_drift(inputs)
    view = View(inputs, _observe(inputs, drift))
    step = _step(view)
    if isinstance(step, Need):
        return step
    mended = mend_trust(step.view.status, inputs)
    if isinstance(mended, Need):
        return mended
    planned = plan(mended, inputs)
    traffic = _with_traffic(_with_service(mended, inputs), view, planned)
    after = replace(step.view, status=traffic.replace(store=store_dependence(traffic, inputs)))
    moved = step.trigger is not None or step.action is not None
    moved = moved or after.rollout.stand_in is not rollout_of(before).stand_in
    moved = moved or before.hold != after.status.hold
    told = conditions(after, step.wait, drift.message if drift else None)
    return DeploymentDecision(
        status=after.status.replace(unserved=unserved(after, told)),
        moved=moved,
        plan=planned,
        conditions=told,
        records=(
            *hold_records(before, view),
            *transition_records(view, step),
            *traffic_records(before, after),
            *drift_records(before, view),
        ),
        events=tuple(events(before, view, step)),
        gone=drift.gone if drift else _gone(inputs),
        room=drift.room if drift else (),
        drift_memory=drift.memory if drift else None,
        completes=isinstance(step.trigger, TargetReady) and must_give_way(view) is None,
        withdraws=must_give_way(view) is not None,
        requeue=0.0 if moved else _requeue(after, step.wait, drift),
    )


def switches_to(inputs: DeploymentInputs, decided: DeploymentDecision) -> Plan | None:
    """Return the plan of the decision that ends a rollback which this one begins.

    Args:
        inputs: what the decision was made from.
        decided: the decision.

    Returns:
        None where it begins none, or where its end waits for something: Pods, or bytes that must
        be verified.
    """
    rollout = rollout_of(decided.status)
    if not decided.moved or rollout.state is not RolloutState.ROLLING_BACK:
        return None
    deployment = inputs.deployment.replace(status=decided.status)
    following = decide(replace(inputs, deployment=deployment, drift_memory=decided.drift_memory))
    if isinstance(following, Need) or not following.completes:
        return None
    return following.plan


def _step(view: View) -> Step | Need:
    """Return what a person's action, or else what is seen in the cluster, leads to."""
    if must_give_way(view) is not None and not view.ending:
        # People's actions wait: a stream of them must not keep withdrawn bytes serving.
        first = look_at_serving(view)
        if isinstance(first, Need):
            return first
        if first is not None and not isinstance(first, Wait):
            return _follow(view, first)
    if view.rollout.state in _SHOWN and not view.ending:
        # It has traffic, or copies: nothing that takes time comes before what people said of it.
        rejected = rejected_candidate(view)
        if rejected is not None:
            return _follow(view, rejected)
    action = pending_action(view.inputs.deployment.metadata.annotations, view.status)
    if action is not None and not view.ending:
        return _act(view, action)
    found = look(view)
    if isinstance(found, Need):
        return found
    if found is None or isinstance(found, Wait):
        return Step(view, wait=found)
    return _follow(view, found)


def _follow(view: View, trigger: Trigger) -> Step:
    status = follow(trigger, view.status, view.inputs)
    return Step(view) if status is None else Step(replace(view, status=status), trigger)


def _act(view: View, action: Action | BadAction) -> Step | Need:
    acted = act(view, action) if isinstance(action, Action) else Acted(action.message)
    if isinstance(acted, Need):
        return acted
    changed = replace(view, status=acted.status or view.status)
    step = _follow(changed, acted.trigger) if acted.trigger else Step(changed)
    text = view.inputs.deployment.metadata.annotations[names.ANNOTATION_ACTION]
    told = with_action(step.view.status, action, text, acted.outcome, timestamp(view.inputs.now))
    after = replace(view, status=told)
    return Step(after, step.trigger, action=action, outcome=acted.outcome)


# -- what is seen -----------------------------------------------------------------------------


def _judge_drift(inputs: DeploymentInputs) -> DriftVerdict | None:
    """Return what the reports say; of what was withdrawn nobody needs to know."""
    if must_give_way(View(inputs, inputs.deployment.status)) is not None:
        return None
    return judge_drift(
        inputs.deployment,
        inputs.trusts,
        inputs.pods,
        inputs.reports,
        inputs.baseline,
        inputs.drift_memory,
        inputs.now,
    )


def _gone(inputs: DeploymentInputs) -> tuple[str, ...]:
    return tuple(sorted(inputs.reports.keys() - _live_pods(inputs)))


def _last_drift(inputs: DeploymentInputs) -> DriftState | None:
    """Return what is shown of drift where nothing judges it: without Pods that are gone."""
    state = inputs.deployment.status.drift_state
    return living(state, _live_pods(inputs)) if state else None


def _live_pods(inputs: DeploymentInputs) -> frozenset[str]:
    return frozenset(pod.name for pod in inputs.pods)


def _observe(inputs: DeploymentInputs, drift: DriftVerdict | None) -> ModelDeploymentStatus:
    """Return the record with what is seen of the Pods and of drift."""
    status = inputs.deployment.status
    workload = inputs.workload(status.active_digest) if status.active_digest else None
    asked = active_replicas(View(inputs, status))
    healthy = workload is not None and workload.ready >= asked > 0
    noticed = status.replace(rollout=noted(status, inputs))
    noticed = noticed.replace(rollout=observed(View(inputs, noticed)))
    noticed = noticed.replace(rollout=with_comparison(View(inputs, noticed)))
    noticed = noticed.replace(rollout=with_share(View(inputs, noticed)))
    seen = status.replace(
        drift_state=drift.state if drift else _last_drift(inputs),
        history=_with_health(status, healthy, inputs.now),
        rollout=_with_deadline(noticed, inputs),
        hold=hold_in_force(status, inputs.policy, inputs.now),
    )
    return _with_service(seen, inputs)


def _with_service(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> ModelDeploymentStatus:
    """Return the record with where the version that serves is reached, and with how many Pods."""
    active = status.active_digest
    workload = inputs.workload(active) if active else None
    selector = f"{names.LABEL_DEPLOYMENT}={inputs.name}"
    if active:
        selector += f",{names.LABEL_MANIFEST}={names.manifest_label(active)}"
    namespace = inputs.deployment.metadata.namespace
    return status.replace(
        replicas=workload.pods if workload else 0,
        ready_replicas=workload.ready if workload else 0,
        selector=selector,
        url=f"http://{inputs.name}.{namespace}.svc" if active else None,
    )


def _with_traffic(
    status: ModelDeploymentStatus, view: View, planned: Plan
) -> ModelDeploymentStatus:
    """Return the record with whether the former version answers for a while."""
    stand_in = planned.active_digest != status.active_digest and must_give_way(view) is None
    if stand_in is rollout_of(status).stand_in:
        return status
    return status.replace(rollout=rollout_of(status).replace(stand_in=stand_in))


def _with_deadline(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> Rollout | None:
    """Return the rollout; more Pods being asked for than yet exist start its deadline anew."""
    rollout = status.rollout
    if rollout is None or rollout.state not in {RolloutState.STARTING, RolloutState.ROLLING_BACK}:
        return rollout
    if rollout.withdrawn_since is not None:
        return rollout  # Nothing that an author writes gives a withdrawn version more time.
    workload = inputs.workload(rollout.manifest_digest or "")
    if workload is None or workload.replicas >= candidate_replicas(View(inputs, status)):
        return rollout
    return rollout.replace(since=timestamp(inputs.now))


def _with_health(status: ModelDeploymentStatus, healthy: bool, now: datetime) -> list[HistoryEntry]:
    if not status.history:
        return []
    head = status.history[0]
    since = (head.healthy_since or timestamp(now)) if healthy else None
    return [head.replace(healthy_since=since), *status.history[1:]]


# -- when to look again -----------------------------------------------------------------------


def _requeue(view: View, wait: Wait | None, drift: DriftVerdict | None) -> float | None:
    """Return the seconds until something happens by the clock alone."""
    now = view.inputs.now
    # A little late is certain to be past the moment; a little early would be for nothing.
    delays = [(moment - now).total_seconds() + 0.05 for moment in _moments(view) if moment > now]
    if wait and wait.again:
        delays.append(wait.again)
    if drift is not None and drift.again:
        delays.append((drift.again - now).total_seconds() + 0.05)
    if drift is None and view.active is not None:
        delays.append(BASELINE_SECONDS)
    return min(delays, default=None)


def _moments(view: View) -> Iterator[datetime]:
    strategy = view.inputs.deployment.spec.strategy
    head, rollout = view.head, view.rollout
    if head and head.outcome is Outcome.SERVING and head.healthy_since:
        yield view.until(head.healthy_since, bake(view.inputs.deployment.spec, view.inputs.policy))
    if head and head.outcome is Outcome.SERVING and len(view.status.history) > 1:
        yield handover_ends(head)
    if view.status.hold is not None:
        yield ends_at(view.status.hold, view.inputs.policy)
    if must_give_way(view) is not None and not must_stop(view):
        yield deadline(view)
        yield view.inputs.now + WAITING_TARGET
    if rollout.state in {RolloutState.STARTING, RolloutState.ROLLING_BACK}:
        limit = progress_deadline(view.inputs.deployment.spec, view.inputs.policy)
        yield view.until(rollout.since, limit)
    if rollout.state in _SHOWN:
        yield view.inputs.now + CANARY_LOOK
        record = rollout.canary or rollout.mirror
        if record and record.short_since:
            limit = progress_deadline(view.inputs.deployment.spec, view.inputs.policy)
            yield view.until(record.short_since, limit)
    for entry in stable_entries(view.status)[:1]:
        if entry.to:
            yield parse_timestamp(entry.to) + parse_duration(strategy.keep_warm)
    for until in view.inputs.urls_until.values():
        yield until - URL_MARGIN
    if any(not pod.ready for pod in view.inputs.pods):
        yield view.inputs.now + WAITING_PODS
    for version in view.inputs.versions:
        if version.metadata.name == rollout.model_version:
            yield from (
                parse_timestamp(approval.not_after)
                for approval in version.status.approvals
                if approval.not_after
            )
            asked = view.inputs.policy.spec.approvals if view.inputs.policy else None
            yield from approvals_in_force(version, view.inputs.name, asked, view.inputs.now).waiting
