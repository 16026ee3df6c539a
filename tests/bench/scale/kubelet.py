"""Hands that play the Deployment controller and the kubelet: Pods as asked for, and ready."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hallmark.api import names
from tests.bench.scale.api import Api, Obj
from tests.integration.api import RefusedError

AT_ONCE = 8
OURS = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"


class Place(NamedTuple):
    """Where an apps/v1 Deployment is."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Running:
    """What the hands remember of an apps/v1 Deployment.

    Attributes:
        deployment: the ModelDeployment that it belongs to.
        manifest: the label of the version.
        generation: that was last seen to.
        pods: the names of its Pods; all are ready.
    """

    deployment: str
    manifest: str
    generation: int
    pods: tuple[str, ...]


class Kubelet:
    """Makes and ends Pods as the apps/v1 Deployments ask."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._asked: dict[Place, Obj | None] = {}
        """Deployments to see to, as they were last seen; None for one that is gone."""
        self._busy: set[Place] = set()
        self._wake = asyncio.Condition()
        self.running: dict[Place, Running] = {}

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done."""
        return not self._asked and not self._busy

    def pods(self) -> Iterator[tuple[Place, str, str]]:
        """Yield each Pod: its ModelDeployment's place, its version's label, its name."""
        for place, running in self.running.items():
            for pod in running.pods:
                yield Place(place.namespace, running.deployment), running.manifest, pod

    async def run(self) -> None:
        """Watch and act until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())
            async for kind, workload in self._api.watch("/apis/apps/v1/deployments", OURS):
                await self._ask(kind, workload)

    async def _ask(self, kind: str, workload: Obj) -> None:
        metadata = workload["metadata"]
        place = Place(metadata["namespace"], metadata["name"])
        done = self.running.get(place)
        if kind != "DELETED" and done and done.generation == metadata["generation"]:
            return
        async with self._wake:
            self._asked[place] = None if kind == "DELETED" else workload
            self._wake.notify()

    async def _work(self) -> None:
        while True:
            async with self._wake:
                await self._wake.wait_for(self._next)
                place = self._next()
                assert place is not None
                workload = self._asked.pop(place)
                self._busy.add(place)
            try:
                await self._see_to(place, workload)
            finally:
                async with self._wake:
                    self._busy.discard(place)
                    self._wake.notify()

    def _next(self) -> Place | None:
        return next((place for place in self._asked if place not in self._busy), None)

    async def _see_to(self, place: Place, workload: Obj | None) -> None:
        former = self.running.pop(place, None)
        had = former.pods if former else ()
        wanted = _pods(workload) if workload else ()
        for pod in wanted:
            if workload and pod not in had:
                await self._start(place, pod, workload)
        for pod in had:
            if pod not in wanted:
                await self._api.delete(f"/api/v1/namespaces/{place.namespace}/pods/{pod}")
        if workload is None:
            return
        path = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/{place.name}/status"
        try:
            await self._api.merge(path, {"status": _status(workload, len(wanted))})
        except RefusedError as error:
            if error.code != 404:
                raise
        labels = workload["metadata"]["labels"]
        self.running[place] = Running(
            deployment=labels[names.LABEL_DEPLOYMENT],
            manifest=labels[names.LABEL_MANIFEST],
            generation=workload["metadata"]["generation"],
            pods=wanted,
        )

    async def _start(self, place: Place, pod: str, workload: Obj) -> None:
        path = f"/api/v1/namespaces/{place.namespace}/pods"
        try:
            await self._api.call("POST", path, _pod(workload, pod))
        except RefusedError as error:
            if error.code != 409:
                raise
        ready = {"type": "Ready", "status": "True"}
        status = {"phase": "Running", "conditions": [ready]}
        await self._api.merge(f"{path}/{pod}/status", {"status": status})


def _pods(workload: Obj) -> tuple[str, ...]:
    """Return the names of the Pods that a Deployment asks for; another template, other Pods."""
    text = json.dumps(workload["spec"]["template"], sort_keys=True)
    template = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = workload["metadata"]["name"]
    return tuple(f"{name}-{template}-{number}" for number in range(workload["spec"]["replicas"]))


def _pod(workload: Obj, name: str) -> Obj:
    metadata, template = workload["metadata"], workload["spec"]["template"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    described = {**template["metadata"], "name": name, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": described, "spec": template["spec"]}


def _status(workload: Obj, pods: int) -> Obj:
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    generation = workload["metadata"]["generation"]
    return {"observedGeneration": generation, **dict.fromkeys(counts, pods)}
