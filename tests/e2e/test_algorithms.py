"""Every algorithm from packed data to answers; classes that are peers; the page for reviewers."""

import base64
import gzip
import json
import random
from collections.abc import Iterator

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR, REVIEWER, gate
from tests.e2e.harness.store import Store, bundle_prefix
from tests.e2e.harness.world import World
from tests.examples import slow_but

NAMESPACE = "e2e-algorithms"
ALGORITHMS = ("LinearSVM", "RandomForest", "HistGradientBoosting")
QUICK = "RandomForest"
CLASSES = ("large", "medium", "small")


def fruit_csv(count: int = 600, seed: int = 3) -> str:
    """Return rows of three classes that are peers, with semicolons between the cells."""
    source = random.Random(seed)  # noqa: S311 - not for secrets
    lines = ["weight;width;size"]
    for _ in range(count):
        place = source.randrange(len(CLASSES))
        weight, width = source.gauss(300 - 100 * place, 20), source.gauss(12 - 3 * place, 1)
        lines.append(f"{weight:.2f};{width:.2f};{CLASSES[place]}")
    return "\n".join(lines) + "\n"


def fruit_run(algorithm: str) -> Object:
    """Return a run on the packed rows."""
    name = algorithm.lower()
    numbers = [{"name": column, "type": "Number"} for column in ("weight", "width")]
    return objects.training_run(
        NAMESPACE,
        name,
        model=name,
        dataset={
            "configMap": {"name": "fruit", "key": "fruit.csv.gz"},
            "csv": {"delimiter": ";"},
        },
        schema={"features": numbers, "target": {"name": "size"}},
        trainer={"algorithm": algorithm},
        gates=[{**gate("balancedAccuracy", "AtLeast", "0.8"), "statistic": "Bound"}],
    )


@pytest.fixture(scope="module")
def versions(world: World, request: pytest.FixtureRequest) -> Iterator[dict[str, Object]]:
    """A sealed and approved ModelVersion of each algorithm that is asked for, trained at once."""
    names = {item.name for item in request.session.items}
    wanted = [
        algorithm
        for algorithm in ALGORITHMS
        if algorithm == QUICK or any(f"[{algorithm}]" in name for name in names)
    ]
    world.namespace(NAMESPACE)
    packed = base64.b64encode(gzip.compress(fruit_csv().encode())).decode()
    metadata = {"name": "fruit", "namespace": NAMESPACE, "labels": objects.OFFERED}
    world.api.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "binaryData": {"fruit.csv.gz": packed},
        }
    )
    for algorithm in wanted:
        world.api.create(fruit_run(algorithm), user=AUTHOR)
    versions = {}
    for algorithm in wanted:
        name = algorithm.lower()
        world.wait_for("TrainingRun", NAMESPACE, name, "Ready=True", seconds=240)
        version = world.wait_for("ModelVersion", NAMESPACE, name, "Verified=True")
        world.api.create(objects.approval(version, name), user=REVIEWER)
        versions[algorithm] = world.wait_for("ModelVersion", NAMESPACE, name, "Approved=True")
    yield versions
    world.remove_namespace(NAMESPACE)


@pytest.mark.parametrize("algorithm", slow_but(QUICK, of=ALGORITHMS))
def test_an_algorithm_answers_for_classes_that_are_peers(
    world: World, versions: dict[str, Object], algorithm: str
) -> None:
    name = algorithm.lower()
    world.api.apply(objects.model_deployment(NAMESPACE, name, name), user=AUTHOR)
    world.wait_for("ModelDeployment", NAMESPACE, name, "Ready=True")
    rows = [
        {"weight": 300.0, "width": 12.0},
        {"weight": 200.0, "width": 9.0},
        {"weight": 100.0, "width": 6.0},
    ]
    answer = world.predict(NAMESPACE, name, rows)
    assert answer.code == 200, answer
    assert answer.digest == versions[algorithm]["spec"]["artifact"]["manifestDigest"]
    labels = [prediction["label"] for prediction in json.loads(answer.text)["predictions"]]
    assert labels == list(CLASSES)


def test_the_page_for_reviewers_is_sealed_and_names_the_gate(
    world: World, versions: dict[str, Object]
) -> None:
    page = Store(world).read(bundle_prefix(versions[QUICK]) + "report.html")
    assert page.startswith("<!DOCTYPE html>")
    assert "balancedAccuracy" in page
    assert QUICK in page
    assert "<script" not in page
