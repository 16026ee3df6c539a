"""A ModelVersion or ModelApproval and all that a decision about it is made from."""

from __future__ import annotations

from datetime import datetime

from hallmark.api import names
from hallmark.api.artifacts import MANIFEST, REPORT, SLOT_SBOM, Manifest, final_name
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.bundles.stores import Stores
from hallmark.cluster.client import Cluster
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.gather.training_run import small_file
from hallmark.cluster.identity import approvals_vouched_since
from hallmark.cluster.kinds import MODEL_APPROVAL, MODEL_DEPLOYMENT, MODEL_VERSION
from hallmark.cluster.parse import Gathered, read
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_deployment.record import used_versions
from hallmark.policies.model_version.checks import SBOM_BYTES
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.refusals import Refusal
from hallmark.store import ArtifactMissing, Store
from hallmark.supply_chain.manifest import read_manifest


async def gather_version(
    cluster: Cluster, stores: Stores, namespace: str, name: str, now: datetime
) -> Gathered[VersionInputs] | None:
    """Return the version of that name with its inputs, or None where there is none.

    Raises:
        ArtifactError: the store failed; a file that is not there is no failure.
    """
    obj = await cluster.get(MODEL_VERSION, namespace, name)
    if obj is None:
        return None
    version = read(ModelVersion, obj)
    if isinstance(version, Refusal):
        return Gathered(obj, version)
    applied = await gather_policy(cluster, namespace)
    store = stores.open(applied.policy.spec.store) if applied.policy else None
    prefix = names.model_prefix(
        namespace, version.spec.model, version.spec.artifact.manifest_digest
    )
    manifest = await small_file(store, prefix + MANIFEST) if store else None
    inputs = VersionInputs(
        version=version,
        now=now,
        policy_name=applied.name,
        policy=applied.policy,
        manifest=None if manifest is None else manifest.decode(errors="replace"),
        report=await small_file(store, prefix + REPORT) if store else None,
        sbom=await _sbom(store, prefix, version, manifest),
        approvals=await _approvals(cluster, namespace, name),
        vouched_since=await approvals_vouched_since(cluster),
        used_by=await _users(cluster, namespace, version),
    )
    return Gathered(obj, inputs)


async def gather_approval(
    cluster: Cluster, namespace: str, name: str, now: datetime
) -> Gathered[ApprovalInputs] | None:
    """Return the approval of that name with its inputs, or None where there is none."""
    obj = await cluster.get(MODEL_APPROVAL, namespace, name)
    if obj is None:
        return None
    approval = read(ModelApproval, obj)
    if isinstance(approval, Refusal):
        return Gathered(obj, approval)
    found = await cluster.get(MODEL_VERSION, namespace, approval.spec.model_version.name)
    version = None if found is None else read(ModelVersion, found)
    inputs = ApprovalInputs(approval, None if isinstance(version, Refusal) else version, now)
    return Gathered(obj, inputs)


async def _sbom(
    store: Store | None, prefix: str, version: ModelVersion, manifest: bytes | None
) -> bytes | None:
    """Return the SBOM's bytes unless its summary is known already."""
    if store is None or manifest is None or version.status.sbom is not None:
        return None
    found = read_manifest(manifest, version.spec.artifact.manifest_digest)
    if not isinstance(found, Manifest):
        return None
    try:
        return await store.get_async(prefix + final_name(SLOT_SBOM, found.run_id), limit=SBOM_BYTES)
    except ArtifactMissing:
        return None


async def _approvals(cluster: Cluster, namespace: str, name: str) -> tuple[ModelApproval, ...]:
    """Return the decisions about a version; those that cannot be read count for nothing."""
    found = [read(ModelApproval, each) for each in await cluster.list(MODEL_APPROVAL, namespace)]
    return tuple(
        each
        for each in found
        if isinstance(each, ModelApproval) and each.spec.model_version.name == name
    )


async def _users(cluster: Cluster, namespace: str, version: ModelVersion) -> tuple[str, ...]:
    found = await cluster.list(MODEL_DEPLOYMENT, namespace)
    deployments = [read(ModelDeployment, each) for each in found]
    return tuple(
        each.metadata.name
        for each in deployments
        if isinstance(each, ModelDeployment) and version.metadata.name in used_versions(each.status)
    )
