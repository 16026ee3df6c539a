"""A hold, with the real operator on a real API server: drift, a kill, its end, a revocation."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta

from hallmark.api.model_deployment import ActionName
from hallmark.api.texts import timestamp
from hallmark.cluster.kinds import MODEL_DEPLOYMENT
from hallmark.resources.decisions import action_patch, action_text
from tests.integration.operator_process import deployed, installation, store
from tests.integration.operator_stage import NAME, SHIFTED, Stage, label, stage, two_versions
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]


async def ask(stage: Stage, action: ActionName, identity: str, seconds: float = 0) -> None:
    """Ask for an action; ``seconds``: how long a hold lasts."""
    end = timestamp(datetime.now(UTC) + timedelta(seconds=seconds)) if seconds else None
    text = action_text(action, identity, "admin", "Quarter's end.", None, end)
    await stage.patch(MODEL_DEPLOYMENT, NAME, action_patch(text))

    async def ran() -> bool:
        return bool((await stage.status()).get("lastAction", {}).get("id") == identity)

    await until(ran, 15)


async def serves(stage: Stage, wanted: str) -> None:
    async def it_does() -> bool:
        return await stage.serving() == wanted

    await until(it_does, 15)


async def test_drift_waits_for_a_hold_that_outlives_the_operator_and_ends_by_itself(
    stage: Stage,
) -> None:
    first, second = await two_versions(stage)
    await ask(stage, ActionName.HOLD, "1", seconds=600)
    await stage.report(SHIFTED)
    await stage.wait_for("DriftDetected=True", "OnHold=True/OnHold", "Ready=True")
    stage.installation.end(signal.SIGKILL)
    stage.installation.start()
    await asyncio.to_thread(stage.installation.wait_until_healthy)
    await ask(stage, ActionName.ROLLBACK, "2")
    assert "lift the hold first" in (await stage.status())["lastAction"]["outcome"]
    assert await stage.serving() == label(second)
    await ask(stage, ActionName.UNHOLD, "3")
    await serves(stage, label(first))
    await ask(stage, ActionName.HOLD, "4", seconds=1)
    await stage.wait_for("OnHold=False/NotHeld")
    assert "hold" not in await stage.status()
    found = await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME)
    assert stage.installation.audited(found["metadata"]["uid"]).count("action") == 5


async def test_a_revocation_wins_over_a_hold(stage: Stage) -> None:
    first, second = await two_versions(stage)
    await ask(stage, ActionName.HOLD, "1", seconds=600)
    await stage.decide(second, "Revoked")
    await serves(stage, label(first))
    await stage.wait_for("OnHold=True/OnHold")
