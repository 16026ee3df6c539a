"""``registry.json``: every model with its versions, readable without a cluster. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion, VersionCondition

SCHEMA_VERSION = "hallmark.dev/registry/v1"


def registry(
    versions: Sequence[ModelVersion], deployments: Sequence[ModelDeployment], now: str
) -> dict[str, Any]:
    """Return the registry as JSON.

    ``approved`` is false until the operator says otherwise.

    Args:
        versions: what the person may see.
        deployments: what the person may see.
        now: when it is told, RFC 3339.
    """
    serving: dict[tuple[str, str], list[str]] = {}
    for found in deployments:
        if found.status.active_digest:
            place = (found.metadata.namespace, found.status.active_digest)
            serving.setdefault(place, []).append(found.metadata.name)
    models: dict[str, list[dict[str, Any]]] = {}
    for version in versions:
        key = f"{version.metadata.namespace}/{version.spec.model}"
        models.setdefault(key, []).append(entry(version, serving))
    for entries in models.values():
        entries.sort(key=lambda found: found["version"])
    return {"schemaVersion": SCHEMA_VERSION, "time": now, "models": models}


def entry(version: ModelVersion, serving: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    """Return a version's entry."""
    spec, status, metadata = version.spec, version.status, version.metadata
    digest = spec.artifact.manifest_digest
    return {
        "version": spec.version,
        "name": metadata.name,
        "uid": metadata.uid,
        "created": metadata.creation_timestamp or "",
        "trainingRun": spec.training_run.name,
        "requestedBy": spec.requested_by.to_wire(),
        "uri": spec.artifact.uri,
        "manifestDigest": digest,
        "datasetFingerprint": spec.dataset_fingerprint,
        "gateReportDigest": spec.gate_report_digest,
        "sbomDigest": spec.sbom_digest,
        "baselineDigest": spec.baseline_digest,
        "verified": status.is_true(VersionCondition.VERIFIED),
        "keyId": status.key_id or "",
        "approved": status.is_true(VersionCondition.APPROVED),
        "denied": status.is_true(VersionCondition.DENIED),
        "revoked": status.is_true(VersionCondition.REVOKED),
        "approvals": [
            {
                "approver": record.approver,
                "decision": record.decision,
                "accepted": record.accepted,
                "withdrawn": record.withdrawn,
                "time": record.time,
                "reason": record.reason,
            }
            for record in status.approvals
        ],
        "serving": serving.get((metadata.namespace, digest), []),
    }
