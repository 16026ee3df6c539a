"""The whole story on small data, as users type it: train, approve, serve, replace, roll back."""

import json
import math

from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR, REVIEWER
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.world import World

NAMESPACE = "e2e-story"
NAME = "loan"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 20)
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 20)


def apply(world: World, manifest: Object, user: str) -> None:
    world.cluster.kubectl("apply", "--filename=-", f"--as={user}", input=json.dumps(manifest))


def train_and_approve(world: World, name: str, seed: int) -> Object:
    apply(world, objects.training_run(NAMESPACE, name, seed=seed), AUTHOR)
    run = world.wait_for("TrainingRun", NAMESPACE, name, "Ready=True/Sealed", seconds=120)
    assert run["status"]["modelVersion"] == name
    version = world.wait_for("ModelVersion", NAMESPACE, name, "Verified=True", "Approved=False")
    apply(world, objects.approval(version, name), REVIEWER)
    return world.wait_for("ModelVersion", NAMESPACE, name, "Approved=True", "Ready=True")


def test_a_version_is_trained_approved_served_replaced_and_rolled_back(world: World) -> None:
    world.namespace(NAMESPACE)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(NAMESPACE, "loans", data))

    first = train_and_approve(world, "loan-v1", seed=0)
    deployment = objects.model_deployment(NAMESPACE, NAME, None, model="loan")
    apply(world, deployment, AUTHOR)
    world.wait_for("ModelDeployment", NAMESPACE, NAME, "Ready=True", "Verified=True")
    answer = world.predict(NAMESPACE, NAME, objects.loan_rows(3))
    assert answer.code == 200, answer
    assert answer.version == "loan-v1"
    assert answer.digest == first["spec"]["artifact"]["manifestDigest"]

    with world.traffic(NAMESPACE, NAME, NORMAL) as traffic:
        world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.stableModelVersion", "loan-v1")
        second = train_and_approve(world, "loan-v2", seed=1)
        world.wait_field("ModelDeployment", NAMESPACE, NAME, "status.stableModelVersion", "loan-v2")
        assert second["spec"]["version"] == first["spec"]["version"] + 1
        world.until(lambda: drift_verdict(world) == "NoDrift", "the operator to find no drift")
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v1", "loan-v2"]

    with world.traffic(NAMESPACE, NAME, SHIFTED) as traffic:
        rolled_back = world.wait_for(
            "ModelDeployment", NAMESPACE, NAME, "RolledBack=True/DriftRollback"
        )
        world.until(lambda: traffic.tally.first("loan-v1"), "the first answer of loan-v1")
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v2", "loan-v1"]
    status = rolled_back["status"]
    assert status["activeModelVersion"] == "loan-v1"
    assert (status["lastRollback"]["from"], status["lastRollback"]["to"]) == ("loan-v2", "loan-v1")
    assert rolled_back["spec"] == world.api.get("ModelDeployment", NAMESPACE, NAME)["spec"]
    assert conditions.status(rolled_back, "Ready") == "False"

    verified = world.verify_audit()
    assert verified.returncode == 0, verified.stderr + verified.stdout
    text = json.dumps(world.audit())
    assert all(name in text for name in ("loan-v1", "loan-v2", REVIEWER, "DriftRollback"))


def drift_verdict(world: World) -> str:
    deployment = world.api.get("ModelDeployment", NAMESPACE, NAME)
    return str(deployment["status"].get("driftState", {}).get("verdict", ""))


def test_every_metric_of_a_sealed_run_is_a_number(world: World, shared: Object) -> None:
    for name in shared:
        run = world.api.get("TrainingRun", "e2e", name)
        for metric in run["status"]["metrics"]:
            assert math.isfinite(float(metric["value"])), metric
