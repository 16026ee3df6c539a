"""A namespace with sealed bundles, people and a kubelet around the ModelDeployment's controller.

The controller, the decisions, the store (a folder), the signatures and the drift counts are the
real ones. The world checks the promises after every write.
"""

# ruff: noqa: D102 - names say what the world does
from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from hallmark.api import names
from hallmark.api.common import ObjectMeta
from hallmark.api.dependencies import Dependencies
from hallmark.api.drift_floors import DriftFloors
from hallmark.api.model_deployment import ModelDeploymentSpec
from hallmark.api.model_policy import (
    Approvals,
    DeploymentBounds,
    Images,
    ModelPolicy,
    ModelPolicySpec,
)
from hallmark.api.rollout_floors import RolloutFloors
from hallmark.api.served import Baseline
from hallmark.api.texts import sha256_digest, timestamp
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.cluster.cache import ObjectCache, key_of
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.gather.drift import judge_reports
from hallmark.cluster.kinds import (
    CONFIG_MAP,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    SECRET,
    UNWATCHED,
    Kind,
    Obj,
    kind_of,
)
from hallmark.controllers.event_queue import EventQueue
from hallmark.controllers.model_deployment import reconcile
from hallmark.controllers.queue import Outcome, WorkQueue
from hallmark.controllers.runtime import Operator
from hallmark.controllers.settings import Settings
from hallmark.controllers.watches import CHILDREN
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.unit.controllers.deployment_pods import Pods
from tests.unit.controllers.deployment_promises import Promises
from tests.unit.controllers.deployment_seen import BASELINE, MODEL, NAME, SPACE, bare
from tests.unit.controllers.folder_stores import FolderBundles, FolderStores
from tests.unit.controllers.memory_cluster import Killed
from tests.unit.policies.model_deployment import rollouts
from tests.unit.supply_chain.factories import KEY, trusted

WATCHED = (MODEL_DEPLOYMENT, MODEL_VERSION, HTTP_ROUTE, *CHILDREN)


class World(Promises, Pods):
    """See the module."""

    def __init__(self, folder: Path, **spec: object) -> None:
        super().__init__(folder)
        self.troubles: list[ApiError] = []
        """What the API server did not take, where a test has it refuse something."""
        self.lag: tuple[Kind, ...] = ()
        """Kinds whose watch is silent."""
        self.operator = self._operator()
        self.cluster.put(bare(NAMESPACE, "", SPACE))
        self.set_policy()
        self.make(**spec)

    def _operator(self) -> Operator:
        settings = Settings(namespace=SPACE, heartbeat_seconds=1.0)

        async def nothing(_: object) -> Outcome:
            return Outcome.DONE

        stores = FolderStores(self.folder, lambda: self.away)
        operator = Operator(
            settings=settings,
            cluster=self.cluster,
            cache=ObjectCache(),
            audit=cast("Any", self.ledger),
            stores=stores,
            bundles=FolderBundles(stores),
            drift=DriftMonitor(),
            evidence=EvidenceMemory(),
            events=EventQueue(self.cluster),
            queue=WorkQueue(cast("Any", nothing)),
            clock=lambda: self.now,
            no_routes=lambda: self.no_routes,
        )
        self.cluster.observe = operator.observe
        return operator

    def watch(self) -> None:
        """Do what the watches do: bring the operator's memory to what the cluster is."""
        self._version_what_changed()
        operator = self.operator
        for obj in self.cluster.objects.values():
            kind = kind_of(obj)
            if kind in self.lag or kind in UNWATCHED:
                continue
            operator.cache.observe(kind, obj)
            if kind == MODEL_DEPLOYMENT:
                operator.drift.hear(
                    obj, partial(judge_reports, operator.cache, operator.bundles, operator.clock)
                )
        for kind in {kind_of(obj) for obj in self.cluster.objects.values()} | set(WATCHED):
            if kind not in self.lag and kind not in UNWATCHED:
                there = [key_of(kind, obj) for obj in self._of(kind)]
                operator.cache.keep_only(kind, there, self.cluster.now())

    def _version_what_changed(self) -> None:
        """Give what people and the kubelet changed in its place a version, as any write has one."""
        for key, obj in self.cluster.objects.items():
            if self._written.get(key) != repr(obj):
                self.cluster.touch(key)
                self._written[key] = repr(obj)

    def reconcile(self, die_at: int | None = None) -> bool:
        """Reconcile once; False where the operator was killed at that write and started anew."""
        self.wait(0.01)
        self.watch()
        self.cluster.writes, self.cluster.die_at = 0, die_at
        try:
            asyncio.run(self._reconcile())
        except Killed:
            self.operator = self._operator()
            return False
        except ApiError as error:
            if self.cluster.refuse is None:
                raise
            # The dispatcher logs it, and the queue looks again.
            self.troubles.append(error)
        finally:
            self.cluster.die_at = None
            self._check_record()
        return True

    async def _reconcile(self) -> None:
        await reconcile(self.operator, SPACE, NAME)
        await self.operator.events.drain()

    def settle(self, *, kubelet: bool = True) -> None:
        """Reconcile until nothing changes any more; Pods become ready in between."""
        for _ in range(30):
            before = json.dumps(sorted(map(str, self.cluster.objects.items())))
            self.reconcile()
            if kubelet:
                self.run_pods()
            self.run_gateway()
            if before == json.dumps(sorted(map(str, self.cluster.objects.items()))):
                return
        raise AssertionError("It never comes to rest.")

    def set_policy(self, **approvals: object) -> None:
        deployments = DeploymentBounds.model_validate(approvals.pop("deployments", {}))
        dependencies = Dependencies.model_validate(approvals.pop("dependencies", {}))
        self.most_replicas = deployments.max_replicas
        drift, rollout = approvals.pop("drift", None), approvals.pop("rollout", None)
        policy = ModelPolicy(
            metadata=ObjectMeta(name="default"),
            spec=ModelPolicySpec(
                signers=[trusted(KEY)],
                approvals=Approvals.model_validate(approvals),
                store={"uri": "s3://models", "endpoint": "http://store:7070"},  # type: ignore[arg-type]
                images=Images(trainer="t:1", sealer="s:1", predictor="p:1"),
                deployments=deployments,
                drift=DriftFloors.model_validate(drift) if drift else None,
                rollout=RolloutFloors.model_validate(rollout) if rollout else None,
                dependencies=dependencies,
            ),
        )
        self.policy = policy
        self._put(MODEL_POLICY, "", "default", spec=policy.spec.to_wire())

    def seal(self, number: int, *, approved: bool = True, baseline: Baseline = BASELINE) -> None:
        """Seal a version's bundle and create its ModelVersion."""
        files = {
            "baseline.json": baseline.to_bytes(),
            "model.onnx": f"model {number}".encode(),
            "report.json": b"report",
            "sbom_0123456789ab.cdx.json": b"sbom",
            "schema.json": b"schema",
        }
        manifest = build_manifest(
            namespace=SPACE,
            model=MODEL,
            run_id="0123456789ab",
            spec_digest=rollouts.digest(200),
            dataset_fingerprint=rollouts.digest(201),
            image_digest=sha256_digest(b"image"),
            files=files,
        )
        digest = sha256_digest(manifest.to_bytes())
        folder = self._bundle_folder(digest)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in {**files, "manifest.json": manifest.to_bytes()}.items():
            (folder / name).write_bytes(data)
        self.numbers[names.manifest_label(digest)] = number
        template = rollouts.version(number)
        spec = template.spec.model_copy(
            update={
                "artifact": template.spec.artifact.model_copy(update={"manifest_digest": digest}),
                "baseline_digest": sha256_digest(files["baseline.json"]),
                "gate_report_digest": sha256_digest(files["report.json"]),
                "sbom_digest": sha256_digest(files["sbom_0123456789ab.cdx.json"]),
                "bundle": sign_bundle(KEY, MODEL, signed_resources(manifest, digest)),
            }
        )
        status = template.status if approved else rollouts.version(number, approvals=()).status
        name = rollouts.version_name(number)
        self._put(MODEL_VERSION, SPACE, name, spec=spec.to_wire(), status=status.to_wire())

    def judge(self, number: int, **changes: Any) -> None:  # noqa: ANN401 - the factory's
        """Approve (no changes), deny, revoke or withdraw a version's approval."""
        status = rollouts.version(number, **changes).status
        self._put(MODEL_VERSION, SPACE, rollouts.version_name(number), status=status.to_wire())

    def judge_packages(self, number: int, reason: str) -> None:
        """Say of a version's packages what the policy of today says."""
        passed = rollouts.condition("PolicyPassed", true=reason == "PolicyPassed", reason=reason)
        status = self.version(number).status
        others = [found for found in status.conditions if found.type != passed.type]
        changed = status.replace(
            conditions=[*others, passed], policy_digest=self.policy.spec.digest
        )
        self._put(MODEL_VERSION, SPACE, rollouts.version_name(number), status=changed.to_wire())

    def corrupt_bytes(self, number: int) -> None:
        """Flip a byte of the version's model in the store."""
        self.corrupt ^= {number}
        file = self._bundle_folder(self.digest(number)) / "model.onnx"
        data = bytearray(file.read_bytes())
        data[0] ^= 1
        file.write_bytes(data)
        self.now += timedelta(seconds=3)

    def ask(self, **changes: object) -> None:
        """Change the spec, as a user; ``version`` pins, ``model`` follows."""
        wire = self.cluster.objects[self._key()]["spec"]
        wire = {**wire, **changes}
        wire = {k: v for k, v in wire.items() if v is not None}
        spec = ModelDeploymentSpec.model_validate(wire)
        obj = self.cluster.objects[self._key()]
        if obj["spec"] != spec.to_wire():
            obj["spec"] = spec.to_wire()
            obj["metadata"]["generation"] += 1
        self.asked = self.spec

    def pin(self, number: int) -> None:
        self.ask(model=None, modelVersion=rollouts.version_name(number))

    def act(self, action: str, identity: str, **more: str) -> None:
        text = json.dumps({"id": identity, "action": action, "by": "ada", **more})
        self.annotate(text)

    def hold(self, seconds: float, identity: str) -> None:
        until = timestamp(self.now + timedelta(seconds=seconds))
        self.act("hold", identity, reason="Quarter's end.", until=until)

    def annotate(self, text: str) -> None:
        metadata = self.cluster.objects[self._key()]["metadata"]
        metadata["annotations"] = {names.ANNOTATION_ACTION: text}

    def revoke(self, number: int) -> None:
        self.judge(number, revoked=True)

    def delete(self, *, orphan: bool = False) -> None:
        """Delete the ModelDeployment, and do what the garbage collector does."""
        uid = self.cluster.objects.pop(self._key())["metadata"]["uid"]
        for key, obj in list(self.cluster.objects.items()):
            owners = obj["metadata"].get("ownerReferences") or []
            if any(owner["uid"] == uid for owner in owners):
                if orphan:
                    obj["metadata"]["ownerReferences"] = []
                else:
                    del self.cluster.objects[key]

    def make(self, **spec: object) -> None:
        """Create the ModelDeployment, anew where it was deleted."""
        made = {**bare(MODEL_DEPLOYMENT, SPACE, NAME), "spec": rollouts.spec(**spec).to_wire()}
        self.asked = made["spec"]
        self.cluster.put(made)

    def let_end(self, *finalizers: str) -> None:
        """Delete the ModelDeployment, which finalizers keep."""
        metadata = self.cluster.objects[self._key()]["metadata"]
        metadata["deletionTimestamp"] = timestamp(self.now)
        metadata["finalizers"] = list(finalizers)

    def delete_urls(self) -> None:
        """Delete every Secret with download URLs, as an administrator could."""
        for obj in self._of(SECRET):
            del self.cluster.objects[self.cluster.key_of(obj)]

    def delete_bundles(self) -> None:
        """Delete every ConfigMap of served files, as an administrator could."""
        for obj in self.bundles.values():
            del self.cluster.objects[self.cluster.key_of(obj)]

    def delete_trust(self) -> None:
        """Delete every trust ConfigMap, as an administrator could."""
        for obj in self._of(CONFIG_MAP):
            if "-trust-" in obj["metadata"]["name"]:
                del self.cluster.objects[self.cluster.key_of(obj)]


def with_candidate(folder: Path, strategy: Obj, *, replicas: int) -> World:
    """Return a world in which version 1 is stable, and version 2 was sealed and approved."""
    world = World(folder, replicas=replicas, strategy=strategy)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.seal(2)
    world.settle()
    return world
