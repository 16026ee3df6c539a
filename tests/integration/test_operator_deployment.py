"""A ModelDeployment on a real API server and store; the tests' hands play kubelet and predictor."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.api.columns import FeatureType
from hallmark.api.model_approval import ModelApprovalSpec
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.api.texts import sha256_digest, timestamp
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    SECRET,
    SERVICE,
    Kind,
    Obj,
)
from hallmark.policies.model_version.attestation import attest
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.examples import slow_but
from tests.integration.operator_process import (
    Installation,
    deployed,
    installation,
    message,
    store,
    trusted,
)
from tests.integration.operator_world import api, kubeconfig, namespace, until
from tests.unit.supply_chain.factories import report, sbom

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]

MODEL, NAME, REVIEWER = "credit", "credit", "rita"
RUN_ID = "0123456789ab"
APPROVER = ec.generate_private_key(ec.SECP256R1())
BASELINE = Baseline(
    rows=1000,
    features=[
        BaselineFeature(
            name="income", type=FeatureType.NUMBER, edges=[1.0, 2.0], counts=[400, 300, 300, 0]
        )
    ],
)
SHIFTED, CALM = [0, 0, 100, 0], [40, 30, 30, 0]


@dataclass
class Stage:
    """An installation, a namespace, and hands for everything that no operator does."""

    installation: Installation
    namespace: str
    hands: asyncio.Task[None] | None = None
    pods_are_ready: bool = True
    windows: int = 0

    # -- sealing and approving ----------------------------------------------------------------

    async def seal(self, name: str, number: int) -> Obj:
        """Put a signed bundle into the store and create its ModelVersion."""
        files = {
            "baseline.json": BASELINE.to_bytes(),
            "model.onnx": name.encode(),
            "report.json": report(model=MODEL).to_bytes(),
            f"sbom_{RUN_ID}.cdx.json": sbom(model=MODEL),
            "schema.json": b"{}",
        }
        manifest = build_manifest(
            namespace=self.namespace,
            model=MODEL,
            run_id=RUN_ID,
            spec_digest=sha256_digest(b"spec"),
            dataset_fingerprint=sha256_digest(b"rows"),
            image_digest=sha256_digest(b"image"),
            files=files,
        )
        digest = sha256_digest(manifest.to_bytes())
        folder = names.model_prefix(self.namespace, MODEL, digest)
        target = self.installation.store.store(self.installation.system)
        for each, data in {**files, "manifest.json": manifest.to_bytes()}.items():
            target.put(folder + each, data)
        signer = self.installation.signer
        return await self.installation.api.create(
            _object(
                "ModelVersion",
                self.namespace,
                name,
                {
                    "model": MODEL,
                    "version": number,
                    "trainingRun": {
                        "name": name,
                        "uid": f"run-{name}",
                        "specDigest": sha256_digest(b"spec"),
                    },
                    "requestedBy": {"name": "alice", "authenticated": True},
                    "artifact": {
                        "uri": f"s3://hallmark/{folder}",
                        "manifestDigest": digest,
                        "size": sum(map(len, files.values())),
                    },
                    "datasetFingerprint": sha256_digest(b"rows"),
                    "gateReportDigest": sha256_digest(files["report.json"]),
                    "sbomDigest": sha256_digest(files[f"sbom_{RUN_ID}.cdx.json"]),
                    "baselineDigest": sha256_digest(files["baseline.json"]),
                    "bundle": sign_bundle(signer, MODEL, signed_resources(manifest, digest)),
                },
            )
        )

    async def decide(self, version: Obj, decision: str = "Approved", *, again: str = "") -> None:
        """Create an attested decision of the reviewer, under another name where it is one more."""
        spec = {
            "modelVersion": {
                "name": version["metadata"]["name"],
                "uid": version["metadata"]["uid"],
            },
            "manifestDigest": version["spec"]["artifact"]["manifestDigest"],
            "sbomDigest": version["spec"]["sbomDigest"],
            "gateReportDigest": version["spec"]["gateReportDigest"],
            "decision": decision,
            "approver": REVIEWER,
            "reason": "Evidence read.",
        }
        spec["attestation"] = attest(APPROVER, MODEL, ModelApprovalSpec.model_validate(spec))
        name = f"{version['metadata']['name']}-{decision.lower()}{again}"
        await self.installation.api.create(_object("ModelApproval", self.namespace, name, spec))

    async def approved(self, name: str, number: int) -> Obj:
        version = await self.seal(name, number)
        await self.decide(version)
        return version

    def flip(self, version: Obj, name: str) -> None:
        """Flip a bit of a file in the store."""
        digest = version["spec"]["artifact"]["manifestDigest"]
        folder = names.model_prefix(self.namespace, MODEL, digest)
        file = self.installation.store.file(self.installation.system, folder + name)
        data = bytearray(file.read_bytes())
        data[0] ^= 1
        file.write_bytes(data)

    # -- the ModelDeployment ------------------------------------------------------------------

    async def deploy(self, **spec: Any) -> Obj:  # noqa: ANN401
        whole = {
            "model": MODEL,
            "strategy": {"bake": "1s", "keepWarm": "10m", "progressDeadline": "20s"},
            "drift": {"window": 100},
            **spec,
        }
        whole = {key: value for key, value in whole.items() if value is not None}
        return await self.installation.api.create(
            _object("Deployment", self.namespace, NAME, whole)
        )

    async def ask(self, **spec: Any) -> None:  # noqa: ANN401
        """Change the spec, as a user."""
        await self.patch(MODEL_DEPLOYMENT, NAME, {"spec": spec})

    async def patch(self, kind: Kind, name: str, change: Obj) -> None:
        """Merge into an object, as a user."""
        path = kind.path(self.namespace, name)
        await self.installation.api._transport.call(
            "PATCH", path, None, change, "application/merge-patch+json"
        )

    async def wait_for(self, *conditions: str, seconds: float = 30) -> Obj:
        return await self.installation.wait_for(
            MODEL_DEPLOYMENT, self.namespace, NAME, *conditions, seconds=seconds
        )

    async def status(self) -> Obj:
        found = await self.installation.get(MODEL_DEPLOYMENT, self.namespace, NAME)
        return dict(found.get("status") or {})

    async def wait_field(self, field: str, value: object) -> None:
        async def there() -> bool:
            return (await self.status()).get(field) == value

        await until(there, 30)

    async def serving(self) -> str | None:
        """Return the manifest label that the Service selects."""
        found = await self.get(SERVICE, NAME)
        return str(found["spec"]["selector"][names.LABEL_MANIFEST]) if found else None

    async def get(self, kind: Kind, name: str) -> Obj | None:
        return await self.installation.api.get(kind, self.namespace, name)

    async def ours(self, kind: Kind) -> list[Obj]:
        """Return the ModelDeployment's children of a kind."""
        return await self.installation.api.list(
            kind, self.namespace, {names.LABEL_DEPLOYMENT: NAME}
        )

    # -- Deployment controller, kubelet, predictor --------------------------------------------

    async def play(self) -> None:
        """Keep Pods as the apps/v1 Deployments ask, and ready, until cancelled."""
        while True:
            for each in await self.ours(APPS_DEPLOYMENT):
                await self._run_pods(each)
            await asyncio.sleep(0.1)

    async def _run_pods(self, workload: Obj) -> None:
        api, metadata, spec = self.installation.api, workload["metadata"], workload["spec"]
        template, count = spec["template"], int(spec["replicas"])
        prefix = f"{metadata['name']}-{metadata['generation']}-"
        pods = [
            pod["metadata"]["name"]
            for pod in await self.ours(POD)
            if pod["metadata"]["ownerReferences"][0]["uid"] == metadata["uid"]
        ]
        for _ in range(count - sum(name.startswith(prefix) for name in pods)):
            # As a ReplicaSet does: no Pod has the name of one that is gone.
            name = f"{prefix}{secrets.token_hex(3)}"
            await api.create(_pod(workload, name, template))
            condition = {"type": "Ready", "status": str(self.pods_are_ready)}
            await api.merge_status(POD, self.namespace, name, {"conditions": [condition]})
        ready = count if self.pods_are_ready else 0
        status = {
            "observedGeneration": metadata["generation"],
            "replicas": count,
            "updatedReplicas": count,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        if workload.get("status", {}) != status:
            await api.merge_status(APPS_DEPLOYMENT, self.namespace, metadata["name"], status)

    async def report(self, counts: list[int]) -> None:
        """Report two closed windows for each Pod that has the traffic."""
        label = await self.serving()
        digest = (await self.status())["activeDigest"]
        now = timestamp(datetime.now(UTC) + timedelta(seconds=1))
        self.windows += 2
        rows = {"rows": 100, "start": now, "end": now, "counts": {"income": counts}}
        reports = {
            each["metadata"]["name"]: {
                "manifestDigest": digest,
                "bootID": "boot-0001",
                "sequence": self.windows,
                "rows": 200,
                "counts": {"income": [2 * each for each in counts]},
                "windows": [{"number": self.windows - 1, **rows}, {"number": self.windows, **rows}],
            }
            for each in await self.ours(POD)
            if each["metadata"]["labels"][names.LABEL_MANIFEST] == label
        }
        await self.installation.api.merge_status(
            MODEL_DEPLOYMENT, self.namespace, NAME, {"drift": reports}
        )


@pytest.fixture
async def stage(installation: Installation, namespace: str) -> AsyncIterator[Stage]:
    """Yield a namespace with a policy that trusts the reviewer's key, and hands at work."""
    made = Stage(installation, namespace)
    approver = {**trusted(APPROVER), "approver": REVIEWER}
    await made.patch(MODEL_POLICY, installation.policy, {"spec": {"approvers": [approver]}})
    made.hands = asyncio.create_task(made.play())
    yield made
    made.hands.cancel()
    await asyncio.gather(made.hands, return_exceptions=True)


async def two_versions(stage: Stage) -> tuple[Obj, Obj]:
    """Serve v1 until it is stable, then v2 until it is."""
    first = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_field("stableModelVersion", "v1")
    second = await stage.approved("v2", 2)
    await stage.wait_field("stableModelVersion", "v2")
    await stage.wait_for("Ready=True")
    return first, second


def label(version: Obj) -> str:
    return names.manifest_label(version["spec"]["artifact"]["manifestDigest"])


async def test_a_version_waits_for_approval_then_serves(stage: Stage) -> None:
    version = await stage.seal("v1", 1)
    await stage.deploy(replicas=2)
    await stage.wait_for("Ready=False/AwaitingApproval", "Reconciling=True", "Verified=True")
    assert not await stage.ours(APPS_DEPLOYMENT)
    await stage.decide(version)
    started = time.monotonic()
    await stage.wait_for("Ready=True", "Available=True", "Approved=True")
    print(f"from approval to serving {time.monotonic() - started:.2f} s")
    assert await stage.serving() == label(version)
    active = await stage.get(CONFIG_MAP, f"{NAME}-active")
    assert active is not None
    assert active["data"]["manifestDigest"] == version["spec"]["artifact"]["manifestDigest"]
    for kind, name in (
        (ROLE, f"{NAME}-predictor"),
        (NETWORK_POLICY, NAME),
        (POD_DISRUPTION_BUDGET, NAME),
        (SECRET, f"{NAME}-urls-{label(version)}"),
    ):
        assert await stage.get(kind, name) is not None, f"{kind.kind} {name} is not there"
    budget = await stage.get(POD_DISRUPTION_BUDGET, NAME)
    assert budget is not None
    assert budget["spec"]["minAvailable"] == 1


async def test_drift_rolls_back_within_seconds_and_once(stage: Stage) -> None:
    first, second = await two_versions(stage)
    spec = (await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME))["spec"]
    await stage.report(CALM)
    await stage.wait_for("DriftDetected=False/NoDrift")
    started = time.monotonic()
    await stage.report(SHIFTED)

    async def first_serves() -> bool:
        return await stage.serving() == label(first)

    # The report wakes the operator: everything is looked at anew only every three minutes.
    await until(first_serves, 60)
    print(f"from the report to the Service {time.monotonic() - started:.2f} s")
    await stage.wait_for("RolledBack=True/DriftRollback", "Ready=False", "Stalled=True")
    await stage.report(SHIFTED)
    found = await stage.wait_for("DriftDetected=True/TargetDrifts")
    assert found["status"]["activeModelVersion"] == "v1"
    assert found["spec"] == spec
    assert [each["manifestDigest"] for each in found["status"]["refused"]] == [
        second["spec"]["artifact"]["manifestDigest"]
    ]
    uid = found["metadata"]["uid"]
    events = stage.installation.audited(uid)
    assert events.count("rollback") == 2, "started and completed, once"

    # Who asks for it anew, under a policy that minds, waits for people who know of the rollback.
    renew = {"spec": {"approvals": {"renewAfterRollback": True}}}
    api, policy = stage.installation.api, stage.installation.policy
    await api.merge(MODEL_POLICY, None, policy, renew)
    try:
        space = stage.namespace
        lacks = await stage.installation.wait_for(
            MODEL_VERSION, space, "v2", "Approved=False/AwaitingApproval"
        )
        assert lacks["status"]["rolledBack"]["deployment"] == NAME
        assert lacks["status"]["rolledBack"]["reason"] == "DriftRollback"
        changed = {"spec": {"strategy": {"keepWarm": "2h"}}}
        await api.merge(MODEL_DEPLOYMENT, space, NAME, changed)

        async def told_why() -> bool:
            waiting = await stage.wait_for("Ready=False/AwaitingApproval")
            return "(DriftRollback)" in message(waiting, "Ready")

        await until(told_why, 30)
        assert await stage.serving() == label(first)
        await asyncio.sleep(1.1)  # The windows above are dated a second ahead.
        await stage.decide(second, again="-again")
        await stage.wait_field("activeModelVersion", "v2")
        await stage.wait_for("Ready=True")
        assert await stage.serving() == label(second)
    finally:
        await api.merge(
            MODEL_POLICY, None, policy, {"spec": {"approvals": {"renewAfterRollback": None}}}
        )


async def test_flipped_bytes_are_refused_and_named(stage: Stage) -> None:
    first = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_for("Ready=True")
    second = await stage.seal("v2", 2)
    stage.flip(second, "schema.json")
    await stage.decide(second)
    found = await stage.wait_for("Verified=False/VerificationFailed", "Stalled=True")
    assert "schema.json" in message(found, "Verified")
    assert await stage.serving() == label(first)
    assert len(await stage.ours(APPS_DEPLOYMENT)) == 1


async def test_tampered_children_are_put_back(stage: Stage) -> None:
    version = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_for("Ready=True")
    api, right = stage.installation.api, label(version)
    wrong = {"spec": {"selector": {names.LABEL_MANIFEST: "000000000000", "other": "x"}}}
    await stage.patch(SERVICE, NAME, wrong)

    async def put_back() -> bool:
        found = await api.get(SERVICE, stage.namespace, NAME)
        wanted = {names.LABEL_DEPLOYMENT: NAME, names.LABEL_MANIFEST: right}
        return found is not None and found["spec"]["selector"] == wanted

    await until(put_back, 15)
    trust = next(
        each for each in await stage.ours(CONFIG_MAP) if "-trust-" in each["metadata"]["name"]
    )
    metadata = trust["metadata"]
    await api.delete(CONFIG_MAP, stage.namespace, metadata["name"], metadata["uid"])
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "ownerReferences")}
    swapped = {**trust, "metadata": kept, "data": {"trust.json": "{}"}}
    with suppress(ApiError):  # The operator may be faster.
        await api.create(swapped)

    async def trust_is_back() -> bool:
        found = await api.get(CONFIG_MAP, stage.namespace, metadata["name"])
        return found is not None and found["data"] == trust["data"]

    await until(trust_is_back, 15)


async def test_a_strangers_service_stops_the_rollout_before_any_pod(stage: Stage) -> None:
    port = {"port": 80, "protocol": "TCP"}
    service = _object("Service", stage.namespace, NAME, {"ports": [port]}, "v1")
    made = await stage.installation.api.create(service)
    await stage.approved("v1", 1)
    await stage.deploy()
    found = await stage.wait_for("Ready=False/ForeignObject", "Stalled=True")
    assert f"Service '{NAME}'" in message(found, "Ready")
    assert not await stage.ours(APPS_DEPLOYMENT)
    await stage.installation.api.delete(SERVICE, stage.namespace, NAME, made["metadata"]["uid"])
    await stage.wait_for("Ready=True", seconds=45)


async def test_revocation_rolls_back_and_without_a_target_stops(stage: Stage) -> None:
    first, second = await two_versions(stage)
    await stage.decide(second, "Revoked")

    async def first_serves() -> bool:
        return await stage.serving() == label(first)

    await until(first_serves, 15)
    await stage.decide(first, "Revoked")
    await stage.wait_for("Ready=False/Stopped", "Stalled=True", "Available=False")
    assert [found["spec"]["replicas"] for found in await stage.ours(APPS_DEPLOYMENT)] == [0]


@pytest.mark.parametrize(
    "state", slow_but("RollingBack", of=["Verifying", "Starting", "Promoted", "RollingBack"])
)
async def test_an_operator_killed_in_a_state_completes_what_is_on_record(
    stage: Stage, state: str
) -> None:
    installation = stage.installation
    first, second = None, None
    if state == "RollingBack":
        first, second = await two_versions(stage)
        await stage.report(SHIFTED)
    else:
        second = await stage.approved("v1", 1)
        await stage.deploy()

    async def reached() -> bool:
        return (await stage.status()).get("rollout", {}).get("state") in {state, "Stable"}

    await until(reached, 20)
    installation.end(signal.SIGKILL)
    installation.start()
    await asyncio.to_thread(installation.wait_until_healthy)
    wanted = label(first or second)

    async def completed() -> bool:
        status = await stage.status()
        done = status.get("rollout", {}).get("state") == "Stable"
        return done and await stage.serving() == wanted

    await until(completed, 30)
    history = (await stage.status())["history"]
    assert len(history) == (3 if state == "RollingBack" else 1)


async def test_deletion_leaves_no_finalizer(stage: Stage) -> None:
    await stage.approved("v1", 1)
    made = await stage.deploy()
    await stage.wait_for("Ready=True")
    await stage.installation.api.delete(
        MODEL_DEPLOYMENT, stage.namespace, NAME, made["metadata"]["uid"]
    )

    async def gone() -> bool:
        return await stage.get(MODEL_DEPLOYMENT, NAME) is None

    await until(gone, 5)


async def test_every_version_in_the_namespace_is_read_by_its_kind(stage: Stage) -> None:
    await stage.approved("v1", 1)
    found = await stage.installation.api.list(MODEL_VERSION, stage.namespace)
    assert [each["metadata"]["name"] for each in found] == ["v1"]
    assert await stage.installation.api.list(MODEL_APPROVAL, stage.namespace)


def _object(
    kind: str, namespace: str, name: str, spec: Obj, version: str = "hallmark.dev/v1alpha1"
) -> Obj:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _pod(workload: Obj, name: str, template: Obj) -> Obj:
    spec = {**template["spec"], "serviceAccountName": "default"}
    spec["automountServiceAccountToken"] = False
    metadata = workload["metadata"]
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
            "ownerReferences": [owner],
        },
        "spec": spec,
    }
