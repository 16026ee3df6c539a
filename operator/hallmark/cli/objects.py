"""The objects of a namespace as a person asks about them: read once, as models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hallmark.api.common import NamespacedResource, Resource
from hallmark.api.conditions import ConditionedStatus, ConditionStatus
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy, ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import DEFAULT_POLICY, LABEL_POLICY
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.cluster.parse import read
from hallmark.errors import ClusterError, ConfigurationError
from hallmark.refusal import Refusal

Model = TypeVar("Model", bound=Resource)
_FORBIDDEN = 403

NAMES: dict[str, Kind] = {
    name: kind
    for kind, names in (
        (TRAINING_RUN, ("trun", "trainingrun", "trainingruns", "run")),
        (MODEL_VERSION, ("mver", "modelversion", "modelversions", "version")),
        (MODEL_APPROVAL, ("mapr", "modelapproval", "modelapprovals", "approval")),
        (MODEL_DEPLOYMENT, ("mdep", "modeldeployment", "modeldeployments", "deployment")),
    )
    for name in names
}
"""What people call the kinds."""
MODELS: dict[Kind, type[NamespacedResource]] = {
    TRAINING_RUN: TrainingRun,
    MODEL_VERSION: ModelVersion,
    MODEL_APPROVAL: ModelApproval,
    MODEL_DEPLOYMENT: ModelDeployment,
}


@dataclass(frozen=True)
class Objects:
    """What there is, in the order of the names; what cannot be read is told apart.

    Attributes:
        hidden: Sentences on what the user may not see, and on objects of an unknown form.
    """

    runs: tuple[TrainingRun, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    approvals: tuple[ModelApproval, ...] = ()
    deployments: tuple[ModelDeployment, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """What an object's conditions say in one of four words."""

    kind: str
    """good, waiting, stopped or unknown."""
    reason: str
    message: str
    since: str = ""


def standing_of(status: ConditionedStatus) -> Standing:
    """Return how an object stands: by Ready, Reconciling and Stalled, as kstatus does."""
    ready = status.condition("Ready")
    if ready is None:
        return Standing("unknown", "Pending", "The operator has not looked at it yet.")
    if ready.status is ConditionStatus.TRUE:
        kind = "good"
    elif status.is_true("Stalled"):
        kind = "stopped"
    elif status.is_true("Reconciling"):
        kind = "waiting"
    else:
        kind = "unknown"
    return Standing(kind, ready.reason, ready.message, ready.last_transition_time)


def standing_of_object(found: NamespacedResource) -> Standing:
    """Return how an object stands; a version that is well waits until it is approved."""
    status = getattr(found, "status", None)
    if not isinstance(status, ConditionedStatus):
        return Standing("unknown", "Pending", "It has no status.")
    now, approved = standing_of(status), status.condition("Approved")
    if not isinstance(found, ModelVersion) or now.kind != "good" or approved is None:
        return now
    if approved.status is ConditionStatus.TRUE:
        return now
    return Standing("waiting", approved.reason, approved.message, approved.last_transition_time)


async def objects_of(cluster: Cluster, namespace: str | None) -> Objects:
    """Return all objects of a namespace, or of all; what may not be listed is said, not an error.

    Raises:
        ClusterError: the API server failed, or lets nothing be listed.
    """
    found = await asyncio.gather(
        *(_listed(cluster, kind, model, namespace) for kind, model in MODELS.items())
    )
    hidden = [sentence for _, sentences in found for sentence in sentences]
    if len(hidden) >= len(MODELS) and not any(objects for objects, _ in found):
        raise ClusterError(hidden[0])
    runs, versions, approvals, deployments = (objects for objects, _ in found)
    return Objects(
        runs=tuple(run for run in runs if isinstance(run, TrainingRun)),
        versions=tuple(found for found in versions if isinstance(found, ModelVersion)),
        approvals=tuple(found for found in approvals if isinstance(found, ModelApproval)),
        deployments=tuple(found for found in deployments if isinstance(found, ModelDeployment)),
        hidden=tuple(hidden),
    )


async def _listed(
    cluster: Cluster, kind: Kind, model: type[NamespacedResource], namespace: str | None
) -> tuple[list[NamespacedResource], list[str]]:
    try:
        listed = await cluster.list(kind, namespace)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        where = f"in namespace {namespace}" if namespace else "in all namespaces"
        return [], [f"You may not list {kind.plural}.hallmark.dev {where}; ask for that right."]
    parsed = [read(model, obj) for obj in listed]
    good = [found for found in parsed if not isinstance(found, Refusal)]
    bad = [found.message for found in parsed if isinstance(found, Refusal)]
    return sorted(good, key=lambda found: (found.metadata.namespace, found.metadata.name)), bad


async def find(cluster: Cluster, namespace: str, asked: str) -> list[NamespacedResource]:
    """Return the objects that ``kind/name`` or a bare name means; of a name, in any kind.

    Raises:
        ConfigurationError: there is no such kind.
        ClusterError: there is no such object.
    """
    word, slash, name = asked.partition("/")
    if slash and word.casefold() not in NAMES:
        known = "trun, mver, mapr, mdep"
        raise ConfigurationError(f"Expected one of the kinds {known}, found '{word}' in {asked!r}.")
    kinds = [NAMES[word.casefold()]] if slash else list(MODELS)
    objects = [await _one(cluster, kind, namespace, name if slash else asked) for kind in kinds]
    found = [
        parsed_or_raise(MODELS[kind], obj)
        for kind, obj in zip(kinds, objects, strict=True)
        if obj is not None
    ]
    if not found:
        raise ClusterError(
            f"Expected '{asked}' in namespace {namespace}, found none; see which there are: "
            f"kubectl get hallmark -n {namespace}"
        )
    return found


async def _one(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Obj | None:
    return await cluster.get(kind, namespace, name)


async def get_version(cluster: Cluster, namespace: str, name: str) -> ModelVersion:
    """Return a ModelVersion.

    Raises:
        ClusterError: there is none of that name.
    """
    (found,) = await find(cluster, namespace, f"mver/{name}")
    assert isinstance(found, ModelVersion)  # noqa: S101 - by its kind
    return found


async def get_deployment(cluster: Cluster, namespace: str, name: str) -> ModelDeployment:
    """Return a ModelDeployment.

    Raises:
        ClusterError: there is none of that name.
    """
    (found,) = await find(cluster, namespace, f"mdep/{name}")
    assert isinstance(found, ModelDeployment)  # noqa: S101 - by its kind
    return found


async def policy_of(cluster: Cluster, namespace: str) -> tuple[str, ModelPolicySpec | None]:
    """Return the name of the policy that applies to a namespace, and what it says.

    None where there is none, or the user may not read it.

    Raises:
        ConfigurationError: it has another form than this command line knows.
    """
    space = await _if_allowed(cluster.get(NAMESPACE, None, namespace))
    labels = ((space or {}).get("metadata") or {}).get("labels") or {}
    name = str(labels.get(LABEL_POLICY, DEFAULT_POLICY))
    found = await _if_allowed(cluster.get(MODEL_POLICY, None, name))
    return name, parsed_or_raise(ModelPolicy, found).spec if found else None


async def _if_allowed(asked: Awaitable[Obj | None]) -> Obj | None:
    try:
        return await asked
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None


def parsed_or_raise(model: type[Model], obj: Obj) -> Model:
    """Return an object as its model.

    Raises:
        ConfigurationError: it has another form than this command line knows.
    """
    found = read(model, obj)
    if isinstance(found, Refusal):
        name = obj.get("metadata", {}).get("name", "")
        raise ConfigurationError(
            f"{obj.get('kind')} {name} has a form that this command does not know; bring the "
            f"command and crds/ to the same version. {found.message}"
        )
    return found


def as_documents(objects: Sequence[NamespacedResource]) -> list[dict[str, Any]]:
    """Return objects in wire form."""
    return [found.to_wire() for found in objects]
