"""Stops what may not serve where the reconcile of its ModelDeployment failed."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.cluster.cache import Key, ObjectCache
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.gather.model_policy import gather_policy
from hallmark.cluster.kinds import APPS_DEPLOYMENT, MODEL_DEPLOYMENT, MODEL_VERSION, Obj
from hallmark.cluster.ownership import controller_uid
from hallmark.cluster.parse import read
from hallmark.controllers.carry_out import emptied
from hallmark.controllers.runtime import Operator, log, record
from hallmark.policies.decision import Reference
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.last_resort import last_resort
from hallmark.refusal import Refusal


async def stop_withdrawn(operator: Operator, namespace: str, name: str) -> None:
    """Take the Pods of withdrawn bytes away, whatever the decision about the object met.

    It reads little, from memory alone, and shares no more with that decision than the question
    what was withdrawn.

    Raises:
        HallmarkError: the audit log or the API server did not take it; it is tried again.
    """
    obj = operator.cache.get(MODEL_DEPLOYMENT, namespace, name)
    if obj is None:
        return
    workloads = {
        str(labels[names.LABEL_MANIFEST]): child
        for child in operator.cache.objects("child", namespace, name, kind=APPS_DEPLOYMENT)
        if names.LABEL_MANIFEST in (labels := child["metadata"].get("labels") or {})
        and controller_uid(child) in (None, obj["metadata"]["uid"])
        and child["spec"].get("replicas", 1) > 0
    }
    inputs = DeploymentInputs(
        deployment=_readable(operator, obj),
        now=operator.clock(),
        policy=gather_policy(operator.cache, namespace).policy,
        versions=_versions(operator.cache, namespace),
        withdrawn_since=operator.unwritten.since(obj),
    )
    found = last_resort(inputs, frozenset(workloads))
    operator.unwritten.note(obj, found.since)
    if found.again is not None:
        delay = max(0.0, (found.again - inputs.now).total_seconds()) + 0.05
        operator.queue.request(Key(MODEL_DEPLOYMENT, namespace, name), after=delay)
    if not found.stops:
        return
    log.error("What was withdrawn is stopped without a decision.", namespace=namespace, name=name)
    await record(operator, found.records, at_once=True)
    trouble: ApiError | None = None
    for label in sorted(found.stops):
        try:
            await emptied(operator.cluster, _reference(workloads[label]))
        except ApiError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble


def _readable(operator: Operator, obj: Obj) -> ModelDeployment:
    """Return the object with what can be read of it: without a record nothing has more time."""
    status = operator.unwritten.of(obj) or obj.get("status") or {}
    nothing = {"model": "unreadable"}
    for parts in ({"status": status}, {}):
        found = read(ModelDeployment, {**obj, "spec": nothing, "status": {}, **parts})
        if not isinstance(found, Refusal):
            return found
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace", "uid")}
    return ModelDeployment.model_validate({"metadata": metadata, "spec": nothing})


def _versions(cache: ObjectCache, namespace: str) -> tuple[ModelVersion, ...]:
    found = (cache.read(ModelVersion, *key) for key in cache.keys(MODEL_VERSION, namespace))
    return tuple(version for version in found if isinstance(version, ModelVersion))


def _reference(obj: Obj) -> Reference:
    metadata = obj["metadata"]
    return Reference(
        obj["apiVersion"], obj["kind"], metadata["namespace"], metadata["name"], metadata["uid"]
    )
