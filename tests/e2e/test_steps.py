"""One version's whole way on a node: copies, a share, all traffic; then the truth takes it back."""

import base64
import json
from collections.abc import Callable

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.traffic import Tally, cycle
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import World

NAME = "steps"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 5)
TOKEN = "t" * 40
COPIES = 10
OTHER = {"yes": "no", "no": "yes"}
STRATEGY = {
    "bake": "1s",
    "keepWarm": "10m",
    "progressDeadline": "120s",
    "mirror": {
        "pause": "1s",
        "analysis": {"minimumRows": 50, "minimumRequests": 10, "maxDisagreement": "0.3"},
    },
    "type": "Canary",
    "canary": {
        "steps": [{"weight": 50, "pause": "1s"}],
        "analysis": {"minimumRows": 50, "minimumRequests": 10, "drift": False},
    },
}
DRIFT = {
    "window": 200,
    "consecutive": 2,
    "feedback": {"minimumAccuracy": "0.7", "window": 100, "then": "Rollback"},
}


def keys() -> Object:
    """Return the Secret that says who may tell the truth."""
    data = {"token": TOKEN, "receipts": "r" * 40}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{NAME}-feedback", "namespace": SHARED},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


def untrue(tally: Tally) -> list[dict[str, str]]:
    """Return outcomes of what `loan-v2` answered, none of which came true as it said."""
    answers = [answer for answer in tally.answers if answer.version == "loan-v2"]
    told = [one for answer in answers for one in json.loads(answer.text)["predictions"]]
    return [{"receipt": one["receipt"], "outcome": OTHER[one["label"]]} for one in told]


def copies(world: World) -> int:
    """Return how many copies the candidate answered, as the Pods that serve tell."""
    reports = world.api.get("ModelDeployment", SHARED, NAME)["status"].get("drift", {})
    told = [report["mirror"]["all"] for report in reports.values() if "mirror" in report]
    return sum(counts.get("taken", 0) for counts in told)


@pytest.mark.slow
def test_a_version_gets_copies_then_a_share_then_all_until_the_truth_is_told(
    world: World, deploy: Callable[..., Object]
) -> None:
    world.api.apply(keys())
    deploy(NAME, "loan-v1", strategy=STRATEGY, drift=DRIFT)
    world.wait_field("ModelDeployment", SHARED, NAME, "status.stableModelVersion", "loan-v1")

    with world.traffic(SHARED, NAME, NORMAL) as traffic:
        change = {"spec": {"modelVersion": "loan-v2"}}
        world.api.patch("ModelDeployment", SHARED, NAME, change, user=AUTHOR)
        world.wait_field(
            "ModelDeployment", SHARED, NAME, "status.rollout.state", "Mirroring", seconds=120
        )
        world.until(lambda: copies(world) >= COPIES, "copies of requests", 180)
        copied_until = len(traffic.tally.answers)
        world.wait_field(
            "ModelDeployment", SHARED, NAME, "status.rollout.state", "Canary", seconds=180
        )
        world.wait_field(
            "ModelDeployment", SHARED, NAME, "status.stableModelVersion", "loan-v2", seconds=240
        )
        tally = traffic.tally
    assert not tally.failures, tally.summary()
    while_copied = {answer.version for answer in tally.answers[:copied_until]}
    assert while_copied == {"loan-v1"}, "who gets copies answers nobody"
    assert len(tally.changes()) > 2, "both versions answered in turn"

    told = untrue(tally)
    assert len(told) >= 200, "enough answers to tell the truth of"
    client, url = world.connect(SHARED, NAME)
    with client:
        refused = client.post(f"{url}/feedback", json={"outcomes": told})
        assert refused.status_code == 401, refused.text
        taken = client.post(
            f"{url}/feedback",
            json={"outcomes": told[:5000]},
            headers={"authorization": f"Bearer {TOKEN}"},
        )
    assert (taken.status_code, taken.json()["refused"]) == (200, 0), taken.text
    world.wait_for("ModelDeployment", SHARED, NAME, "RolledBack=True/DriftRollback", seconds=180)
    world.wait_field("ModelDeployment", SHARED, NAME, "status.activeModelVersion", "loan-v1")
    world.until(
        lambda: "QualityBelowFloor" in {each["reason"] for each in world.api.list("Event", SHARED)},
        "an Event that tells of the quality",
    )
