"""What an author can create does not decide how much memory the operator needs.

No admission policy is installed here, so nothing but the API server's own limits holds anybody
back: objects of about 1.3 MB of every kind that an author may make and the operator follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hallmark.api import names
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    ROLE,
    TRAINING_RUN,
    Kind,
    Obj,
)
from tests.integration import objects
from tests.integration.operator_process import Installation, deployed, installation, store
from tests.integration.operator_world import api, kubeconfig, namespace

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "store"]

EACH = 20
"""Objects of each of five kinds: 100 in all."""
LONG = "x" * 1_300_000
AT_ONCE = 4
PEAK_MIB = 250
"""What the operator's process may have had in memory at any time."""


def child(kind: Kind, space: str, name: str, **parts: object) -> Obj:
    """Return an object that looks as if it belonged to a ModelDeployment."""
    marks = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_DEPLOYMENT: "anybody"}
    metadata = {"name": name, "namespace": space, "labels": marks}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}


def owned(made: Obj) -> Obj:
    """Return an object whose owner has a name as long as etcd takes: nothing else bounds it."""
    owner = {"apiVersion": "v1", "kind": "Secret", "name": LONG, "uid": "1-2-3"}
    made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    return made


def large(kind: Kind, space: str, name: str) -> Obj:
    """Return an object of a kind that is about as large as etcd takes."""
    if kind == MODEL_DEPLOYMENT:
        return owned(objects.model_deployment(space, name, suspend=True))
    if kind == TRAINING_RUN:
        return owned(objects.training_run(space, name, suspend=True))
    if kind == CONFIG_MAP:
        # The API server takes 1 MiB of data.
        return child(kind, space, name, data={"task.json": LONG[:1_000_000]})
    if kind == ROLE:
        rule = {"apiGroups": [""], "resources": ["pods"], "resourceNames": [LONG], "verbs": ["get"]}
        return child(kind, space, name, rules=[rule])
    spec = objects.workload("Deployment", space, name, {})["spec"]
    spec["template"]["spec"]["containers"][0]["env"] = [{"name": "LONG", "value": LONG}]
    return child(kind, space, name, spec={**spec, "replicas": 0})


KINDS = (MODEL_DEPLOYMENT, TRAINING_RUN, CONFIG_MAP, ROLE, APPS_DEPLOYMENT)


def peak_mib(installation: Installation) -> float:
    """Return what the operator's process had in memory at most."""
    assert installation.process is not None
    status = Path(f"/proc/{installation.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@pytest.fixture
async def crowd(api: ApiCluster, namespace: str) -> AsyncIterator[None]:
    """Make the large objects, and take them away again: other tests list them too."""
    made: list[tuple[Kind, Obj]] = []

    async def make(kind: Kind, number: int) -> None:
        made.append((kind, await api.create(large(kind, namespace, f"large-{number}"))))

    async def remove(kind: Kind, obj: Obj) -> None:
        await api.delete(kind, namespace, obj["metadata"]["name"], obj["metadata"]["uid"])

    for kind in KINDS:
        for first in range(0, EACH, AT_ONCE):
            await asyncio.gather(*(make(kind, first + more) for more in range(AT_ONCE)))
    yield
    for first in range(0, len(made), AT_ONCE):
        await asyncio.gather(*(remove(*one) for one in made[first : first + AT_ONCE]))


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.usefixtures("crowd")
async def test_an_operator_among_huge_objects_starts_and_works_in_bounded_memory(
    api: ApiCluster, namespace: str, installation: Installation
) -> None:
    installation.end()
    installation.start()
    await asyncio.to_thread(installation.wait_until_healthy)
    await api.create(objects.model_deployment(namespace, "small"))
    await installation.wait_for(MODEL_DEPLOYMENT, namespace, "small", "Ready=False/VersionMissing")
    for name in ("large-0", f"large-{EACH - 1}"):
        shown = await installation.get(TRAINING_RUN, namespace, name)
        assert "Ready" in str(shown["status"]["conditions"]), "the large ones are looked at too"
    assert peak_mib(installation) < PEAK_MIB
