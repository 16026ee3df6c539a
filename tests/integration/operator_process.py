"""The operator as a process, a store it can use, and hands that play the kubelet for its Jobs."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import CONFIG_MAP, JOB, MODEL_POLICY, NAMESPACE, POD, SECRET, Kind, Obj
from hallmark.keys import key_id, load_private_key, private_pem, public_pem
from hallmark.supply_chain import __main__ as sealing_job
from hallmark.training import job as training_job
from tests.integration.operator_world import connected, operator_kubeconfig, until
from tests.unit.store.versitygw import BUCKET, Gateway, running


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Yield a running object store."""
    with running(tmp_path_factory.mktemp("store")) as gateway:
        yield gateway


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key as ``hallmark keys init`` would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(private_pem(key))


def trusted(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return a key as a policy lists it."""
    pem = public_pem(key.public_key())
    return {"keyId": key_id(pem), "publicKey": pem}


@dataclass
class Installation:
    """An operator of its own: a process, a system namespace, a policy, keys and a store."""

    kubeconfig: str
    """The operator's own: its ServiceAccount with the shipped role."""
    folder: Path
    system: str
    policy: str
    store: Gateway
    signer: ec.EllipticCurvePrivateKey
    port: int
    process: subprocess.Popen[bytes] | None = None
    connection: ApiCluster | None = None

    @property
    def api(self) -> ApiCluster:
        """The current test's client, as administrator."""
        assert self.connection is not None
        return self.connection

    def environment(self) -> dict[str, str]:
        """Return what the operator's process is told."""
        return {
            **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "PYTHONPATH"}},
            "KUBECONFIG": self.kubeconfig,
            "HALLMARK_NAMESPACE": self.system,
            "HALLMARK_AUDIT_LOG": str(self.folder / "logs/secure_mlops.log"),
            "HALLMARK_AUDIT_KEY": str(self.folder / "audit/private.pem"),
            "HALLMARK_STORE_CREDENTIALS": str(self.store.credentials),
            "HALLMARK_HEALTH_PORT": str(self.port),
            "HALLMARK_METRICS_PORT": str(self.port),
            "HALLMARK_OSV": str(self.folder / "osv"),
            "HALLMARK_OSV_SECONDS": "0.2",
            "HALLMARK_HEARTBEAT_SECONDS": "1",
            "HALLMARK_AUDIT_SECONDS": "1",
        }

    def start(self, **environment: str) -> None:
        """Start the operator's process, with more or other variables in its environment."""
        command = ["-m", "kopf", "run", "--module", "hallmark.controllers", "--all-namespaces"]
        with (self.folder / "operator.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env={**self.environment(), **environment},
                stdout=log,
                stderr=log,
            )

    def wait_until_healthy(self, seconds: float = 60) -> None:
        """Wait until the operator answers that its watches deliver."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"The operator did not come up.\n{self.log()[-3000:]}")

    def audited(self, uid: str) -> list[str]:
        """Return the events that the audit log has of an object."""
        lines = (self.folder / "logs/secure_mlops.log").read_text().splitlines()
        return [each["event"] for each in map(json.loads, lines) if each["uid"] == uid]

    def audit_public_key(self) -> str:
        """Return the audit key's public half in PEM."""
        private = load_private_key((self.folder / "audit/private.pem").read_bytes())
        return public_pem(private.public_key())

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(how)
        code = self.process.wait(20)
        self.process = None
        return code

    def log(self) -> str:
        """Return what the process wrote."""
        return (self.folder / "operator.log").read_text()

    def policy_object(self, **spec: Any) -> Obj:  # noqa: ANN401
        """Return the installation's ModelPolicy; ``spec`` replaces or adds fields."""
        whole = {
            "signers": [trusted(self.signer)],
            "store": {
                "uri": f"s3://{BUCKET}/{self.system}",
                "endpoint": self.store.endpoint,
            },
            "images": {"trainer": "trainer:1", "sealer": "operator:1", "predictor": "predictor:1"},
            **spec,
        }
        return {
            "apiVersion": "hallmark.dev/v1alpha1",
            "kind": "ModelPolicy",
            "metadata": {"name": self.policy},
            "spec": whole,
        }

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        """Return an object that must be there."""
        found = await self.api.get(kind, namespace, name)
        assert found is not None, f"{kind.kind} {name} is not there"
        return found

    async def wait_for(
        self, kind: Kind, namespace: str | None, name: str, *conditions: str, seconds: float = 60
    ) -> Obj:
        """Return an object once it has the conditions (``Ready=False/PolicyMissing``)."""
        seen: Obj | None = None

        async def holds() -> bool:
            nonlocal seen
            seen = await self.api.get(kind, namespace, name)
            return seen is not None and set(conditions) <= said(seen)

        try:
            await until(holds, seconds)
        except TimeoutError:
            state = sorted(said(seen)) if seen else "nothing"
            text = (
                f"Expected {conditions} of {kind.kind} {name}, found {state}\n{self.log()[-3000:]}"
            )
            raise AssertionError(text) from None
        assert seen is not None
        return seen

    async def train(self, namespace: str, job: str, **fake: Any) -> int:  # noqa: ANN401
        """Do what the kubelet would do with a training Job: run the real program."""
        return await self._run_job(namespace, job, "hallmark.training", fake)

    async def seal(self, job: str, **fake: Any) -> int:  # noqa: ANN401
        """Do what the kubelet would do with a sealing Job: run the real program."""
        return await self._run_job(self.system, job, "hallmark.supply_chain", fake)

    async def _run_job(
        self, namespace: str, name: str, module: str, fake: Mapping[str, Any]
    ) -> int:
        """Run a Job's program, or fake its end; then report Pod and Job as Kubernetes does."""
        await until(lambda: self.api.get(JOB, namespace, name))
        job = await self.get(JOB, namespace, name)
        if fake:
            code, message = fake.get("code", 0), fake.get("message", "")
        else:
            code, message = await self._run_program(namespace, name, module)
        await self._report(job, code, message)
        return int(code)

    async def _run_program(self, namespace: str, name: str, module: str) -> tuple[int, str]:
        folder = self.folder / "pods" / secrets.token_hex(4)
        folder.mkdir(parents=True)
        task = (await self.get(CONFIG_MAP, namespace, name))["data"]["task.json"]
        (folder / "task.json").write_text(task)
        secret = await self.api.get(SECRET, namespace, name)
        if secret is not None:
            urls = base64.b64decode(secret["data"]["urls.json"])
            (folder / "urls.json").write_bytes(urls)
        (folder / "key.pem").write_bytes(await self._mounted_key(namespace, name))
        environment = {
            "HALLMARK_TASK": str(folder / "task.json"),
            "HALLMARK_SEALING_KEY": str(folder / "key.pem"),
            "HALLMARK_STORE_CREDENTIALS": str(self.store.credentials),
            "HALLMARK_OSV": str(self.folder / "osv"),
            "TERMINATION_LOG": str(folder / "end"),
        }
        if module == "hallmark.training":
            paths = training_job.Paths(folder / "task.json", folder / "urls.json", folder / "end")
            code = await asyncio.to_thread(training_job.run, paths, str)
        else:
            code = await asyncio.to_thread(sealing_job.main, environment)
        return code, (folder / "end").read_text()

    async def _mounted_key(self, namespace: str, job: str) -> bytes:
        """Return the private key in the Secret that a Job mounts, or the installation's own."""
        volumes = (await self.get(JOB, namespace, job))["spec"]["template"]["spec"]["volumes"]
        for volume in volumes:
            if volume["name"] == "key":
                name = volume["secret"]["secretName"]
                secret = await self.api.get(SECRET, namespace, name)
                if secret is not None:
                    return base64.b64decode(secret["data"]["private.pem"])
        return private_pem(self.signer)

    async def _report(self, job: Obj, code: int, message: str) -> None:
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        pod = await self.api.create(pod_of(job))
        ended = {"exitCode": code, "message": message, "finishedAt": _now(), "reason": "Completed"}
        container = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        status = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{**container, "state": {"terminated": ended}}],
        }
        await self.api.merge_status(POD, namespace, pod["metadata"]["name"], status)
        await self.api.merge_status(JOB, namespace, name, _job_status(code))


def pod_of(job: Obj) -> Obj:
    """Return the Pod that the Job controller would make."""
    template, metadata = job["spec"]["template"], job["metadata"]
    labels = {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": metadata["name"]}
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name'][:50]}-{secrets.token_hex(3)}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }


def _job_status(code: int) -> Obj:
    at = _now()
    kinds = ("SuccessCriteriaMet", "Complete") if code == 0 else ("FailureTarget", "Failed")
    reason = "CompletionsReached" if code == 0 else "PodFailurePolicy"
    conditions = [
        {
            "type": each,
            "status": "True",
            "reason": reason,
            "lastProbeTime": at,
            "lastTransitionTime": at,
        }
        for each in kinds
    ]
    done = {"succeeded": 1, "completionTime": at} if code == 0 else {"failed": 1}
    return {"startTime": at, "conditions": conditions, **done}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def said(obj: Obj) -> set[str]:
    """Return an object's conditions as ``Ready=False`` and ``Ready=False/PolicyMissing``."""
    found = (obj.get("status") or {}).get("conditions") or []
    short = {f"{each['type']}={each['status']}" for each in found}
    return short | {f"{each['type']}={each['status']}/{each['reason']}" for each in found}


def message(obj: Obj, type_: str) -> str:
    """Return the message of a condition."""
    found = obj["status"]["conditions"]
    return str(next(each["message"] for each in found if each["type"] == type_))


@pytest.fixture(scope="module")
def deployed(
    kubeconfig: str,
    store: Gateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """Yield an installation for a module's tests; its API client is each test's own."""
    mark = secrets.token_hex(4)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("operator")
    made = Installation(
        kubeconfig=operator_kubeconfig(kubeconfig, folder),
        folder=folder,
        system=f"system-{mark}",
        policy=f"policy-{mark}",
        store=store,
        signer=ec.generate_private_key(ec.SECP256R1()),
        port=port,
    )
    audit_key = ec.generate_private_key(ec.SECP256R1())
    write_key(made.folder / "audit/private.pem", audit_key)
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.system}}
    asyncio.run(_create(kubeconfig, system, made.policy_object()))
    made.start()
    made.wait_until_healthy()
    yield made
    made.end(signal.SIGKILL)
    asyncio.run(_delete(kubeconfig, (NAMESPACE, made.system), (MODEL_POLICY, made.policy)))


async def _create(kubeconfig: str, *objects: Obj) -> None:
    async with connected(kubeconfig) as client:
        for each in objects:
            await client.create(each)


async def _delete(kubeconfig: str, *objects: tuple[Kind, str]) -> None:
    async with connected(kubeconfig) as client:
        for kind, name in objects:
            found = await client.get(kind, None, name)
            if found is not None:
                await client.delete(kind, None, name, found["metadata"]["uid"])


@pytest.fixture
async def installation(
    api: ApiCluster, namespace: str, deployed: Installation
) -> AsyncIterator[Installation]:
    """Yield the running installation, whose policy applies to ``namespace``."""
    deployed.connection = api
    labels = {"labels": {names.LABEL_POLICY: deployed.policy}}
    await api.merge(NAMESPACE, None, namespace, {"metadata": labels})
    yield deployed
    nothing = {"gates": None, "approvers": None, "auditors": None, "sealWith": None}
    original = {**nothing, **deployed.policy_object()["spec"]}
    await api.merge(MODEL_POLICY, None, deployed.policy, {"spec": original})
    if deployed.process is None:
        deployed.start()
        deployed.wait_until_healthy()
