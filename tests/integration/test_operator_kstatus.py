"""What Flux, Argo CD and ``kubectl wait`` see of new objects, from the very first moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.cluster.lists import Selection
from tests.integration import objects
from tests.integration.operator_process import Installation, deployed, installation, store
from tests.integration.operator_world import api, kubeconfig, namespace

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]

KINDS: dict[str, tuple[Kind, Any]] = {
    "TrainingRun": (TRAINING_RUN, objects.training_run),
    "ModelVersion": (MODEL_VERSION, objects.model_version),
    "ModelApproval": (MODEL_APPROVAL, objects.model_approval),
    "Deployment": (MODEL_DEPLOYMENT, objects.model_deployment),
}


async def seen_until_ready_is_told(
    api: ApiCluster, kind: Kind, namespace: str, made: Obj
) -> list[Obj]:
    """Return each status that a watch sees of an object, until it has a condition Ready."""
    found: list[Obj] = []
    async with asyncio.timeout(30):
        version = str(int(made["metadata"]["resourceVersion"]) - 1)
        async for event in api.watch(Selection(kind, namespace), version, 30, 30.0):
            if event["type"] == "BOOKMARK":
                continue
            found.append(event["object"].get("status"))
            if any(c["type"] == "Ready" for c in (found[-1] or {}).get("conditions") or []):
                return found
    return found


@pytest.mark.parametrize("name", KINDS)
async def test_the_first_conditions_come_with_the_first_generation(
    api: ApiCluster, namespace: str, installation: Installation, name: str
) -> None:
    kind, make = KINDS[name]
    made = await api.create(make(namespace))
    *before, first = await seen_until_ready_is_told(api, kind, namespace, made)
    assert before, "the object was seen before the operator wrote"
    assert all(status == {"observedGeneration": -1} for status in before)
    assert first["observedGeneration"] == 1
    assert {c["observedGeneration"] for c in first["conditions"]} == {1}
    ready = next(c for c in first["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "False", "nothing of it is there yet"


CHANGED: dict[str, list[Obj]] = {
    "TrainingRun": [{"suspend": True}, {"suspend": False}],
    "Deployment": [
        {"replicas": 3},
        {"suspend": True},
        {"model": "other"},
        {"modelVersion": "none", "model": None},
    ],
}


@pytest.mark.parametrize(("name", "changes"), CHANGED.items(), ids=CHANGED)
async def test_no_moment_tells_of_another_generation(
    api: ApiCluster, namespace: str, installation: Installation, name: str, changes: list[Obj]
) -> None:
    """As kstatus reads it: what is told of a generation is told whole, and is one of three."""
    del installation
    kind, make = KINDS[name]
    made = await api.create(make(namespace))
    called = made["metadata"]["name"]
    seen = [await told_of(api, kind, namespace, called, 1)]
    for number, change in enumerate(changes, 2):
        await api.merge(kind, namespace, called, {"spec": change})
        seen.append(await told_of(api, kind, namespace, called, number))

    for generation, statuses in enumerate(seen, 1):
        assert statuses[-1]["observedGeneration"] == generation
        for status in statuses:
            told = [c for c in status.get("conditions", []) if c["type"] in SUMMARY]
            assert {c["observedGeneration"] for c in told} <= {status["observedGeneration"]}
            assert [c["status"] for c in told].count("True") == bool(told)


SUMMARY = {"Ready", "Reconciling", "Stalled"}


async def told_of(
    api: ApiCluster, kind: Kind, namespace: str, name: str, generation: int
) -> list[Obj]:
    """Return each status that a watch sees, until one tells of a generation."""
    found: list[Obj] = []
    async with asyncio.timeout(30):
        async for event in api.watch(Selection(kind, namespace), "0", 30, 30.0):
            if event["type"] == "BOOKMARK" or event["object"]["metadata"]["name"] != name:
                continue
            found.append(event["object"].get("status") or {})
            if found[-1].get("observedGeneration") == generation:
                return found
    return found


async def test_a_secret_is_asked_for_its_labels_alone(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    del installation
    labels = {"hallmark.dev/dataset": "true"}
    metadata = {"name": "loans", "namespace": namespace, "labels": labels}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": "b"}}
    await api.create(secret)
    assert await api.labels(Kind("v1", "Secret", "secrets"), namespace, "loans") == labels
    assert await api.labels(CONFIG_MAP, namespace, "none") is None
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    path = Kind("v1", "Secret", "secrets").path(namespace, "loans")
    answer = await api._transport.request("GET", path, accept=accept)
    assert answer is not None
    assert b"PartialObjectMetadata" in answer
    assert b'"data"' not in answer
