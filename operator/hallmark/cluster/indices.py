"""Under which keys an object is found besides its place. Pure.

============================  ==========================================================
``model``, namespace, model   versions of a model; ModelDeployments that follow it
``version``, ns, version      ModelDeployments that ask for a version or use it;
                              ModelApprovals that decide on it
``child``, ns, deployment     what was made for a ModelDeployment
``run``, ns, run              what was made for a TrainingRun, wherever it is
``job``, ns, Job              the Pods of a Job
``sealing``, namespace        sealing Jobs of its runs and their Pods, wherever they are
``digest``, manifest digest   versions of these bytes, in every namespace
``latch``, digits              versions of the bytes that a latch is about
``policy``, name              namespaces whose label names that ModelPolicy
``seal``, namespace           runs that are trained, and to be sealed or being sealed
``created``, time             the same, by when they were created
``in``, namespace             the objects of Hallmark's kinds in a namespace
============================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hallmark.api import names
from hallmark.api.conditions import SummaryCondition
from hallmark.cluster.kinds import (
    HALLMARK_KINDS,
    JOB,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    NAMESPACE,
    POD,
    TRAINING_RUN,
    Kind,
    Obj,
)

IndexKey = tuple[str | None, ...]


def indices(kind: Kind, obj: Obj) -> Iterator[IndexKey]:
    """Yield the index keys of a trimmed object."""
    space = obj["metadata"].get("namespace")
    if kind in HALLMARK_KINDS:
        yield ("in", space)
    else:
        yield from _owner(kind, space, obj["metadata"].get("labels") or {})
    if kind in _BY_KIND:
        yield from _BY_KIND[kind](space, obj)


def _owner(kind: Kind, space: str | None, labels: dict[str, str]) -> Iterator[IndexKey]:
    if deployment := labels.get(names.LABEL_DEPLOYMENT):
        yield ("child", space, deployment)
    if run := labels.get(names.LABEL_RUN):
        yield ("run", labels.get(names.LABEL_RUN_NAMESPACE, space), run)
    if kind is POD and (job := labels.get(names.LABEL_JOB_NAME)):
        yield ("job", space, job)
    if kind in {JOB, POD} and labels.get(names.LABEL_JOB) == "seal":
        yield ("sealing", labels.get(names.LABEL_RUN_NAMESPACE))


def _version(space: str | None, obj: Obj) -> Iterator[IndexKey]:
    yield ("model", space, text(obj, "spec", "model"))
    digest = text(obj, "spec", "artifact", "manifestDigest")
    yield ("digest", digest)
    yield ("latch", names.latch_label(digest))


def _approval(space: str | None, obj: Obj) -> Iterator[IndexKey]:
    yield ("version", space, text(obj, "spec", "modelVersion", "name"))


def _deployment(space: str | None, obj: Obj) -> Iterator[IndexKey]:
    if model := text(obj, "spec", "model"):
        yield ("model", space, model)
    asked = text(obj, "spec", "modelVersion")
    for version in used_versions(obj) | ({asked} if asked else set()):
        yield ("version", space, version)


def _namespace(_: str | None, obj: Obj) -> Iterator[IndexKey]:
    labels = obj["metadata"].get("labels") or {}
    yield ("policy", labels.get(names.LABEL_POLICY, names.DEFAULT_POLICY))


def _run(space: str | None, obj: Obj) -> Iterator[IndexKey]:
    status: dict[str, Any] = obj.get("status") or {}
    over = status.get("completionTime") or obj["metadata"].get("deletionTimestamp")
    if status.get("manifestDigest") and not over and not _is_stalled(status):
        yield ("seal", space)
        yield ("created", str(obj["metadata"].get("creationTimestamp") or ""))


def _is_stalled(status: dict[str, Any]) -> bool:
    return any(
        found.get("type") == SummaryCondition.STALLED and found.get("status") == "True"
        for found in status.get("conditions") or []
    )


_BY_KIND: dict[Kind, Callable[[str | None, Obj], Iterator[IndexKey]]] = {
    MODEL_VERSION: _version,
    MODEL_APPROVAL: _approval,
    MODEL_DEPLOYMENT: _deployment,
    NAMESPACE: _namespace,
    TRAINING_RUN: _run,
}


def used_versions(obj: Obj) -> frozenset[str]:
    """Return the names of the versions that a ModelDeployment serves or could serve again.

    As ``policies.model_deployment`` says of a parsed one; here of one that may not parse.
    """
    status: dict[str, Any] = obj.get("status") or {}
    named = [
        status.get("activeModelVersion"),
        status.get("stableModelVersion"),
        status.get("candidateModelVersion"),
        (status.get("rollout") or {}).get("modelVersion"),
    ]
    history = status.get("history") or []
    targets = [entry.get("version") for entry in history if entry.get("wasStable")]
    return frozenset(str(name) for name in (*named, *targets) if name)


def text(obj: Obj, *path: str) -> str:
    """Return the text at a path of an object, or an empty one."""
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
