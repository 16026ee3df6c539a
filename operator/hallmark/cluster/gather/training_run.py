"""A TrainingRun and all that a decision about it is made from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.artifacts import Manifest, UploadURLs
from hallmark.api.files import BUNDLE, MANIFEST, PROGRESS, REPORT, UPLOAD_SLOTS
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import parse_duration
from hallmark.api.training_run import Progress, TrainingRun
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.cluster import Cluster
from hallmark.cluster.gather.jobs import job_view, pod_view
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.gather.sealing import sealing_queue
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    JOB,
    MODEL_VERSION,
    NETWORK_POLICY,
    SECRET,
    TRAINING_RUN,
    VOLUME_CLAIM,
    Kind,
    Obj,
)
from hallmark.cluster.ownership import controller_uid
from hallmark.cluster.parse import Gathered, read
from hallmark.errors import ArtifactError
from hallmark.policies.decision import Reference
from hallmark.policies.training_run.inputs import MountedObject, RunInputs
from hallmark.policies.training_run.jobs import JobView, PodView
from hallmark.policies.training_run.outcomes import seal_outcome
from hallmark.policies.training_run.seal import Evidence
from hallmark.policies.training_run.turns import NOTHING_BEFORE
from hallmark.refusal import Refusal
from hallmark.store import ArtifactMissing, Store
from hallmark.supply_chain.manifest import FileFact, read_manifest

URL_SLACK = timedelta(minutes=30)
"""How much longer than the run's deadline its presigned URLs live."""
PROGRESS_SECONDS = 2.0
"""How long a store may take to say it: it is asked every two seconds, and nothing hangs on it."""
_SMALL = 1 << 20
"""Bytes that manifest, bundle, report and progress may have."""


async def gather_run(
    cache: ObjectCache,
    identity: Identity,
    stores: Stores,
    system: str,
    namespace: str,
    name: str,
    now: datetime,
) -> Gathered[RunInputs] | None:
    """Return the run of that name with its inputs, or None where there is none.

    Args:
        cache: the cluster as it is known.
        identity: the Kubernetes API, for what is read live, and who vouches for requesters.
        stores: opens the policy's store.
        system: the operator's namespace, where sealing Jobs run.
        namespace: the run's.
        name: the run's.
        now: the time of the decision.
    """
    cluster = identity.cluster
    obj = await _run(cache, cluster, namespace, name)
    if obj is None:
        return None
    run = read(TrainingRun, obj)
    if isinstance(run, Refusal):
        return Gathered(obj, run)
    applied = gather_policy(cache, namespace)
    store = stores.open(applied.policy.spec.store) if applied.policy else None
    version = _version(cache, namespace, name)
    job, pod = _job(cache, namespace, names.train_job_name(name, run.metadata.uid), run)
    seal_name = names.seal_job_name(namespace, name, run.metadata.uid)
    seal_job, seal_pod = _job(cache, system, seal_name, run)
    is_next = version is None and seal_job is None and run.status.manifest_digest is not None
    inputs = RunInputs(
        run=run,
        now=now,
        system=system,
        policy_name=applied.name,
        policy=applied.policy,
        version=version,
        job=job,
        pod=pod,
        sealing=sealing_queue(cache, system, run, now) if is_next else NOTHING_BEFORE,
        seal_job=seal_job,
        seal_pod=seal_pod,
        progress=await progress_of(store, run, job),
        mounted=await _mounted(cluster, run, job, version),
        urls=_urls(store, run, job),
        leftovers=await _leftovers(cache, cluster, system, run, version),
    )
    return Gathered(obj, await _with_evidence(identity, obj, inputs, store))


async def _run(cache: ObjectCache, cluster: Cluster, namespace: str, name: str) -> Obj | None:
    """Return the run; one that has not ended with its inline rows, which are read live."""
    obj = cache.get(TRAINING_RUN, namespace, name)
    status = (obj or {}).get("status") or {}
    if obj is None or (status.get("completionTime") and status.get("specDigest")):
        return obj
    return await cluster.get(TRAINING_RUN, namespace, name)


def stale_seals(
    cache: ObjectCache, system: str, namespace: str, name: str, uid: str | None
) -> list[Reference]:
    """Return what was made to seal former runs of a name, which no owner reference collects.

    Args:
        cache: the cluster as it is known.
        system: the operator's namespace, where it all is.
        namespace: the run's.
        name: the run's.
        uid: of the run that has the name now; None where there is none.
    """
    # The Job goes last: it is what the watch reports, and so what starts a repeat.
    return [
        _reference(kind, obj)
        for kind in (CONFIG_MAP, NETWORK_POLICY, JOB)
        for obj in cache.objects("run", namespace, name, kind=kind)
        if obj["metadata"]["namespace"] == system
        and obj["metadata"]["labels"].get(names.LABEL_JOB) == "seal"
        and obj["metadata"]["labels"].get(names.LABEL_RUN_NAMESPACE) == namespace
        and obj["metadata"]["labels"].get(names.LABEL_RUN_UID) != uid
    ]


def _version(cache: ObjectCache, namespace: str, name: str) -> ModelVersion | None:
    version = cache.read(ModelVersion, MODEL_VERSION, namespace, name)
    if isinstance(version, Refusal):
        raise ArtifactError(f"ModelVersion '{name}' cannot be read. {version.message}")
    return version


def _job(
    cache: ObjectCache, namespace: str, name: str, run: TrainingRun
) -> tuple[JobView | None, PodView | None]:
    """Return a Job of exactly this run, and the Pod whose word counts."""
    obj = cache.get(JOB, namespace, name)
    if obj is None or _uid_label(obj) != run.metadata.uid:
        return None, None
    # A Pod that only carries the label has a foreign owner; the Job's own are controlled by it.
    pods = [
        pod
        for pod in cache.objects("job", namespace, name)
        if controller_uid(pod) == obj["metadata"]["uid"]
    ]
    return job_view(obj), pod_view(pods)


async def progress_of(
    store: Store | None, run: TrainingRun, job: JobView | None
) -> Progress | None:
    """Return what the training Job last said of itself; not knowing is no trouble."""
    if store is None or job is None or job.finished or job.suspended:
        return None
    try:
        async with asyncio.timeout(PROGRESS_SECONDS):
            path = names.run_prefix(run.metadata.uid) + PROGRESS
            return Progress.model_validate_json(await store.get_async(path, limit=_SMALL))
    except (ArtifactError, ValidationError, TimeoutError):
        return run.status.progress


async def _mounted(
    cluster: Cluster, run: TrainingRun, job: JobView | None, version: ModelVersion | None
) -> tuple[MountedObject, ...]:
    """Return what a Job that is to be started or resumed would mount, by the labels alone."""
    over = version is not None or run.status.completion_time or run.status.manifest_digest
    if over or (job is not None and not job.suspended):
        return ()
    namespace = run.metadata.namespace
    return tuple(
        [
            MountedObject(kind.kind, name, await cluster.labels(kind, namespace, name))
            for kind, name in _named(run)
        ]
    )


def _named(run: TrainingRun) -> Iterator[tuple[Kind, str]]:
    """Yield the objects that a run's dataset names."""
    dataset = run.spec.dataset
    if dataset is None:
        return
    if dataset.config_map:
        yield CONFIG_MAP, dataset.config_map.name
    if dataset.volume_claim:
        yield VOLUME_CLAIM, dataset.volume_claim.claim_name
    if dataset.credentials_secret:
        yield SECRET, dataset.credentials_secret


def _urls(store: Store | None, run: TrainingRun, job: JobView | None) -> UploadURLs | None:
    """Return fresh URLs for a Job that is to be made or resumed."""
    wanted = (job is None or job.suspended != run.spec.suspend) and run.spec.sealed is None
    if store is None or not wanted or run.status.completion_time or run.status.manifest_digest:
        return None
    lifetime = min(parse_duration(run.spec.active_deadline) + URL_SLACK, timedelta(days=7))
    prefix = names.run_prefix(run.metadata.uid)
    return UploadURLs(urls={slot: store.sign_put(prefix + slot, lifetime) for slot in UPLOAD_SLOTS})


async def _with_evidence(
    identity: Identity, obj: Obj, inputs: RunInputs, store: Store | None
) -> RunInputs:
    """Read what a finished sealing Job left in the store, and who vouches for the requester."""
    ended = inputs.version is not None or inputs.run.status.completion_time is not None
    if ended or store is None:
        return inputs
    if inputs.run.spec.sealed is not None:
        digest = inputs.run.spec.sealed.manifest_digest
        requester = await identity.requester_of(obj)
        evidence = await _adopted(store, inputs.run, digest)
        return replace(inputs, evidence=evidence, requester=requester)
    if inputs.seal_job is None or not inputs.seal_job.finished:
        return inputs
    outcome = seal_outcome(inputs)
    if isinstance(outcome, Refusal) or outcome.manifest_digest is None:
        return inputs
    evidence = await _evidence(store, inputs.run, outcome.manifest_digest)
    requester = await identity.requester_of(obj)
    return replace(inputs, evidence=evidence, requester=requester)


async def _evidence(store: Store, run: TrainingRun, digest: str) -> Evidence:
    """Return what lies in the store as the sealed bundle of a digest."""
    prefix = names.model_prefix(run.metadata.namespace, run.spec.model, digest)
    manifest = await small_file(store, prefix + MANIFEST)
    bundle = await small_file(store, prefix + BUNDLE)
    return Evidence(
        manifest=None if manifest is None else manifest.decode(errors="replace"),
        bundle=None if bundle is None else bundle.decode(errors="replace"),
        report=await small_file(store, prefix + REPORT),
    )


async def _adopted(store: Store, run: TrainingRun, digest: str) -> Evidence:
    """Return what lies in the store of a bundle that is to be adopted, each file measured."""
    evidence = await _evidence(store, run, digest)
    manifest = read_manifest((evidence.manifest or "").encode(), digest)
    if not isinstance(manifest, Manifest):
        return evidence
    prefix = names.model_prefix(run.metadata.namespace, run.spec.model, digest)
    facts = {}
    for file in manifest.files:
        with suppress(ArtifactMissing):
            measured = await store.digest_of_async(prefix + file.name)
            facts[file.name] = FileFact(*measured)
    return replace(evidence, facts=facts)


async def small_file(store: Store, path: str) -> bytes | None:
    """Return a small object's bytes, or None where there is none.

    Raises:
        ArtifactError: the store failed, or the object is not small.
    """
    try:
        return await store.get_async(path, limit=_SMALL)
    except ArtifactMissing:
        return None


async def _leftovers(
    cache: ObjectCache,
    cluster: Cluster,
    system: str,
    run: TrainingRun,
    version: ModelVersion | None,
) -> tuple[Reference, ...]:
    """Return the helpers of a run that has ended; the training Job itself has its own time."""
    if version is None and run.status.completion_time is None:
        return ()
    uid, namespace = run.metadata.uid, run.metadata.namespace
    train = names.train_job_name(run.metadata.name, uid)
    seal = names.seal_job_name(namespace, run.metadata.name, uid)
    places: list[tuple[Kind, str, str]] = [
        (NETWORK_POLICY, namespace, train),
        (CONFIG_MAP, namespace, train),
        (CONFIG_MAP, system, seal),
        (NETWORK_POLICY, system, seal),
        (JOB, system, seal),
    ]
    found = [(kind, cache.get(kind, space, name)) for kind, space, name in places]
    if not any(obj for _, obj in found):
        return ()
    # The Secret goes first, while what is seen in the cache still says that something is left.
    secret = await cluster.get(SECRET, namespace, train)
    return tuple(
        _reference(kind, obj)
        for kind, obj in ((SECRET, secret), *found)
        if obj is not None and _uid_label(obj) == uid
    )


def _uid_label(obj: Obj) -> str | None:
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    return labels.get(names.LABEL_RUN_UID)


def _reference(kind: Kind, obj: Obj) -> Reference:
    metadata = obj["metadata"]
    return Reference(
        kind.api_version, kind.kind, metadata.get("namespace"), metadata["name"], metadata["uid"]
    )
