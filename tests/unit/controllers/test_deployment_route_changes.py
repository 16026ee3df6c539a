"""Canaries by an HTTPRoute while people, Pods, policies and crashes change what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.controllers.deployment_seen import CALM, NAME
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment_canary import BASE, step
from tests.unit.controllers.test_deployment_crashes import cut_each_state
from tests.unit.controllers.test_deployment_route import (
    BY_ROUTE,
    ROUTE,
    STEPS,
    aside,
    hear,
    pass_step,
    stable,
    started,
    world,
)

__all__ = ["world"]

WRITES = 9
"""No step of such a canary, and no abort, writes more often."""


def test_a_route_that_is_not_asked_for_any_more_goes(world: World) -> None:
    world.ask(strategy={**BASE, "type": "BlueGreen"})
    world.settle()
    assert (world.serving, world.routed) == (2, {})
    assert f"Service/{NAME}-candidate" not in world.children
    assert world.condition("Routed") == "True/NoRoute"
    assert world.condition("Ready") == "True/Baking"


def test_a_route_that_a_finalizer_keeps_is_not_deleted_for_ever(world: World) -> None:
    metadata = world.route["metadata"]
    metadata.update(finalizers=["gateway/keeps-it"], deletionTimestamp="2026-11-25T12:00:00Z")
    world.ask(strategy={**BASE, "type": "BlueGreen"})
    for _ in range(6):
        world.reconcile()
        world.run_pods()
    world.cluster.writes = 0
    world.reconcile()
    assert world.cluster.writes == 0


def test_other_hosts_in_the_middle_begin_again(world: World) -> None:
    pass_step(world)
    elsewhere = {**ROUTE, "hostnames": ["loans.example.com"]}
    world.ask(strategy={**BY_ROUTE, "canary": {**BY_ROUTE["canary"], "route": elsewhere}})
    world.settle()
    assert (step(world), world.routed) == (0, {1: 99, 2: 1})
    assert world.route["spec"]["hostnames"] == ["loans.example.com"]


def test_pods_that_are_gone_have_no_share(world: World) -> None:
    world.evict(2)
    world.reconcile()
    assert (world.routed, aside(world)) == ({1: 100}, 1)
    world.settle()
    assert world.routed == {1: 99, 2: 1}


def test_a_greater_weight_waits_for_the_pods_that_it_needs(world: World) -> None:
    hear(world)
    world.wait(21)
    for _ in range(3):
        world.reconcile()
    assert (step(world), world.running) == (1, {1: 3, 2: 2})
    assert world.routed == {1: 99, 2: 1}
    world.settle()
    assert world.routed == {1: 60, 2: 40}


@pytest.mark.parametrize("replicas", [1, 6, 0])
def test_scaling_keeps_the_step(world: World, replicas: int) -> None:
    world.ask(replicas=replicas)
    world.settle()
    assert (world.state, step(world)) == ("Canary", 0)
    assert world.routed == ({1: 99, 2: 1} if replicas else {0: 100})


def test_a_hold_keeps_the_share(world: World) -> None:
    world.hold(600, "hold-1")
    world.settle()
    pass_step(world)
    assert (step(world), world.routed) == (0, {1: 99, 2: 1})
    world.judge(2, revoked=True)
    world.settle()
    assert world.routed == {1: 100}, "a revocation wins"


def test_a_promotion_by_a_person_ends_the_canary(world: World) -> None:
    world.act("promote", "promote-1")
    world.settle()
    assert (world.serving, world.routed) == (2, {2: 100})


def test_a_revocation_of_what_serves_takes_the_share_too(world: World) -> None:
    world.set_policy(onRevocation="Stop")
    world.judge(1, revoked=True)
    world.settle()
    assert world.running.get(1, 0) == 0
    assert 1 not in world.routed


def test_nothing_is_left_of_a_deleted_object(world: World) -> None:
    world.delete()
    world.settle()
    assert world.children == []


@pytest.mark.parametrize("write", range(1, WRITES))
def test_a_step_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = stable(tmp_path)
    world.seal(2)
    for number in (0, 1):
        for _ in range(6):
            world.run_gateway()
            world.reconcile(die_at=write)
            world.reconcile()
            world.run_pods()
        world.settle()
        assert step(world) == number
        assert world.routed == {1: 100 - STEPS[number]["weight"], 2: STEPS[number]["weight"]}
        hear(world)
        world.wait(21)
    cut_each_state(world, write)
    assert (world.serving, world.routed) == (2, {2: 100})


@pytest.mark.parametrize("write", range(1, WRITES))
def test_an_abort_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = started(tmp_path)
    world.report(2, CALM, failed=5)
    cut_each_state(world, write)
    assert (world.serving, world.routed, world.running) == (1, {1: 100}, {1: 3})
    assert [refused.reason for refused in world.status.refused] == ["CanaryFailed"]
    assert world.recorded("rollback") == []


def test_what_a_policy_lets_a_step_give_is_held_by_weights_whatever_the_replicas(
    tmp_path: Path,
) -> None:
    world = stable(tmp_path, replicas=1)
    world.set_policy(rollout={"canary": {"maxFirstStep": 1, "maxStep": 60}})
    world.seal(2)
    world.settle()
    assert world.routed == {1: 99, 2: 1}
    pass_step(world)
    assert world.routed == {1: 60, 2: 40}
    world.set_policy(rollout={"canary": {"maxStep": 30}})
    world.settle()
    assert world.routed == {1: 100}
    assert "rising by at most 30" in world.message("Ready")
    world.set_policy(rollout={"canary": {"maxStep": 60}})
    world.settle()
    assert world.routed == {1: 60, 2: 40}
