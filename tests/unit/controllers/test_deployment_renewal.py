"""What was rolled back needs new approvals, whatever is deleted, renamed, killed or repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from hallmark.api.texts import timestamp
from tests.unit.controllers.deployment_seen import SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_crashes import MOST_WRITES, cut_each_state
from tests.unit.policies.model_deployment import rollouts


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world whose version 2 serves, under a policy that demands new approvals."""
    made = World(tmp_path)
    made.set_policy(renewAfterRollback=True)
    return with_two_versions(made)


def drift(world: World) -> None:
    """Have version 2 rolled back by drift."""
    world.traffic(SHIFTED)
    world.settle()
    assert (world.serving, world.state) == (1, "Stable")


def approve_anew(world: World) -> None:
    said = rollouts.approval("rob").replace(given=timestamp(world.now))
    world.judge(2, approvals=(rollouts.approval(), said))


def wants_approval(world: World) -> bool:
    return world.condition("Ready") == "False/AwaitingApproval"


def test_a_changed_spec_waits_for_approvals_of_after_the_rollback(world: World) -> None:
    drift(world)
    world.pin(2)
    world.settle()
    assert world.serving == 1
    assert wants_approval(world)
    assert "was rolled back in Deployment 'credit'" in world.message("Ready")
    world.wait(60)
    approve_anew(world)
    world.settle()
    assert world.serving == 2


def test_nor_is_it_served_by_a_deployment_that_was_deleted_and_made_anew(world: World) -> None:
    drift(world)
    world.delete()
    world.settle()
    world.make(model="credit")
    world.settle()
    assert world.serving == 1, "'model' follows the newest version that may serve."
    assert world.status.candidate_model_version == "credit-v2", "It is asked for, and waits."
    world.pin(2)
    world.settle()
    assert world.serving == 1
    assert wants_approval(world)


def test_without_that_demand_it_is_served_as_before(world: World) -> None:
    world.set_policy()
    drift(world)
    world.pin(2)
    world.settle()
    assert world.serving == 2


def test_a_policy_that_demands_it_later_means_the_rollbacks_of_before_as_well(
    world: World,
) -> None:
    world.set_policy()
    drift(world)
    world.set_policy(renewAfterRollback=True)
    world.pin(2)
    world.settle()
    assert wants_approval(world)


@pytest.mark.parametrize("write", range(1, MOST_WRITES))
def test_an_operator_killed_at_a_write_forgets_no_rollback(world: World, write: int) -> None:
    world.traffic(SHIFTED)
    cut_each_state(world, write)
    world.delete()
    world.settle()
    world.make(modelVersion="credit-v2", model=None)
    world.settle()
    assert wants_approval(world)


def test_each_rollback_asks_anew_whatever_its_cause(world: World) -> None:
    for number in range(3):
        world.act("rollback", f"back-{number}", reason="Complaints.")
        world.settle()
        assert world.serving == 1
        world.pin(2)
        world.ask(strategy={**world.spec["strategy"], "keepWarm": f"{number + 1}h"})
        world.settle()
        assert wants_approval(world), "An approval of before counts no more."
        world.wait(60)
        approve_anew(world)
        world.settle()
        assert world.serving == 2
        world.wait(60)
        world.settle()


def test_the_former_version_is_not_promoted_anew_and_the_rollback_stays_told(world: World) -> None:
    drift(world)
    world.wait(60)
    world.settle()
    assert world.recorded("promote")[-1] == "stable"
    assert world.condition("RolledBack") == "True/DriftRollback"
    last = world.status.last_rollback
    assert last is not None
    assert not last.acknowledged
    world.traffic(SHIFTED)
    world.settle()
    assert world.recorded("rollback") == ["started", "completed"], "Drift never rolls on."
