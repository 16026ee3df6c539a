"""A ModelDeployment's stage; the tests' hands play kubelet, controllers and predictor."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
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
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    POD,
    SERVICE,
    Kind,
    Obj,
)
from hallmark.policies.model_version.attestation import attest
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.integration.operator_process import Installation, trusted
from tests.integration.operator_world import until
from tests.unit.supply_chain.factories import report, sbom

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
            object_of(
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
        await self.installation.api.create(object_of("ModelApproval", self.namespace, name, spec))

    async def approved(self, name: str, number: int) -> Obj:
        """Seal a version and approve it."""
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
        """Create a ModelDeployment that follows the model."""
        whole = {
            "model": MODEL,
            "strategy": {"bake": "1s", "keepWarm": "10m", "progressDeadline": "20s"},
            "drift": {"window": 100},
            **spec,
        }
        whole = {key: value for key, value in whole.items() if value is not None}
        return await self.installation.api.create(
            object_of("Deployment", self.namespace, NAME, whole)
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
        """Wait for conditions of the ModelDeployment."""
        return await self.installation.wait_for(
            MODEL_DEPLOYMENT, self.namespace, NAME, *conditions, seconds=seconds
        )

    async def status(self) -> Obj:
        """Return its status."""
        found = await self.installation.get(MODEL_DEPLOYMENT, self.namespace, NAME)
        return dict(found.get("status") or {})

    async def wait_field(self, field: str, value: object) -> None:
        """Wait until a field of its status has a value."""

        async def there() -> bool:
            return (await self.status()).get(field) == value

        await until(there, 30)

    async def serving(self) -> str | None:
        """Return the manifest label that the Service selects."""
        found = await self.get(SERVICE, NAME)
        return str(found["spec"]["selector"][names.LABEL_MANIFEST]) if found else None

    async def get(self, kind: Kind, name: str) -> Obj | None:
        """Return an object of the namespace, or None."""
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


def object_of(
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
