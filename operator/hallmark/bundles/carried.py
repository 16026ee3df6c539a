"""Served files that travel in the cluster, held to the same checks as the store's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hallmark.api.files import BASELINE, MANIFEST
from hallmark.api.findings import Finding
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.served import Baseline
from hallmark.policies.model_deployment.inputs import Verification
from hallmark.policies.sealed import read_baseline, version_contradiction
from hallmark.supply_chain.carried import carried_manifest
from hallmark.supply_chain.verify import SealedManifest, verify_sealed


def verify_carried(
    version: ModelVersion, policy: ModelPolicySpec, files: Mapping[str, bytes], now: datetime
) -> Verification | None:
    """Return that a version verifies by its carried files, or None where they cannot say so.

    Every byte that a predictor would load is hashed, and the signature checked with the policy's
    keys of today. Files that nothing serves (report, SBOM) are the store's alone. Carried files
    refute nothing: the sealed ones may be in the store.

    Args:
        version: what is to serve.
        policy: whose keys are trusted.
        files: by name, as they travelled.
        now: the moment at which the signer's key must not be revoked.
    """
    digest = version.spec.artifact.manifest_digest
    manifest = carried_manifest(files, digest)
    baseline = baseline_among(files, version.spec.baseline_digest)
    if isinstance(manifest, Finding) or baseline is None:
        return None
    text = files[MANIFEST].decode()
    sealed = verify_sealed(text, digest, version.spec.bundle, policy.signers, now, version.made_at)
    if not isinstance(sealed, SealedManifest) or version_contradiction(version, sealed.manifest):
        return None
    return Verification(manifest_digest=digest, at=now, manifest=text, baseline=baseline)


def baseline_among(files: Mapping[str, bytes], digest: str) -> Baseline | None:
    """Return the signed baseline among carried files, or None where it is not there."""
    return read_baseline(files.get(BASELINE, b""), digest)
