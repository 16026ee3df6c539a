"""Crash loops roll back; what is new waits after a rollback, and after too many switches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions

STRATEGY: dict[str, Any] = {"bake": "10s", "keepWarm": "60s", "progressDeadline": "30s"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return with_two_versions(World(tmp_path, replicas=3))


def serve(world: World, number: int) -> None:
    world.seal(number)
    world.settle()
    world.wait(11)
    world.settle()


# -- crash loops ------------------------------------------------------------------------------


def test_a_crash_loop_rolls_back_and_is_remembered(world: World) -> None:
    world.crash(2, times=3, pods=2)
    world.settle()
    assert (world.serving, world.state) == (1, "Stable")
    assert world.condition("RolledBack") == "True/CrashRollback"
    assert "2 of 3 Pods of 'credit-v2' end again and again" in world.message("RolledBack")
    assert [entry.reason for entry in world.status.refused] == ["CrashRollback"]
    assert world.recorded("rollback") == ["started", "completed"]
    world.ask(replicas=2)
    world.settle()
    assert world.serving == 1, "scaling retries nothing"


@pytest.mark.parametrize(
    "crash",
    [
        pytest.param({"times": 3, "pods": 1}, id="one Pod of three"),
        pytest.param({"times": 2}, id="too few times"),
        pytest.param({"times": 9, "code": 1}, id="the store was away"),
        pytest.param({"times": 9, "code": 0}, id="they were asked to end"),
    ],
)
def test_what_is_no_crash_loop_rolls_nothing_back(world: World, crash: dict[str, int]) -> None:
    world.crash(2, **crash)
    world.settle()
    assert world.serving == 2


def test_the_targets_crashes_never_roll_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in (1, 2, 3):
        serve(world, number)
    world.crash(3, times=3)
    world.settle()
    assert world.serving == 2
    world.crash(2, times=3)
    for _ in range(3):
        world.settle()
    assert world.serving == 2, "one rollback for an intent, no cascade"


def test_without_a_target_a_crash_loop_is_held_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    serve(world, 1)
    world.crash(1, times=5)
    for _ in range(3):
        world.settle()
    assert (world.serving, world.state) == (1, "Held")
    assert world.recorded("rollback") == ["held"]


def test_a_rollback_by_people_is_proposed_and_waits(tmp_path: Path) -> None:
    world = with_two_versions(World(tmp_path, rollback="Manual"))
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("DriftDetected") == "True/DriftDetected"
    assert "A rollback to 'credit-v1' is proposed" in world.message("DriftDetected")
    world.crash(2, times=3)
    world.settle()
    assert world.serving == 2
    world.act("rollback", "by-hand", reason="Proposed.")
    world.settle()
    assert world.serving == 1


# -- cool-down and cap ------------------------------------------------------------------------


def cooling(folder: Path, **limits: object) -> World:
    """Return a world in which version 2 was rolled back just now, and version 3 waits."""
    world = with_two_versions(World(folder, strategy={**STRATEGY, **limits}))
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 1
    world.seal(3)
    world.settle()
    return world


def test_after_a_rollback_nothing_new_is_promoted_for_a_while(tmp_path: Path) -> None:
    world = cooling(tmp_path, coolDown="10m")
    assert (world.serving, world.state) == (1, "Starting")
    assert world.condition("Ready") == "False/CoolingDown"
    assert "'credit-v2' was rolled back" in world.message("Ready")
    world.wait(300)
    world.settle()
    assert world.serving == 1
    world.wait(300)
    world.settle()
    assert world.serving == 3


def test_without_a_cool_down_it_follows_at_once(tmp_path: Path) -> None:
    assert cooling(tmp_path).serving == 3


def test_a_persons_promotion_waits_for_no_cool_down(tmp_path: Path) -> None:
    world = cooling(tmp_path, coolDown="10m", maxSwitchesPerDay=2)
    world.act("promote", "now", reason="It is the fix.")
    world.settle()
    assert world.serving == 3


def test_the_traffic_moves_so_often_in_a_day_at_most(tmp_path: Path) -> None:
    world = World(tmp_path, strategy={**STRATEGY, "maxSwitchesPerDay": 2})
    for number in (1, 2, 3):
        serve(world, number)
    assert world.serving == 2
    assert "moved 2 times within a day" in world.message("Ready")
    world.wait(24 * 3600)
    world.settle()
    assert world.serving == 3


def test_drift_and_revocations_wait_for_no_cap(tmp_path: Path) -> None:
    limits = {**STRATEGY, "maxSwitchesPerDay": 1, "coolDown": "24h"}
    world = World(tmp_path, strategy=STRATEGY)
    for number in (1, 2, 3):
        serve(world, number)
    world.ask(strategy=limits)
    world.settle()
    world.traffic(CALM)
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 2
    world.revoke(2)
    world.settle()
    assert world.serving == 1


# -- replicas ---------------------------------------------------------------------------------


def test_a_rollback_has_as_many_pods_as_an_autoscaler_asked_for_meanwhile(world: World) -> None:
    world.wait(60)
    world.settle()
    assert world.running == {2: 3}
    world.ask(replicas=7)
    world.traffic(SHIFTED)
    world.settle()
    assert (world.serving, world.running[1]) == (1, 7)
    assert world.answers() == 7
    assert world.spec["replicas"] == 7
