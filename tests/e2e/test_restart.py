"""The operator killed with SIGKILL at each step of a rollout and of a rollback."""

import threading
from collections.abc import Callable

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import World
from tests.examples import slow_but

NORMAL = cycle(objects.loan_rows(2000, seed=7), 5)
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 40)


class Killer:
    """Kills the operator when a ModelDeployment's rollout comes to a state.

    Args:
        world: the installation.
        name: the ModelDeployment, in the shared namespace.
        state: a state of `status.rollout`.
    """

    def __init__(self, world: World, name: str, state: str) -> None:
        self.seen = False
        self._world, self._name, self._state = world, name, state
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._thread.join()
        self._world.wait_for_operator()

    def _run(self) -> None:
        for deployment in self._world.api.watch("ModelDeployment", SHARED, self._name, 60):
            if deployment.get("status", {}).get("rollout", {}).get("state") == self._state:
                self.seen = True
                self._world.kill_operator()
                return


def check_the_record(world: World) -> None:
    """The audit log verifies, and no decision stands in it twice."""
    verified = world.verify_audit()
    assert verified.returncode == 0, verified.stderr + verified.stdout


@pytest.mark.parametrize("state", slow_but("Starting", of=["Verifying", "Starting", "Promoted"]))
def test_a_rollout_is_completed_by_the_next_operator(
    world: World, deploy: Callable[..., Object], state: str
) -> None:
    name = f"killed-{state.lower()}"
    deploy(name, "loan-v1")
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v1")
    with world.traffic(SHARED, name, NORMAL) as traffic:
        with Killer(world, name, state) as killer:
            change = {"spec": {"modelVersion": "loan-v2"}}
            world.api.patch("ModelDeployment", SHARED, name, change, user=AUTHOR)
            world.until(lambda: killer.seen, f"the state {state}")
        world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v2")
        deployment = world.wait_for("ModelDeployment", SHARED, name, "Ready=True")
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v1", "loan-v2"]
    assert [entry["version"] for entry in deployment["status"]["history"]].count("loan-v2") == 1
    check_the_record(world)


def test_a_rollback_is_completed_by_the_next_operator(
    world: World, deploy: Callable[..., Object]
) -> None:
    name = "killed-rollingback"
    deploy(name, "loan-v1")
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v1")
    change = {"spec": {"modelVersion": "loan-v2"}}
    world.api.patch("ModelDeployment", SHARED, name, change, user=AUTHOR)
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v2")
    with world.traffic(SHARED, name, SHIFTED) as traffic:
        with Killer(world, name, "RollingBack") as killer:
            world.until(lambda: killer.seen, "the state RollingBack")
        deployment = world.wait_for(
            "ModelDeployment", SHARED, name, "RolledBack=True/DriftRollback"
        )
        world.until(lambda: traffic.tally.first("loan-v1"), "the first answer of loan-v1")
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v2", "loan-v1"]
    outcomes = [entry["outcome"] for entry in deployment["status"]["history"]]
    assert outcomes.count("RolledBack") == 1
    check_the_record(world)


def test_drift_while_the_operator_is_away_is_acted_on_once_when_it_is_back(
    world: World, deploy: Callable[..., Object]
) -> None:
    name = "drifts-alone"
    deploy(name, "loan-v1")
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v1")
    change = {"spec": {"modelVersion": "loan-v2"}}
    world.api.patch("ModelDeployment", SHARED, name, change, user=AUTHOR)
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v2")
    world.scale_operator(0)
    try:
        with world.traffic(SHARED, name, SHIFTED) as traffic:
            world.until(lambda: len(traffic.tally.answers) > 30, "three windows and more")
            assert set(traffic.tally.versions) == {"loan-v2"}
            world.scale_operator(1)
            world.wait_for("ModelDeployment", SHARED, name, "RolledBack=True/DriftRollback")
            world.until(lambda: traffic.tally.first("loan-v1"), "the first answer of loan-v1")
    finally:
        world.scale_operator(1)
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v2", "loan-v1"]
