"""The store stopped: Pods restart, start anew, scale and roll back without it."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.processes import kill_container
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import SYSTEM, World, is_ready

STORE = "hallmark-store"
NAME = "storeless"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 5)
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 40)


@pytest.fixture
def store_away(world: World) -> Iterator[Callable[[], None]]:
    """Return what stops the store; it is started again, and answers, when the test ends."""

    def scale(replicas: int) -> None:
        change = {"spec": {"replicas": replicas}}
        world.api.patch("Deployment", SYSTEM, STORE, change)
        world.until(
            lambda: (
                world.api.get("Deployment", SYSTEM, STORE).get("status", {}).get("readyReplicas", 0)
                == replicas
            ),
            f"{replicas} Pods of the store",
        )

    yield lambda: scale(0)
    scale(1)


def all_ready(world: World, count: int) -> bool:
    """Whether so many predictor Pods are there and ready."""
    pods = world.pods_of(SHARED, NAME)
    return len(pods) == count and all(map(is_ready, pods))


def test_nothing_that_serves_needs_the_store(
    world: World, deploy: Callable[..., Object], store_away: Callable[[], None]
) -> None:
    strategy = {"bake": "1s", "keepWarm": "0s"}
    deploy(NAME, "loan-v1", strategy=strategy)
    world.wait_field("ModelDeployment", SHARED, NAME, "status.stableModelVersion", "loan-v1")
    change = {"spec": {"modelVersion": "loan-v2"}}
    world.api.patch("ModelDeployment", SHARED, NAME, change, user=AUTHOR)
    world.wait_field("ModelDeployment", SHARED, NAME, "status.stableModelVersion", "loan-v2")
    world.wait_field("ModelDeployment", SHARED, NAME, "status.store.needed", False)
    world.until(lambda: all_ready(world, 1), "the former version's Pod to be gone", 90)
    store_away()

    [pod] = world.pods_of(SHARED, NAME)
    kill_container(world.cluster, pod)
    world.until(
        lambda: any(
            status.get("restartCount", 0) > 0 and status.get("ready")
            for found in world.pods_of(SHARED, NAME)
            for status in found["status"].get("containerStatuses", [])
        ),
        "the container to start again",
    )
    assert world.predict(SHARED, NAME, NORMAL(0)).code == 200

    world.api.delete("Pod", SHARED, pod["metadata"]["name"], grace_seconds=0)
    world.until(lambda: all_ready(world, 1), "a new Pod")
    assert world.predict(SHARED, NAME, NORMAL(0)).code == 200

    world.api.patch("ModelDeployment", SHARED, NAME, {"spec": {"replicas": 2}}, user=AUTHOR)
    world.until(lambda: all_ready(world, 2), "a second Pod")

    with world.traffic(SHARED, NAME, SHIFTED):
        world.wait_field(
            "ModelDeployment", SHARED, NAME, "status.activeModelVersion", "loan-v1", seconds=90
        )
    world.wait_for("ModelDeployment", SHARED, NAME, "RolledBack=True/DriftRollback")
    assert world.predict(SHARED, NAME, NORMAL(0)).code == 200
