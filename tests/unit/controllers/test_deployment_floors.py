"""A ModelPolicy that demands closer watching, while versions serve and take over."""

from pathlib import Path

import pytest

from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions

DEMAND = {"probing": {"maxClients": 2, "rollback": True}}
MEETS = {"window": 100, "probing": {"clients": 2, "then": "Rollback"}}
CANARY = {
    "type": "Canary",
    "canary": {
        "steps": [{"weight": 50, "pause": "1m"}],
        "analysis": {"minimumRows": 1, "minimumRequests": 1},
    },
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_serves_goes_on_and_nothing_new_is_promoted_until_it_is_met(world: World) -> None:
    world.seal(1)
    world.settle()
    world.set_policy(drift=DEMAND)
    world.settle()
    assert (world.serving, world.condition("Stalled")) == (1, "True/InvalidSpec")
    assert "Expected spec.drift.probing with clients at most 2, then Rollback" in world.message(
        "Ready"
    )
    world.seal(2)
    world.settle()
    assert (world.serving, world.running) == (1, {1: 1})
    world.ask(drift=MEETS)
    world.settle()
    assert (world.serving, world.condition("Ready")) == (2, "True/Baking")


def test_a_policy_that_asks_for_less_again_lets_go_on_by_itself(world: World) -> None:
    world.seal(1)
    world.settle()
    world.set_policy(drift=DEMAND)
    world.seal(2)
    world.settle()
    assert world.serving == 1
    world.set_policy()
    world.settle()
    assert (world.serving, world.condition("Ready")) == (2, "True/Baking")


@pytest.mark.parametrize("late", [0, 3600], ids=["at once", "after the deadline"])
def test_a_candidate_that_started_under_the_former_policy_waits(world: World, late: float) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle(kubelet=False)
    assert world.state == "Starting"
    world.set_policy(drift=DEMAND)
    world.run_pods()
    world.wait(late)
    world.settle()
    assert (world.serving, world.state) == (1, "Starting")
    assert world.condition("Stalled") == "True/InvalidSpec"
    world.ask(drift=MEETS)
    world.settle()
    assert world.serving == 2


def test_a_canary_keeps_its_step_until_it_is_met(world: World) -> None:
    world.ask(strategy=CANARY, replicas=2)
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle()
    before = world.shared
    assert (world.state, set(before)) == ("Canary", {1, 2})
    world.set_policy(drift=DEMAND)
    world.wait(3600)
    world.settle()
    assert (world.state, world.shared) == ("Canary", before)
    assert world.condition("Stalled") == "True/InvalidSpec"


def test_a_rollback_asks_for_no_closer_watching(world: World) -> None:
    with_two_versions(world)
    world.set_policy(drift=DEMAND)
    world.judge(2, revoked=True)
    world.settle()
    assert world.serving == 1
