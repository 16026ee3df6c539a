"""What became true of the answers of what serves, from its Pods' reports to the rollback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.controllers.deployment_seen import CALM
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def feedback(world: World, **declared: object) -> World:
    """Serve version 2 on these terms, with version 1 to go back to."""
    world.ask(drift={"window": 100, "feedback": {"window": 100, **declared}})
    return with_two_versions(world)


GROUPS = {"groups": ["men", "women"], "groupFloor": {"minimumAccuracy": "0.8"}}


def test_a_version_that_fails_one_group_gives_way_though_it_is_right_on_the_whole(
    world: World,
) -> None:
    feedback(world, minimumAccuracy="0.8", then="Rollback", **GROUPS)
    world.report(2, CALM, right=[90, 90], women=[42, 41])
    world.settle()
    assert (world.serving, world.condition("DriftDetected")) == (2, "False/NoDrift")
    world.report(2, CALM, right=[90, 90, 82, 82], women=[42, 41, 20, 18])
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/DriftRollback"
    said = "Below the floor of groups: 'women' (accuracy 0.3800 in 100 outcomes)"
    assert said in world.message("Ready")


def test_a_version_that_is_right_for_one_group_more_than_for_another_gives_way(
    world: World,
) -> None:
    feedback(world, groups=["men", "women"], groupGap={"maximum": "0.1"}, then="Rollback")
    world.report(2, CALM, right=[88, 87], women=[43, 42], men=[45, 45])
    world.settle()
    assert (world.serving, world.condition("DriftDetected")) == (2, "False/NoDrift")
    world.report(2, CALM, right=[88, 87, 79, 79], women=[43, 42, 30, 30], men=[45, 45, 49, 49])
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/DriftRollback"
    said = "'women' (accuracy 0.6000 in 100 outcomes, 0.3800 behind 'men')"
    assert said in world.message("Ready")


def test_a_group_that_falls_behind_later_is_told_too(world: World) -> None:
    feedback(world, minimumAccuracy="0.8", **GROUPS)
    world.report(2, CALM, right=[45, 45], women=[42, 41])
    world.settle()
    assert world.recorded("drift") == ["detected"]
    world.report(2, CALM, right=[45, 45, 40, 40], women=[42, 41, 18, 18])
    world.settle()
    assert world.recorded("drift") == ["detected"] * 2
    world.report(2, CALM, right=[45, 45, 40, 40, 40], women=[42, 41, 18, 18, 18])
    world.settle()
    assert world.recorded("drift") == ["detected"] * 2
    assert (world.serving, world.state) == (2, "Stable")


def test_a_version_whose_answers_do_not_come_true_gives_way_once(world: World) -> None:
    feedback(world, minimumAccuracy="0.8", then="Rollback")
    spec = world.spec
    world.report(2, CALM, right=[85, 84])
    world.settle()
    assert (world.serving, world.condition("DriftDetected")) == (2, "False/NoDrift")
    world.report(2, CALM, right=[85, 50, 40])
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/DriftRollback"
    assert "came true less often than declared" in world.message("Ready")
    assert world.recorded("drift") == ["detected"]
    last = world.status.last_rollback
    world.report(1, CALM, right=[40, 40])
    world.settle()
    assert world.condition("DriftDetected") == "True/QualityBelowFloor"
    assert (world.serving, world.status.last_rollback, world.spec) == (1, last, spec)


@pytest.mark.parametrize(
    ("declared", "right", "condition"),
    [
        ({"minimumAccuracy": "0.8"}, [40, 40], "True/QualityBelowFloor"),
        ({"maximumCalibrationError": "0.1"}, [40, 40], "True/QualityBelowFloor"),
        ({"minimumAccuracy": "0.8", "then": "Rollback"}, [78], "False/NoDrift"),
        ({"then": "Rollback"}, [0, 0], "False/NoDrift"),
    ],
    ids=["alert", "scores that are not kept", "too little evidence", "no floor"],
)
def test_anything_else_is_told_and_moves_nothing(
    world: World, declared: dict[str, str], right: list[int], condition: str
) -> None:
    feedback(world, **declared)
    world.report(2, CALM, right=right)
    world.settle()
    assert (world.serving, world.state) == (2, "Stable")
    assert world.condition("DriftDetected") == condition
    assert world.condition("Ready") == "True/Serving"
    told = ["detected"] if condition.startswith("True") else []
    assert world.recorded("drift") == told
    assert world.status.drift_state is not None
    assert world.status.drift_state.quality is not None
    assert world.status.drift_state.quality.accuracy == f"{right[-1] / 100:.4f}"
    world.report(2, CALM, right=[*right, right[-1]])
    world.settle()
    assert world.recorded("drift") == told, "it is new once"
