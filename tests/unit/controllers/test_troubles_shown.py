"""What somebody on call must know is a metric while it is so, and none afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from hallmark.cluster.kinds import MODEL_POLICY
from hallmark.controllers import metrics
from hallmark.controllers.model_policy import reconcile as look_at_policy
from tests.unit.controllers.deployment_seen import CALM, NAME, SPACE
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment_probing import probing


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield World(tmp_path)
    metrics.forget(SPACE, NAME)
    metrics.forget("", "default")


def shown(metric: str, *labels: str) -> set[tuple[str, ...]]:
    """Return the samples of a metric about this ModelDeployment, or about ModelPolicies."""
    return {
        tuple(sample.labels[label] for label in labels)
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == f"hallmark_{metric}"
        and sample.labels.get("model_namespace", SPACE) == SPACE
    }


def troubles() -> set[tuple[str, ...]]:
    return shown("deployment_trouble", "condition", "reason")


def test_probing_is_shown_until_a_person_acknowledges_it(world: World) -> None:
    probing(world, clients=1, then="Alert")
    assert troubles() == set()
    world.report(2, CALM, odd=["Probing"])
    world.settle()
    assert troubles() == {("DriftDetected", "Probed")}
    assert shown("deployment_odd_rows", "oddity") == {("Probing",)}
    world.act("acknowledge", "1")
    world.settle()
    assert troubles() == set()
    assert shown("deployment_odd_rows", "oddity") == set()


def test_odd_rows_are_shown_where_probing_is_not_declared(world: World) -> None:
    probing(world, clients=2, then="Alert")
    world.report(2, CALM, odd=["Outside"])
    world.settle()
    assert troubles() == set()
    assert shown("deployment_odd_rows", "oddity") == {("Outside",)}


def test_a_rollback_is_shown_until_it_is_acknowledged(world: World) -> None:
    probing(world, clients=1, then="Rollback")
    world.report(2, CALM, odd=["Probing"])
    world.settle()
    assert ("RolledBack", "DriftRollback") in troubles()
    world.act("acknowledge", "1")
    world.settle()
    assert troubles() == set()


def test_pods_that_are_gone_and_bytes_that_were_revoked_are_shown(world: World) -> None:
    world.seal(1)
    world.settle()
    world.evict(1)
    world.reconcile()
    assert ("Available", "Unavailable") in troubles()
    world.settle()
    world.set_policy(onRevocation="Block")
    world.judge(1, revoked=True)
    world.settle()
    assert ("Approved", "Revoked") in troubles()
    assert world.serving == 1


def test_a_policy_that_cannot_be_used_is_shown(world: World) -> None:
    def look() -> set[tuple[str, ...]]:
        world.watch()
        asyncio.run(look_at_policy(world.operator, None, "default"))
        return shown("policy_unusable", "policy", "reason")

    assert look() == set()
    obj = world.operator.cache.get(MODEL_POLICY, None, "default")
    assert obj is not None
    spec = {**obj["spec"], "signers": [{**obj["spec"]["signers"][0], "keyId": "0" * 64}]}
    world._put(MODEL_POLICY, "", "default", spec=spec)
    assert look() == {("default", "InvalidKey")}
    world.set_policy()
    assert look() == set()
