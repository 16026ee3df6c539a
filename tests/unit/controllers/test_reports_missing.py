"""Silence does not read as health: Pods that serve and do not report are seen, and told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hallmark.api.names import SYSTEM_NAMESPACE
from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, POD
from hallmark.controllers import metrics
from tests.unit.controllers.deployment_seen import CALM, NAME, SHIFTED, SPACE
from tests.unit.controllers.deployment_world import World

PATIENCE = 540.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.seal(1)
    found.settle()
    found.wait(11)
    found.settle()
    found.traffic(CALM)
    found.settle()
    assert found.condition("DriftDetected") == "False/NoDrift"
    return found


def events(world: World) -> list[tuple[str, str]]:
    return [
        (str(obj["reason"]), str(obj["type"]))
        for obj in world.cluster.objects.values()
        if obj["kind"] == "Event"
    ]


def silent(world: World) -> float:
    return metrics.SILENT_PODS.labels(SPACE, NAME)._value.get()


def looked_at_in(world: World) -> float:
    """Return in how many seconds the ModelDeployment is looked at by the clock alone."""
    world.operator.queue._due.clear()
    world.reconcile()
    due = world.operator.queue._due[Key(MODEL_DEPLOYMENT, SPACE, NAME)]
    return due.at - time.monotonic()


def test_it_is_looked_at_when_the_word_is_broken_and_not_before(world: World) -> None:
    assert PATIENCE - 60 < looked_at_in(world) <= PATIENCE + 1


def test_a_pod_that_stops_reporting_makes_the_verdict_unknown(world: World) -> None:
    world.wait(PATIENCE - 30)
    world.settle()
    assert world.condition("DriftDetected") == "False/NoDrift"
    assert silent(world) == 0
    world.wait(31)
    world.settle()
    assert world.condition("DriftDetected") == "Unknown/ReportsMissing"
    [pod] = world._of(POD)
    name = pod["metadata"]["name"]
    assert f"'{name}' has not reported since 2026-11-25T12:00:" in world.message("DriftDetected")
    assert "RoleBinding" in world.message("DriftDetected"), "what to look at"
    assert world.condition("Ready") == "True/Serving"
    assert f"Drift is not watched: '{name}' has not reported" in world.message("Ready")
    assert ("ReportsMissing", "Warning") in events(world)
    assert silent(world) == 1


def test_it_is_told_once(world: World) -> None:
    for _ in range(3):
        world.wait(PATIENCE + 1)
        world.settle()
    assert events(world).count(("ReportsMissing", "Warning")) == 1


def test_reports_that_come_again_end_it(world: World) -> None:
    world.wait(PATIENCE + 1)
    world.settle()
    world.traffic(CALM)
    world.settle()
    assert world.condition("DriftDetected") == "False/NoDrift"
    assert "not watched" not in world.message("Ready")
    assert silent(world) == 0


def test_shifted_rows_that_nobody_told_of_are_judged_when_they_are_told(world: World) -> None:
    world.wait(PATIENCE + 1)
    world.settle()
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("DriftDetected").startswith("True/")


def test_a_restarted_operator_still_knows(world: World) -> None:
    world.wait(PATIENCE + 1)
    world.settle()
    world.operator = world._operator()
    world.settle()
    assert world.condition("DriftDetected") == "Unknown/ReportsMissing"


def test_without_pods_nobody_is_silent(world: World) -> None:
    world.ask(replicas=0)
    world.settle()
    world.wait(PATIENCE * 3)
    world.settle()
    assert world.condition("DriftDetected") != "Unknown/ReportsMissing"
    assert silent(world) == 0


def test_pods_that_never_reported_are_silent_too(tmp_path: Path) -> None:
    world = World(tmp_path, replicas=2)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.wait(PATIENCE + 1)
    world.settle()
    assert world.condition("DriftDetected") == "Unknown/ReportsMissing"
    state = world.status.drift_state
    assert state is not None
    assert state.silent_pods == 2


def test_without_its_baseline_no_verdict_stands(world: World) -> None:
    """The operator was restarted, and the file is neither in the store nor in the cluster."""
    for file in world.folder.rglob("baseline.json"):
        file.unlink()
    world.delete_bundles()
    world.operator = world._operator()
    world.settle()
    assert world.condition("DriftDetected") == "Unknown/BaselineMissing"
    assert "cannot be read from the store" in world.message("DriftDetected")


def test_what_was_shown_of_a_deployment_that_is_gone_goes(world: World) -> None:
    world.wait(PATIENCE + 1)
    world.settle()
    metrics.forget(SPACE, NAME)
    metrics.forget(SPACE, NAME)
    assert SYSTEM_NAMESPACE not in {labels[0] for labels in metrics.SILENT_PODS._metrics}
    assert (SPACE, NAME) not in metrics.SILENT_PODS._metrics
