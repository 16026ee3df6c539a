"""Versions and records of what serves, for triggers."""

from __future__ import annotations

from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeploymentStatus,
    Rollout,
    RolloutState,
)
from hallmark.api.model_policy import OnNoTarget, OnRevocation
from hallmark.api.texts import timestamp
from tests.unit.policies.model_deployment.rollouts import (
    asked,
    at,
    candidate_status,
    drifted,
    entry,
    going_back_status,
    serving_status,
    version,
)

V1, V2, V3 = version(1), version(2), version(3)
RAW2 = version(2, approvals=())
REVOKED2 = version(2, revoked=True)
FALLEN2 = version(2, verified="SignerRevoked")
STARTING, AWAITING = RolloutState.STARTING, RolloutState.AWAITING_APPROVAL
PINNED = {"model": None, "model_version": "credit-v2"}
PINNED1 = {"model": None, "model_version": "credit-v1"}
STOP, BLOCK, HOLD = OnRevocation.STOP, OnRevocation.BLOCK, OnNoTarget.HOLD


def served(number: int, start: float = 0) -> HistoryEntry:
    """Return what serves now, as ``spec()`` asks for it."""
    return entry(number, start=start, intent=asked(number))


SERVING1 = serving_status(served(1))
SERVING2 = serving_status(served(2, 10), entry(1, end=10))
FIRST = candidate_status(1, state=STARTING)
BACK1 = going_back_status(1, served(2, 10), entry(1, end=10))
BAKING = serving_status(entry(1, stable=False, intent=asked(1)), state=RolloutState.PROMOTED)


def noted_at(status: ModelDeploymentStatus, seconds: float = 0) -> ModelDeploymentStatus:
    """Return the record that knows since when what serves must give way."""
    rollout = status.rollout or Rollout()
    return status.replace(rollout=rollout.replace(withdrawn_since=timestamp(at(seconds))))


def with_drift(
    status: ModelDeploymentStatus, number: int, **rollout: object
) -> ModelDeploymentStatus:
    """Return the record with a verdict on a version's traffic."""
    changed = (status.rollout or Rollout()).replace(**rollout)
    return status.replace(drift_state=drifted(number), rollout=changed)
