"""Withdrawn bytes stop, on a real API server, whatever stands in the way of telling so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hallmark.api import names
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Obj,
)
from tests.examples import slow_but
from tests.integration.operator_process import deployed, installation, store, trusted
from tests.integration.operator_stage import (
    APPROVER,
    CALM,
    NAME,
    REVIEWER,
    Stage,
    label,
    stage,
    two_versions,
)
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]

CHILDREN = (
    *(APPS_DEPLOYMENT, CONFIG_MAP, NETWORK_POLICY, POD_DISRUPTION_BUDGET, ROLE, ROLE_BINDING),
    *(SERVICE, SERVICE_ACCOUNT),
)


async def set_policy(stage: Stage, **approvals: str) -> None:
    approver = {**trusted(APPROVER), "approver": REVIEWER}
    spec = {"approvers": [approver], "approvals": approvals}
    await stage.patch(MODEL_POLICY, stage.installation.policy, {"spec": spec})


def no_pods_of(stage: Stage, version: Obj) -> Callable[[], Awaitable[bool]]:
    """Return a probe that tells whether no Pod of a version is asked for."""

    async def stopped() -> bool:
        return not any(
            workload["metadata"]["labels"][names.LABEL_MANIFEST] == label(version)
            and workload["spec"]["replicas"]
            for workload in await stage.ours(APPS_DEPLOYMENT)
        )

    return stopped


async def fill(stage: Stage) -> None:
    """Make the ModelDeployment as large as the API server takes, but for a few bytes."""
    low, high = 0, 1_600_000
    while high - low > 64:
        middle = (low + high) // 2
        owner = {"apiVersion": "v1", "kind": "Secret", "name": "x" * middle, "uid": "1-2-3"}
        try:
            await stage.patch(MODEL_DEPLOYMENT, NAME, {"metadata": {"ownerReferences": [owner]}})
        except ApiError:
            high = middle
        else:
            low = middle


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("mode", slow_but("Stop", of=["Stop", "Rollback"]))
async def test_an_object_that_takes_no_status_stops_all_the_same(stage: Stage, mode: str) -> None:
    first, second = await two_versions(stage)
    await set_policy(stage, onRevocation=mode)
    await fill(stage)
    await stage.decide(second, "Revoked")
    await until(no_pods_of(stage, second), 15)
    if mode == "Rollback":
        assert await stage.serving() == label(first)
    status = await stage.status()
    assert status["activeModelVersion"] == "v2", "the record could not be written"
    uid = (await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME))["metadata"]["uid"]
    assert stage.installation.audited(uid).count("rollback") == (1 if mode == "Stop" else 2)
    stage.installation.end()
    stage.installation.start()
    await asyncio.to_thread(stage.installation.wait_until_healthy)
    await stage.patch(MODEL_DEPLOYMENT, NAME, {"metadata": {"ownerReferences": None}})
    if mode == "Rollback":
        await stage.wait_field("activeModelVersion", "v1")
        assert await stage.serving() == label(first)
    else:
        await stage.wait_for("Ready=False/Stopped")
    assert await no_pods_of(stage, second)()
    assert stage.installation.audited(uid).count("rollback") == (1 if mode == "Stop" else 2)


async def test_when_the_last_pod_that_reported_goes_a_revocation_is_carried_out(
    stage: Stage,
) -> None:
    _, second = await two_versions(stage)
    await set_policy(stage, onRevocation="Stop")
    await stage.report(CALM)
    await stage.wait_for("DriftDetected=False/NoDrift")

    async def reported() -> bool:
        return bool((await stage.status())["driftState"].get("pods"))

    await until(reported)
    for pod in await stage.ours(POD):
        if pod["metadata"]["labels"][names.LABEL_MANIFEST] == label(second):
            await stage.installation.api.delete(
                POD, stage.namespace, pod["metadata"]["name"], pod["metadata"]["uid"]
            )

    async def forgotten() -> bool:
        return "pods" not in (await stage.status())["driftState"]

    await until(forgotten)
    await stage.decide(second, "Revoked")
    await until(no_pods_of(stage, second), 15)
    await stage.wait_for("Ready=False/Stopped")


async def orphan(stage: Stage) -> None:
    """Delete the ModelDeployment with ``--cascade=orphan``, and play the garbage collector."""
    api, space = stage.installation.api, stage.namespace
    path = MODEL_DEPLOYMENT.path(space, NAME)
    options = {"propagationPolicy": "Orphan"}
    await api._transport.call("DELETE", path, {}, options)
    for kind in (*CHILDREN, SECRET):
        for child in await api.list(kind, space, {names.LABEL_DEPLOYMENT: NAME}):
            change = {"metadata": {"ownerReferences": None}}
            await stage.patch(kind, child["metadata"]["name"], change)
    await stage.patch(MODEL_DEPLOYMENT, NAME, {"metadata": {"finalizers": None}})


async def test_orphans_are_removed_and_the_name_is_free(stage: Stage) -> None:
    await two_versions(stage)
    await orphan(stage)

    async def gone() -> bool:
        return not [child for kind in CHILDREN for child in await stage.ours(kind)]

    await until(gone, 20)
    await stage.deploy()
    await stage.wait_for("Ready=True")


async def test_a_deployment_made_again_at_once_serves_over_its_orphans(stage: Stage) -> None:
    _, second = await two_versions(stage)
    await orphan(stage)
    await stage.deploy()
    await stage.decide(second, "Revoked")
    await until(no_pods_of(stage, second), 20)
    await stage.wait_for("Ready=True")


@pytest.mark.parametrize("mode", ["Stop", "Rollback"])
async def test_an_object_that_a_finalizer_keeps_stops(stage: Stage, mode: str) -> None:
    _, second = await two_versions(stage)
    await set_policy(stage, onRevocation=mode)
    kept = {"metadata": {"finalizers": ["example.org/backup"]}}
    await stage.patch(MODEL_DEPLOYMENT, NAME, kept)
    found = await stage.installation.get(MODEL_DEPLOYMENT, stage.namespace, NAME)
    uid = found["metadata"]["uid"]
    await stage.installation.api.delete(MODEL_DEPLOYMENT, stage.namespace, NAME, uid)
    await stage.wait_for("Ready=False/Deleting")
    await stage.decide(second, "Revoked")
    await until(no_pods_of(stage, second), 15)
    await stage.wait_for("Ready=False/Stopped")
    await stage.patch(MODEL_DEPLOYMENT, NAME, {"metadata": {"finalizers": None}})


async def test_a_quota_that_takes_no_new_workload_stops_nothing(stage: Stage) -> None:
    """The target's workload is refused: what was revoked ends at the deadline."""
    first, second = await two_versions(stage)
    await set_policy(stage, onRevocation="Rollback", revocationDeadline="3s")
    await stage.ask(strategy={"keepWarm": "0s"})
    await until(no_pods_of(stage, first), 20)
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": stage.namespace},
        "spec": {"hard": {"count/deployments.apps": "1"}},
    }
    path = f"/api/v1/namespaces/{stage.namespace}/resourcequotas"
    api, spent = stage.installation.api, {"count/deployments.apps": "1"}
    await api._transport.call("POST", path, {}, quota)
    # No controller counts here.
    used = {"status": {"hard": spent, "used": spent}}
    merge = "application/merge-patch+json"
    await api._transport.call("PATCH", f"{path}/none/status", {}, used, merge)
    await stage.decide(second, "Revoked")
    await until(no_pods_of(stage, second), 20)
