"""Datasets on a volume and in an object store, and the addresses that a policy does not allow."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.store import Store
from tests.e2e.harness.world import SYSTEM, World

NAMESPACE = "e2e-sources"
POLICY = "e2e-sources"
FOLDER = "datasets"


@pytest.fixture(scope="module")
def bucket(world: World) -> Iterator[str]:
    """A namespace whose policy allows one folder of the store; the URL of its bucket."""
    base = world.api.get("ModelPolicy", None, "default")["spec"]
    bucket = "/".join(base["store"]["uri"].split("/")[:3])
    sources = {
        "allowed": [f"{bucket}/{FOLDER}/"],
        "allowPrivateAddresses": True,
        "endpoint": base["store"]["endpoint"],
    }
    world.api.apply(objects.resource("ModelPolicy", None, POLICY, {**base, "sources": sources}))
    world.namespace(NAMESPACE)
    labels = {"metadata": {"labels": {"hallmark.dev/policy": POLICY}}}
    world.api.patch("Namespace", None, NAMESPACE, labels)
    keys = world.api.get("Secret", SYSTEM, "hallmark-store")["data"]
    world.api.apply(secret("bucket-keys", keys))
    wrong = {name: base64.b64encode(b"not-the-key").decode() for name in keys}
    world.api.apply(secret("wrong-keys", wrong))
    yield bucket
    world.remove_namespace(NAMESPACE)
    world.api.delete("ModelPolicy", None, POLICY)


def secret(name: str, data: dict[str, str]) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": objects.OFFERED}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def run(world: World, name: str, dataset: Object) -> None:
    manifest = objects.training_run(NAMESPACE, name, dataset=dataset)
    world.api.create(manifest, user=AUTHOR)


def test_rows_in_an_object_store_are_read_with_the_runs_own_credentials(
    world: World, bucket: str
) -> None:
    Store(world).put(f"{FOLDER}/loans.csv", objects.loan_csv())
    source = {"uri": f"{bucket}/{FOLDER}/loans.csv", "credentialsSecret": "bucket-keys"}
    run(world, "in-a-bucket", source)
    world.wait_for("TrainingRun", NAMESPACE, "in-a-bucket", "Ready=True", seconds=120)


@pytest.fixture
def claim(world: World, bucket: str) -> Iterator[str]:
    """A PersistentVolumeClaim on a folder of this machine with the rows in `loans.csv`."""
    del bucket
    folder = Path(world.cluster.make_volume_dir("e2e-datasets"))
    (folder / "loans.csv").write_text(objects.loan_csv())
    size, modes = {"storage": "1Mi"}, ["ReadOnlyMany"]
    volume = {
        "capacity": size,
        "accessModes": modes,
        "storageClassName": "",
        "hostPath": {"path": str(folder)},
        "claimRef": {"namespace": NAMESPACE, "name": "datasets"},
    }
    asked = {"accessModes": modes, "storageClassName": "", "resources": {"requests": size}}
    metadata = {"name": "e2e-datasets"}
    world.api.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": volume}
    )
    metadata = {"name": "datasets", "namespace": NAMESPACE, "labels": objects.OFFERED}
    world.api.apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": asked}
    )
    yield "datasets"
    world.api.delete("PersistentVolumeClaim", NAMESPACE, "datasets")
    world.api.delete("PersistentVolume", None, "e2e-datasets")


@pytest.mark.slow
def test_rows_on_a_volume_are_read_and_a_missing_file_is_named(world: World, claim: str) -> None:
    for name, path in (("on-a-volume", "loans.csv"), ("not-there", "loans-of-last-year.csv")):
        run(world, name, {"volumeClaim": {"claimName": claim, "path": path}})
    world.wait_for("TrainingRun", NAMESPACE, "on-a-volume", "Ready=True", seconds=120)
    refused = world.wait_for(
        "TrainingRun", NAMESPACE, "not-there", "Ready=False/SourceRefused", seconds=120
    )
    assert "loans-of-last-year.csv" in conditions.message(refused, "Ready")


@pytest.mark.parametrize(
    ("name", "path", "credentials", "words"),
    [
        pytest.param("elsewhere", "models/x.csv", "bucket-keys", "allow", id="not on the list"),
        pytest.param("absent", f"{FOLDER}/none.csv", "bucket-keys", "none.csv", id="not there"),
        pytest.param("locked", f"{FOLDER}/loans.csv", "wrong-keys", "loans.csv", id="wrong keys"),
    ],
)
def test_a_source_that_cannot_be_read_refuses_the_run(
    world: World, bucket: str, name: str, path: str, credentials: str, words: str
) -> None:
    run(world, name, {"uri": f"{bucket}/{path}", "credentialsSecret": credentials})
    refused = world.wait_for(
        "TrainingRun", NAMESPACE, name, "Ready=False/SourceRefused", "Stalled=True", seconds=120
    )
    sentence = conditions.message(refused, "Ready")
    assert words in sentence, sentence
    assert "not-the-key" not in sentence
