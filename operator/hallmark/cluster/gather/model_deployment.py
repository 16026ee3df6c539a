"""Everything that a decision about a ModelDeployment is made from, read live."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.artifacts import Trust
from hallmark.api.common import parse_timestamp
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.bundles.bundles import Bundles
from hallmark.cluster.client import Cluster, ForeignObject, controller_uid
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    ENDPOINT_SLICE,
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
from hallmark.cluster.parse import read
from hallmark.policies.model_deployment.inputs import DeploymentInputs, PodState, Workload
from hallmark.policies.refusals import Refusal
from hallmark.resources.predictor import ApiServer, account_name, active_name
from hallmark.resources.predictor_version import (
    ANNOTATION_TRUST,
    ANNOTATION_URLS_UNTIL,
    TRUST_KEY,
    trust_name,
    urls_name,
)

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
    """

    obj: Obj
    inputs: DeploymentInputs | Refusal
    live: Live
    api_servers: tuple[ApiServer, ...]


async def gather_deployment(
    cluster: Cluster,
    bundles: Bundles,
    namespace: str,
    name: str,
    clock: Callable[[], datetime],
) -> DeploymentWorld | None:
    """Return a ModelDeployment and what is around it, or None where it is gone (or going).

    Args:
        cluster: the API.
        bundles: the store, for the baseline of what serves.
        namespace: of the object.
        name: of the object.
        clock: the time, asked when everything was read.
    """
    obj = await cluster.get(MODEL_DEPLOYMENT, namespace, name)
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return None
    deployment = read(ModelDeployment, obj)
    if isinstance(deployment, Refusal):
        return DeploymentWorld(obj, deployment, {}, ())
    # The Pods are read after the object: a Pod whose report stands in it cannot be missing
    # from them only because it is new.
    applied, versions, children, api_servers = await asyncio.gather(
        gather_policy(cluster, namespace),
        cluster.list(MODEL_VERSION, namespace),
        _children(cluster, deployment),
        _api_servers(cluster),
    )
    live, pods, foreign = children
    inputs = DeploymentInputs(
        deployment=deployment,
        now=clock(),
        policy=applied.policy,
        versions=tuple(_versions(versions)),
        workloads={each.manifest: each for each in _workloads(live)},
        pods=tuple(pod_state(each) for each in pods),
        trusts=dict(_trusts(name, live)),
        urls_until=dict(_urls_until(live)),
        foreign=foreign,
    )
    return DeploymentWorld(obj, await _with_baseline(bundles, inputs), live, api_servers)


async def _with_baseline(bundles: Bundles, inputs: DeploymentInputs) -> DeploymentInputs:
    status = inputs.deployment.status
    active = inputs.version(status.active_model_version, status.active_digest)
    if active is None or inputs.policy is None:
        return inputs
    return replace(inputs, baseline=await bundles.baseline(active, inputs.policy.spec))


def _versions(found: Iterable[Obj]) -> Iterable[ModelVersion]:
    for each in found:
        version = read(ModelVersion, each)
        going = each["metadata"].get("deletionTimestamp")
        if not going and not isinstance(version, Refusal):
            yield version


async def _children(
    cluster: Cluster, deployment: ModelDeployment
) -> tuple[Live, list[Obj], tuple[str, ...]]:
    name, namespace = deployment.metadata.name, deployment.metadata.namespace
    labels = {names.LABEL_DEPLOYMENT: name}
    fixed = _fixed(name)
    found, workloads, config_maps, pods = await asyncio.gather(
        asyncio.gather(*(cluster.get(kind, namespace, called) for kind, called in fixed)),
        cluster.list(APPS_DEPLOYMENT, namespace, labels),
        cluster.list(CONFIG_MAP, namespace, labels),
        cluster.list(POD, namespace, labels),
    )
    # The operator may not list Secrets, so it asks for those whose names it knows.
    manifests = _manifests(deployment, workloads)
    secrets = await asyncio.gather(
        *(cluster.get(SECRET, namespace, urls_name(name, each)) for each in manifests)
    )
    uid = deployment.metadata.uid
    there = [each for each in (*found, *workloads, *config_maps, *secrets) if each is not None]
    live = {
        (each["kind"], each["metadata"]["name"]): each
        for each in there
        if controller_uid(each) == uid
    }
    foreign = tuple(
        ForeignObject(kind.kind, namespace, called).sentence()
        for (kind, called), each in zip(fixed, found, strict=True)
        if each is not None and controller_uid(each) != uid
    )
    return live, pods, foreign


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


def _manifests(deployment: ModelDeployment, workloads: Iterable[Obj]) -> list[str]:
    status = deployment.status
    rollout = status.rollout.manifest_digest if status.rollout else None
    recorded = [status.active_digest, status.candidate_digest, rollout]
    labels = {names.manifest_label(each) for each in recorded if each}
    running = {_label(each, names.LABEL_MANIFEST) for each in workloads}
    return sorted((labels | running) - {""})


async def _api_servers(cluster: Cluster) -> tuple[ApiServer, ...]:
    """Return where the Service ``kubernetes`` leads; a Pod's packets go there."""
    slices = await cluster.list(
        ENDPOINT_SLICE, "default", {"kubernetes.io/service-name": "kubernetes"}
    )
    return tuple(
        sorted(
            {
                ApiServer(str(address), int(port["port"]))
                for each in slices
                for port in each.get("ports") or []
                for endpoint in each.get("endpoints") or []
                for address in endpoint.get("addresses") or []
            },
            key=lambda each: (each.address, each.port),
        )
    )


def _workloads(live: Live) -> Iterable[Workload]:
    for (kind, _), obj in live.items():
        if kind == APPS_DEPLOYMENT.kind:
            yield workload_state(obj)


def workload_state(obj: Obj) -> Workload:
    """Return what an apps/v1 Deployment says of a version's Pods."""
    spec, status = obj["spec"], obj.get("status") or {}
    template = spec["template"]
    pods, updated = int(status.get("replicas", 0)), int(status.get("updatedReplicas", 0))
    seen = int(status.get("observedGeneration", 0)) >= int(obj["metadata"].get("generation", 0))
    return Workload(
        manifest=_label(obj, names.LABEL_MANIFEST),
        trust_sha256=str((template["metadata"].get("annotations") or {}).get(ANNOTATION_TRUST, "")),
        image=str(template["spec"]["containers"][0].get("image", "")),
        replicas=int(spec.get("replicas", 1)),
        pods=pods,
        ready=int(status.get("readyReplicas", 0)),
        settled=seen and updated == pods,
    )


def pod_state(pod: Obj) -> PodState:
    """Return what a Pod says of itself."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    going = bool(metadata.get("deletionTimestamp"))
    ready = any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in status.get("conditions") or []
    )
    ended, waiting = _container(status)
    return PodState(
        name=str(metadata["name"]),
        manifest=_label(pod, names.LABEL_MANIFEST),
        trust_sha256=str((metadata.get("annotations") or {}).get(ANNOTATION_TRUST, "")),
        ready=ready and not going,
        # A Pod that goes is nobody's candidate; how it ended says nothing.
        exit_code=None if going or not ended else int(ended.get("exitCode", 1)),
        message=str(ended.get("message") or waiting)[:1024],
    )


def _container(status: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return how the predictor last ended, and why it waits."""
    for each in status.get("containerStatuses") or []:
        state, last = each.get("state") or {}, each.get("lastState") or {}
        waiting = state.get("waiting") or {}
        said = ": ".join(str(waiting[k]) for k in ("reason", "message") if waiting.get(k))
        return state.get("terminated") or last.get("terminated") or {}, said
    return {}, ""


def _trusts(name: str, live: Live) -> Iterable[tuple[str, Trust]]:
    for (kind, called), obj in live.items():
        text = (obj.get("data") or {}).get(TRUST_KEY)
        if kind != CONFIG_MAP.kind or not isinstance(text, str):
            continue
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        if called != trust_name(name, sha256):
            continue
        try:
            yield sha256, Trust.model_validate_json(text)
        except ValidationError:
            continue


def _urls_until(live: Live) -> Iterable[tuple[str, datetime]]:
    for (kind, _), obj in live.items():
        if kind != SECRET.kind:
            continue
        text = (obj["metadata"].get("annotations") or {}).get(ANNOTATION_URLS_UNTIL, "")
        try:
            yield _label(obj, names.LABEL_MANIFEST), parse_timestamp(text)
        except ValueError:
            continue


def _label(obj: Obj, name: str) -> str:
    return str((obj["metadata"].get("labels") or {}).get(name, ""))
