"""What Kubernetes says of the predictors' Pods, and of the workloads that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.kinds import POD, Obj
from hallmark.policies.model_deployment.inputs import PodState, Workload
from hallmark.resources.predictor_version import ANNOTATION_TRUST


def pods_of(cache: ObjectCache, deployment: ModelDeployment) -> tuple[PodState, ...]:
    """Return the Pods of all versions of a ModelDeployment."""
    metadata = deployment.metadata
    found = cache.objects("child", metadata.namespace, metadata.name, kind=POD)
    return tuple(pod_state(pod) for pod in found)


def workload_state(obj: Obj) -> Workload:
    """Return what an apps/v1 Deployment says of a version's Pods."""
    spec, status = obj["spec"], obj.get("status") or {}
    template = spec["template"]
    pods, updated = int(status.get("replicas", 0)), int(status.get("updatedReplicas", 0))
    seen = int(status.get("observedGeneration", 0)) >= int(obj["metadata"].get("generation", 0))
    return Workload(
        manifest=label_of(obj, names.LABEL_MANIFEST),
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
    terminating = bool(metadata.get("deletionTimestamp"))
    ready = any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )
    ended, waiting = _container(status)
    return PodState(
        name=str(metadata["name"]),
        manifest=label_of(pod, names.LABEL_MANIFEST),
        trust_sha256=str((metadata.get("annotations") or {}).get(ANNOTATION_TRUST, "")),
        ready=ready and not terminating,
        # A terminating Pod is nobody's candidate; how it ended says nothing.
        exit_code=None if terminating or not ended else int(ended.get("exitCode", 1)),
        message=str(ended.get("message") or waiting)[:1024],
        ended_at=ended.get("finishedAt") or None,
        restarts=_restarts(status),
    )


def _container(status: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return how the predictor last ended, and why it waits."""
    for container in status.get("containerStatuses") or []:
        state, last = container.get("state") or {}, container.get("lastState") or {}
        waiting = state.get("waiting") or {}
        said = ": ".join(str(waiting[k]) for k in ("reason", "message") if waiting.get(k))
        return state.get("terminated") or last.get("terminated") or {}, said
    return {}, ""


def _restarts(status: Mapping[str, Any]) -> int:
    found = status.get("containerStatuses") or []
    return int(found[0].get("restartCount") or 0) if found else 0


def label_of(obj: Obj, name: str) -> str:
    """Return a label of an object; empty where it has none of that name."""
    return str((obj["metadata"].get("labels") or {}).get(name, ""))
