"""``registry.json``: every model with its versions, readable without a cluster. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark_dashboard.views.remembered import remembered

SCHEMA_VERSION = "hallmark.dev/cluster-registry/v1"
"""Its ``models`` read as those of a local ``registry.json``; the objects stay in the cluster."""


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
    models: dict[str, dict[str, Any]] = {}
    model_of: dict[tuple[str, str], str] = {}
    for version in sorted(versions, key=lambda one: one.spec.version):
        key = f"{version.metadata.namespace}/{version.spec.model}"
        empty: dict[str, Any] = {"active": None, "stable": None, "deployments": {}, "versions": []}
        models.setdefault(key, empty)["versions"].append(entry(version))
        model_of[version.metadata.namespace, version.metadata.name] = key
    for found in deployments:
        status, metadata = found.status, found.metadata
        named = status.active_model_version or status.stable_model_version
        model = model_of.get((metadata.namespace, named or ""))
        if model is None:
            continue
        uses = {"active": status.active_model_version, "stable": status.stable_model_version}
        models[model]["deployments"][metadata.name] = uses
        for place, name in uses.items():
            models[model][place] = models[model][place] or name
    return {
        "schemaVersion": SCHEMA_VERSION,
        "time": now,
        "models": dict(sorted(models.items())),
    }


@remembered
def entry(version: ModelVersion) -> dict[str, Any]:
    """Return a version's entry."""
    spec, status, metadata = version.spec, version.status, version.metadata
    return {
        "name": metadata.name,
        "version": spec.version,
        "approved": status.is_true(VersionCondition.APPROVED),
        "denied": status.is_true(VersionCondition.DENIED),
        "revoked": status.is_true(VersionCondition.REVOKED),
        "manifestDigest": spec.artifact.manifest_digest,
        "signedBy": status.key_id if status.is_true(VersionCondition.VERIFIED) else None,
        "artifact": spec.artifact.uri,
        "uid": metadata.uid,
        "created": metadata.creation_timestamp or "",
        "trainingRun": spec.training_run.name,
        "requestedBy": spec.requested_by.to_wire(),
        "datasetFingerprint": spec.dataset_fingerprint,
        "gateReportDigest": spec.gate_report_digest,
        "sbomDigest": spec.sbom_digest,
        "baselineDigest": spec.baseline_digest,
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
    }
