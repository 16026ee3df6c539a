"""Failed requests and late answers of what serves, from its Pods' reports to the rollback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.controllers.deployment_seen import CALM
from tests.unit.controllers.deployment_world import World

GOOD, FAILING, LATE = (2, 9), (3, 0), (0, 11)
"""Of 200: at the limits, and above either."""
CAUSES = [
    pytest.param(FAILING, "RequestsFail", "ErrorRollback", id="errors"),
    pytest.param(LATE, "AnswersLate", "LatencyRollback", id="late answers"),
]


def serving(folder: Path, first: tuple[int, int] | None = GOOD, **declared: Any) -> World:  # noqa: ANN401
    """Serve version 2, with version 1 to go back to, of which blocks were told (or none)."""
    limits = {"minimum": 200, "maxErrors": "0.01", "maxLatency": "25ms", "then": "Rollback"}
    asked = {name: value for name, value in (limits | declared).items() if value is not None}
    world = World(folder, replicas=3)
    world.ask(drift={"window": 100, "consecutive": 2, "requests": asked})
    for number in (1, 2):
        world.seal(number)
        world.settle()
        world.wait(11)
        if number == 1 and first is not None:
            world.report(1, CALM, blocks=[first] * 2)
        world.settle()
    assert (world.serving, world.state) == (2, "Stable")
    return world


@pytest.mark.parametrize(("block", "found", "cause"), CAUSES)
def test_it_rolls_back_once_and_then_only_tells(
    tmp_path: Path, block: tuple[int, int], found: str, cause: str
) -> None:
    world = serving(tmp_path)
    spec = world.spec
    world.report(2, CALM, blocks=[block] * 2)
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == f"True/{cause}"
    assert "'credit-v2'" in world.message("RolledBack")
    assert "Expected" in world.message("Ready")
    assert [entry.reason for entry in world.status.refused] == [cause]
    assert world.recorded("rollback") == ["started", "completed"]
    [told] = [record for record in world.ledger.records.values() if record.event == "drift"]
    assert (told.reason, told.outcome) == (found, "detected")
    last = world.status.last_rollback
    world.report(1, CALM, blocks=[block] * 2)
    world.settle()
    assert world.condition("DriftDetected") == f"True/{found}"
    assert (world.serving, world.status.last_rollback, world.spec) == (1, last, spec)
    world.ask(replicas=2)
    world.settle()
    assert world.serving == 1, "scaling retries nothing"


def only_one_pod(world: World, block: tuple[int, int]) -> None:
    world.report(2, CALM, blocks=[GOOD] * 2)
    name = world.pods_of(2)[0]["metadata"]["name"]
    told = world.cluster.objects[world._key()]["status"]["drift"][name]["answers"]
    for one in told:
        one["failed"], one["late"] = block


CALMER: dict[str, Callable[[World, tuple[int, int]], None]] = {
    "one block of two": lambda world, block: world.report(2, CALM, blocks=[GOOD, block]),
    "a single block": lambda world, block: world.report(2, CALM, blocks=[block]),
    "silence": lambda world, _: world.report(2, CALM),
    "at the limit": lambda world, _: world.report(2, CALM, blocks=[GOOD] * 2),
    "one Pod of three says so, or lies": only_one_pod,
    "the version that does not serve": lambda world, block: world.report(
        1, CALM, blocks=[block] * 2
    ),
}


@pytest.mark.parametrize(("block", "found", "cause"), CAUSES)
@pytest.mark.parametrize("tell", CALMER.values(), ids=CALMER)
def test_less_than_that_moves_nothing(
    tmp_path: Path,
    tell: Callable[[World, tuple[int, int]], None],
    block: tuple[int, int],
    found: str,
    cause: str,
) -> None:
    world = serving(tmp_path)
    tell(world, block)
    world.settle()
    assert (world.serving, world.state) == (2, "Stable")
    assert world.condition("DriftDetected").partition("/")[2] != found
    assert world.recorded("drift") == []


@pytest.mark.parametrize(("block", "found", "cause"), CAUSES)
@pytest.mark.parametrize("way", ["alert", "manual", "held"])
def test_where_it_may_not_roll_back_it_tells(
    tmp_path: Path, way: str, block: tuple[int, int], found: str, cause: str
) -> None:
    world = serving(tmp_path, then="Alert" if way == "alert" else "Rollback")
    if way == "manual":
        world.ask(rollback="Manual")
        world.settle()
        world.wait(11)
        world.settle()
    if way == "held":
        world.hold(3600, "hold-1")
        world.settle()
    world.report(2, CALM, blocks=[block] * 2)
    world.settle()
    assert world.serving == 2
    assert world.condition("DriftDetected") == f"True/{found}"
    assert world.recorded("drift") == ["detected"]
    if way == "held":
        world.wait(3601)
        world.settle()
        assert world.serving == 1, "it does at the hold's end"
        assert world.condition("RolledBack") == f"True/{cause}"


@pytest.mark.parametrize(
    ("first", "serves"),
    [(GOOD, 1), (None, 2), (LATE, 2), ((200, 0), 2)],
    ids=["was in time", "nobody knows", "was late itself", "answered nothing"],
)
def test_late_answers_go_back_to_a_version_that_was_in_time_alone(
    tmp_path: Path, first: tuple[int, int] | None, serves: int
) -> None:
    world = serving(tmp_path, first, maxErrors=None)
    world.report(2, CALM, blocks=[LATE] * 2)
    world.settle()
    assert world.serving == serves
    if serves == 2:
        assert world.condition("DriftDetected") == "True/AnswersLate"
        assert world.condition("Ready") == "True/Serving"
    world.report(2, CALM, blocks=[GOOD] * 2)
    world.settle()
    assert world.serving == serves


def test_a_cool_down_counts_from_it(tmp_path: Path) -> None:
    world = serving(tmp_path)
    world.ask(strategy={"bake": "10s", "keepWarm": "60s", "coolDown": "600s"})
    world.settle()
    world.wait(11)
    world.settle()
    world.report(2, CALM, blocks=[FAILING] * 2)
    world.settle()
    assert world.serving == 1
    world.seal(3)
    world.settle()
    assert world.condition("Ready").endswith("/CoolingDown")
    world.wait(601)
    world.settle()
    assert world.serving == 3


def test_what_fails_is_not_stable(tmp_path: Path) -> None:
    world = serving(tmp_path, then="Alert")
    world.seal(3)
    world.settle()
    world.report(3, CALM, blocks=[FAILING] * 2)
    world.wait(60)
    world.settle()
    assert (world.serving, world.state) == (3, "Promoted")
