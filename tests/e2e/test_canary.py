"""A canary under traffic: both versions answer, no request is lost, and the new one stays."""

from collections.abc import Callable

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import World

NAME = "stepwise"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 5)
STRATEGY = {
    "bake": "1s",
    "keepWarm": "10m",
    "progressDeadline": "60s",
    "type": "Canary",
    "canary": {
        "steps": [{"weight": 50, "pause": "1s"}],
        "analysis": {"minimumRows": 50, "minimumRequests": 10, "drift": False},
    },
}


@pytest.mark.slow
def test_both_versions_answer_and_no_request_is_lost(
    world: World, deploy: Callable[..., Object]
) -> None:
    deploy(NAME, "loan-v1", strategy=STRATEGY)
    world.wait_field("ModelDeployment", SHARED, NAME, "status.stableModelVersion", "loan-v1")
    with world.traffic(SHARED, NAME, NORMAL) as traffic:
        change = {"spec": {"modelVersion": "loan-v2"}}
        world.api.patch("ModelDeployment", SHARED, NAME, change, user=AUTHOR)
        world.wait_field("ModelDeployment", SHARED, NAME, "status.rollout.state", "Canary")
        # A predictor tells of its rows once a minute.
        world.wait_field(
            "ModelDeployment",
            SHARED,
            NAME,
            "status.stableModelVersion",
            "loan-v2",
            seconds=180,
        )
        tally = traffic.tally
    assert not tally.failures, tally.summary()
    assert len(tally.changes()) > 2, "both versions answered in turn"
    assert tally.changes()[-1] == "loan-v2"
