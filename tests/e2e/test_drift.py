"""Drift: forged reports decide nothing; shifted traffic rolls back once, to what may serve."""

from collections.abc import Callable, Iterator

import pytest

from hallmark.api.names import PREDICTOR_PORT
from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object, RefusedError, path_of
from tests.e2e.harness.objects import AUTHOR, REVIEWER
from tests.e2e.harness.traffic import Traffic, cycle
from tests.e2e.harness.versions import SHARED, sealed
from tests.e2e.harness.world import DEPLOYMENT_LABEL, World

NAMESPACE = "e2e-drift"
NORMAL = cycle(objects.loan_rows(2000, seed=7), 20)
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 40)
WINDOW = 200
OTHER_DIGEST = "sha256:" + "1" * 64
FORGED = "forged-boot-id"


def moved_on(world: World, deploy: Callable[..., Object], name: str, **spec: object) -> Object:
    """Make a ModelDeployment that served `loan-v1` and now serves `loan-v2`."""
    deploy(name, "loan-v1", **spec)
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v1")
    change = {"spec": {"modelVersion": "loan-v2"}}
    world.api.patch("ModelDeployment", SHARED, name, change, user=AUTHOR)
    world.wait_field("ModelDeployment", SHARED, name, "status.activeModelVersion", "loan-v2")
    return world.wait_for("ModelDeployment", SHARED, name, "Ready=True")


def status_of(world: World, name: str, namespace: str = SHARED) -> Object:
    """Return the ModelDeployment's status."""
    status: Object = world.api.get("ModelDeployment", namespace, name)["status"]
    return status


def test_traffic_that_goes_on_drifting_rolls_back_exactly_once(
    world: World, deploy: Callable[..., Object]
) -> None:
    name = "drifts-on"
    before = moved_on(world, deploy, name)
    with world.traffic(SHARED, name, SHIFTED) as traffic:
        first = world.wait_for("ModelDeployment", SHARED, name, "RolledBack=True/DriftRollback")
        world.until(lambda: traffic.tally.first("loan-v1"), "the first answer of loan-v1")
        answered = len(traffic.tally.answers)
        world.until(
            lambda: (len(traffic.tally.answers) - answered) * 40 >= 5 * WINDOW,
            "five windows after the rollback",
        )
        deployment = world.wait_for(
            "ModelDeployment", SHARED, name, "DriftDetected=True/TargetDrifts"
        )
    assert not traffic.tally.failures, traffic.tally.summary()
    assert traffic.tally.changes() == ["loan-v2", "loan-v1"]
    assert deployment["status"]["lastRollback"] == first["status"]["lastRollback"]
    assert deployment["spec"] == before["spec"]
    assert status_of(world, name)["activeModelVersion"] == "loan-v1"

    scaled = {"spec": {"replicas": 2}}
    world.api.patch("ModelDeployment", SHARED, name, scaled, user=AUTHOR)
    world.wait_field("ModelDeployment", SHARED, name, "status.readyReplicas", 2)
    world.stays(
        lambda: (
            status_of(world, name)["activeModelVersion"] == "loan-v1"
            and not status_of(world, name).get("candidateModelVersion")
        ),
        "that scaling retries nothing",
        seconds=4,
    )
    digest = before["status"]["activeDigest"]
    assert [refusal["manifestDigest"] for refusal in status_of(world, name)["refused"]] == [digest]


def test_normal_traffic_never_rolls_back(world: World, deploy: Callable[..., Object]) -> None:
    name = "calm"
    moved_on(world, deploy, name)
    with world.traffic(SHARED, name, NORMAL, rate=50) as traffic:
        world.until(lambda: len(traffic.tally.answers) * 20 >= 10 * WINDOW, "ten windows")
    assert not traffic.tally.failures, traffic.tally.summary()
    deployment = world.wait_for(
        "ModelDeployment", SHARED, name, "DriftDetected=False", "Ready=True"
    )
    assert deployment["status"]["activeModelVersion"] == "loan-v2"


# Forged reports


@pytest.fixture(scope="module")
def watched(world: World, shared: Object) -> Iterator[str]:
    """A ModelDeployment with two Pods that moved from `loan-v1` to `loan-v2`."""
    del shared
    made: list[str] = []

    def deploy(name: str, version: str, **spec: object) -> Object:
        made.append(name)
        manifest = objects.model_deployment(SHARED, name, version, **spec)
        world.api.apply(manifest, user=AUTHOR)
        return world.wait_for("ModelDeployment", SHARED, name, "Ready=True")

    moved_on(world, deploy, "watched", replicas=2)
    yield "watched"
    for name in made:
        world.api.delete("ModelDeployment", SHARED, name)


def active_pods(world: World, name: str) -> list[Object]:
    """Return the Pods of the active version."""
    digest = status_of(world, name)["activeDigest"]
    labels = f"{DEPLOYMENT_LABEL}={name},hallmark.dev/manifest={digest[7:19]}"
    return world.api.list("Pod", SHARED, labels)


def forged_report(digest: str, counts: Object, windows: int = 5) -> Object:
    """Return a report whose every window says that all rows fell into the first bin."""
    moment = "2030-01-01T00:00:00Z"
    window = {"rows": WINDOW, "start": moment, "end": moment, "counts": counts}
    return {
        "manifestDigest": digest,
        "bootID": FORGED,
        "sequence": 1000000,
        "rows": windows * WINDOW,
        "counts": {name: [windows * count for count in bins] for name, bins in counts.items()},
        "windows": [{"number": number, **window} for number in range(1, windows + 1)],
    }


def extreme_counts(world: World, name: str) -> Object:
    """Return counts in the shape of the Pod's own report, with every row in one bin."""
    reports = status_of(world, name).get("drift", {})
    shape = next(report["counts"] for report in reports.values() if report.get("counts"))
    return {feature: [WINDOW, *(0 for _ in bins[1:])] for feature, bins in shape.items()}


def test_forged_reports_decide_nothing(
    world: World, watched: str, deploy: Callable[..., Object]
) -> None:
    with world.traffic(SHARED, watched, NORMAL, rate=30):
        world.until(
            lambda: any(
                pod_report.get("counts")
                for pod_report in status_of(world, watched).get("drift", {}).values()
            ),
            "the first report",
        )
        counts = extreme_counts(world, watched)
        digest = status_of(world, watched)["activeDigest"]
        pod, other = active_pods(world, watched)[:2]
        mine, others = pod["metadata"]["name"], other["metadata"]["name"]
        account = pod["spec"]["serviceAccountName"]
        stolen = world.api.token(SHARED, account, pod)
        path = path_of("ModelDeployment", SHARED, watched) + "/status"

        def send(token: str, status: Object) -> None:
            world.api.with_token(token, "PATCH", path, {"status": status})

        report = forged_report(digest, counts)
        with pytest.raises(RefusedError, match="drift"):
            send(stolen, {"drift": {others: report}})
        with pytest.raises(RefusedError, match="drift"):
            send(stolen, {"drift": {mine: report, others: report}})
        with pytest.raises(RefusedError, match="drift"):
            send(stolen, {"drift": {mine: report}, "activeModelVersion": "loan-v1"})
        with pytest.raises(RefusedError, match=r"[Pp]od"):
            send(world.api.token(SHARED, account), {"drift": {mine: report}})

        deploy("neighbour", "loan-v1")
        neighbour = world.pods_of(SHARED, "neighbour")[0]
        foreign = world.api.token(SHARED, neighbour["spec"]["serviceAccountName"], neighbour)
        with pytest.raises(RefusedError) as refusal:
            send(foreign, {"drift": {neighbour["metadata"]["name"]: report}})
        assert refusal.value.code == 403

        for sender in (pod, other):
            token = world.api.token(SHARED, account, sender)
            lie = forged_report(OTHER_DIGEST, counts)
            send(token, {"drift": {sender["metadata"]["name"]: lie}})
        world.stays(
            lambda: status_of(world, watched)["activeModelVersion"] == "loan-v2",
            "that a report on another digest decides nothing",
            seconds=4,
        )
    world.wait_for("ModelDeployment", SHARED, watched, "Ready=True", "RolledBack=False")


def pod_traffic(world: World, pod: Object) -> Traffic:
    """Return a stream of requests to one Pod: a Service may send all of a client's to the same."""
    path = path_of("Pod", SHARED, f"{pod['metadata']['name']}:{PREDICTOR_PORT}")
    return Traffic(world.api.connect(), f"{path}/proxy", NORMAL, rate=15)


def have_reported(status: Object, pods: list[Object]) -> bool:
    """Tell whether each Pod has reported two windows itself."""
    reports = [status.get("drift", {}).get(pod["metadata"]["name"], {}) for pod in pods]
    return all(
        report.get("bootID") not in {None, FORGED} and len(report.get("windows", ())) >= 2
        for report in reports
    )


def test_one_lying_pod_of_two_does_not_roll_back(world: World, watched: str) -> None:
    pods = active_pods(world, watched)[:2]
    with pod_traffic(world, pods[0]), pod_traffic(world, pods[1]):
        world.until(lambda: have_reported(status_of(world, watched), pods), "two windows each", 120)
        counts = extreme_counts(world, watched)
        digest = status_of(world, watched)["activeDigest"]
        pod = pods[0]
        token = world.api.token(SHARED, pod["spec"]["serviceAccountName"], pod)
        path = path_of("ModelDeployment", SHARED, watched) + "/status"
        report = {"drift": {pod["metadata"]["name"]: forged_report(digest, counts)}}
        world.api.with_token(token, "PATCH", path, {"status": report})
        world.until(
            lambda: status_of(world, watched)["driftState"].get("drifting") == 1,
            "the lie to be counted as one vote",
        )
        world.stays(
            lambda: status_of(world, watched)["activeModelVersion"] == "loan-v2",
            "that one Pod of two decides nothing",
            seconds=4,
        )


# Targets


@pytest.mark.slow
def test_drift_with_the_only_older_version_revoked_holds(world: World) -> None:
    name = "no-target"
    world.namespace(NAMESPACE)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(NAMESPACE, "loans", data))
    versions = sealed(world, NAMESPACE, {"old": True, "new": True})
    world.api.apply(objects.model_deployment(NAMESPACE, name, "old"), user=AUTHOR)
    world.wait_field("ModelDeployment", NAMESPACE, name, "status.stableModelVersion", "old")
    change = {"spec": {"modelVersion": "new"}}
    world.api.patch("ModelDeployment", NAMESPACE, name, change, user=AUTHOR)
    world.wait_field("ModelDeployment", NAMESPACE, name, "status.stableModelVersion", "new")
    revocation = objects.approval(versions["old"], "revocation", decision="Revoked")
    world.api.create(revocation, user=REVIEWER)
    world.wait_for("ModelVersion", NAMESPACE, "old", "Revoked=True")
    with world.traffic(NAMESPACE, name, SHIFTED) as traffic:
        deployment = world.wait_for(
            "ModelDeployment", NAMESPACE, name, "Ready=False/NoVerifiedTarget", "Stalled=True"
        )
        answered = len(traffic.tally.answers)
        world.until(lambda: len(traffic.tally.answers) >= answered + 40, "more answers")
    assert not traffic.tally.failures, traffic.tally.summary()
    assert set(traffic.tally.versions) == {"new"}
    assert deployment["status"]["activeModelVersion"] == "new"
    assert "old" in conditions.message(deployment, "Ready")
    world.api.delete("Namespace", None, NAMESPACE)
