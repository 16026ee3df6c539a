"""Which versions must run, with how many Pods and which trust: follows from the record alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hallmark.api import names
from hallmark.api.artifacts import Trust
from hallmark.api.common import parse_duration, parse_timestamp
from hallmark.api.model_deployment import (
    DeploymentReason,
    HistoryEntry,
    ModelDeploymentStatus,
    Rollout,
    RolloutState,
)
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need
from hallmark.policies.model_deployment.rollback import refused_since, stable_entries
from hallmark.policies.model_deployment.trust import trust_of, trust_sha256

URL_LIFETIME = timedelta(days=1)
URL_MARGIN = timedelta(hours=12)
"""Presigned URLs that end sooner are replaced."""


@dataclass(frozen=True)
class PlannedVersion:
    """A version that must have Pods."""

    name: str
    digest: str
    replicas: int
    trust_sha256: str
    version: ModelVersion | None
    """None where the object is gone; the Pods stay as they are."""
    trust: Trust | None = None
    """To be written; None where it stands already."""
    refresh_urls: bool = False

    @property
    def label(self) -> str:
        """The manifest label."""
        return names.manifest_label(self.digest)


@dataclass(frozen=True)
class Plan:
    """What must run."""

    active_digest: str | None
    """Which version the Service selects; None: there is no Service yet."""
    versions: tuple[PlannedVersion, ...] = ()


def plan(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> Plan:
    """Return what must run so that the cluster is as the record says."""
    wanted = [
        *_serving(status, inputs),
        *_coming(status, inputs),
        *_warm(status, inputs),
    ]
    # The same bytes under a new intent are one workload, with the trust of the newer.
    by_digest = {version.digest: version for version in wanted}
    return Plan(status.active_digest, tuple(by_digest.values()))


def mend_trust(
    status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus | Need:
    """Return the record with today's trust where the recorded one is gone or was swapped.

    Nothing happens to a version whose trust stands: an approval that is added or expires later
    does not restart its Pods.
    """
    for planned in plan(status, inputs).versions:
        stands = planned.trust_sha256 in inputs.trusts
        if stands or planned.version is None or inputs.policy is None:
            continue
        if planned.digest not in inputs.verifications:
            return Need(planned.version)
        trust = trust_of(inputs, planned.version)
        if trust is not None and trust_sha256(trust) != planned.trust_sha256:
            status = _with_trust(status, planned.digest, trust_sha256(trust))
    return status


def _with_trust(status: ModelDeploymentStatus, digest: str, sha256: str) -> ModelDeploymentStatus:
    rollout = status.rollout
    if rollout and rollout.manifest_digest == digest:
        rollout = rollout.replace(trust_sha256=sha256)
    history = [
        entry.replace(trust_sha256=sha256) if entry.manifest_digest == digest else entry
        for entry in status.history
    ]
    return status.replace(rollout=rollout, history=history)


def _serving(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    if not status.history or status.active_digest is None:
        return []
    stopped = status.rollout is not None and status.rollout.cause == DeploymentReason.STOPPED
    head = status.history[0]
    replicas = 0 if stopped else inputs.deployment.spec.replicas
    return [_planned(head.version, head.manifest_digest, head.trust_sha256, replicas, inputs)]


def _coming(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    rollout = status.rollout or Rollout()
    if rollout.state not in {RolloutState.STARTING, RolloutState.ROLLING_BACK}:
        return []
    if not rollout.model_version or not rollout.manifest_digest:
        return []
    replicas = inputs.deployment.spec.replicas
    name, digest = rollout.model_version, rollout.manifest_digest
    return [_planned(name, digest, rollout.trust_sha256, replicas, inputs)]


def _warm(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    """Return the newest former version that a rollback could go to, while it is kept warm."""
    rollout = status.rollout or Rollout()
    if rollout.cause == DeploymentReason.STOPPED:
        return []
    coming = rollout.manifest_digest
    for entry in stable_entries(status):
        if refused_since(entry, status.refused):
            continue
        version = inputs.version(entry.version, entry.manifest_digest)
        kept = (
            entry.manifest_digest != coming
            and inputs.workload(entry.manifest_digest) is not None
            and version is not None
            and checks.rejection(version, inputs) is None
            and warm_until(entry, inputs) > inputs.now.timestamp()
        )
        replicas = inputs.deployment.spec.replicas
        digest, trust = entry.manifest_digest, entry.trust_sha256
        return [_planned(entry.version, digest, trust, replicas, inputs)] if kept else []
    return []


def warm_until(entry: HistoryEntry, inputs: DeploymentInputs) -> float:
    """Return until when (seconds since the epoch) a former version is kept warm."""
    if entry.to is None:
        return 0.0
    keep = parse_duration(inputs.deployment.spec.strategy.keep_warm)
    return (parse_timestamp(entry.to) + keep).timestamp()


def _planned(
    name: str, digest: str, sha256: str, replicas: int, inputs: DeploymentInputs
) -> PlannedVersion:
    version = inputs.version(name, digest)
    trust = trust_of(inputs, version) if version and sha256 not in inputs.trusts else None
    until = inputs.urls_until.get(names.manifest_label(digest))
    return PlannedVersion(
        name=name,
        digest=digest,
        replicas=replicas,
        trust_sha256=sha256,
        version=version,
        # Only the very trust that is on record: another would not be what the Pods demand.
        trust=trust if trust is not None and trust_sha256(trust) == sha256 else None,
        refresh_urls=until is None or until < inputs.now + URL_MARGIN,
    )
