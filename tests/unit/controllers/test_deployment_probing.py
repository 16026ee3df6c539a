"""Clients that probe the boundary of what serves, from their Pods' reports to the rollback."""

from pathlib import Path

import pytest

from tests.unit.controllers.deployment_seen import CALM
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def probing(world: World, *, clients: int, then: str) -> World:
    """Serve version 2 on these terms, with version 1 to go back to."""
    world.ask(drift={"window": 100, "probing": {"clients": clients, "then": then}})
    return with_two_versions(world)


def test_a_probing_pattern_rolls_back_once_and_then_only_tells(world: World) -> None:
    probing(world, clients=1, then="Rollback")
    spec = world.spec
    world.report(2, CALM, odd=["Probing"])
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/DriftRollback"
    assert "A client goes along the decision boundary in small steps" in world.message("Ready")
    assert world.recorded("drift") == ["detected"]
    last = world.status.last_rollback
    world.report(1, CALM, odd=["Probing"])
    world.settle()
    assert world.condition("DriftDetected") == "True/Probed"
    assert (world.serving, world.status.last_rollback, world.spec) == (1, last, spec)


@pytest.mark.parametrize(
    ("clients", "then", "odd", "condition"),
    [
        (1, "Rollback", ["Borderline", "Outside"], "False/NoDrift"),
        (2, "Rollback", ["Probing"], "False/NoDrift"),
        (1, "Alert", ["Probing"], "True/Probed"),
        (2, "Alert", ["Probing", "Probing"], "True/Probed"),
    ],
    ids=["honest borderline applicants", "one client of two", "alert", "two clients, alert"],
)
def test_anything_else_is_told_and_moves_nothing(
    world: World, clients: int, then: str, odd: list[str], condition: str
) -> None:
    probing(world, clients=clients, then=then)
    world.report(2, CALM, odd=odd)
    world.settle()
    assert (world.serving, world.state) == (2, "Stable")
    assert world.condition("DriftDetected") == condition
    assert world.condition("Ready") == "True/Serving"
    assert world.recorded("drift") == ["detected"]
    assert world.status.drift_state is not None
    assert list(world.status.drift_state.odd) == sorted(set(odd))
    world.report(2, CALM, odd=odd)
    world.settle()
    assert world.recorded("drift") == ["detected"], "it is new once"


def test_an_acknowledgement_begins_afresh(world: World) -> None:
    probing(world, clients=1, then="Alert")
    world.report(2, CALM, odd=["Probing"])
    world.settle()
    world.act("acknowledge", "1")
    world.settle()
    world.report(2, CALM)
    world.settle()
    assert world.condition("DriftDetected") == "False/NoDrift"
    world.report(2, CALM, odd=["Probing"])
    world.settle()
    assert world.condition("DriftDetected") == "True/Probed"
    assert world.recorded("drift") == ["detected", "detected"]
