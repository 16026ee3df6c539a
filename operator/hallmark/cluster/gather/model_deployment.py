"""Everything that a decision about a ModelDeployment is made from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic_core import from_json

from hallmark.api import names
from hallmark.api.drift import Drift
from hallmark.api.files import BASELINE
from hallmark.api.model_deployment import ModelDeployment, RolloutState
from hallmark.api.model_version import ModelVersion, RolledBack
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_timestamp
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.carried import baseline_among
from hallmark.cluster.cache import Key, ObjectCache
from hallmark.cluster.cluster import Cluster, ForeignObject
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.gather.pods import label_of, pod_state, pods_of, workload_state
from hallmark.cluster.gather.route import route_state
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    ENDPOINT_SLICE,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    Obj,
)
from hallmark.cluster.ownership import controller_uid, is_abandoned
from hallmark.cluster.parse import read
from hallmark.cluster.trim import BUNDLE_FACTS
from hallmark.cluster.unwritten import Unwritten
from hallmark.policies.model_deployment.bounds import bounded
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Workload
from hallmark.policies.model_deployment.record import rollout_of, used_versions
from hallmark.policies.model_deployment.route_state import RouteState
from hallmark.policies.model_deployment.withdrawal import withdrawal
from hallmark.refusal import Refusal
from hallmark.resources.carried import bundle_name, carried_files
from hallmark.resources.predictor import ApiServer, account_name, active_name
from hallmark.resources.predictor_version import (
    ANNOTATION_URLS_UNTIL,
    TRUST_KEY,
    trust_name,
    urls_name,
)

PATIENCE = timedelta(seconds=20)
"""Pods that are not ready for so long may miss their Secret."""
LONG_AGO = "1970-01-01T00:00:00Z"

Live = Mapping[tuple[str, str], Obj]
"""The children as they are, by kind and name; only those that the ModelDeployment owns."""


@dataclass(frozen=True)
class DeploymentWorld:
    """A ModelDeployment and what is around it.

    Args:
        obj: the object as it was read.
        inputs: what a decision is made from, or why the object cannot be read.
        live: its children.
        api_servers: the API server's addresses.
        free: names that nobody has (kind and name), seen a moment ago.
        strays: what a ModelDeployment of the same name left behind, and this one does not need.
    """

    obj: Obj
    inputs: DeploymentInputs | Refusal
    live: Live
    api_servers: tuple[ApiServer, ...] = ()
    free: frozenset[tuple[str, str]] = frozenset()
    strays: tuple[Obj, ...] = ()


@dataclass(frozen=True)
class DeploymentSources:
    """Where what a decision depends on is read.

    Args:
        cache: the cluster as it is known.
        cluster: the API, for the few things that are read live.
        bundles: the store, for the baseline of what serves.
        drift: the predictors' reports.
        clock: the time, asked when everything was read.
        rolled_back: the last time that some bytes had to give way, by namespace and digest.
        unwritten: records that the API server did not take.
        no_routes: why no HTTPRoute can be made or watched; empty where they can.
    """

    cache: ObjectCache
    cluster: Cluster
    bundles: Bundles
    drift: DriftMonitor
    clock: Callable[[], datetime]
    rolled_back: Callable[[str, str], RolledBack | None]
    unwritten: Unwritten = field(default_factory=Unwritten)
    no_routes: str = ""


async def gather_deployment(
    sources: DeploymentSources, namespace: str, name: str
) -> DeploymentWorld | None:
    """Return a ModelDeployment and what is around it, or None where it is gone."""
    cache = sources.cache
    obj = cache.get(MODEL_DEPLOYMENT, namespace, name)
    if obj is None:
        return None
    asked = _deployment(sources, obj)
    unreadable: Refusal | None = None
    if isinstance(asked, Refusal):
        # What stands on record must stop all the same, if it may not serve.
        unreadable = asked
        asked = read(ModelDeployment, {**obj, "spec": {"model": name}})
    if isinstance(asked, Refusal):
        return DeploymentWorld(obj, asked, {})
    policy = gather_policy(cache, namespace).policy
    deployment, beyond = bounded(asked, policy)
    live = _live(cache, deployment)
    taken, free = await _names(sources, deployment, live)
    selected = live.get((SERVICE.kind, name)) or {"metadata": {}}
    selector: Mapping[str, str] = (selected.get("spec") or {}).get("selector") or {}
    versions = tuple(_versions(cache, deployment))
    inputs = DeploymentInputs(
        deployment=deployment,
        now=sources.clock(),
        policy=policy,
        selected=selector.get(names.LABEL_MANIFEST, ""),
        selected_in=selected["metadata"].get("resourceVersion", ""),
        beyond=beyond,
        route=_route(deployment, live),
        no_routes=sources.no_routes,
        withdrawn_since=sources.unwritten.since(obj),
        unreadable=unreadable,
        versions=versions,
        rolled_back=dict(_rolled_back(sources, versions)),
        workloads={workload.manifest: workload for workload in _workloads(live)},
        pods=pods_of(cache, deployment),
        trusts=dict(_trusts(name, live)),
        carried=frozenset(_carried(name, live)),
        carried_sizes=dict(_carried_sizes(live)),
        urls_until=await _urls_until(sources, deployment, live),
        foreign=taken,
    )
    inputs = await _with_drift(sources, inputs)
    strays = tuple(left_behind(cache, namespace, name, live))
    return DeploymentWorld(obj, inputs, live, _api_servers(cache), free, strays)


def _deployment(sources: DeploymentSources, obj: Obj) -> ModelDeployment | Refusal:
    """Return the object with its record; one that the API server did not take goes before."""
    record = sources.unwritten.of(obj)
    if record is not None:
        return read(ModelDeployment, {**obj, "status": record})
    metadata = obj["metadata"]
    found = sources.cache.read(
        ModelDeployment, MODEL_DEPLOYMENT, metadata["namespace"], metadata["name"]
    )
    return found if found is not None else read(ModelDeployment, obj)


def left_behind(cache: ObjectCache, namespace: str, name: str, live: Live) -> Iterator[Obj]:
    """Yield what was made for a ModelDeployment of that name and lost its owner.

    What a former owner of that name still owns is the garbage collector's.
    """
    for child in cache.objects("child", namespace, name):
        is_child = (child["kind"], child["metadata"]["name"]) in live
        ownerless = controller_uid(child) is None and is_abandoned(child, name, "")
        if child["kind"] != POD.kind and not is_child and ownerless:
            yield child


async def _with_drift(sources: DeploymentSources, inputs: DeploymentInputs) -> DeploymentInputs:
    """Add the reports, what was judged of them, and the baseline of what serves."""
    status, metadata = inputs.deployment.status, inputs.deployment.metadata
    active = inputs.version(status.active_model_version, status.active_digest)
    if active is None or inputs.policy is None:
        return inputs
    known = sources.drift.known(metadata.namespace, metadata.name)
    rollout, candidate = rollout_of(status), None
    if rollout.state is RolloutState.CANARY:
        candidate = inputs.version(rollout.model_version, rollout.manifest_digest)
    return replace(
        inputs,
        reports=known.reports,
        reported_in=known.version,
        drift_memory=known.memory,
        baseline=await _baseline(sources, inputs, active),
        candidate_baseline=await _baseline(sources, inputs, candidate) if candidate else None,
    )


async def _baseline(
    sources: DeploymentSources, inputs: DeploymentInputs, version: ModelVersion
) -> Baseline | None:
    """Return a version's signed baseline: from memory, the cluster or the store."""
    known = sources.bundles.known_baseline(version)
    if known is not None or withdrawal(version, inputs) is not None or inputs.policy is None:
        return known
    carried = await _carried_baseline(sources, inputs, version)
    return carried or await sources.bundles.baseline(version, inputs.policy.spec)


async def _carried_baseline(
    sources: DeploymentSources, inputs: DeploymentInputs, active: ModelVersion
) -> Baseline | None:
    """Return the signed baseline of what serves from the files that travel beside its trust."""
    files = await read_carried(sources.cluster, inputs, active.spec.artifact.manifest_digest)
    baseline = baseline_among(files, active.spec.baseline_digest)
    if baseline is not None:
        sources.bundles.keep_baseline(active, baseline, len(files[BASELINE]))
    return baseline


async def read_carried(
    cluster: Cluster, inputs: DeploymentInputs, digest: str
) -> Mapping[str, bytes]:
    """Return the served files of a version that travel in the cluster; none where none do.

    They are read live: the cache keeps no bytes.
    """
    if digest not in (inputs.carried or ()):
        return {}
    name = bundle_name(inputs.name, names.manifest_label(digest))
    found = await cluster.get(CONFIG_MAP, inputs.deployment.metadata.namespace, name)
    return carried_files(found) if found else {}


def _versions(cache: ObjectCache, deployment: ModelDeployment) -> Iterator[ModelVersion]:
    """Yield the versions that the object may serve: of its model, asked for, or used."""
    metadata, spec = deployment.metadata, deployment.spec
    keys = set(cache.indexed("model", metadata.namespace, spec.model, kind=MODEL_VERSION))
    asked = {spec.model_version} if spec.model_version else set()
    for name in asked | used_versions(deployment.status):
        keys.add(Key(MODEL_VERSION, metadata.namespace, name))
    for key in sorted(keys):
        version = cache.read(ModelVersion, *key)
        if isinstance(version, ModelVersion):
            yield version


def _rolled_back(
    sources: DeploymentSources, versions: Iterable[ModelVersion]
) -> Iterator[tuple[str, RolledBack]]:
    """Yield when the bytes of versions last had to give way, by their digest."""
    for version in versions:
        digest = version.spec.artifact.manifest_digest
        found = sources.rolled_back(version.metadata.namespace, digest)
        if found is not None:
            yield digest, found


def _live(cache: ObjectCache, deployment: ModelDeployment, kind: Kind | None = None) -> Live:
    """Return the object's own children, of one kind or of all, Pods apart.

    With those that lost their owner while this object serves: they are its own as well.
    """
    metadata, serves = deployment.metadata, bool(deployment.status.history)
    return {
        (child["kind"], child["metadata"]["name"]): child
        for child in cache.objects("child", metadata.namespace, metadata.name, kind=kind)
        if child["kind"] != POD.kind
        and (controller_uid(child) == metadata.uid or (serves and controller_uid(child) is None))
    }


def trusts_of(cache: ObjectCache, deployment: ModelDeployment) -> Mapping[str, Drift]:
    """Return what a ModelDeployment's trusts say of drift, by their SHA-256 (hex)."""
    return dict(_trusts(deployment.metadata.name, _live(cache, deployment, CONFIG_MAP)))


def _route(deployment: ModelDeployment, live: Live) -> RouteState | None:
    """Return the HTTPRoute; without the candidate's own Service it leads nowhere that is known."""
    asked, name = deployment.spec.strategy.canary_or_default.route, deployment.metadata.name
    found = live.get((HTTP_ROUTE.kind, name))
    if asked is None or found is None or (SERVICE.kind, names.candidate_name(name)) not in live:
        return None
    return route_state(deployment, asked, found)


async def _names(
    sources: DeploymentSources, deployment: ModelDeployment, live: Live
) -> tuple[tuple[str, ...], frozenset[tuple[str, str]]]:
    """Look, before anything is made, whether the needed names belong to a foreign owner.

    Returns:
        A sentence about each that does, and the names that nobody has.
    """
    name, namespace = deployment.metadata.name, deployment.metadata.namespace
    if (SERVICE.kind, name) in live or deployment.status.history:
        return (), frozenset()
    needed = _fixed(name)
    if deployment.spec.strategy.canary_or_default.route and not sources.no_routes:
        needed += [(SERVICE, names.candidate_name(name)), (HTTP_ROUTE, name)]
    missing = [(kind, child) for kind, child in needed if (kind.kind, child) not in live]
    get = sources.cluster.get
    found = await asyncio.gather(*(get(kind, namespace, child) for kind, child in missing))
    pairs = list(zip(missing, found, strict=True))
    uid = deployment.metadata.uid
    foreign = tuple(
        ForeignObject(kind.kind, namespace, child).sentence()
        for (kind, child), obj in pairs
        if obj is not None and controller_uid(obj) != uid and not is_abandoned(obj, name, uid)
    )
    return foreign, frozenset((kind.kind, child) for (kind, child), obj in pairs if obj is None)


def _fixed(name: str) -> list[tuple[Kind, str]]:
    account = account_name(name)
    return [
        (SERVICE, name),
        (CONFIG_MAP, active_name(name)),
        (SERVICE_ACCOUNT, account),
        (ROLE, account),
        (ROLE_BINDING, account),
        (NETWORK_POLICY, name),
        (POD_DISRUPTION_BUDGET, name),
    ]


def _api_servers(cache: ObjectCache) -> tuple[ApiServer, ...]:
    """Return where the Service ``kubernetes`` leads; a Pod's packets go there."""
    slices = [cache.get(*key) for key in cache.keys(ENDPOINT_SLICE)]
    return tuple(
        sorted(
            {
                ApiServer(str(address), int(port["port"]))
                for found in slices
                if found is not None
                for port in found.get("ports") or []
                for endpoint in found.get("endpoints") or []
                for address in endpoint.get("addresses") or []
            },
            key=lambda server: (server.address, server.port),
        )
    )


def _workloads(live: Live) -> Iterator[Workload]:
    for (kind, _), obj in live.items():
        if kind == APPS_DEPLOYMENT.kind:
            yield workload_state(obj)


def _trusts(name: str, live: Live) -> Iterator[tuple[str, Drift]]:
    """Yield hash and drift settings of each trust that holds what its name says."""
    for (kind, child), obj in live.items():
        text = (obj.get("data") or {}).get(TRUST_KEY)
        if kind != CONFIG_MAP.kind or text is None:
            continue
        facts = from_json(text)
        if "drift" in facts and child == trust_name(name, facts["sha256"]):
            yield facts["sha256"], Drift.model_validate(facts["drift"])


def _carried(name: str, live: Live) -> Iterator[str]:
    """Yield the manifest digest of each ConfigMap of served files that holds what its name says."""
    for (kind, child), obj in live.items():
        text = (obj.get("data") or {}).get(BUNDLE_FACTS)
        if kind == CONFIG_MAP.kind and text is not None:
            digest = from_json(text).get("manifestDigest", "")
            if digest and child == bundle_name(name, names.manifest_label(digest)):
                yield digest


def _carried_sizes(live: Live) -> Iterator[tuple[str, int]]:
    for (kind, _), obj in live.items():
        text = (obj.get("data") or {}).get(TRUST_KEY)
        if kind == CONFIG_MAP.kind and text is not None:
            facts = from_json(text)
            if "carries" in facts:
                yield facts["sha256"], facts["carries"]


async def _urls_until(
    sources: DeploymentSources, deployment: ModelDeployment, live: Live
) -> dict[str, datetime]:
    """Return until when the download URLs of each version that has Pods are valid.

    Where Pods have waited for a while, their Secret is looked for: no watch tells that somebody
    deleted it.
    """
    until = dict(_noted_urls(live))
    metadata = deployment.metadata
    for label in _waiting(sources, deployment) & until.keys():
        name = urls_name(metadata.name, label)
        if await sources.cluster.get(SECRET, metadata.namespace, name) is None:
            del until[label]
    return until


def _noted_urls(live: Live) -> Iterator[tuple[str, datetime]]:
    for (kind, _), obj in live.items():
        if kind != APPS_DEPLOYMENT.kind:
            continue
        text = (obj["metadata"].get("annotations") or {}).get(ANNOTATION_URLS_UNTIL, "")
        with suppress(ValueError):
            yield label_of(obj, names.LABEL_MANIFEST), parse_timestamp(text)


def _waiting(sources: DeploymentSources, deployment: ModelDeployment) -> set[str]:
    """Return the manifest labels of Pods that have not been ready for a while."""
    metadata, before = deployment.metadata, sources.clock() - PATIENCE
    found = sources.cache.objects("child", metadata.namespace, metadata.name, kind=POD)
    return {
        label_of(pod, names.LABEL_MANIFEST)
        for pod in found
        if not pod_state(pod).ready
        and parse_timestamp(pod["metadata"].get("creationTimestamp") or LONG_AGO) <= before
    }
