"""A namespace with sealed bundles, people and a kubelet around the ModelDeployment's controller.

The controller, the decisions, the store (a folder), the signatures and the drift counts are the
real ones. The world checks the promises after every write.
"""

# ruff: noqa: D102 - names say what the world does
from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.api.columns import FeatureType
from hallmark.api.common import ObjectMeta, parse_timestamp, sha256_digest, timestamp
from hallmark.api.dependencies import Dependencies
from hallmark.api.drift_floors import DriftFloors
from hallmark.api.drift_report import LATENCY_BOUNDS
from hallmark.api.findings import Finding
from hallmark.api.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from hallmark.api.model_policy import (
    Approvals,
    DeploymentBounds,
    Images,
    ModelPolicy,
    ModelPolicySpec,
)
from hallmark.api.model_version import ModelVersion
from hallmark.api.rollout_floors import RolloutFloors
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.audit.memory import LogMemory
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import ObjectCache, key_of
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.gather.drift import judge_reports
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    SECRET,
    SERVICE,
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
from hallmark.errors import ArtifactError
from hallmark.policies.decision import Record
from hallmark.resources.carried import bundle_name, carried_files
from hallmark.resources.predictor_version import ANNOTATION_TRUST
from hallmark.supply_chain.carried import carried_manifest
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.unit.controllers.memory_cluster import Key, Killed, MemoryCluster
from tests.unit.policies.model_deployment import rollouts
from tests.unit.supply_chain.factories import KEY, trusted

SPACE, NAME, MODEL = "bank", "credit", "credit"
WINDOW = 100
BASELINE = Baseline(
    rows=1000,
    features=[
        BaselineFeature(
            name="income", type=FeatureType.NUMBER, edges=[1.0, 2.0], counts=[400, 300, 300, 0]
        )
    ],
)
LABEL = names.LABEL_MANIFEST
WATCHED = (MODEL_DEPLOYMENT, MODEL_VERSION, *CHILDREN)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
CALM, SHIFTED = [40, 30, 30, 0], [0, 0, 100, 0]


class FolderBundles(Bundles):
    """Bundles in a folder, which cannot be presigned."""

    def urls(
        self, version: ModelVersion, policy: ModelPolicySpec, lifetime: timedelta
    ) -> DownloadURLs:
        return DownloadURLs(urls={"model.onnx": f"http://store/{version.metadata.name}"})


class FolderStores(Stores):
    """Opens a folder, whatever the policy names, unless the store is away."""

    def __init__(self, folder: Path, world: World | None = None) -> None:
        super().__init__(folder)
        self._folder = folder
        self._world = world

    def open(self, spec: object) -> Any:  # noqa: ANN401 - a store
        from hallmark.store import open_store

        if self._world is not None and self._world.away:
            raise ArtifactError("The store could not be reached.")
        return open_store(f"file://{self._folder}")


class Ledger:
    """The audit log in memory, with the real one's idempotence."""

    trouble = ""
    """Why it takes no record: it takes all."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.memory = LogMemory()

    def append(self, record: Record) -> None:
        self.records.setdefault(record.decision_id, record)
        self.memory.hear(self.records[record.decision_id], timestamp(NEVER))


class World:
    """See the module."""

    def __init__(self, folder: Path, **spec: object) -> None:
        self.folder = folder
        self.now = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
        self._written: dict[Key, str] = {}
        """Each object as it was when it got its version."""
        self.cluster = MemoryCluster(self._check)
        self.ledger = Ledger()
        self.switches: list[str] = []
        """Manifest labels that the Service selected, one after the other."""
        self._recorded: ModelDeploymentStatus | None = None
        self.corrupt: set[int] = set()
        self.numbers: dict[str, int] = {}
        """Version number by manifest label."""
        self.refusing: set[int] = set()
        self.away = False
        """Nobody reaches the store."""
        self.broken = ""
        self._sequence = 0
        self._windows = 0
        self._requests = 0
        self.troubles: list[ApiError] = []
        """What the API server did not take, where a test has it refuse something."""
        self.lag: tuple[Kind, ...] = ()
        """Kinds whose watch is silent."""
        self.operator = self._operator()
        self.cluster.put(_obj(NAMESPACE, "", SPACE))
        self.set_policy()
        self.cluster.put(
            {
                **_obj(MODEL_DEPLOYMENT, SPACE, NAME),
                "spec": rollouts.spec(**spec).to_wire(),
            }
        )
        self.asked = self.spec

    # -- the operator -------------------------------------------------------------------------

    def _operator(self) -> Operator:
        settings = Settings(namespace=SPACE, heartbeat_seconds=1.0)

        async def nothing(_: object) -> Outcome:
            return Outcome.DONE

        stores = FolderStores(self.folder, self)
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
            if before == json.dumps(sorted(map(str, self.cluster.objects.items()))):
                return
        raise AssertionError("It never comes to rest.")

    # -- what people and the world do ---------------------------------------------------------

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

    def evict(self, number: int, pods: int | None = None) -> None:
        """Take Pods of a version away, all or some; the workload's controller has seen it."""
        found = self.pods_of(number)
        if not found:
            return
        for pod in found[:pods]:
            del self.cluster.objects[self.cluster.key_of(pod)]
        left = len(found) - len(found[:pods])
        for obj in self._of(APPS_DEPLOYMENT):
            if self.numbers[obj["metadata"]["labels"][LABEL]] == number:
                counted = {"replicas": left, "updatedReplicas": left, "readyReplicas": left}
                obj["status"] = {**obj.get("status", {}), **counted}

    def pods_of(self, number: int) -> list[Obj]:
        label = names.manifest_label(self.digest(number))
        return [pod for pod in self._of(POD) if pod["metadata"]["labels"].get(LABEL) == label]

    def answers(self) -> int:
        """How many ready Pods the Service selects."""
        services = self._services()
        if not services:
            return 0
        selector = services[0]["spec"]["selector"]
        return sum(
            selector.items() <= pod["metadata"]["labels"].items()
            and pod["status"]["conditions"][0]["status"] == "True"
            for pod in self._of(POD)
        )

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

    def make_again(self, **spec: object) -> None:
        """Create a ModelDeployment of the same name."""
        made = {**_obj(MODEL_DEPLOYMENT, SPACE, NAME), "spec": rollouts.spec(**spec).to_wire()}
        self.asked = made["spec"]
        self.cluster.put(made)

    def let_end(self, *finalizers: str) -> None:
        """Delete the ModelDeployment, which finalizers keep."""
        metadata = self.cluster.objects[self._key()]["metadata"]
        metadata["deletionTimestamp"] = timestamp(self.now)
        metadata["finalizers"] = list(finalizers)

    @property
    def children(self) -> list[str]:
        """What was made for the ModelDeployment, Pods apart."""
        return sorted(
            f"{obj['kind']}/{obj['metadata']['name']}"
            for obj in self.cluster.objects.values()
            if names.LABEL_DEPLOYMENT in (obj["metadata"].get("labels") or {})
            and obj["kind"] != "Pod"
        )

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def run_pods(self) -> None:
        """Do what the Deployment controller and the kubelet do: Pods as asked, and ready."""
        for obj in self._of(APPS_DEPLOYMENT):
            spec, template = obj["spec"], obj["spec"]["template"]
            number = self.numbers[template["metadata"]["labels"][names.LABEL_MANIFEST]]
            carried = self.carries(number)
            fails = number in self.refusing or (number in self.corrupt and not carried)
            waits = self.away and not carried
            wanted = {f"{obj['metadata']['name']}-{i}" for i in range(spec["replicas"])}
            trust = template["metadata"]["annotations"][ANNOTATION_TRUST]
            for pod in self._of(POD):
                if pod["metadata"]["labels"] == template["metadata"]["labels"] and (
                    pod["metadata"]["name"] not in wanted
                    or pod["metadata"]["annotations"][ANNOTATION_TRUST] != trust
                ):
                    del self.cluster.objects[self.cluster.key_of(pod)]
            for name in wanted:
                if not any(each["metadata"]["name"] == name for each in self._of(POD)):
                    pod = _pod(name, template["metadata"], refuses=fails, waits=waits)
                    self.cluster.put(pod)
            ready = sum(
                pod["status"]["conditions"][0]["status"] == "True"
                for pod in self._of(POD)
                if pod["metadata"]["labels"] == template["metadata"]["labels"]
            )
            obj["status"] = {
                "observedGeneration": obj["metadata"]["generation"],
                "replicas": len(wanted),
                "updatedReplicas": len(wanted),
                "readyReplicas": ready,
            }
        running = {
            obj["metadata"]["labels"][names.LABEL_MANIFEST] for obj in self._of(APPS_DEPLOYMENT)
        }
        for pod in self._of(POD):
            if pod["metadata"]["labels"][names.LABEL_MANIFEST] not in running:
                del self.cluster.objects[self.cluster.key_of(pod)]

    def traffic(self, counts: list[int], windows: int = 2) -> None:
        """Let the Pods that have the traffic report closed windows."""
        services = self._services()
        if not services:
            return
        self.report(self.serving, counts, windows)

    def report(
        self,
        number: int,
        counts: list[int],
        windows: int = 2,
        refused: int = 0,
        *,
        failed: int = 0,
        slow: int = 0,
        blocks: Sequence[tuple[int, int]] = (),
        odd: Sequence[str] = (),
        right: Sequence[int] = (),
        mirror: Obj | None = None,
        women: Sequence[int] = (),
        men: Sequence[int] = (),
    ) -> None:
        """Let the Pods of a version report closed windows, refused rows, requests and oddities.

        Of each block of 200 requests so many failed, and so many were late; ``right`` says of
        each window of outcomes how many of its hundred answers came true, ``women`` and ``men`` of
        fifty each.
        Of each kind of oddity the client with that place in the list is at fault.
        """
        self._sequence += 1
        self._requests += 50
        work = [self._requests - failed - slow, *([0] * (len(LATENCY_BOUNDS) - 1)), slow]
        reports = {}
        for pod in self.pods_of(number):
            told = self._report(self.digest(number), counts, windows)
            fair = {
                "rows": told["rows"] + refused,
                "refused": refused,
                "requests": self._requests,
                "failed": failed,
                "timed": [self._requests - failed] * len(LATENCY_BOUNDS),
                "late": [slow] * len(LATENCY_BOUNDS),
            }
            requests = {
                "uptime": 1000 * self._sequence,
                "count": self._requests,
                "failed": failed,
                "latency": work,
                "work": work,
                "fair": fair,
            }
            reports[pod["metadata"]["name"]] = {
                **told,
                "refusedRows": refused,
                "requests": requests,
                "answers": self._blocks(blocks),
                "odd": self._odd(odd),
                **({"outcomes": self._outcomes(right, women, men)} if right else {}),
                **({"mirror": mirror} if mirror else {}),
            }
        obj = self.cluster.objects[self._key()]
        obj.setdefault("status", {}).setdefault("drift", {}).update(reports)

    def _blocks(self, found: Sequence[tuple[int, int]]) -> list[Obj]:
        """Blocks of 200 requests: how many of each failed, and how many were late."""
        self.wait(1)
        return [
            {
                "number": number,
                "start": timestamp(self.now),
                "requests": 200,
                "failed": failed,
                "timed": 200 - failed,
                "late": late,
            }
            for number, (failed, late) in enumerate(found, 1)
        ]

    def _odd(self, kinds: Sequence[str]) -> Obj:
        self.wait(1)
        start = timestamp(self.now)
        blocks = [
            {"kind": kind, "client": client, "start": start, "rows": 40}
            for client, kind in enumerate(kinds, 1)
        ]
        return {"rows": 6400, "near": 320, "blocks": 100, "probing": len(kinds), "newest": blocks}

    def _outcomes(self, right: Sequence[int], women: Sequence[int], men: Sequence[int]) -> Obj:
        """Return windows of a hundred outcomes; a half is of women, and of men, where told."""
        self.wait(1)
        start = timestamp(self.now)
        windows: list[Obj] = [
            {
                "number": number,
                "start": start,
                "end": start,
                "outcomes": WINDOW,
                "correct": correct,
                "scored": [0] * 12 + [WINDOW, 0, 0],
                "happened": [0] * 12 + [correct, 0, 0],
                "scores": [0] * 12 + [85 * WINDOW * 100, 0, 0],
            }
            for number, correct in enumerate(right, 1)
        ]
        for group, told in (("women", women), ("men", men)):
            for window, correct in zip(windows, told, strict=False):
                counted = {"group": group, "outcomes": WINDOW // 2, "correct": correct}
                window.setdefault("groups", []).append(counted)
        return {"outcomes": WINDOW * len(right), "correct": sum(right), "windows": windows}

    def crash(self, number: int, *, times: int = 1, code: int = 137, pods: int = 99) -> None:
        """Let predictors of a version end and start again; three times and more they stay down."""
        self.wait(1)
        ended = {"exitCode": code, "reason": "Error", "finishedAt": timestamp(self.now)}
        for pod in self.pods_of(number)[:pods]:
            [container] = pod["status"]["containerStatuses"]
            container.update(lastState={"terminated": ended}, restartCount=times)
            if times >= 3:
                pod["status"]["conditions"][0]["status"] = "False"

    def _report(self, digest: str, counts: list[int], windows: int) -> Obj:
        self.wait(1)
        start = timestamp(self.now)
        self._windows += windows
        each = {"rows": WINDOW, "start": start, "end": start, "counts": {"income": counts}}
        first = self._windows - windows + 1
        return {
            "manifestDigest": digest,
            "bootID": "boot-0001",
            "sequence": self._sequence,
            "rows": WINDOW * windows,
            "counts": {"income": [n * windows for n in counts]},
            "windows": [{"number": first + i, **each} for i in range(windows)],
        }

    # -- what is seen -------------------------------------------------------------------------

    @property
    def spec(self) -> Obj:
        return dict(self.cluster.objects[self._key()]["spec"])

    @property
    def status(self) -> ModelDeploymentStatus:
        return ModelDeploymentStatus.model_validate(
            self.cluster.objects[self._key()].get("status", {})
        )

    @property
    def state(self) -> str:
        rollout = self.status.rollout
        return rollout.state.value if rollout else "Idle"

    @property
    def serving(self) -> int:
        """The number of the version that the Service selects (beside a candidate), 0 for none."""
        services = self._services()
        if not services:
            return 0
        active = names.manifest_label(self.status.active_digest or "")
        return self.numbers[services[0]["spec"]["selector"].get(names.LABEL_MANIFEST, active)]

    @property
    def shared(self) -> dict[int, int]:
        """How many ready Pods of each version the Service leads to."""
        [service] = self._services()
        found: dict[int, int] = {}
        for pod in self._of(POD):
            labels, [ready] = pod["metadata"]["labels"], pod["status"]["conditions"]
            if service["spec"]["selector"].items() <= labels.items() and ready["status"] == "True":
                number = self.numbers[labels[names.LABEL_MANIFEST]]
                found[number] = found.get(number, 0) + 1
        return found

    @property
    def copied(self) -> Obj | None:
        """What predictors are told to copy, where the candidate can be reached for it, else None.

        All that has to do with it is there, or nothing.
        """
        [told] = [
            each for each in self._of(CONFIG_MAP) if each["metadata"]["name"] == "credit-active"
        ]
        mirror = told["data"].get("mirror")
        services = [each for each in self._of(SERVICE) if each["metadata"]["name"] != NAME]
        [rules] = [each["spec"] for each in self._of(NETWORK_POLICY)]
        ports = [port["port"] for rule in rules["egress"] for port in rule["ports"]]
        assert len(services) == ports.count(names.MIRROR_PORT) == (mirror is not None)
        if mirror is None:
            return None
        found: Obj = json.loads(mirror)
        assert services[0]["spec"]["selector"][names.LABEL_MANIFEST] == names.manifest_label(
            found["candidate"]
        )
        return found

    @property
    def running(self) -> dict[int, int]:
        """Pods asked for, by version."""
        return {
            self.numbers[obj["metadata"]["labels"][names.LABEL_MANIFEST]]: obj["spec"]["replicas"]
            for obj in self._of(APPS_DEPLOYMENT)
        }

    @property
    def templates(self) -> list[Obj]:
        """The Pod templates; another one restarts Pods."""
        return [obj["spec"]["template"] for obj in self._of(APPS_DEPLOYMENT)]

    def condition(self, type_: str) -> str:
        found = self.status.condition(type_)
        return f"{found.status.value}/{found.reason}" if found else ""

    def message(self, type_: str) -> str:
        found = self.status.condition(type_)
        return found.message if found else ""

    def recorded(self, event: str) -> list[str]:
        return [r.outcome for r in self.ledger.records.values() if r.event == event]

    def digest(self, number: int) -> str:
        obj = self.cluster.objects[self._key(MODEL_VERSION, rollouts.version_name(number))]
        return str(obj["spec"]["artifact"]["manifestDigest"])

    def version(self, number: int) -> ModelVersion:
        key = self._key(MODEL_VERSION, rollouts.version_name(number))
        return ModelVersion.model_validate(self.cluster.objects[key])

    # -- the promises -------------------------------------------------------------------------

    def _check(self, key: Key) -> None:
        """Look at what was just written; an assertion here is a broken promise."""
        obj = self.cluster.objects.get(key)
        self._written[key] = repr(obj)
        if key == self._key():
            assert obj is None or obj["spec"] == getattr(self, "asked", obj["spec"])
            self._check_hold()
        elif obj and obj["kind"] == "Service":
            if obj["metadata"]["name"] == NAME:
                self._check_switch(obj)
            else:
                self._check_copies(obj)
        elif obj and obj["kind"] == "Deployment":
            self._check_workload(obj)

    def _check_hold(self) -> None:
        """While a hold lasts another version takes over from withdrawn bytes alone."""
        exists = self._key() in self.cluster.objects
        before, self._recorded = self._recorded, self.status if exists else None
        if before is None or self._recorded is None or before.hold != self._recorded.hold:
            return
        if before.hold is None or before.active_digest == self._recorded.active_digest:
            return
        assert parse_timestamp(before.hold.until) <= self.now or (
            before.active_digest
            and self.is_withdrawn(self.numbers[names.manifest_label(before.active_digest)])
        ), "the traffic moved while it was held"

    def _check_switch(self, service: Obj) -> None:
        label = service["spec"]["selector"].get(names.LABEL_MANIFEST)
        if label is None:
            self._check_share()
            return
        if self.switches and self.switches[-1] == label:
            return
        number = self.numbers[label]
        self._must_be_trusted(number, "gets the traffic")
        workload = next(
            each
            for each in self._of(APPS_DEPLOYMENT)
            if each["metadata"]["labels"][names.LABEL_MANIFEST] == label
        )
        asked = self.spec.get("replicas", 1)
        ready = workload.get("status", {}).get("readyReplicas", 0)
        # One Pod is enough to take over from what was withdrawn, or while no other one answers.
        urgent = bool(self.switches) and (
            self.is_withdrawn(self.numbers[self.switches[-1]]) or label in self.switches
        )
        enough = min(asked, 1) if urgent else asked
        # A stand-in that was withdrawn gives the traffic back, whatever there is.
        on_record = names.manifest_label(self.status.active_digest or "") == label
        if urgent and on_record and self.is_withdrawn(self.numbers[self.switches[-1]]):
            enough = 0
        assert ready >= enough, f"v{number} gets the traffic with {ready} of {asked} Pods ready"
        assert asked or self.switches, "the first version gets traffic without any Pod"
        self.switches.append(label)

    def _check_copies(self, service: Obj) -> None:
        """Copies of requests go to the candidate on record alone, which people trust."""
        if names.LABEL_DEPLOYMENT not in service["metadata"].get("labels", {}):
            return  # a stranger's
        label = service["spec"]["selector"][names.LABEL_MANIFEST]
        rollout = self.status.rollout
        assert rollout is not None
        assert rollout.state == "Mirroring"
        assert label == names.manifest_label(rollout.manifest_digest or "")
        self._must_be_trusted(self.numbers[label], "gets copies of requests")

    def _check_share(self) -> None:
        """A Service of two versions leads to what serves and to a trusted candidate alone."""
        active, rollout = self.numbers[self.switches[-1]], self.status.rollout
        assert rollout is not None
        candidate = self.numbers[names.manifest_label(rollout.manifest_digest or "")]
        assert set(self.shared) <= {active, candidate}, "a third version gets traffic"
        assert set(self.running) <= {active, candidate}, "a third version may get traffic"
        if candidate in self.shared:
            self._must_be_trusted(candidate, "gets a share of the traffic")

    def _check_workload(self, workload: Obj) -> None:
        label = workload["metadata"]["labels"][names.LABEL_MANIFEST]
        number, known = self.numbers[label], workload.get("status") is not None
        active = self._services()
        serves = active and active[0]["spec"]["selector"].get(names.LABEL_MANIFEST) == label
        if not known and not serves:
            self._must_be_trusted(number, "gets Pods")
        rollout = self.status.rollout
        stopped = rollout is not None and rollout.cause == "Stopped"
        if serves and not stopped and not self.is_withdrawn(number):
            asked = min(self.spec.get("replicas", 1), self.most_replicas)
            assert workload["spec"]["replicas"] == asked, "capacity was taken from what serves"

    def is_withdrawn(self, number: int) -> bool:
        """Whether people denied or revoked a version."""
        status = self.version(number).status
        return status.is_true("Denied") or status.is_true("Revoked")

    def _must_be_trusted(self, number: int, what: str) -> None:
        version = self.version(number)
        approved = any(
            each.accepted and not each.withdrawn and each.decision == "Approved"
            for each in version.status.approvals
        )
        assert approved, f"v{number} {what} without an approval"
        good = number not in self.corrupt or (self.away and self.carries(number))
        assert good, f"v{number} {what} with bad bytes"
        for type_ in ("Denied", "Revoked"):
            assert not version.status.is_true(type_), f"v{number} {what} although {type_}"

    def _check_record(self) -> None:
        if not (self.cluster.objects.get(self._key()) or {}).get("status"):
            return
        status = self.status
        rollbacks = [
            (r.details["intent"], r.details.get("from"))
            for r in self.ledger.records.values()
            if r.event == "rollback" and r.outcome == "completed" and r.reason == "DriftRollback"
        ]
        assert len(rollbacks) == len(set(rollbacks)), "drift rolled one intent back twice"
        assert len(status.history) <= 10
        if status.active_digest:
            assert status.history[0].manifest_digest == status.active_digest
            assert sum(each.to is None for each in status.history) == 1

    # -- details ------------------------------------------------------------------------------

    def _of(self, kind: Kind) -> list[Obj]:
        prefix = kind.kind + kind.api_version
        return [obj for key, obj in list(self.cluster.objects.items()) if key[0] == prefix]

    def _services(self) -> list[Obj]:
        """Return the Service that clients use, if there is one."""
        return [obj for obj in self._of(SERVICE) if obj["metadata"]["name"] == NAME]

    def _key(self, kind: Kind = MODEL_DEPLOYMENT, name: str = NAME) -> Key:
        return (kind.kind + kind.api_version, SPACE if kind.namespaced else "", name)

    def _put(self, kind: Kind, namespace: str, name: str, **parts: Obj) -> None:
        key = (kind.kind + kind.api_version, namespace, name)
        if key in self.cluster.objects:
            self.cluster.objects[key].update(parts)
        else:
            self.cluster.put({**_obj(kind, namespace, name), **parts})

    def _bundle_folder(self, digest: str) -> Path:
        return self.folder / names.model_prefix(SPACE, MODEL, digest)

    @property
    def secrets(self) -> list[str]:
        """The names of the Secrets with download URLs."""
        return [obj["metadata"]["name"] for obj in self._of(SECRET)]

    def delete_urls(self) -> None:
        """Delete every Secret with download URLs, as an administrator could."""
        for obj in self._of(SECRET):
            del self.cluster.objects[self.cluster.key_of(obj)]

    def let_pods_wait(self) -> None:
        """Let new Pods take the place of all, which wait for what they mount."""
        for pod in self._of(POD):
            pod["status"]["conditions"][0]["status"] = "False"

    def carries(self, number: int) -> bool:
        """Whether the version's served files travel in the cluster, as they were sealed."""
        label = names.manifest_label(self.digest(number))
        for obj in self._of(CONFIG_MAP):
            if obj["metadata"]["name"] == bundle_name(NAME, label):
                files = carried_files(obj)
                return not isinstance(carried_manifest(files, self.digest(number)), Finding)
        return False

    @property
    def bundles(self) -> dict[int, Obj]:
        """The ConfigMaps of served files by the number of their version."""
        return {
            self.numbers[obj["metadata"]["labels"][LABEL]]: obj
            for obj in self._of(CONFIG_MAP)
            if "-bundle-" in obj["metadata"]["name"]
        }

    def delete_bundles(self) -> None:
        """Delete every ConfigMap of served files, as an administrator could."""
        for obj in self.bundles.values():
            del self.cluster.objects[self.cluster.key_of(obj)]

    def delete_trust(self) -> None:
        """Delete every trust ConfigMap, as an administrator could."""
        for obj in self._of(CONFIG_MAP):
            if "-trust-" in obj["metadata"]["name"]:
                del self.cluster.objects[self.cluster.key_of(obj)]


def _obj(kind: Kind, namespace: str, name: str) -> Obj:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _pod(name: str, template: Obj, *, refuses: bool, waits: bool) -> Obj:
    ended = {"exitCode": 10, "message": "The file 'model.onnx' is not the one that was sealed."}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE, **template},
        "status": {
            "conditions": [{"type": "Ready", "status": "False" if refuses or waits else "True"}],
            "containerStatuses": [
                {"state": {}, "lastState": {"terminated": ended} if refuses else {}}
            ],
        },
    }
