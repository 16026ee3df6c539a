"""A mirror on a real API server: with the shipped role, and against what an author may try."""

from __future__ import annotations

import json
from typing import Any

from hallmark.api import names
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_DEPLOYMENT, NETWORK_POLICY, POD, SERVICE, Obj
from hallmark.drift.mirrored import MirrorCounter
from tests.integration.operator_process import deployed, installation, store
from tests.integration.operator_stage import CALM, NAME, Stage, label, stage
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]

STRATEGY: dict[str, Any] = {
    "bake": "1s",
    "keepWarm": "10m",
    "progressDeadline": "20s",
    "mirror": {"percent": 50, "pause": "1s", "analysis": {"minimumRows": 100}},
}


async def copied(stage: Stage) -> Obj | None:
    """Return what predictors are told to copy, where all that it needs is there, else None."""
    told = await stage.get(CONFIG_MAP, f"{NAME}-active")
    service = await stage.get(SERVICE, names.mirror_name(NAME))
    rules = await stage.get(NETWORK_POLICY, NAME)
    assert told is not None
    assert rules is not None
    ports = [port["port"] for rule in rules["spec"]["egress"] for port in rule["ports"]]
    mirror = told["data"].get("mirror")
    if mirror is None or service is None or names.MIRROR_PORT not in ports:
        return None
    return dict(json.loads(mirror))


async def report(stage: Stage, version: Obj, mirror: Obj, *, other: int = 0) -> None:
    """Let the Pods of a version say how the candidate answered 400 rows of eight clients."""
    counter = MirrorCounter(mirror["candidate"], mirror["since"])
    for row in range(400):
        counter.answered(f"10.0.0.{row % 8}", 0.002, [(row >= other, 0.004)])
    entry = {
        "manifestDigest": version["spec"]["artifact"]["manifestDigest"],
        "bootID": "boot-0001",
        "sequence": 1,
        "rows": 200,
        "counts": {"income": [2 * count for count in CALM]},
        "mirror": counter.told().to_wire(),
    }
    pods = [
        pod["metadata"]["name"]
        for pod in await stage.ours(POD)
        if pod["metadata"]["labels"][names.LABEL_MANIFEST] == label(version)
    ]
    await stage.installation.api.merge_status(
        MODEL_DEPLOYMENT, stage.namespace, NAME, {"drift": dict.fromkeys(pods, entry)}
    )


async def begun(stage: Stage) -> tuple[Obj, Obj, Obj]:
    """Serve v1 with two Pods, and let v2 get copies."""
    first = await stage.approved("v1", 1)
    await stage.deploy(replicas=2, strategy=STRATEGY)
    await stage.wait_field("stableModelVersion", "v1")
    second = await stage.approved("v2", 2)

    async def there() -> bool:
        return await copied(stage) is not None

    await until(there, 30)
    told = await copied(stage)
    assert told is not None
    assert told["candidate"] == second["spec"]["artifact"]["manifestDigest"]
    assert await stage.serving() == label(first)
    return first, second, told


async def gone(stage: Stage) -> bool:
    told = await stage.get(CONFIG_MAP, f"{NAME}-active")
    service = await stage.get(SERVICE, names.mirror_name(NAME))
    return told is not None and "mirror" not in told["data"] and service is None


async def test_a_candidate_gets_copies_and_takes_over_when_it_agrees(stage: Stage) -> None:
    first, second, told = await begun(stage)
    await stage.wait_for("Progressing=True/Mirroring", "Ready=False", "Reconciling=True")
    await report(stage, first, told, other=8)
    await stage.wait_field("activeModelVersion", "v2")
    assert await stage.serving() == label(second)

    async def over() -> bool:
        return await gone(stage)

    await until(over, 15)


async def test_a_candidate_that_disagrees_is_refused_and_nothing_is_left(stage: Stage) -> None:
    first, _, told = await begun(stage)
    await report(stage, first, told, other=80)
    found = await stage.wait_for("Ready=False/MirrorFailed", "Stalled=True")
    assert await stage.serving() == label(first)
    [refused] = found["status"]["refused"]
    assert refused["reason"] == "MirrorFailed"

    async def over() -> bool:
        return await gone(stage)

    await until(over, 15)
