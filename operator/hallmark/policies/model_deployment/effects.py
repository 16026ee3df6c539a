"""What each effect of the state machine does to the record in ``status``. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hallmark.api.common import timestamp
from hallmark.api.model_deployment import (
    DeploymentReason,
    HistoryEntry,
    LastRollback,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
)
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.record import (
    closed_history,
    fresh_drift,
    recorded_version,
    refuse,
    rollback_is_over,
    rollout_of,
    serve,
    serving_rollout,
    without_candidate,
)
from hallmark.policies.model_deployment.transitions import Effect, Event, Transition
from hallmark.policies.model_deployment.trust import trust_of, trust_sha256


@dataclass(frozen=True)
class Found:
    """An event, and what belongs to it."""

    event: Event
    version: ModelVersion | None = None
    """The candidate, or the target of a rollback."""
    intent_hash: str = ""
    """Of the intent that becomes the candidate."""
    reason: str = ""
    message: str = ""
    actor: str = ""
    """The person who asked for it; empty: the operator itself."""
    lost: str = ""
    """Why the target on record did not start; it is not chosen again."""


def carry_out(
    step: Transition, found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    """Return the record after a transition."""
    changed = _EFFECTS[step.effect](found, status, inputs)
    before, after = status.rollout or Rollout(), changed.rollout or Rollout()
    since = before.since if before.state is step.state and _same(before, after) else None
    rollout = after.replace(state=step.state, since=since or timestamp(inputs.now))
    return changed.replace(rollout=rollout)


def _same(before: Rollout, after: Rollout) -> bool:
    return (before.intent_hash, before.manifest_digest, before.drift_since) == (
        after.intent_hash,
        after.manifest_digest,
        after.drift_since,
    )


def _begin(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    assert found.version is not None  # noqa: S101 - an intent has a version
    rollout = rollout_of(status).replace(
        intent_hash=found.intent_hash,
        model_version=found.version.metadata.name,
        manifest_digest=found.version.spec.artifact.manifest_digest,
        reason="",
        message="",
        trust_sha256="",
        released=False,
    )
    return without_candidate(status).replace(rollout=rollout)


def _drop(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    return without_candidate(status).replace(rollout=serving_rollout(status))


def _await(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    rollout = rollout_of(status)
    return status.replace(
        candidate_model_version=rollout.model_version,
        candidate_digest=rollout.manifest_digest,
        rollout=rollout.replace(trust_sha256=""),
    )


def _start(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    assert found.version is not None  # noqa: S101 - the candidate
    trust = trust_of(inputs, found.version)
    rollout = rollout_of(status)
    return status.replace(
        candidate_model_version=rollout.model_version,
        candidate_digest=rollout.manifest_digest,
        rollout=rollout.replace(trust_sha256=trust_sha256(trust) if trust else ""),
    )


def _refuse(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    rollout = rollout_of(status).replace(
        reason=found.reason, message=found.message, trust_sha256=""
    )
    refused = refuse(
        status, rollout.intent_hash, rollout.manifest_digest, found.reason, timestamp(inputs.now)
    )
    return without_candidate(refused).replace(rollout=rollout)


def _promote(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    rollout, now = rollout_of(status), timestamp(inputs.now)
    version, digest = recorded_version(rollout)
    head = status.history[0] if status.history else None
    same = head is not None and head.manifest_digest == digest
    entry = HistoryEntry(
        version=version,
        manifest_digest=digest,
        from_=now,
        outcome=Outcome.SERVING,
        # The same bytes under another intent were stable already, if they were.
        was_stable=head.was_stable if head and same else False,
        intent_hash=rollout.intent_hash,
        trust_sha256=rollout.trust_sha256,
        healthy_since=now,
    )
    former = status.history[1:] if same else closed_history(status, Outcome.REPLACED, now)
    served = serve(rollback_is_over(status), entry, former)
    return served.replace(
        rollout=rollout.replace(
            reason="",
            message="",
            cause="",
            released=False,
            drift_rollback_spent=False,
            drift_since=now,
        )
    )


def _settle(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    head = status.history[0].replace(outcome=Outcome.STABLE, was_stable=True)
    return status.replace(
        stable_model_version=head.version,
        stable_digest=head.manifest_digest,
        history=[head, *status.history[1:]],
    )


def _turn_back(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    assert found.version is not None  # noqa: S101 - the target
    serving = serving_rollout(status)
    digest = found.version.spec.artifact.manifest_digest
    cause = _cause(found, status)
    refused = without_lost_target(_refuse_serving(status, cause, inputs), found.lost, inputs)
    rollout = serving.replace(
        model_version=found.version.metadata.name,
        manifest_digest=digest,
        reason=cause,
        message=found.message,
        trust_sha256=_target_trust(found.version, status, inputs),
        drift_rollback_spent=(
            serving.drift_rollback_spent or cause == DeploymentReason.DRIFT_ROLLBACK
        ),
    )
    return without_candidate(refused).replace(rollout=rollout)


def _switch_back(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    rollout, now = rollout_of(status), timestamp(inputs.now)
    version, digest = recorded_version(rollout)
    head = status.history[0]
    entry = HistoryEntry(
        version=version,
        manifest_digest=digest,
        from_=now,
        outcome=Outcome.STABLE,
        was_stable=True,
        intent_hash=rollout.intent_hash,
        trust_sha256=rollout.trust_sha256,
        healthy_since=now,
    )
    served = serve(status, entry, closed_history(status, Outcome.ROLLED_BACK, now))
    return served.replace(
        stable_model_version=entry.version,
        stable_digest=entry.manifest_digest,
        last_rollback=LastRollback(
            from_=head.version,
            to=entry.version,
            from_digest=head.manifest_digest,
            to_digest=entry.manifest_digest,
            reason=rollout.reason,
            message=rollout.message,
            time=now,
        ),
        rollout=rollout.replace(cause="", drift_since=now),
    )


def _hold(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    serving, cause = serving_rollout(status), _cause(found, status)
    refused = without_lost_target(status, found.lost, inputs)
    rollout = serving.replace(
        reason=DeploymentReason.NO_VERIFIED_TARGET,
        message=found.message,
        cause=cause,
        drift_rollback_spent=(
            serving.drift_rollback_spent or cause == DeploymentReason.DRIFT_ROLLBACK
        ),
    )
    return without_candidate(refused).replace(rollout=rollout)


def _stop(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    held = _hold(found, status, inputs)
    rollout = rollout_of(held).replace(
        reason=DeploymentReason.STOPPED, cause=DeploymentReason.STOPPED
    )
    return held.replace(rollout=rollout)


def _forget(
    found: Found, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    return rollback_is_over(status).replace(
        drift_state=fresh_drift(status, status.active_digest) if status.active_digest else None,
        rollout=rollout_of(status).replace(
            cause="", drift_rollback_spent=False, drift_since=timestamp(inputs.now)
        ),
    )


_EFFECTS: dict[
    Effect, Callable[[Found, ModelDeploymentStatus, DeploymentInputs], ModelDeploymentStatus]
] = {
    Effect.BEGIN: _begin,
    Effect.DROP: _drop,
    Effect.AWAIT: _await,
    Effect.START: _start,
    Effect.REFUSE: _refuse,
    Effect.PROMOTE: _promote,
    Effect.SETTLE: _settle,
    Effect.TURN_BACK: _turn_back,
    Effect.SWITCH_BACK: _switch_back,
    Effect.HOLD: _hold,
    Effect.STOP: _stop,
    Effect.FORGET: _forget,
}


def _cause(found: Found, status: ModelDeploymentStatus) -> str:
    """Return why there is a rollback: of the one on record, where there is one."""
    rollout = rollout_of(status)
    return rollout.reason if rollout.state is RolloutState.ROLLING_BACK else found.reason


def without_lost_target(
    status: ModelDeploymentStatus, reason: str, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    """Return the record with the rollback's target on record refused, where it did not start."""
    rollout = rollout_of(status)
    if not reason or rollout.state is not RolloutState.ROLLING_BACK:
        return status
    return refuse(
        status, rollout.intent_hash, rollout.manifest_digest, reason, timestamp(inputs.now)
    )


def _refuse_serving(
    status: ModelDeploymentStatus, cause: str, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    if rollout_of(status).state is RolloutState.ROLLING_BACK:
        return status
    head = status.history[0]
    return refuse(status, head.intent_hash, head.manifest_digest, cause, timestamp(inputs.now))


def _target_trust(
    version: ModelVersion, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> str:
    """Return the trust of Pods that are still warm, which must not restart, else today's."""
    digest = version.spec.artifact.manifest_digest
    workload = inputs.workload(digest)
    recorded = next(
        (each.trust_sha256 for each in status.history if each.manifest_digest == digest), ""
    )
    if workload and workload.trust_sha256 == recorded and recorded in inputs.trusts:
        return recorded
    trust = trust_of(inputs, version)
    return trust_sha256(trust) if trust else ""
