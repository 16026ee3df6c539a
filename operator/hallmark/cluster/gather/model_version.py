"""A ModelVersion or ModelApproval and all that a decision about it is made from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.artifacts import Manifest
from hallmark.api.files import MANIFEST, REPORT, SLOT_SBOM, final_name
from hallmark.api.latch import LATCH_KEY, Latch
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion, RolledBack
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import Key, Model, ObjectCache
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.evidence_reader import ReadFiles, asks_for_feed
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.gather.training_run import small_file
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_APPROVAL, MODEL_DEPLOYMENT, MODEL_VERSION
from hallmark.cluster.parse import Gathered
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_deployment.record import used_versions
from hallmark.policies.model_version.checks import SBOM_BYTES, asked_packages
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.model_version.shown import Shown, shown_of
from hallmark.refusal import Refusal
from hallmark.store import ArtifactMissing, Store
from hallmark.supply_chain.manifest import read_manifest
from hallmark.supply_chain.osv_feed import Feed

log = structlog.get_logger("hallmark")


@dataclass(frozen=True)
class VersionSources:
    """Where what people decided about a version is read; none of it is the store.

    Args:
        cache: the cluster as it is known.
        identity: says who vouches for the names of reviewers.
        system: the operator's own namespace, where latches stand.
        clock: the time.
        rolled_back: the last time that some bytes had to give way, by namespace and digest.
    """

    cache: ObjectCache
    identity: Identity
    system: str
    clock: Callable[[], datetime]
    rolled_back: Callable[[str, str], RolledBack | None]


async def gather_version(
    sources: VersionSources, namespace: str, name: str
) -> Gathered[VersionInputs] | None:
    """Return the version of that name with its inputs, or None where there is none.

    What the sealed files say is not among them; see ``EvidenceReader``.
    """
    cache, now = sources.cache, sources.clock()
    obj = cache.get(MODEL_VERSION, namespace, name)
    version = cache.read(ModelVersion, MODEL_VERSION, namespace, name)
    if obj is None or version is None:
        return None
    if isinstance(version, Refusal):
        return Gathered(obj, version)
    applied = gather_policy(cache, namespace)
    decided = cache.indexed("version", namespace, name, kind=MODEL_APPROVAL)
    # Decisions that cannot be read count for nothing.
    approvals = tuple(_read(cache, ModelApproval, decided))
    vouched_since, known = await _vouched_since(sources.identity, version, approvals)
    inputs = VersionInputs(
        version=version,
        now=now,
        policy_name=applied.name,
        policy=applied.policy,
        approvals=approvals,
        vouched_since=vouched_since,
        vouching_known=known,
        twins=tuple(_twins(cache, version)),
        latch=latch_of(cache, sources.system, version),
        present=_present(cache, version, approvals),
        shown=_shown(cache, version, approvals),
        rolled_back=sources.rolled_back(namespace, version.spec.artifact.manifest_digest),
        used_by=tuple(_users(cache, namespace, version)),
    )
    return Gathered(obj, inputs)


def _present(
    cache: ObjectCache, version: ModelVersion, approvals: tuple[ModelApproval, ...]
) -> frozenset[str]:
    """Return the uids of the namespace's approvals, where an attestation is to be judged.

    One that is being deleted is withdrawn.
    """
    known = {record.uid for record in version.status.approvals}
    if not any(made.spec.attestation and made.metadata.uid not in known for made in approvals):
        return frozenset()
    found = cache.objects("in", version.metadata.namespace, kind=MODEL_APPROVAL)
    standing = [made["metadata"] for made in found if "deletionTimestamp" not in made["metadata"]]
    return frozenset(str(metadata["uid"]) for metadata in standing)


def _shown(
    cache: ObjectCache, version: ModelVersion, approvals: tuple[ModelApproval, ...]
) -> Shown | None:
    """Return what is shown of a version now, where a new approval names what was shown."""
    known = {record.uid for record in version.status.approvals}
    if not any(made.spec.shown_digest and made.metadata.uid not in known for made in approvals):
        return None
    space, model, name = version.metadata.namespace, version.spec.model, version.metadata.name
    asking = {
        *cache.indexed("model", space, model, kind=MODEL_DEPLOYMENT),
        *cache.indexed("version", space, name, kind=MODEL_DEPLOYMENT),
    }
    deployments = list(_read(cache, ModelDeployment, asking))
    # What serves may be of another model, where a Deployment asks for this one since.
    keys = {*cache.indexed("model", space, model, kind=MODEL_VERSION)}
    for deployment in deployments:
        active = cache.indexed("digest", deployment.status.active_digest, kind=MODEL_VERSION)
        keys |= {key for key in active if key.namespace == space}
    return shown_of(version, deployments, list(_read(cache, ModelVersion, keys)))


def _read(cache: ObjectCache, model: type[Model], keys: Iterable[Key]) -> Iterator[Model]:
    for key in sorted(keys):
        found = cache.read(model, *key)
        if isinstance(found, model):
            yield found


def latch_of(cache: ObjectCache, system: str, version: ModelVersion) -> Latch | None:
    """Return what is remembered of a version's bytes, or None.

    A latch that cannot be read, or of other bytes, is written anew from what the versions say.
    """
    digest, namespace = version.spec.artifact.manifest_digest, version.metadata.namespace
    found = cache.get(CONFIG_MAP, system, names.latch_name(digest))
    text = ((found or {}).get("data") or {}).get(LATCH_KEY)
    if not isinstance(text, str):
        return None
    try:
        latch = Latch.model_validate_json(text)
    except ValidationError:
        log.error("A latch cannot be read.", namespace=system, name=names.latch_name(digest))
        return None
    return latch if (latch.manifest_digest, latch.namespace) == (digest, namespace) else None


def _twins(cache: ObjectCache, version: ModelVersion) -> Iterator[ModelVersion]:
    """Yield the other versions of the same bytes in the namespace; others cannot be verified.

    The manifest names the namespace, so that no digest is another namespace's.
    """
    metadata = version.metadata
    digest = version.spec.artifact.manifest_digest
    same = cache.indexed("digest", digest, kind=MODEL_VERSION)
    here = (key for key in same if key.namespace == metadata.namespace)
    yield from _read(cache, ModelVersion, (key for key in here if key.name != metadata.name))


def file_reader(stores: Stores, feed: Feed) -> ReadFiles:
    """Return what reads a version's files from the policy's store, and asks about its packages."""

    async def read(inputs: VersionInputs) -> VersionInputs:
        if inputs.policy is None:
            return inputs
        found = await _with_files(stores.open(inputs.policy.spec.store), inputs)
        if not asks_for_feed(found):
            return found
        known = await asyncio.to_thread(lambda: feed.about(asked_packages(found), inputs.now))
        return replace(found, vulnerabilities=known)

    return read


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
        sbom=await _sbom(store, prefix, inputs, manifest),
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
    store: Store, prefix: str, inputs: VersionInputs, manifest: bytes | None
) -> bytes | None:
    """Return the SBOM's bytes unless its summary is all that is needed, and known already."""
    version, policy = inputs.version, inputs.policy
    judged = policy is not None and policy.spec.dependencies.need_the_bill
    if manifest is None or (version.status.sbom is not None and not judged):
        return None
    found = read_manifest(manifest, version.spec.artifact.manifest_digest)
    if not isinstance(found, Manifest):
        return None
    try:
        return await store.get_async(prefix + final_name(SLOT_SBOM, found.run_id), limit=SBOM_BYTES)
    except ArtifactMissing:
        return None


async def _vouched_since(
    identity: Identity, version: ModelVersion, approvals: tuple[ModelApproval, ...]
) -> tuple[str | None, bool]:
    """Ask the API server who vouches for names, live, where a decision is new; see the ADR.

    Returns:
        Since when the identity policy has been in force, and whether that is known. Where it is
        not, what an approver's own key or an earlier look vouches for counts all the same.
    """
    known = {record.uid for record in version.status.approvals}
    if all(approval.metadata.uid in known for approval in approvals):
        return None, True
    try:
        return await identity.approvals_vouched_since(), True
    except ApiError as error:
        log.warning("Nobody says who vouches for reviewers' names.", error=str(error))
        return None, False


def _users(cache: ObjectCache, namespace: str, version: ModelVersion) -> Iterator[str]:
    naming = cache.indexed("version", namespace, version.metadata.name, kind=MODEL_DEPLOYMENT)
    for deployment in _read(cache, ModelDeployment, naming):
        if version.metadata.name in used_versions(deployment.status):
            yield deployment.metadata.name
