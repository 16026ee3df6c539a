"""A HorizontalPodAutoscaler, on the real use of Pods, scales whoever serves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

import pytest

from tests.cluster.images import build_metrics_server
from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import DEPLOYMENT_LABEL, World

NAME = "autoscaled"
MANIFEST = Template((Path(__file__).parent / "harness" / "metrics_server.yaml").read_text())
NORMAL = cycle(objects.loan_rows(2000, seed=7), 40)
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 40)
API_SERVICE = "apiservice/v1beta1.metrics.k8s.io"
RATE = 150.0
MOST = 3
PATIENCE = 240
"""Seconds: Pods are measured each 10 s, the autoscaler looks each 15 s, and waits for new Pods."""
AUTOSCALER: Object = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": NAME, "namespace": SHARED},
    "spec": {
        "scaleTargetRef": {
            "apiVersion": "hallmark.dev/v1alpha1",
            "kind": "Deployment",
            "name": NAME,
        },
        "minReplicas": 1,
        "maxReplicas": MOST,
        "metrics": [
            {
                "type": "Resource",
                # A Pod without clients takes about 3m; these clients take three times that of all.
                "resource": {
                    "name": "cpu",
                    "target": {"type": "AverageValue", "averageValue": "8m"},
                },
            }
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    },
}


@pytest.fixture
def measured(world: World) -> Iterator[None]:
    """Run metrics-server, and remove it again."""
    image = build_metrics_server(world.cluster.progress)
    world.cluster.load_image(image)
    manifest = MANIFEST.substitute(IMAGE=image)
    world.cluster.kubectl("apply", "-f", "-", input=manifest)
    try:
        world.cluster.kubectl(
            "wait",
            "--for=condition=Available",
            "apiservice/v1beta1.metrics.k8s.io",
            "--timeout=90s",
        )
        yield
    finally:
        world.cluster.kubectl("delete", "--wait=false", "-f", "-", input=manifest)


def replicas_of(world: World, version: str) -> int:
    """Return how many Pods the workload of a version is to have."""
    digest = world.api.get("ModelVersion", SHARED, version)["spec"]["artifact"]["manifestDigest"]
    short = digest.removeprefix("sha256:")
    found = [
        workload
        for workload in world.api.list("Deployment", SHARED, f"{DEPLOYMENT_LABEL}={NAME}")
        if short.startswith(workload["metadata"]["name"].rpartition("-")[2])
    ]
    return int(found[0]["spec"]["replicas"]) if found else 0


@pytest.mark.slow
@pytest.mark.timeout(1800)  # The first time metrics-server is built.
@pytest.mark.usefixtures("measured")
def test_it_scales_whoever_serves_through_a_switch_and_a_rollback(
    world: World, deploy: Callable[..., Object]
) -> None:
    deploy(NAME, "loan-v1")
    wait_for_field(world, "status.stableModelVersion", "loan-v1")
    world.api.apply(AUTOSCALER)
    try:
        with world.traffic(SHARED, NAME, NORMAL, rate=RATE, keeps=False) as traffic:
            wait_for_pods(world, MOST)
            change = {"spec": {"modelVersion": "loan-v2"}}
            world.api.patch("ModelDeployment", SHARED, NAME, change, user=AUTHOR)
            world.wait_field(
                "ModelDeployment", SHARED, NAME, "status.activeModelVersion", "loan-v2"
            )
            assert replicas_of(world, "loan-v2") == MOST
            world.wait_field(
                "ModelDeployment", SHARED, NAME, "status.stableModelVersion", "loan-v2"
            )
        assert not traffic.tally.failures, traffic.tally.summary()
        with world.traffic(SHARED, NAME, SHIFTED, rate=RATE, keeps=False) as traffic:
            world.wait_for(
                "ModelDeployment", SHARED, NAME, "RolledBack=True/DriftRollback", seconds=180
            )
            world.until(lambda: traffic.tally.first("loan-v1"), "the first answer of loan-v1")
            assert replicas_of(world, "loan-v1") == MOST
        assert not traffic.tally.failures, traffic.tally.summary()
        wait_for_pods(world, 1)
        assert replicas_of(world, "loan-v1") == 1
        found = world.api.get("ModelDeployment", SHARED, NAME)
        assert found["status"]["activeModelVersion"] == "loan-v1"
        assert len(found["status"]["refused"]) == 1, "scaling retries nothing"
    finally:
        world.api.delete("HorizontalPodAutoscaler", SHARED, NAME)


def wait_for_field(world: World, path: str, value: str) -> None:
    """Wait until a field of the ModelDeployment has a value."""
    world.wait_field("ModelDeployment", SHARED, NAME, path, value)


def wait_for_pods(world: World, count: int) -> None:
    """Wait until the autoscaler has asked for so many Pods, and they are ready."""

    def told() -> str:
        return world.cluster.kubectl("describe", "hpa", NAME, f"--namespace={SHARED}").stdout

    def there() -> bool:
        found = world.api.get("ModelDeployment", SHARED, NAME)
        return bool(
            found["spec"]["replicas"] == count and found["status"]["readyReplicas"] == count
        )

    world.until(there, f"{count} Pods", PATIENCE, told)
