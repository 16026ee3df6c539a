"""The record of rollouts in a Deployment's ``status``: what serves, served and is refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hallmark.api.drift_state import DriftState
from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeployment,
    ModelDeploymentStatus,
    Outcome,
    RefusedIntent,
    Rollout,
    RolloutState,
)
from hallmark.api.model_version import RolledBack
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.errors import IntegrityError
from hallmark.policies.model_version.renewal import last_of

HISTORY = 10
REFUSED = 10
"""Entries that are kept of each."""


def rollout_of(status: ModelDeploymentStatus) -> Rollout:
    """Return the rollout on record, or one that has not begun."""
    return status.rollout or Rollout()


def used_versions(status: ModelDeploymentStatus) -> frozenset[str]:
    """Return the names of the versions that serve, start, or could take over again."""
    named = (
        status.active_model_version,
        status.stable_model_version,
        status.candidate_model_version,
        rollout_of(status).model_version,
        *(entry.version for entry in status.history if entry.was_stable),
    )
    return frozenset(name for name in named if name)


def recorded_version(rollout: Rollout) -> tuple[str, str]:
    """Return name and digest of the version on record.

    Raises:
        IntegrityError: there is none, which no transition leads to.
    """
    if rollout.model_version is None or rollout.manifest_digest is None:
        raise IntegrityError(
            f"status.rollout is {rollout.state} but names no version; somebody else wrote it."
        )
    return rollout.model_version, rollout.manifest_digest


def serving_rollout(status: ModelDeploymentStatus) -> Rollout:
    """Return the record of what serves, without a candidate; what drift did is kept."""
    head = status.history[0] if status.history else None
    return rollout_of(status).replace(
        intent_hash=head.intent_hash if head else "",
        model_version=head.version if head else None,
        manifest_digest=head.manifest_digest if head else None,
        trust_sha256=head.trust_sha256 if head else "",
        reason="",
        message="",
        released=False,
    )


def without_candidate(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Return the record without what was to serve next."""
    return status.replace(candidate_model_version=None, candidate_digest=None)


def serve(
    status: ModelDeploymentStatus, entry: HistoryEntry, former: list[HistoryEntry]
) -> ModelDeploymentStatus:
    """Return the record with another version that serves, before those that did."""
    return without_candidate(status).replace(
        active_model_version=entry.version,
        active_digest=entry.manifest_digest,
        drift_state=fresh_drift(status, entry.manifest_digest),
        history=_bounded([entry, *former]),
    )


def closed_history(status: ModelDeploymentStatus, outcome: Outcome, now: str) -> list[HistoryEntry]:
    """Return the history, with the end and the outcome of what served until now."""
    if not status.history:
        return []
    head = status.history[0].replace(
        to=now, outcome=outcome, healthy_since=None, in_time=_in_time(status)
    )
    return [head, *status.history[1:]]


def _in_time(status: ModelDeploymentStatus) -> str:
    """Return the limit within which the answers of what serves are; empty where nobody knows."""
    state = status.drift_state
    if state is None or state.manifest_digest != status.active_digest or state.answers is None:
        return ""
    return state.answers.within


def _bounded(history: list[HistoryEntry]) -> list[HistoryEntry]:
    """Return the newest entries; the newest that was stable stays, however old."""
    kept = history[:HISTORY]
    if any(entry.was_stable for entry in kept[1:]):
        return kept
    stable = next((entry for entry in history[HISTORY:] if entry.was_stable), None)
    return [*kept[:-1], stable] if stable else kept


def gave_way(deployments: Iterable[ModelDeployment], digest: str) -> RolledBack | None:
    """Return the last time that some bytes had to give way, as far as it is on record there."""
    found: list[RolledBack] = []
    for deployment in deployments:
        name, status = deployment.metadata.name, deployment.status
        last, rollout = status.last_rollback, rollout_of(status)
        if last is not None and last.from_digest == digest:
            found.append(RolledBack(time=last.time, deployment=name, reason=last.reason))
        stopped = rollout.cause == DeploymentReason.STOPPED and status.active_digest == digest
        if stopped and rollout.since:
            found.append(RolledBack(time=rollout.since, deployment=name, reason=rollout.cause))
    return last_of(*found)


def refuse(
    status: ModelDeploymentStatus, intent_hash: str, digest: str | None, reason: str, now: str
) -> ModelDeploymentStatus:
    """Return the record with an intent among the refused, newest first."""
    if digest is None:
        return status
    entry = RefusedIntent(intent_hash=intent_hash, manifest_digest=digest, reason=reason, time=now)
    others = [
        former
        for former in status.refused
        if (former.intent_hash, former.manifest_digest) != (intent_hash, digest)
    ]
    return status.replace(refused=[entry, *others][:REFUSED])


def without_lost_target(
    status: ModelDeploymentStatus, reason: str, now: datetime
) -> ModelDeploymentStatus:
    """Return the record with the rollback's target on record refused, where it did not start."""
    rollout = rollout_of(status)
    if not reason or rollout.state is not RolloutState.ROLLING_BACK:
        return status
    return refuse(status, rollout.intent_hash, rollout.manifest_digest, reason, timestamp(now))


def rollback_is_over(
    status: ModelDeploymentStatus, by: str = "", now: str | None = None
) -> ModelDeploymentStatus:
    """Return the record with the last rollback acknowledged: somebody has acted since.

    Args:
        status: the record.
        by: who acknowledged it, and
        now: when; both only where a person did.
    """
    last = status.last_rollback
    if last is None:
        return status
    if by and not last.acknowledged_by:
        last = last.replace(acknowledged_by=by, acknowledged_at=now)
    return status.replace(last_rollback=last.replace(acknowledged=True))


def fresh_drift(status: ModelDeploymentStatus, digest: str) -> DriftState:
    """Return the state before any window of the version counts; accepted sequences stay."""
    former = status.drift_state or DriftState()
    return DriftState(manifest_digest=digest, pods=former.pods, windows=former.windows)
