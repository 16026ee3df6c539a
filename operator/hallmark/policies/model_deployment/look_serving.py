"""What a withdrawal, drift, crashes, packages or a rollback under way ask of what serves."""

from __future__ import annotations

from dataclasses import replace

from hallmark.api.model_deployment import RollbackMode, RolloutState
from hallmark.api.model_policy import OnNoTarget
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.crashes import crash_loop
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.packages import is_judged_alike, refused_packages
from hallmark.policies.model_deployment.pods import (
    did_not_start,
    has_one,
    is_running,
)
from hallmark.policies.model_deployment.record import without_lost_target
from hallmark.policies.model_deployment.rollback import TargetMissing, find_target, in_time, passes
from hallmark.policies.model_deployment.traffic import reason_to_roll_back
from hallmark.policies.model_deployment.triggers import (
    Look,
    NoTarget,
    Overdue,
    RollBack,
    Stop,
    TargetReady,
    on_hold,
)
from hallmark.policies.model_deployment.withdrawal import (
    approvals_of,
    deadline,
    ends_without_target,
    must_give_way,
    must_stop,
)


def look_at_serving(view: View) -> Look:
    """Return what a withdrawal, drift or a rollback under way asks for."""
    if view.head is None:
        return None
    return (
        look_at_withdrawal(view)
        or _look_at_drift(view)
        or _look_at_crashes(view)
        or _look_at_packages(view)
        or _look_at_rollback(view)
    )


def look_at_withdrawal(view: View) -> Look:
    """Return how what serves gives way, once it was withdrawn; before anything else is looked at.

    What was stopped goes on looking for something that may take its place.
    """
    refusal, cause = must_give_way(view), DeploymentReason.REVOCATION_ROLLBACK
    if refusal is None:
        return None
    if must_stop(view):
        return None if view.stopped else Stop(cause, refusal.message)
    rolls_back = view.rollout.state is RolloutState.ROLLING_BACK
    if not view.stopped and ends_without_target(view) and deadline(view) <= view.inputs.now:
        within = approvals_of(view.inputs).revocation_deadline
        late = f"{refusal.message} No other version could take over within {within}."
        return Overdue(cause, late) if rolls_back else Stop(cause, late)
    if rolls_back:
        return None
    found = _roll_back(view, cause, refusal.message, urgent=True)
    if isinstance(found, Need | RollBack):
        return found
    if view.stopped or (view.rollout.cause == cause and not isinstance(found, Stop)):
        return None  # It is on record already.
    if isinstance(found, Wait):
        return replace(found, message=f"{refusal.message} {found.message}")
    return found


def _look_at_drift(view: View) -> Look:
    spec = view.inputs.deployment.spec
    found = reason_to_roll_back(view.status, spec.drift)
    if (
        found is None
        or spec.rollback is not RollbackMode.AUTOMATIC
        or view.rollout.drift_rollback_spent
        or view.rollout.state is RolloutState.ROLLING_BACK
        or view.stopped
        or view.held is not None
    ):
        return None
    cause, reason = found
    if cause is DeploymentReason.LATENCY_ROLLBACK:
        return _roll_back_to_the_quicker(view, cause, reason)
    return _roll_back(view, cause, reason)


def _roll_back_to_the_quicker(view: View, cause: str, message: str) -> Look:
    """Return a rollback to a version that had been in time; without one there is none.

    Where nothing tells that another version would be quicker, moving the traffic helps nobody.
    """
    quicker = in_time(view.status, view.inputs.deployment.spec.drift)
    target = find_target(view.inputs, quicker)
    return None if isinstance(target, TargetMissing) else _towards(view, target, cause, message)


def _look_at_crashes(view: View) -> Look:
    """Return the rollback that a crash loop asks for: once, and never on from its target."""
    cause, last = DeploymentReason.CRASH_ROLLBACK, view.status.last_rollback
    if (
        view.inputs.deployment.spec.rollback is not RollbackMode.AUTOMATIC
        or view.rollout.state is RolloutState.ROLLING_BACK
        or view.rollout.cause == cause
        or (last is not None and not last.acknowledged)
        or view.stopped
        or view.held is not None
    ):
        return None
    crashes = crash_loop(view)
    return _roll_back(view, cause, crashes) if crashes else None


def _look_at_packages(view: View) -> Look:
    """Return the rollback that refused packages ask for: once, and never on from its target."""
    cause, last = DeploymentReason.PACKAGE_ROLLBACK, view.status.last_rollback
    if (
        view.rollout.state is RolloutState.ROLLING_BACK
        or view.rollout.cause == cause
        or (last is not None and not last.acknowledged)
        or view.stopped
        or view.held is not None
    ):
        return None
    refused = refused_packages(view)
    if refused is None:
        return None
    found = _roll_back(view, cause, refused.message)
    if isinstance(found, RollBack) and not is_judged_alike(found.target, view):
        name = found.target.metadata.name
        wait = f"{refused.message} '{name}' is being judged by the same rules."
        return Wait(DeploymentReason.VERIFYING, wait, again=checks.RETRY_SECONDS)
    return found


def _roll_back(view: View, cause: str, message: str, *, urgent: bool = False) -> Look:
    target = find_target(view.inputs, view.status, urgent=urgent)
    return _towards(view, target, cause, message)


def _towards(
    view: View,
    target: ModelVersion | TargetMissing | Need | Wait,
    cause: str,
    message: str,
    lost: str = "",
) -> Look:
    """Return the rollback to the target, or what the policy says where there is none."""
    if isinstance(target, Need | Wait):
        return target
    if isinstance(target, ModelVersion):
        return RollBack(target, cause, message, lost)
    late = cause == DeploymentReason.LATENCY_ROLLBACK  # A slow answer is better than none.
    trigger = Stop if _stops(view) and not late else NoTarget
    return trigger(cause, f"{message} {target.message}", lost)


def _stops(view: View) -> bool:
    """Tell whether what serves stops where nothing can take its place."""
    if must_give_way(view) is not None:
        return ends_without_target(view)
    return approvals_of(view.inputs).on_no_target is OnNoTarget.STOP


def _look_at_rollback(view: View) -> Look:
    """Complete the rollback on record, to the target on record if it still passes."""
    rollout, inputs = view.rollout, view.inputs
    if rollout.state is not RolloutState.ROLLING_BACK:
        return None
    if must_give_way(view) is None and (waits := on_hold(view)):
        return waits
    target = inputs.version(rollout.model_version, rollout.manifest_digest)
    if target is None:
        return _another_target(view, "", f"ModelVersion '{rollout.model_version}' is gone.")
    problem = passes(target, inputs)
    if isinstance(problem, str):
        return _another_target(view, "", problem)
    runs = is_running(view, rollout.manifest_digest, rollout.trust_sha256, none_asked=True)
    if must_give_way(view) is not None:
        # Small first: it scales when it serves.
        runs = runs or has_one(view, rollout.manifest_digest, rollout.trust_sha256)
    failure = None if runs else did_not_start(view)
    if failure is not None:
        return _another_target(view, failure.reason, failure.message)
    if problem is not None:
        return problem
    if runs:
        return TargetReady()
    return Wait(
        DeploymentReason.ROLLING_BACK,
        f"Rolling back to '{rollout.model_version}'; its Pods are starting.",
    )


def _another_target(view: View, lost: str, why: str) -> Look:
    remaining = without_lost_target(view.status, lost, view.inputs.now)
    if view.rollout.reason == DeploymentReason.LATENCY_ROLLBACK:
        remaining = in_time(remaining, view.inputs.deployment.spec.drift)
    urgent = must_give_way(view) is not None
    target = find_target(view.inputs, remaining, urgent=urgent)
    return _towards(view, target, view.rollout.reason, why, lost)
