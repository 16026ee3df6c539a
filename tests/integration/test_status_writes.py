"""Statuses that the code can build, one after the other, on a real API server."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from hallmark.api import crd
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.drift_state import DriftState, PodDriftState
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import HALLMARK_KINDS, MODEL_DEPLOYMENT, Obj
from tests.integration import objects
from tests.integration.operator_world import api, digest, kubeconfig, model_deployment, namespace
from tests.unit.api.status_values import statuses

__all__ = ["api", "kubeconfig", "namespace"]

WRITES = 60
"""Statuses of each kind; each follows another one, which is what server-side apply minds."""
MAKERS = {
    "TrainingRun": objects.training_run,
    "ModelVersion": objects.model_version,
    "ModelApproval": objects.model_approval,
    "Deployment": objects.model_deployment,
}


def made_of(kind: crd.Kind, namespace: str) -> Obj:
    if kind.name == "ModelPolicy":
        return objects.model_policy(f"status-{namespace}")
    return MAKERS[kind.name](namespace)


def drawn(kind: crd.Kind) -> list[Obj]:
    """Return statuses of a kind as they are written: the same ones each time."""
    found: list[Obj] = []

    @settings(
        max_examples=WRITES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(status=statuses(kind.model))
    def draw(status: ConditionedStatus) -> None:
        found.append(status.to_wire())

    draw()
    return found


@pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.name)
async def test_no_status_is_refused(api: ApiCluster, namespace: str, kind: crd.Kind) -> None:
    current = await api.create(made_of(kind, namespace))
    for wire in await asyncio.to_thread(drawn, kind):
        wire = {"observedGeneration": 1, **wire}  # Which every status has.
        current = await api.write_status(current, wire)
        assert current["status"] == wire, "all of it, and nothing of the former"
    if kind.name == "ModelPolicy":
        mine = next(found for found in HALLMARK_KINDS if found.kind == kind.name)
        await api.delete(mine, None, current["metadata"]["name"], current["metadata"]["uid"])


async def test_an_empty_map_after_a_full_one_would_be_refused(
    api: ApiCluster, namespace: str
) -> None:
    accepted = PodDriftState(boot_id="boot-0001", sequence=1, manifest_digest=digest("a"))
    full = ModelDeploymentStatus(drift_state=DriftState(pods={"one": accepted}))
    none = ModelDeploymentStatus(drift_state=DriftState())
    made = await api.create(model_deployment(namespace))
    current = await api.write_status(made, full.to_wire())
    naive = none.to_wire()
    naive["driftState"]["pods"] = {}
    with pytest.raises(ApiError) as refusal:
        await api.write_status(current, naive)
    assert refusal.value.status == 422
    after = await api.write_status(current, none.to_wire())
    assert "pods" not in after["status"]["driftState"]
    assert MODEL_DEPLOYMENT.kind == after["kind"]
