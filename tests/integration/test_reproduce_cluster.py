"""A cluster's version is trained again: run from the API server, files from the store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from hallmark.api.common import NamespacedMeta
from hallmark.api.files import REPORT
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import CONFIG_MAP
from hallmark.local.begin import begin
from hallmark.local.runs import run_here
from hallmark.store import open_store
from hallmark.verification.bundle import folder_of
from tests.chains import records, run
from tests.integration.command_line import Done
from tests.integration.operator_process import Installation, deployed, installation, store
from tests.integration.operator_world import api, kubeconfig, namespace
from tests.integration.test_import import command

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]
NAME, ROWS = "loan-v1", "rows.csv"


async def test_a_version_of_a_cluster_is_made_again(
    api: ApiCluster,
    kubeconfig: str,
    namespace: str,
    installation: Installation,
    tmp_path: Path,
) -> None:
    (tmp_path / ROWS).write_text(records())
    asked = run(NAME, namespace=namespace)
    dataset = {"configMap": {"name": "rows", "key": ROWS}}
    wire = {**asked.spec.to_wire(), "dataset": dataset, "suspend": True, "requestedBy": "admin"}
    spec = asked.spec.model_validate(wire)
    created = await api.create(asked.replace(spec=spec).to_wire())
    sealed = asked.replace(spec=spec.replace(suspend=False))
    folder = begin(tmp_path / "chain", sealed, None)
    ran = await asyncio.to_thread(run_here, folder, sealed, tmp_path, lambda *_: None)
    assert ran.version, ran.refusal
    prefix = folder_of(ran.version)
    gateway = installation.policy_object()["spec"]["store"]
    bucket = open_store(
        gateway["uri"],
        endpoint=gateway["endpoint"],
        region=gateway.get("region", "us-east-1"),
        credentials=installation.store.credentials,
    )
    for file in (folder.path / prefix).iterdir():
        if file.is_file():
            bucket.put(prefix + file.name, file.read_bytes())
    version = ran.version
    origin = version.spec.training_run.replace(uid=created["metadata"]["uid"])
    uri = f"{gateway['uri'].rstrip('/')}/{prefix}"
    artifact = version.spec.artifact.replace(uri=uri)
    there = version.replace(
        metadata=NamespacedMeta(name=NAME, namespace=namespace),
        spec=version.spec.replace(training_run=origin, artifact=artifact),
    )
    await api.create({**there.to_wire(), "status": {}})

    async def reproduce(*more: str) -> Done:
        credentials = f"--store-credentials={installation.store.credentials}"
        return await command(kubeconfig, "reproduce", NAME, "-n", namespace, credentials, *more)

    gone = await reproduce()
    assert gone.returncode == 1
    assert "name the file with --data" in gone.stderr
    rows = {"metadata": {"name": "rows", "namespace": namespace}, "data": {ROWS: records()}}
    await api.create({"apiVersion": CONFIG_MAP.api_version, "kind": "ConfigMap", **rows})

    done = await reproduce("-o", "json")
    assert done.returncode == 0, done.stderr
    verdicts = {one["name"]: one["verdict"] for one in json.loads(done.stdout)["artifacts"]}
    assert {name for name, verdict in verdicts.items() if verdict != "holds"} == {"provenance"}

    report = bucket.get(prefix + REPORT)
    bucket.delete(prefix + REPORT)
    bucket.put(prefix + REPORT, report.replace(b"income", b"outcome"))
    changed = await reproduce()
    assert changed.returncode == 1
    assert "loan-v1 cannot be reproduced: " in changed.stderr
