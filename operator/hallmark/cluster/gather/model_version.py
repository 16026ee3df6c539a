"""A ModelVersion or ModelApproval and all that a decision about it is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from hallmark.api import names
from hallmark.api.artifacts import MANIFEST, REPORT, SLOT_SBOM, Manifest, final_name
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.gather.training_run import small_file
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import MODEL_APPROVAL, MODEL_DEPLOYMENT, MODEL_VERSION
from hallmark.cluster.parse import Gathered
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_deployment.record import used_versions
from hallmark.policies.model_version.checks import SBOM_BYTES, check_evidence
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.refusals import Refusal
from hallmark.store import ArtifactMissing, Store
from hallmark.supply_chain.manifest import read_manifest


@dataclass(frozen=True)
class VersionSources:
    """Where what a decision about a version depends on is read.

    Args:
        cache: the cluster as it is known.
        identity: says who vouches for the names of reviewers.
        stores: opens the policy's store.
        evidence: what the store's files said a while ago.
        clock: the time.
    """

    cache: ObjectCache
    identity: Identity
    stores: Stores
    evidence: EvidenceMemory
    clock: Callable[[], datetime]


async def gather_version(
    sources: VersionSources, namespace: str, name: str
) -> Gathered[VersionInputs] | None:
    """Return the version of that name with its inputs, or None where there is none.

    Raises:
        ArtifactError: the store failed; a file that is not there is no failure.
    """
    cache, now = sources.cache, sources.clock()
    obj = cache.get(MODEL_VERSION, namespace, name)
    version = cache.read(ModelVersion, MODEL_VERSION, namespace, name)
    if obj is None or version is None:
        return None
    if isinstance(version, Refusal):
        return Gathered(obj, version)
    applied = gather_policy(cache, namespace)
    approvals = tuple(_approvals(cache, namespace, name))
    inputs = VersionInputs(
        version=version,
        now=now,
        policy_name=applied.name,
        policy=applied.policy,
        approvals=approvals,
        vouched_since=await _vouched_since(sources.identity, version, approvals),
        used_by=tuple(_users(cache, namespace, version)),
    )
    return Gathered(obj, await _with_evidence(sources, inputs))


async def _with_evidence(sources: VersionSources, inputs: VersionInputs) -> VersionInputs:
    """Add what the store says: from memory, or by reading its files."""
    version, memory = inputs.version, sources.evidence
    policy = inputs.policy.spec if inputs.policy else None
    known = memory.recall(version, policy, inputs.now)
    if known is None and policy is not None:
        known = check_evidence(await _with_files(sources.stores.open(policy.store), inputs))
        memory.remember(version, policy, known, inputs.now)
    return replace(inputs, known=known, believed_until=memory.until(version))


async def _with_files(store: Store, inputs: VersionInputs) -> VersionInputs:
    version = inputs.version
    prefix = names.model_prefix(
        version.metadata.namespace, version.spec.model, version.spec.artifact.manifest_digest
    )
    manifest = await small_file(store, prefix + MANIFEST)
    return replace(
        inputs,
        manifest=None if manifest is None else manifest.decode(errors="replace"),
        report=await small_file(store, prefix + REPORT),
        sbom=await _sbom(store, prefix, version, manifest),
    )


def gather_approval(
    cache: ObjectCache, namespace: str, name: str, now: datetime
) -> Gathered[ApprovalInputs] | None:
    """Return the approval of that name with its inputs, or None where there is none."""
    obj = cache.get(MODEL_APPROVAL, namespace, name)
    approval = cache.read(ModelApproval, MODEL_APPROVAL, namespace, name)
    if obj is None or approval is None:
        return None
    if isinstance(approval, Refusal):
        return Gathered(obj, approval)
    version = cache.read(ModelVersion, MODEL_VERSION, namespace, approval.spec.model_version.name)
    known = version if isinstance(version, ModelVersion) else None
    return Gathered(obj, ApprovalInputs(approval, known, now))


async def _sbom(
    store: Store, prefix: str, version: ModelVersion, manifest: bytes | None
) -> bytes | None:
    """Return the SBOM's bytes unless its summary is known already."""
    if manifest is None or version.status.sbom is not None:
        return None
    found = read_manifest(manifest, version.spec.artifact.manifest_digest)
    if not isinstance(found, Manifest):
        return None
    try:
        return await store.get_async(prefix + final_name(SLOT_SBOM, found.run_id), limit=SBOM_BYTES)
    except ArtifactMissing:
        return None


def _approvals(cache: ObjectCache, namespace: str, name: str) -> Iterator[ModelApproval]:
    """Yield the decisions about a version; those that cannot be read count for nothing."""
    for key in cache.indexed("version", namespace, name, kind=MODEL_APPROVAL):
        approval = cache.read(ModelApproval, *key)
        if isinstance(approval, ModelApproval):
            yield approval


async def _vouched_since(
    identity: Identity, version: ModelVersion, approvals: tuple[ModelApproval, ...]
) -> str | None:
    """Ask the API server who vouches for names, live, where a decision is new; see the ADR."""
    known = {record.uid for record in version.status.approvals}
    if all(approval.metadata.uid in known for approval in approvals):
        return None
    return await identity.approvals_vouched_since()


def _users(cache: ObjectCache, namespace: str, version: ModelVersion) -> Iterator[str]:
    for key in cache.indexed("version", namespace, version.metadata.name, kind=MODEL_DEPLOYMENT):
        deployment = cache.read(ModelDeployment, *key)
        if not isinstance(deployment, ModelDeployment):
            continue
        if version.metadata.name in used_versions(deployment.status):
            yield deployment.metadata.name
