"""A rollout on a real API server that goes away, with Pods that disagree, under an autoscaler."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from hallmark.api import names
from hallmark.api.texts import timestamp
from hallmark.cluster.kinds import APPS_DEPLOYMENT, MODEL_DEPLOYMENT, POD, Obj
from tests.integration.frozen_proxy import FrozenProxy, frozen_proxy
from tests.integration.operator_process import Installation, deployed, installation, store
from tests.integration.operator_stage import CALM, NAME, SHIFTED, Stage, label, stage
from tests.integration.operator_world import api, kubeconfig, namespace, until
from tests.integration.test_operator_canary import begun, in_step, report, shared

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]


# -- the API server away ----------------------------------------------------------------------


@pytest.fixture
def way(deployed: Installation) -> Iterator[FrozenProxy]:
    """The operator started anew, with a way to the API server that can lead nowhere."""
    direct = deployed.kubeconfig
    config = yaml.safe_load(Path(direct).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    assert server.hostname is not None
    with frozen_proxy(server.hostname, server.port or 443) as proxy:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        proxied = Path(direct).with_name("kubeconfig-by-proxy")
        proxied.write_text(yaml.safe_dump(config))
        deployed.end()
        deployed.kubeconfig = str(proxied)
        deployed.start()
        deployed.wait_until_healthy()
        yield proxy
        deployed.end(signal.SIGKILL)
        deployed.kubeconfig = direct
        deployed.start()
        deployed.wait_until_healthy()


@pytest.mark.parametrize(
    ("seconds", "rejects"),
    [
        pytest.param(5, True, id="it fails meanwhile"),
        pytest.param(60, True, id="it fails in a minute", marks=pytest.mark.slow),
        pytest.param(60, False, id="it goes on after a minute", marks=pytest.mark.slow),
    ],
)
async def test_a_canary_outlives_an_api_server_that_is_away(
    stage: Stage, way: FrozenProxy, seconds: int, rejects: bool
) -> None:
    """The operator alone is cut off; what the Pods report meanwhile is judged when it is back."""
    first, second = await begun(stage)
    way.lead_nowhere()
    await report(stage, second, sequence=1, refused=100 if rejects else 0)
    await asyncio.sleep(seconds)
    assert await shared(stage) == {label(first): 3, label(second): 1}, "nobody moves traffic"
    assert stage.installation.process is not None
    assert stage.installation.process.poll() is None, "the operator lives"
    way.lead_back()
    if rejects:
        found = await stage.wait_for("Ready=False/CanaryFailed", "Stalled=True", seconds=60)

        async def given_back() -> bool:
            return await shared(stage) == {label(first): 3}

        await until(given_back, 30)
        assert stage.installation.audited(found["metadata"]["uid"]).count("promote") == 4
        return
    await in_step(stage, 1)
    await report(stage, second, sequence=2)
    await stage.wait_field("stableModelVersion", "v2")
    found = await stage.wait_for("Ready=True")
    events = stage.installation.audited(found["metadata"]["uid"])
    assert events.count("promote") == 7, "each step is one record"


# -- Pods that disagree -----------------------------------------------------------------------


def entry(digest: str, counts: list[int], *, sequence: int = 1, **more: Any) -> Obj:  # noqa: ANN401
    """A report of two closed windows of 100 rows."""
    now = timestamp(datetime.now(UTC) + timedelta(seconds=1))
    rows = {"rows": 100, "start": now, "end": now, "counts": {"income": counts}}
    return {
        "manifestDigest": digest,
        "bootID": "boot-0001",
        "sequence": sequence,
        "rows": 200,
        "counts": {"income": [2 * count for count in counts]},
        "windows": [{"number": 2 * sequence - 1, **rows}, {"number": 2 * sequence, **rows}],
        **more,
    }


async def tell(stage: Stage, *entries: Obj) -> None:
    """Let the Pods that serve report so, one entry each, in the order of their names."""
    serves = await stage.serving()
    pods = sorted(
        pod["metadata"]["name"]
        for pod in await stage.ours(POD)
        if pod["metadata"]["labels"][names.LABEL_MANIFEST] == serves
    )
    assert len(pods) == len(entries)
    reports = dict(zip(pods, entries, strict=True))
    await stage.installation.api.merge_status(
        MODEL_DEPLOYMENT, stage.namespace, NAME, {"drift": reports}
    )


async def three_pods(stage: Stage, **spec: Any) -> tuple[Obj, str]:  # noqa: ANN401
    """Serve v2 with three Pods, with v1 to go back to; return v1 and the digest of v2."""
    first = await stage.approved("v1", 1)
    await stage.deploy(replicas=3, **spec)
    await stage.wait_field("stableModelVersion", "v1")
    second = await stage.approved("v2", 2)
    await stage.wait_field("stableModelVersion", "v2")
    await stage.wait_for("Ready=True")
    return first, second["spec"]["artifact"]["manifestDigest"]


async def heard(stage: Stage, voters: int) -> Obj:
    """Return what the operator says of drift, once so many Pods have a vote."""

    async def voted() -> bool:
        state = (await stage.status()).get("driftState", {})
        return bool(state.get("voters") == voters)

    await until(voted, 30)
    return dict((await stage.status())["driftState"])


async def test_a_majority_of_pods_that_disagree_decides(stage: Stage) -> None:
    first, digest = await three_pods(stage)
    lie = entry(digest, SHIFTED, rows=10)
    await tell(stage, entry(digest, SHIFTED), entry(digest, CALM), lie)
    state = await heard(stage, 2)
    assert (state["verdict"], state["drifting"]) == ("NoDrift", 1)
    assert await stage.serving() != label(first), "one of two, and one that lies, is no majority"
    # The second one repeats what it said before, under its old sequence, in other words.
    old = entry(digest, SHIFTED, sequence=1)
    await tell(stage, entry(digest, SHIFTED, sequence=2), old, entry(digest, CALM, sequence=2))
    state = await heard(stage, 3)
    assert state["drifting"] == 1
    assert await stage.serving() != label(first), "an old sequence takes nothing back"
    drifts = entry(digest, SHIFTED, sequence=3)
    await tell(stage, drifts, entry(digest, CALM, sequence=3), drifts)
    await stage.wait_for("RolledBack=True/DriftRollback")
    assert await stage.serving() == label(first)


async def test_failed_requests_of_most_pods_roll_back(stage: Stage) -> None:
    limits = {"minimum": 200, "maxErrors": "0.01", "maxLatency": "25ms", "then": "Rollback"}
    first, digest = await three_pods(stage, drift={"window": 100, "requests": limits})
    failing = entry(digest, CALM, answers=_blocks(10))
    calm = entry(digest, CALM, answers=_blocks(0))
    await tell(stage, failing, calm, calm)
    await heard(stage, 3)
    assert await stage.serving() != label(first)
    failing = entry(digest, CALM, sequence=2, answers=_blocks(10))
    await tell(stage, failing, failing, entry(digest, CALM, sequence=2))
    found = await stage.wait_for("RolledBack=True/ErrorRollback")
    assert await stage.serving() == label(first)
    assert found["status"]["lastRollback"]["reason"] == "ErrorRollback"


def _blocks(failed: int) -> list[Obj]:
    now = timestamp(datetime.now(UTC) + timedelta(seconds=1))
    block = {"start": now, "requests": 200, "failed": failed, "timed": 190, "late": 0}
    return [{"number": number, **block} for number in (1, 2)]


# -- an autoscaler ----------------------------------------------------------------------------


async def scale(stage: Stage, replicas: int) -> None:
    """Do what a HorizontalPodAutoscaler does: write the scale subresource."""
    path = MODEL_DEPLOYMENT.path(stage.namespace, NAME, "scale")
    change = {"spec": {"replicas": replicas}}
    await stage.installation.api._transport.call(
        "PATCH", path, None, change, "application/merge-patch+json"
    )


async def replicas_of(stage: Stage, version: Obj, wanted: int) -> None:
    async def there() -> bool:
        found = await stage.get(APPS_DEPLOYMENT, f"{NAME}-{label(version)}")
        return found is not None and found["spec"]["replicas"] == wanted

    await until(there, 30)


async def test_what_an_autoscaler_asked_for_lasts_through_a_switch_and_a_rollback(
    stage: Stage,
) -> None:
    first = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_field("stableModelVersion", "v1")
    await scale(stage, 3)
    await replicas_of(stage, first, 3)
    second = await stage.approved("v2", 2)
    await stage.wait_field("stableModelVersion", "v2")
    await replicas_of(stage, second, 3)
    await scale(stage, 4)
    await replicas_of(stage, second, 4)
    await stage.wait_for("Ready=True")
    await stage.report(SHIFTED)
    await stage.wait_for("RolledBack=True/DriftRollback")
    assert await stage.serving() == label(first)
    await replicas_of(stage, first, 4)
    await scale(stage, 2)
    await replicas_of(stage, first, 2)
    found = await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME)
    assert found["spec"]["replicas"] == 2
    assert len(found["status"]["refused"]) == 1, "scaling retries nothing"
