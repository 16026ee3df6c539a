"""The store takes connections and answers none: real API server, real operator, frozen store."""

from __future__ import annotations

import asyncio
import signal
import time

from hallmark.api.files import BASELINE, MANIFEST, MODEL_ONNX, SCHEMA
from hallmark.cluster.kinds import APPS_DEPLOYMENT, CONFIG_MAP
from hallmark.resources.carried import bundle_name, carried_files
from tests.integration.operator_process import deployed, installation, store
from tests.integration.operator_stage import CALM, NAME, SHIFTED, Stage, label, stage, two_versions
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]


async def test_drift_rolls_back_and_scales_while_the_store_hangs(stage: Stage) -> None:
    first, second = await two_versions(stage)
    for version in (first, second):
        found = await stage.get(CONFIG_MAP, bundle_name(NAME, label(version)))
        assert found is not None
        assert found["immutable"] is True
        files = carried_files(found)
        assert set(files) == {MANIFEST, MODEL_ONNX, SCHEMA, BASELINE}
        assert files[MODEL_ONNX] == version["metadata"]["name"].encode()
    status = await stage.status()
    assert status["store"]["needed"] is False
    await stage.ask(strategy={"keepWarm": "0s"})
    await stage.wait_field("replicas", 1)

    async def only_the_second_runs() -> bool:
        return len(await stage.ours(APPS_DEPLOYMENT)) == 1

    async def calm_is_seen() -> bool:
        """Predictors go on counting; windows that began before the operator was back may not."""
        await stage.report(CALM)
        await asyncio.sleep(1)
        conditions = (await stage.status())["conditions"]
        return {"type": "DriftDetected", "reason": "NoDrift"}.items() <= next(
            found for found in conditions if found["type"] == "DriftDetected"
        ).items()

    await until(only_the_second_runs, 60)
    with stage.installation.store.away():
        stage.installation.end(signal.SIGKILL)
        stage.installation.start()
        await asyncio.to_thread(stage.installation.wait_until_healthy)
        await until(calm_is_seen, 30)
        await stage.ask(replicas=2)
        await stage.wait_field("readyReplicas", 2)
        started = time.monotonic()
        await stage.report(SHIFTED)

        async def first_serves() -> bool:
            return await stage.serving() == label(first)

        await until(first_serves, 30)
        print(f"from the report to the Service {time.monotonic() - started:.2f} s")
        await stage.wait_for("RolledBack=True/DriftRollback")
