"""What serves and has a refused package is rolled back once, killed at each write or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_crashes import MOST_WRITES, cut_each_state

REFUSED, PASSED = "PackagesRefused", "PolicyPassed"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = with_two_versions(World(tmp_path))
    demand(made, onViolation="Rollback")
    return made


def demand(world: World, **rules: Any) -> None:  # noqa: ANN401
    """Change the policy; every version is judged anew by it, and passes."""
    world.set_policy(dependencies=rules)
    for number in (1, 2):
        world.judge_packages(number, PASSED)
    world.settle()


@pytest.mark.parametrize("write", range(1, MOST_WRITES, 3))
def test_a_refused_package_rolls_back_once(world: World, write: int) -> None:
    world.judge_packages(2, REFUSED)
    cut_each_state(world, write)
    assert (world.serving, world.state) == (1, "Stable")
    assert world.condition("RolledBack") == "True/PackageRollback"
    assert world.recorded("rollback") == ["started", "completed"]
    assert [entry.reason for entry in world.status.refused] == ["PackageRollback"]


def test_what_is_only_reported_serves_on(world: World) -> None:
    demand(world)
    world.judge_packages(2, REFUSED)
    world.settle()
    assert (world.serving, world.recorded("rollback")) == (2, [])


def test_the_target_never_rolls_on(world: World) -> None:
    world.judge_packages(2, REFUSED)
    world.settle()
    world.judge_packages(1, REFUSED)
    for _ in range(3):
        world.settle()
    assert world.serving == 1
    assert world.recorded("rollback") == ["started", "completed"]


def test_where_every_version_is_refused_nothing_moves(world: World) -> None:
    for number in (1, 2):
        world.judge_packages(number, REFUSED)
    for _ in range(3):
        world.settle()
    assert (world.serving, world.state) == (2, "Held")
    assert world.recorded("rollback") == ["held"]


def test_a_target_that_is_not_judged_by_the_new_policy_yet_is_waited_for(world: World) -> None:
    world.set_policy(dependencies={"onViolation": "Rollback", "denied": ["torch"]})
    world.judge_packages(2, REFUSED)
    world.settle()
    assert world.serving == 2
    world.judge_packages(1, PASSED)
    world.settle()
    assert world.serving == 1


def test_a_policy_that_accepts_it_again_rolls_nothing_back(world: World) -> None:
    demand(world)
    world.judge_packages(2, REFUSED)
    world.settle()
    # The exception and the word to roll back come together; the verdict is the former policy's.
    world.set_policy(dependencies={"onViolation": "Rollback", "denied": ["torch"]})
    world.settle()
    assert world.serving == 2
    world.judge_packages(2, PASSED)
    world.settle()
    assert (world.serving, world.recorded("rollback")) == (2, [])


def test_a_hold_keeps_it_until_it_ends(world: World) -> None:
    world.hold(600, "hold-1")
    world.settle()
    world.judge_packages(2, REFUSED)
    world.settle()
    assert world.serving == 2
    world.wait(601)
    world.settle()
    assert world.serving == 1
