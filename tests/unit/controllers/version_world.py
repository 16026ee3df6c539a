"""Versions, decisions on them and a store that may be away, around the version's controller.

Controller, decisions, store clients, signatures and memory are the real ones; the API server is the
one in memory that keeps its contract.
"""

# ruff: noqa: D102 - names say what the world does
from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from hallmark.api import names
from hallmark.api.admission import approval_identity
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_version import ModelVersion
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import Key, ObjectCache
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.kinds import (
    ADMISSION_BINDING,
    ADMISSION_POLICY,
    CONFIG_MAP,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    Kind,
    Obj,
    kind_of,
)
from hallmark.controllers import dispatch
from hallmark.controllers.event_queue import EventQueue
from hallmark.controllers.queue import Outcome, WorkQueue
from hallmark.controllers.runtime import Operator
from hallmark.controllers.settings import Settings
from tests.unit.controllers.folder_stores import FolderStores, Ledger
from tests.unit.controllers.memory_cluster import MemoryCluster
from tests.unit.policies.model_version.ballots import RITA, VOUCHED_SINCE
from tests.unit.policies.training_run import runs
from tests.unit.policies.training_run.runs import NOW, SBOM, bundle

SYSTEM, SPACE = "hallmark-system", runs.NAMESPACE
WATCHED = (MODEL_VERSION, MODEL_APPROVAL, MODEL_DEPLOYMENT, MODEL_POLICY, CONFIG_MAP, NAMESPACE)


class VersionWorld:
    """A namespace under a policy, and the operator's controllers of versions and approvals."""

    def __init__(
        self, folder: Path, stores: Stores | None = None, settings: Settings | None = None
    ) -> None:
        """Make the world.

        Args:
            folder: the store.
            stores: opens the store; without it the folder.
            settings: the operator's.
        """
        self.folder = folder
        self.settings = settings or Settings(namespace=SYSTEM)
        self.now: datetime = NOW
        self.cluster = MemoryCluster()
        self.ledger = Ledger()
        self.seal()
        self.operator = self._operator(stores or FolderStores(folder))
        self.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        self.vouch()
        self.rule(approvers=[RITA.to_wire()])

    def _operator(self, stores: Stores) -> Operator:
        async def reconcile(key: Key) -> Outcome:
            return await dispatch.reconcile(self.operator, key)

        operator = Operator(
            settings=self.settings,
            cluster=self.cluster,
            cache=ObjectCache(),
            audit=cast("Any", self.ledger),
            stores=stores,
            bundles=Bundles(stores),
            drift=DriftMonitor(),
            evidence=EvidenceMemory(),
            events=EventQueue(self.cluster),
            queue=WorkQueue(reconcile),
            clock=lambda: self.now,
        )
        # An earlier process saw the identity policy when it was installed.
        operator.guards.restore(None, first_start=True)
        self.cluster.observe = operator.observe
        return operator

    # -- people -------------------------------------------------------------------------------

    def seal(self) -> None:
        """Put the sealed bundle into the store."""
        digest = bundle().digest
        folder = self.folder / names.model_prefix(SPACE, runs.MODEL, digest)
        folder.mkdir(parents=True, exist_ok=True)
        evidence = bundle().evidence
        (folder / "manifest.json").write_text(evidence.manifest or "")
        (folder / "report.json").write_bytes(bundle().report)
        (folder / f"sbom_{runs.RUN_ID}.cdx.json").write_bytes(SBOM)

    def rule(self, **spec: Any) -> None:  # noqa: ANN401
        """Make the ModelPolicy, or change it."""
        wire = runs.policy(**spec).to_wire()
        self._put(MODEL_POLICY, None, "default", {"spec": wire["spec"]})

    def unrule(self) -> None:
        self.remove(MODEL_POLICY, None, "default")

    def vouch(self) -> None:
        """Install the identity policy, long ago."""
        for kind, found in zip(
            (ADMISSION_POLICY, ADMISSION_BINDING), approval_identity(), strict=True
        ):
            metadata = {**found["metadata"], "creationTimestamp": VOUCHED_SINCE}
            self._put(kind, None, metadata["name"], {**found, "metadata": metadata})

    def add(self, made: ModelVersion) -> None:
        wire = made.to_wire()
        metadata = {k: v for k, v in wire["metadata"].items() if v not in ("", 0, {})}
        self._put(MODEL_VERSION, SPACE, made.metadata.name, {**wire, "metadata": metadata})

    def say(self, made: ModelApproval) -> None:
        wire = made.to_wire()
        metadata = {k: v for k, v in wire["metadata"].items() if v not in ("", 0, {})}
        self._put(MODEL_APPROVAL, SPACE, made.metadata.name, {**wire, "metadata": metadata})

    def put_raw(self, obj: Obj) -> None:
        """Put an object as an API server of another release may hold it."""
        kind = kind_of(obj)
        self._put(kind, obj["metadata"].get("namespace"), obj["metadata"]["name"], obj)

    def remove(self, kind: Kind, namespace: str | None, name: str) -> None:
        self.cluster.objects.pop((kind.kind + kind.api_version, namespace or "", name), None)

    def _put(self, kind: Kind, namespace: str | None, name: str, obj: Obj) -> None:
        frame = {"apiVersion": kind.api_version, "kind": kind.kind}
        place = {"name": name, **({"namespace": namespace} if namespace else {})}
        key = (kind.kind + kind.api_version, namespace or "", name)
        former = self.cluster.objects.get(key)
        kept = {"uid": former["metadata"]["uid"]} if former else {}
        whole = {**obj, **frame, "metadata": {**kept, **obj.get("metadata", {}), **place}}
        self.cluster.put(whole)

    # -- the operator -------------------------------------------------------------------------

    def watch(self) -> None:
        """Do what the watches do: bring the memory to what the cluster is, and wake."""
        operator = self.operator
        for obj in list(self.cluster.objects.values()):
            if kind_of(obj) in WATCHED:
                operator.wake(operator.cache.observe(kind_of(obj), obj))
        for kind in WATCHED:
            there = [
                Key(kind, obj["metadata"].get("namespace"), obj["metadata"]["name"])
                for obj in self.cluster.objects.values()
                if kind_of(obj) == kind
            ]
            for change in operator.cache.keep_only(kind, there, self.cluster.now()):
                operator.wake(change)

    async def look(self, name: str = runs.NAME, kind: Kind = MODEL_VERSION) -> Outcome:
        """Reconcile one object once, as the queue would."""
        self.watch()
        return await dispatch.reconcile(self.operator, Key(kind, SPACE, name))

    async def settle(self, seconds: float = 60.0) -> None:
        """Let the queue work until nothing is due and nothing is read."""
        self.watch()
        task = asyncio.create_task(self.operator.queue.run())
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.operator.reader.settle()
                    self.watch()
                    await asyncio.sleep(0.01)
                    if self.operator.queue.idle and not self.operator.reader.reading:
                        break
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.operator.reader.close()

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # -- what shows ---------------------------------------------------------------------------

    def get(self, kind: Kind, name: str, namespace: str = SPACE) -> Obj:
        return self.cluster.objects[(kind.kind + kind.api_version, namespace, name)]

    def shown(self, name: str = runs.NAME, kind: Kind = MODEL_VERSION) -> dict[str, str]:
        """Return status and reason of each condition."""
        conditions = (self.get(kind, name).get("status") or {}).get("conditions") or []
        return {found["type"]: f"{found['status']}/{found['reason']}" for found in conditions}

    def message(self, type_: str, name: str = runs.NAME, kind: Kind = MODEL_VERSION) -> str:
        conditions = (self.get(kind, name).get("status") or {}).get("conditions") or []
        return next(str(found["message"]) for found in conditions if found["type"] == type_)

    def latches(self) -> list[str]:
        return [
            obj["metadata"]["name"]
            for obj in self.cluster.objects.values()
            if kind_of(obj) == CONFIG_MAP and names.LABEL_LATCH in obj["metadata"]["labels"]
        ]
