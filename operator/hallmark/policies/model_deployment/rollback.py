"""Where a rollback goes: the newest version that was stable and passes every check today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hallmark.api.drift import Drift
from hallmark.api.model_deployment import HistoryEntry, ModelDeploymentStatus, RefusedIntent
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.checks import Proposal
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, Wait


@dataclass(frozen=True)
class TargetMissing:
    """No version can take over, and why each was passed over."""

    message: str


def refused_since(entry: HistoryEntry, refused: Iterable[RefusedIntent]) -> bool:
    """Tell whether a version was refused after this time in service began."""
    began = parse_timestamp(entry.from_)
    return any(
        intent.manifest_digest == entry.manifest_digest and parse_timestamp(intent.time) >= began
        for intent in refused
    )


def stable_entries(status: ModelDeploymentStatus) -> list[HistoryEntry]:
    """Return the times in service that a rollback may go back to, newest first.

    Only versions that were stable, other than the one that serves, and each once.
    """
    found: dict[str, HistoryEntry] = {}
    for entry in status.history:
        if entry.was_stable and entry.manifest_digest != status.active_digest:
            found.setdefault(entry.manifest_digest, entry)
    return list(found.values())


def in_time(status: ModelDeploymentStatus, drift: Drift) -> ModelDeploymentStatus:
    """Return the record with those versions alone that had been within today's ``maxLatency``."""
    limits = drift.requests
    if limits is None or limits.max_latency is None:
        return status.replace(history=[])
    most = parse_duration(limits.max_latency)
    kept = [
        entry for entry in status.history if entry.in_time and parse_duration(entry.in_time) <= most
    ]
    return status.replace(history=kept)


def find_target(
    inputs: DeploymentInputs,
    status: ModelDeploymentStatus,
    named: str | None = None,
    *,
    urgent: bool = False,
) -> ModelVersion | TargetMissing | Need | Wait:
    """Return the target of a rollback from what serves.

    Args:
        inputs: the cluster as it is.
        status: the record.
        named: the version that a person asked for; only that one is looked at.
        urgent: no version is waited for while an older one passes.
    """
    passed_over: list[str] = []
    waits: list[Wait] = []
    for entry in stable_entries(status):
        if named is not None and entry.version != named:
            continue
        found = _look_at(entry, inputs, status)
        if isinstance(found, Wait) and urgent:
            waits.append(found)
        elif isinstance(found, str):
            passed_over.append(found)
        else:
            return found
    if waits:
        return waits[0]
    if passed_over:
        return TargetMissing(" ".join(passed_over))
    wanted = f"version '{named}'" if named else "any other version"
    return TargetMissing(f"Expected {wanted} in the history that was stable, found none.")


def passes(version: ModelVersion, inputs: DeploymentInputs) -> str | Need | Wait | None:
    """Return why a version cannot take over now (a sentence if it never can), or None."""
    refusal = checks.rejection(version, inputs)
    refusal = refusal or checks.is_approved_here(Proposal(version, inputs))
    if refusal is not None:
        return refusal.message
    missing = checks.verified(version, inputs)
    if isinstance(missing, Wait) and missing.reason == DeploymentReason.VERIFICATION_FAILED:
        return missing.message
    return missing


def _look_at(
    entry: HistoryEntry, inputs: DeploymentInputs, status: ModelDeploymentStatus
) -> ModelVersion | str | Need | Wait:
    if refused_since(entry, status.refused):
        return f"Version '{entry.version}' was refused after it had served."
    version = inputs.version(entry.version, entry.manifest_digest)
    if version is None:
        return f"ModelVersion '{entry.version}' with the bytes that served does not exist."
    if version.metadata.deletion_timestamp is not None:
        return f"ModelVersion '{entry.version}' is being deleted."
    return passes(version, inputs) or version
