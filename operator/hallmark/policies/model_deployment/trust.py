"""What a version's predictors are to trust; fixed when its Pods start."""

from __future__ import annotations

from datetime import datetime

from hallmark.api.drift import Drift
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import sha256_digest
from hallmark.api.trust import Trust, TrustApproval
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_version.approvals import approvals_in_force


def trust_of(inputs: DeploymentInputs, version: ModelVersion) -> Trust | None:
    """Return what the version's predictors are to trust, or None before its bytes verified."""
    verification = inputs.verifications.get(version.spec.artifact.manifest_digest)
    if inputs.policy is None or verification is None or verification.refusal is not None:
        return None
    return trust_here(
        version,
        inputs.policy.spec,
        verification.manifest,
        inputs.name,
        inputs.deployment.spec.drift,
        inputs.now,
    )


def trust_here(
    version: ModelVersion,
    policy: ModelPolicySpec,
    manifest: str,
    deployment: str,
    drift: Drift,
    now: datetime,
) -> Trust:
    """Return what predictors of a version are to trust; whether that suffices is theirs to say.

    Args:
        version: the version, with the decisions on it that were accepted.
        policy: whose keys and approvals count.
        manifest: the text of ``manifest.json``.
        deployment: the name of what serves it.
        drift: how its traffic is watched.
        now: when approvals must be in force (aware).
    """
    spec, metadata = version.spec, version.metadata
    asked = policy.approvals
    approvals = approvals_in_force(version, deployment, asked, now).records
    return Trust(
        namespace=metadata.namespace,
        deployment=deployment,
        model_version=metadata.name,
        model_version_uid=metadata.uid,
        version=spec.version,
        sealed_at=metadata.creation_timestamp,
        manifest=manifest,
        manifest_digest=spec.artifact.manifest_digest,
        bundle=spec.bundle,
        keys=policy.signers,
        approvals=[
            TrustApproval(
                uid=record.uid,
                approver=record.approver,
                manifest_digest=spec.artifact.manifest_digest,
                sbom_digest=spec.sbom_digest,
                gate_report_digest=spec.gate_report_digest,
                model_version_uid=metadata.uid,
                not_after=record.not_after,
            )
            for record in sorted(approvals, key=lambda record: record.uid)
        ],
        minimum_approvals=asked.minimum,
        groups=asked.groups,
        policy_digest=policy.digest,
        drift=drift,
    )


def trust_sha256(trust: Trust) -> str:
    """Return the SHA-256 (hex) of ``trust.json``."""
    return sha256_digest(trust.to_bytes()).removeprefix("sha256:")
