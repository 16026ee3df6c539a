"""A canary on a real API server: the Service is shared, stepped, and given back."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.cluster.kinds import APPS_DEPLOYMENT, MODEL_DEPLOYMENT, POD, SERVICE, Obj
from tests.integration.operator_process import deployed, installation, store
from tests.integration.operator_stage import CALM, NAME, Stage, label, stage
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]

STRATEGY: dict[str, Any] = {
    "bake": "1s",
    "keepWarm": "10m",
    "progressDeadline": "20s",
    "type": "Canary",
    "canary": {
        "steps": [{"weight": 25, "pause": "1s"}, {"weight": 75, "pause": "1s"}],
        "analysis": {"minimumRows": 100, "maxRejections": "0.05"},
    },
}


async def shared(stage: Stage) -> dict[str, int]:
    """Return how many Pods of each version (by label) the Service leads to."""
    service = await stage.get(SERVICE, NAME)
    assert service is not None
    found: dict[str, int] = {}
    for pod in await stage.ours(POD):
        labels = pod["metadata"]["labels"]
        if service["spec"]["selector"].items() <= labels.items():
            version = labels[names.LABEL_MANIFEST]
            found[version] = found.get(version, 0) + 1
    return found


async def report(stage: Stage, version: Obj, *, sequence: int, refused: int = 0) -> None:
    """Let the Pods of a version say that they were asked for 200 rows more, and refused some."""
    digest = version["spec"]["artifact"]["manifestDigest"]
    entry = {
        "manifestDigest": digest,
        "bootID": "boot-0001",
        "sequence": sequence,
        "rows": 200 * sequence,
        "counts": {"income": [2 * sequence * each for each in CALM]},
        "refusedRows": refused,
        "requests": {
            "uptime": 1000 * sequence,
            "count": 50 * sequence,
            "fair": {
                "rows": 200 * sequence + refused,
                "refused": refused,
                "requests": 50 * sequence,
            },
        },
    }
    pods = [
        pod["metadata"]["name"]
        for pod in await stage.ours(POD)
        if pod["metadata"]["labels"][names.LABEL_MANIFEST] == label(version)
    ]
    await stage.installation.api.merge_status(
        MODEL_DEPLOYMENT, stage.namespace, NAME, {"drift": dict.fromkeys(pods, entry)}
    )


async def in_step(stage: Stage, step: int) -> None:
    async def there() -> bool:
        rollout = (await stage.status()).get("rollout", {})
        return bool(rollout.get("canary", {}).get("step") == step)

    await until(there, 30)


async def begun(stage: Stage) -> tuple[Obj, Obj]:
    """Serve v1 with three Pods, and give v2 its first share."""
    first = await stage.approved("v1", 1)
    await stage.deploy(replicas=3, strategy=STRATEGY)
    await stage.wait_field("stableModelVersion", "v1")
    second = await stage.approved("v2", 2)
    await in_step(stage, 0)

    async def both() -> bool:
        return await shared(stage) == {label(first): 3, label(second): 1}

    await until(both, 15)
    return first, second


async def test_a_canary_takes_over_step_by_step(stage: Stage) -> None:
    _, second = await begun(stage)
    found = await stage.wait_for("Progressing=True/Canary", "Ready=False", "Reconciling=True")
    assert found["status"]["activeModelVersion"] == "v1"
    await report(stage, second, sequence=1)
    await in_step(stage, 1)
    await report(stage, second, sequence=2)
    await stage.wait_field("stableModelVersion", "v2")
    assert await stage.serving() == label(second)
    events = stage.installation.audited(found["metadata"]["uid"])
    assert events.count("promote") == 7, "v1: 2, v2: two steps, all Pods, promoted, stable"


async def test_a_candidate_that_rejects_rows_gives_its_share_back(stage: Stage) -> None:
    first, second = await begun(stage)
    await report(stage, second, sequence=1, refused=100)
    found = await stage.wait_for("Ready=False/CanaryFailed", "Stalled=True")
    assert await stage.serving() == label(first)
    assert [each["reason"] for each in found["status"]["refused"]] == ["CanaryFailed"]

    async def alone() -> bool:
        return len(await stage.ours(APPS_DEPLOYMENT)) == 1

    await until(alone, 15)
