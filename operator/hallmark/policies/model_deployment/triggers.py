"""Which event there is: what serves is looked at first, then the candidate, then the bake."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.artifacts import REFUSED_EXIT_CODE
from hallmark.api.model_deployment import (
    DeploymentReason,
    HistoryEntry,
    Outcome,
    RollbackMode,
    RolloutState,
)
from hallmark.api.model_policy import OnNoTarget, OnRevocation
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.checks import Examination
from hallmark.policies.model_deployment.effects import Found, without_lost_target
from hallmark.policies.model_deployment.inputs import Need, Wait, Workload
from hallmark.policies.model_deployment.intent import Intent, is_refused
from hallmark.policies.model_deployment.rollback import NoTarget, find_target, passes
from hallmark.policies.model_deployment.transitions import Event
from hallmark.policies.model_deployment.view import View
from hallmark.policies.refusals import Refusal

CANDIDATE = (
    RolloutState.VERIFYING,
    RolloutState.AWAITING_APPROVAL,
    RolloutState.STARTING,
)
"""The states in which a candidate is under way."""
Look = Found | Need | Wait | None
"""What looking at one side of a Deployment shows."""


def look(view: View) -> Look:
    """Return the next event, bytes to verify first, or why there is nothing to do."""
    serving = look_at_serving(view)
    if serving is not None:
        return serving
    candidate = look_at_candidate(view)
    if isinstance(candidate, Found | Need):
        return candidate
    return look_at_bake(view) or candidate


# -- what serves ------------------------------------------------------------------------------


def look_at_serving(view: View) -> Look:
    """Return what a revocation, drift or a rollback under way asks for."""
    if view.head is None:
        return None
    return _look_at_revocation(view) or _look_at_drift(view) or _look_at_rollback(view)


def _look_at_revocation(view: View) -> Look:
    policy, active = view.inputs.policy, view.active
    if policy is None or active is None or view.stopped:
        return None
    refusal = checks.revoked(Examination(active, view.inputs))
    mode = policy.spec.approvals.on_revocation
    if refusal is None or mode is OnRevocation.BLOCK:
        return None
    if mode is OnRevocation.STOP:
        return Found(
            Event.STOP, reason=DeploymentReason.REVOCATION_ROLLBACK, message=refusal.message
        )
    if (
        view.rollout.state is RolloutState.ROLLING_BACK
        or view.rollout.cause == DeploymentReason.REVOCATION_ROLLBACK
    ):
        return None
    return roll_back(view, DeploymentReason.REVOCATION_ROLLBACK, refusal.message)


def _look_at_drift(view: View) -> Look:
    drift = view.status.drift_state
    if (
        drift is None
        or drift.verdict != "Drifted"
        or drift.manifest_digest != view.status.active_digest
        or view.inputs.deployment.spec.rollback is not RollbackMode.AUTOMATIC
        or view.rollout.drift_rollback_spent
        or view.rollout.state is RolloutState.ROLLING_BACK
        or view.stopped
    ):
        return None
    moved = ", ".join(f"{each.feature} (PSI {each.psi})" for each in drift.top[:3])
    message = f"The traffic of '{view.status.active_model_version}' has drifted: {moved}."
    return roll_back(view, DeploymentReason.DRIFT_ROLLBACK, message)


def roll_back(
    view: View, cause: str, message: str, actor: str = "", named: str | None = None
) -> Look:
    """Return the rollback to the best target, or what the policy says where there is none."""
    return _towards(view, find_target(view.inputs, view.status, named), cause, message, actor)


def _towards(
    view: View,
    target: ModelVersion | NoTarget | Need | Wait,
    cause: str,
    message: str,
    actor: str = "",
    lost: str = "",
) -> Look:
    if isinstance(target, Need | Wait):
        return target
    if isinstance(target, ModelVersion):
        return Found(Event.ROLL_BACK, target, reason=cause, message=message, actor=actor, lost=lost)
    policy = view.inputs.policy
    stop = policy is not None and policy.spec.approvals.on_no_target is OnNoTarget.STOP
    return Found(
        Event.STOP if stop else Event.NO_TARGET,
        reason=cause,
        message=f"{message} {target.message}",
        actor=actor,
        lost=lost,
    )


def _look_at_rollback(view: View) -> Look:
    """Complete the rollback on record, to the target on record if it still passes."""
    rollout, inputs = view.rollout, view.inputs
    if rollout.state is not RolloutState.ROLLING_BACK:
        return None
    target = inputs.version(rollout.model_version, rollout.manifest_digest)
    if target is None:
        return _another_target(view, "", f"ModelVersion '{rollout.model_version}' is gone.")
    problem = passes(target, inputs)
    if isinstance(problem, str):
        return _another_target(view, "", problem)
    failure = did_not_start(view)
    if failure is not None:
        return _another_target(view, failure.reason, failure.message)
    if problem is not None:
        return problem
    if is_running(view, rollout.manifest_digest, rollout.trust_sha256, none_asked=True):
        return Found(Event.TARGET_READY, target, reason=rollout.reason, message=rollout.message)
    return Wait(
        DeploymentReason.ROLLING_BACK,
        f"Rolling back to '{rollout.model_version}'; its Pods are starting.",
    )


def _another_target(view: View, lost: str, why: str) -> Look:
    remaining = without_lost_target(view.status, lost, view.inputs)
    return _towards(view, find_target(view.inputs, remaining), view.rollout.reason, why, lost=lost)


# -- the candidate ----------------------------------------------------------------------------


def look_at_candidate(view: View) -> Look:
    """Return what the intent of today means for the candidate on record."""
    if view.rollout.state is RolloutState.ROLLING_BACK:
        return None
    under_way = view.rollout.state in CANDIDATE
    intent = view.intent
    if under_way:
        rejected = _rejected_candidate(view)
        if rejected is not None:
            return rejected
    if intent is None:
        return Found(Event.WITHDRAWN) if under_way else _no_version(view)
    if under_way and intent.hash == view.rollout.intent_hash:
        return _look_at_current(view, intent)
    serves = view.head is not None and view.head.intent_hash == intent.hash
    if serves or is_refused(intent, view.status.refused):
        waits = under_way or (serves and view.rollout.state is RolloutState.REFUSED)
        return Found(Event.WITHDRAWN) if waits else None
    return Found(Event.INTENT, intent.version, intent_hash=intent.hash)


def _rejected_candidate(view: View) -> Found | None:
    rollout = view.rollout
    version = view.inputs.version(rollout.model_version, rollout.manifest_digest)
    refusal = checks.rejection(version, view.inputs) if version else None
    return refuse_candidate(refusal) if refusal else None


def refuse_candidate(refusal: Refusal, actor: str = "") -> Found:
    """Return the event that refuses the candidate."""
    return Found(Event.REFUSED, reason=refusal.reason, message=refusal.message, actor=actor)


def _no_version(view: View) -> Wait | None:
    if view.rollout.state is RolloutState.REFUSED:
        return None
    spec = view.inputs.deployment.spec
    asked = (
        f"ModelVersion '{spec.model_version}'"
        if spec.model_version
        else f"a ModelVersion of model '{spec.model}'"
    )
    return Wait(
        DeploymentReason.VERSION_MISSING,
        f"Expected {asked} that nobody rejected, found none in this namespace (yet).",
    )


def _look_at_current(view: View, intent: Intent) -> Look:
    """Return what the candidate on record needs next; it is what is asked for."""
    inputs, state = view.inputs, view.rollout.state
    unapproved = checks.not_approved(Examination(intent.version, inputs))
    if unapproved is not None and state is not RolloutState.VERIFYING:
        if state is RolloutState.STARTING:
            return Found(Event.UNAPPROVED, intent.version, message=unapproved.message)
        return Wait(unapproved.reason, unapproved.message)
    if state is RolloutState.STARTING:
        return _look_at_starting(view, intent)
    missing = checks.verified(intent.version, inputs)
    if missing is not None:
        return missing
    if unapproved is not None:
        return Found(Event.UNAPPROVED, intent.version, message=unapproved.message)
    if inputs.foreign:
        return Wait(DeploymentReason.FOREIGN_OBJECT, inputs.foreign[0], stalled=True, again=5.0)
    return Found(Event.CLEARED, intent.version)


def _look_at_starting(view: View, intent: Intent) -> Look:
    failure = did_not_start(view)
    if failure is not None:
        return refuse_candidate(failure)
    spec = view.inputs.deployment.spec
    if spec.replicas == 0:
        return Wait(
            DeploymentReason.STARTING,
            f"'{intent.version.metadata.name}' takes over when replicas is above 0 "
            f"and its Pods are ready.",
        )
    if not is_running(view, intent.digest, view.rollout.trust_sha256):
        return Wait(
            DeploymentReason.STARTING,
            f"The Pods of '{intent.version.metadata.name}' are starting{_what_pods_say(view)}.",
        )
    if view.frozen:
        return Wait(
            DeploymentReason.SUSPENDED,
            f"'{intent.version.metadata.name}' is ready; promotion is frozen "
            f"(spec.suspend or a pause). Resume, or promote it by an action.",
        )
    return checks.verified(intent.version, view.inputs) or Found(Event.READY, intent.version)


def did_not_start(view: View) -> Refusal | None:
    """Return why the Pods on record (of the candidate or target) will not become ready."""
    rollout, spec = view.rollout, view.inputs.deployment.spec
    label = names.manifest_label(rollout.manifest_digest or "")
    for pod in view.inputs.pods:
        mine = pod.manifest == label and pod.trust_sha256 == rollout.trust_sha256
        if mine and not pod.ready and pod.exit_code == REFUSED_EXIT_CODE:
            return Refusal(
                DeploymentReason.PREDICTOR_REFUSED,
                f"Predictor '{pod.name}' refused '{rollout.model_version}': {pod.message}",
            )
    running = is_running(view, rollout.manifest_digest, rollout.trust_sha256)
    deadline = spec.strategy.progress_deadline
    waits = view.frozen and rollout.state is RolloutState.STARTING
    if running or spec.replicas == 0 or waits or not view.elapsed(rollout.since, deadline):
        return None
    return Refusal(
        DeploymentReason.PROGRESS_DEADLINE_EXCEEDED,
        f"Expected {spec.replicas} ready Pods of '{rollout.model_version}' within {deadline}, "
        f"found fewer{_what_pods_say(view)}; see its Pods, then change what is asked for.",
    )


def is_running(view: View, digest: str | None, trust: str, *, none_asked: bool = False) -> bool:
    """Tell whether all Pods that are asked for are ready, with that trust.

    Args:
        view: the inputs and the record.
        digest: the version's manifest digest.
        trust: the trust that its Pods must have been started with.
        none_asked: the answer where ``replicas`` is 0, so that no Pod could be ready.
    """
    replicas = view.inputs.deployment.spec.replicas
    if replicas == 0:
        return none_asked
    workload = view.inputs.workload(digest) if digest else None
    return workload is not None and workload.trust_sha256 == trust and _full(workload, replicas)


def _full(workload: Workload, replicas: int) -> bool:
    return workload.settled and workload.replicas >= replicas and workload.ready >= replicas


def _what_pods_say(view: View) -> str:
    label = names.manifest_label(view.rollout.manifest_digest or "")
    said = [
        f"Pod '{each.name}': {each.message}"
        for each in view.inputs.pods
        if each.manifest == label and not each.ready and each.message
    ]
    return f" ({said[0][:400]})" if said else ""


# -- baking -----------------------------------------------------------------------------------


def look_at_bake(view: View) -> Found | None:
    """Return that what serves counts as stable, once it has been healthy for ``bake``."""
    head, state = view.head, view.rollout.state
    if head is None or view.stopped:
        return None
    if head.outcome is Outcome.STABLE:
        return Found(Event.SETTLED) if state is RolloutState.IDLE else None
    drifted = view.status.drift_state is not None and view.status.drift_state.verdict == "Drifted"
    if drifted or not bake_is_over(view, head) or serves_revoked(view):
        return None
    return Found(Event.SETTLED, reason=DeploymentReason.SERVING)


def bake_is_over(view: View, head: HistoryEntry) -> bool:
    """Tell whether the version that serves has been healthy for ``bake`` without a break."""
    bake = view.inputs.deployment.spec.strategy.bake
    return head.healthy_since is not None and view.elapsed(head.healthy_since, bake)


def serves_revoked(view: View) -> bool:
    """Tell whether what serves was revoked, or its ModelVersion is gone."""
    active = view.active
    return active is None or checks.revoked(Examination(active, view.inputs)) is not None
