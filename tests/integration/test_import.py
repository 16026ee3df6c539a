"""An exported registry in a new cluster: a real API server, store and operator."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
)
from hallmark.keys import key_id
from tests.chains import MODEL, Whole, two_versions
from tests.integration.command_line import Done, patch_environment, run_hallmark
from tests.integration.operator_process import Installation, deployed, installation, store
from tests.integration.operator_world import api, kubeconfig, namespace

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]


@pytest.fixture
async def whole(namespace: str, tmp_path: Path) -> Whole:
    """A chain of the test's namespace, made without a cluster."""
    return await asyncio.to_thread(two_versions, tmp_path / "chain", namespace)


async def trust_keys(installation: Installation, whole: Whole) -> None:
    """Let the policy trust the chain's sealing key and its approver."""
    signer, approver = whole.trusted.signers[0], whole.trusted.approvers[0]
    own = installation.policy_object()["spec"]["signers"]
    spec = {"signers": [*own, signer.to_wire()], "approvers": [approver.to_wire()]}
    await installation.api.merge(MODEL_POLICY, None, installation.policy, {"spec": spec})


def trust(whole: Whole) -> list[str]:
    keys = whole.folder.path / "keys"
    approver = whole.trusted.approvers[0].approver
    return [
        f"--trust=seal={keys / 'sealing.pub'}",
        f"--trust=audit={keys / 'audit.pub'}",
        f"--trust=approve:{approver}={keys / 'approver.pub'}",
    ]


async def command(kubeconfig: str, *arguments: str | Path) -> Done:
    """Run the command line as administrator, beside the test's own loop."""

    def run() -> Done:
        with patch_environment(KUBECONFIG=kubeconfig, HOME=os.environ["HOME"]):
            return run_hallmark(*map(str, arguments))

    return await asyncio.to_thread(run)


async def test_a_registry_comes_back_with_its_signed_decisions(
    api: ApiCluster,
    kubeconfig: str,
    namespace: str,
    installation: Installation,
    whole: Whole,
    tmp_path: Path,
) -> None:
    await trust_keys(installation, whole)
    exported = tmp_path / "export"
    whole.export(exported)
    credentials = f"--store-credentials={installation.store.credentials}"
    given: list[Any] = ["import", exported, *trust(whole), credentials, "-n", namespace]

    done = await command(kubeconfig, *given)
    assert done.returncode == 0, done.stderr + done.stdout + installation.log()[-2000:]
    first = await installation.wait_for(
        MODEL_VERSION,
        namespace,
        "loan-v1",
        "Verified=True/SignatureValid",
        "Approved=True/Approved",
    )
    second = await installation.wait_for(
        MODEL_VERSION, namespace, "loan-v2", "Denied=True/Denied", "Ready=False/Denied"
    )
    assert (first["spec"]["version"], second["spec"]["version"]) == (1, 2)
    former = whole.folder.read().version("loan-v1")
    assert former is not None
    assert first["spec"]["artifact"]["manifestDigest"] == former.spec.artifact.manifest_digest
    assert first["metadata"]["uid"] != former.metadata.uid
    assert first["status"]["keyId"] == key_id(whole.trusted.signers[0].public_key)
    run = await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Ready=True/Sealed")
    assert installation.audited(run["metadata"]["uid"]) == ["gate", "seal"]

    again = await command(kubeconfig, *given)
    assert again.returncode == 0, again.stderr
    approvals = await api.list(MODEL_APPROVAL, namespace)
    assert len(approvals) == 2

    # Whoever takes a decision's name takes it not away in silence.
    (denial,) = (one for one in approvals if one["spec"]["decision"] == "Denied")
    name = denial["metadata"]["name"]
    await api.delete(MODEL_APPROVAL, namespace, name, denial["metadata"]["uid"])
    metadata = {"name": name, "namespace": namespace}
    plain = {key: value for key, value in denial["spec"].items() if key != "attestation"}
    squat = {**plain, "decision": "Approved", "approver": "admin"}
    squatter = await api.create({**denial, "metadata": metadata, "spec": squat, "status": {}})
    taken = await command(kubeconfig, *given)
    assert taken.returncode == 1
    assert "found another decision" in " ".join(taken.stderr.split())
    await api.delete(MODEL_APPROVAL, namespace, name, squatter["metadata"]["uid"])
    assert (await command(kubeconfig, *given)).returncode == 0

    # What was restored is verified, and exported, as what was trained here.
    log = installation.folder / "logs/secure_mlops.log"
    cluster_key = tmp_path / "audit.pub"
    cluster_key.write_text(installation.audit_public_key())
    found = await command(
        kubeconfig,
        "verify",
        "-n",
        namespace,
        credentials,
        f"--audit-log={log}",
        *[one for one in trust(whole) if "audit" not in one],
        f"--trust=audit={cluster_key}",
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"ModelVersion {namespace}/loan-v2" in found.stdout
    assert "adopted a bundle that was sealed elsewhere" in found.stdout


async def test_a_key_that_the_policy_does_not_trust_brings_nothing_in(
    api: ApiCluster,
    kubeconfig: str,
    namespace: str,
    installation: Installation,
    whole: Whole,
    tmp_path: Path,
) -> None:
    exported = tmp_path / "export"
    whole.export(exported)
    credentials = f"--store-credentials={installation.store.credentials}"
    given: list[Any] = ["import", exported, *trust(whole), credentials, "-n", namespace]

    done = await command(kubeconfig, *given)
    assert done.returncode == 1
    assert "not among the" in done.stderr
    assert await api.list(MODEL_VERSION, namespace) == []
    await installation.wait_for(TRAINING_RUN, namespace, "loan-v1", "Stalled=True/SealRefused")

    manifest = next(exported.glob(f"models/{namespace}.{MODEL}/*/manifest.json"))
    manifest.write_bytes(manifest.read_bytes() + b" ")
    refused = await command(kubeconfig, *given)
    assert refused.returncode == 10
    assert "does not verify" in refused.stdout
