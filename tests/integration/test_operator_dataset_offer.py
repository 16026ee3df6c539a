"""A run mounts what its owner offers, on a real API server with the operator's own role."""

from __future__ import annotations

import pytest

from hallmark.api import names
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import CONFIG_MAP, JOB, MODEL_POLICY, SECRET, TRAINING_RUN, Kind, Obj
from tests.examples import slow_but
from tests.integration import objects
from tests.integration.operator_process import (
    Installation,
    deployed,
    installation,
    message,
    store,
)
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]

CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
OFFER = {"metadata": {"labels": {names.LABEL_DATASET: "true"}}}
SOURCES: dict[str, tuple[Kind, Obj, Obj]] = {
    "ConfigMap": (
        CONFIG_MAP,
        {"configMap": {"name": "loans", "key": "loans.csv"}},
        {"data": {"loans.csv": "a"}},
    ),
    "Secret": (
        SECRET,
        {"uri": "s3://datasets/loans.csv", "credentialsSecret": "loans"},
        {"stringData": {"access-key-id": "a", "secret-access-key": "b", "root": "password"}},
    ),
    "PersistentVolumeClaim": (
        CLAIM,
        {"volumeClaim": {"claimName": "loans", "path": "loans.csv"}},
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Mi"}},
            }
        },
    ),
}


@pytest.mark.parametrize("name", slow_but("ConfigMap", of=SOURCES))
async def test_what_a_dataset_names_is_mounted_once_it_is_offered(
    api: ApiCluster, namespace: str, installation: Installation, name: str
) -> None:
    kind, source, content = SOURCES[name]
    spec = {"spec": {"sources": {"allowed": ["s3://datasets/"]}}}
    await api.merge(MODEL_POLICY, None, installation.policy, spec)
    dataset = {**source, "format": "CSV"}
    made = await api.create(objects.training_run(namespace, dataset=dataset))
    job = names.train_job_name("loan-v1", made["metadata"]["uid"])
    await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Ready=False/DatasetMissing", "Reconciling=True"
    )
    metadata = {"name": "loans", "namespace": namespace}
    await api.create({"apiVersion": "v1", "kind": kind.kind, "metadata": metadata, **content})
    refused = await installation.wait_for(
        TRAINING_RUN, namespace, "loan-v1", "Ready=False/DatasetNotOffered", "Stalled=True"
    )
    assert f"the {name} 'loans'" in message(refused, "Ready")
    assert await api.get(JOB, namespace, job) is None

    await api.merge(kind, namespace, "loans", OFFER)
    await until(lambda: api.get(JOB, namespace, job), 30)
    found = await installation.get(JOB, namespace, job)
    volumes = found["spec"]["template"]["spec"]["volumes"]
    for volume in volumes:
        secret = volume.get("secret", {})
        if secret.get("secretName") == "loans":
            keys = [item["key"] for item in secret["items"]]
            assert keys == ["access-key-id", "secret-access-key"]


async def test_no_run_is_trained_where_the_keys_are(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    del namespace
    system = installation.system
    dataset = {"configMap": {"name": "hallmark-heartbeat", "key": "beat"}, "format": "CSV"}
    await api.create(objects.training_run(system, dataset=dataset))
    await installation.wait_for(
        TRAINING_RUN, system, "loan-v1", "Ready=False/SystemNamespace", "Stalled=True"
    )
    assert await api.list(JOB, system) == []
    found = await installation.get(TRAINING_RUN, system, "loan-v1")
    await api.delete(TRAINING_RUN, system, "loan-v1", found["metadata"]["uid"])
