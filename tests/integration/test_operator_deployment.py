"""A ModelDeployment on a real API server and store; the tests' hands play kubelet and predictor."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress

import pytest

from hallmark.api import names
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    ROLE,
    SECRET,
    SERVICE,
)
from tests.examples import slow_but
from tests.integration.operator_process import deployed, installation, message, store
from tests.integration.operator_stage import (
    CALM,
    NAME,
    SHIFTED,
    Stage,
    label,
    object_of,
    stage,
    two_versions,
)
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]


async def test_a_version_waits_for_approval_then_serves(stage: Stage) -> None:
    version = await stage.seal("v1", 1)
    await stage.deploy(replicas=2)
    await stage.wait_for("Ready=False/AwaitingApproval", "Reconciling=True", "Verified=True")
    assert not await stage.ours(APPS_DEPLOYMENT)
    await stage.decide(version)
    started = time.monotonic()
    await stage.wait_for("Ready=True", "Available=True", "Approved=True")
    print(f"from approval to serving {time.monotonic() - started:.2f} s")
    assert await stage.serving() == label(version)
    active = await stage.get(CONFIG_MAP, f"{NAME}-active")
    assert active is not None
    assert active["data"]["manifestDigest"] == version["spec"]["artifact"]["manifestDigest"]
    for kind, name in (
        (ROLE, f"{NAME}-predictor"),
        (NETWORK_POLICY, NAME),
        (POD_DISRUPTION_BUDGET, NAME),
        (SECRET, f"{NAME}-urls-{label(version)}"),
    ):
        assert await stage.get(kind, name) is not None, f"{kind.kind} {name} is not there"
    budget = await stage.get(POD_DISRUPTION_BUDGET, NAME)
    assert budget is not None
    assert budget["spec"]["minAvailable"] == 1


async def test_drift_rolls_back_within_seconds_and_once(stage: Stage) -> None:
    first, second = await two_versions(stage)
    spec = (await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME))["spec"]
    await stage.report(CALM)
    await stage.wait_for("DriftDetected=False/NoDrift")
    started = time.monotonic()
    await stage.report(SHIFTED)

    async def first_serves() -> bool:
        return await stage.serving() == label(first)

    # The report wakes the operator: everything is looked at anew only every three minutes.
    await until(first_serves, 60)
    print(f"from the report to the Service {time.monotonic() - started:.2f} s")
    await stage.wait_for("RolledBack=True/DriftRollback", "Ready=False", "Stalled=True")
    await stage.report(SHIFTED)
    found = await stage.wait_for("DriftDetected=True/TargetDrifts")
    assert found["status"]["activeModelVersion"] == "v1"
    assert found["spec"] == spec
    assert [each["manifestDigest"] for each in found["status"]["refused"]] == [
        second["spec"]["artifact"]["manifestDigest"]
    ]
    uid = found["metadata"]["uid"]
    events = stage.installation.audited(uid)
    assert events.count("rollback") == 2, "started and completed, once"

    # Who asks for it anew, under a policy that minds, waits for people who know of the rollback.
    renew = {"spec": {"approvals": {"renewAfterRollback": True}}}
    api, policy = stage.installation.api, stage.installation.policy
    await api.merge(MODEL_POLICY, None, policy, renew)
    try:
        space = stage.namespace
        lacks = await stage.installation.wait_for(
            MODEL_VERSION, space, "v2", "Approved=False/AwaitingApproval"
        )
        assert lacks["status"]["rolledBack"]["deployment"] == NAME
        assert lacks["status"]["rolledBack"]["reason"] == "DriftRollback"
        changed = {"spec": {"strategy": {"keepWarm": "2h"}}}
        await api.merge(MODEL_DEPLOYMENT, space, NAME, changed)

        async def told_why() -> bool:
            waiting = await stage.wait_for("Ready=False/AwaitingApproval")
            return "(DriftRollback)" in message(waiting, "Ready")

        await until(told_why, 30)
        assert await stage.serving() == label(first)
        await asyncio.sleep(1.1)  # The windows above are dated a second ahead.
        await stage.decide(second, again="-again")
        await stage.wait_field("activeModelVersion", "v2")
        await stage.wait_for("Ready=True")
        assert await stage.serving() == label(second)
    finally:
        await api.merge(
            MODEL_POLICY, None, policy, {"spec": {"approvals": {"renewAfterRollback": None}}}
        )


async def test_flipped_bytes_are_refused_and_named(stage: Stage) -> None:
    first = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_for("Ready=True")
    second = await stage.seal("v2", 2)
    stage.flip(second, "schema.json")
    await stage.decide(second)
    found = await stage.wait_for("Verified=False/VerificationFailed", "Stalled=True")
    assert "schema.json" in message(found, "Verified")
    assert await stage.serving() == label(first)
    assert len(await stage.ours(APPS_DEPLOYMENT)) == 1


async def test_tampered_children_are_put_back(stage: Stage) -> None:
    version = await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_for("Ready=True")
    api, right = stage.installation.api, label(version)
    wrong = {"spec": {"selector": {names.LABEL_MANIFEST: "000000000000", "other": "x"}}}
    await stage.patch(SERVICE, NAME, wrong)

    async def put_back() -> bool:
        found = await api.get(SERVICE, stage.namespace, NAME)
        wanted = {names.LABEL_DEPLOYMENT: NAME, names.LABEL_MANIFEST: right}
        return found is not None and found["spec"]["selector"] == wanted

    await until(put_back, 15)
    trust = next(
        each for each in await stage.ours(CONFIG_MAP) if "-trust-" in each["metadata"]["name"]
    )
    metadata = trust["metadata"]
    await api.delete(CONFIG_MAP, stage.namespace, metadata["name"], metadata["uid"])
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "ownerReferences")}
    swapped = {**trust, "metadata": kept, "data": {"trust.json": "{}"}}
    with suppress(ApiError):  # The operator may be faster.
        await api.create(swapped)

    async def trust_is_back() -> bool:
        found = await api.get(CONFIG_MAP, stage.namespace, metadata["name"])
        return found is not None and found["data"] == trust["data"]

    await until(trust_is_back, 15)


async def test_a_strangers_service_stops_the_rollout_before_any_pod(stage: Stage) -> None:
    port = {"port": 80, "protocol": "TCP"}
    service = object_of("Service", stage.namespace, NAME, {"ports": [port]}, "v1")
    made = await stage.installation.api.create(service)
    await stage.approved("v1", 1)
    await stage.deploy()
    found = await stage.wait_for("Ready=False/ForeignObject", "Stalled=True")
    assert f"Service '{NAME}'" in message(found, "Ready")
    assert not await stage.ours(APPS_DEPLOYMENT)
    await stage.installation.api.delete(SERVICE, stage.namespace, NAME, made["metadata"]["uid"])
    await stage.wait_for("Ready=True", seconds=45)


async def test_revocation_rolls_back_and_without_a_target_stops(stage: Stage) -> None:
    first, second = await two_versions(stage)
    await stage.decide(second, "Revoked")

    async def first_serves() -> bool:
        return await stage.serving() == label(first)

    await until(first_serves, 15)
    await stage.decide(first, "Revoked")
    await stage.wait_for("Ready=False/Stopped", "Stalled=True", "Available=False")
    assert [found["spec"]["replicas"] for found in await stage.ours(APPS_DEPLOYMENT)] == [0]


@pytest.mark.parametrize(
    "state", slow_but("RollingBack", of=["Verifying", "Starting", "Promoted", "RollingBack"])
)
async def test_an_operator_killed_in_a_state_completes_what_is_on_record(
    stage: Stage, state: str
) -> None:
    installation = stage.installation
    first, second = None, None
    if state == "RollingBack":
        first, second = await two_versions(stage)
        await stage.report(SHIFTED)
    else:
        second = await stage.approved("v1", 1)
        await stage.deploy()

    async def reached() -> bool:
        return (await stage.status()).get("rollout", {}).get("state") in {state, "Stable"}

    await until(reached, 20)
    installation.end(signal.SIGKILL)
    installation.start()
    await asyncio.to_thread(installation.wait_until_healthy)
    wanted, entries = label(first or second), 3 if state == "RollingBack" else 1

    async def completed() -> bool:
        status = await stage.status()
        done = status.get("rollout", {}).get("state") == "Stable"
        done = done and len(status["history"]) == entries
        return done and await stage.serving() == wanted

    await until(completed, 30)


async def test_deletion_leaves_no_finalizer(stage: Stage) -> None:
    await stage.approved("v1", 1)
    made = await stage.deploy()
    await stage.wait_for("Ready=True")
    await stage.installation.api.delete(
        MODEL_DEPLOYMENT, stage.namespace, NAME, made["metadata"]["uid"]
    )

    async def gone() -> bool:
        return await stage.get(MODEL_DEPLOYMENT, NAME) is None

    await until(gone, 5)


async def test_every_version_in_the_namespace_is_read_by_its_kind(stage: Stage) -> None:
    await stage.approved("v1", 1)
    found = await stage.installation.api.list(MODEL_VERSION, stage.namespace)
    assert [each["metadata"]["name"] for each in found] == ["v1"]
    assert await stage.installation.api.list(MODEL_APPROVAL, stage.namespace)
