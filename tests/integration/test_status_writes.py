"""Statuses that the code can build, one after the other, on a real API server."""

from __future__ import annotations

import random
import warnings

import pytest
from hypothesis.errors import NonInteractiveExampleWarning

from hallmark.api import crd
from hallmark.api.model_deployment import DriftState, ModelDeploymentStatus, PodDriftState
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import HALLMARK_KINDS, MODEL_DEPLOYMENT, Obj
from tests.integration import objects
from tests.integration.operator_world import api, digest, kubeconfig, model_deployment, namespace
from tests.unit.api.status_values import statuses

__all__ = ["api", "kubeconfig", "namespace"]

WRITES = 25
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


@pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.name)
async def test_no_status_is_refused(api: ApiCluster, namespace: str, kind: crd.Kind) -> None:
    drawn = statuses(kind.model)
    current = await api.create(made_of(kind, namespace))
    random.seed(20)
    for _ in range(WRITES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonInteractiveExampleWarning)
            wire = drawn.example().to_wire()
        current = await api.write_status(current, wire)
        assert current["status"] == wire, "nothing is pruned, and nothing is left of the former"
        current = await api.write_status(current, {})
        assert not current.get("status")
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
