"""A version's own image: built from the sealed Dockerfile, it serves by itself or refuses."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from hallmark.api.files import MODEL_ONNX, REFUSED_EXIT_CODE
from tests.chains import Whole, two_versions
from tests.cluster import recipes
from tests.cluster.images import build_one
from tests.cluster.layout import cache_folder
from tests.integration.command_line import Done, patch_environment, run_hallmark

pytestmark = pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not there")
TAG = "localhost/hallmark-version:test"
ROW = {"income": 60, "region": "north"}
PACKAGES = "/opt/venv/lib/python3.11/site-packages"


@dataclass
class Builder:
    """Buildah on the storage in which the predictor's image is, and its containers."""

    environment: dict[str, str]
    base: str = ""
    containers: list[str] = field(default_factory=list)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run buildah, whatever comes of it."""
        return subprocess.run(
            ["buildah", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def output(self, *arguments: str) -> str:
        """Run buildah, which must succeed, and return what it writes."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def inspect(self, reference: str) -> dict[str, Any]:
        """Return what buildah knows of an image."""
        found: dict[str, Any] = json.loads(self.output("inspect", "--type", "image", reference))
        return found

    def container(self) -> str:
        """Return a new container of the version's image."""
        self.containers.append(self.output("from", "--pull-never", TAG))
        return self.containers[-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A chain with an approved version and a denied one."""
    return two_versions(tmp_path_factory.mktemp("image") / "chain", "credit")


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """Buildah with the predictor's image of this tree; its containers are removed."""
    reference = build_one(recipes.PREDICTOR)
    storage, folder = tmp_path_factory.mktemp("storage") / "storage.conf", cache_folder()
    places = {"graphroot": "root", "runroot": "run"}
    lines = [f'{key} = "{folder / "containers" / place}"' for key, place in places.items()]
    storage.write_text("\n".join(["[storage]", 'driver = "overlay"', *lines, ""]))
    isolated = {"CONTAINERS_STORAGE_CONF": str(storage), "BUILDAH_ISOLATION": "chroot"}
    made = Builder(isolated)
    digest = made.inspect(reference)["FromImageDigest"]
    made.base = f"{reference.rpartition(':')[0]}@{digest}"
    yield made
    for container in made.containers:
        made.run("rm", container)
    made.run("rmi", TAG)


def image(builder: Builder, whole: Whole, context: Path, name: str, *more: str) -> Done:
    state = f"--state={whole.folder.path}"
    with patch_environment(**builder.environment):
        return run_hallmark("image", name, str(context), state, *more)


@pytest.fixture(scope="module")
def built(builder: Builder, whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """The approved version's image."""
    context = tmp_path_factory.mktemp("context") / "new"
    options = ("--build", "buildah", "--base", builder.base, "--tag", TAG)
    done = image(builder, whole, context, "loan/1", *options)
    assert done.returncode == 0, done.stderr
    return builder


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_it_serves_by_itself_what_its_labels_say(built: Builder, whole: Whole) -> None:
    config = built.inspect(TAG)["Docker"]["config"]
    version = whole.folder.read().version("loan-v1")
    assert version
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["manifest"] == version.spec.artifact.manifest_digest
    assert labels["sbom"] == version.spec.sbom_digest
    assert labels["dataset"] == version.spec.dataset_fingerprint
    assert (config["User"], config["Cmd"]) == ("65532:65532", [])
    assert config["Healthcheck"]["Test"][0] == "CMD"

    port = free_port()
    listen = ["--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command = ["buildah", "run", built.container(), "--", *config["Entrypoint"], *listen]
    process = subprocess.Popen(command, env={**os.environ, **built.environment})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait_until_ready(client, process)
            answer = client.post("/predict", json={"features": ROW})
        assert answer.status_code == 200, answer.text
        manifest = version.spec.artifact.manifest_digest
        assert answer.headers["hallmark-manifest-digest"] == manifest
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, f"The predictor ended with {process.returncode}."
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("The predictor did not become ready.")


def test_bytes_that_were_changed_inside_the_image_are_refused(
    built: Builder, tmp_path: Path
) -> None:
    (tmp_path / MODEL_ONNX).write_bytes(b"another model")
    container = built.container()
    built.output("copy", container, str(tmp_path / MODEL_ONNX), "/opt/model/")
    entry = built.inspect(TAG)["Docker"]["config"]["Entrypoint"]

    done = built.run("run", container, "--", *entry, "--host=127.0.0.1", f"--port={free_port()}")

    assert done.returncode == REFUSED_EXIT_CODE, done.stderr
    sentence = "The file 'model.onnx' is not the one that was sealed: expected sha256:"
    assert sentence in done.stderr + done.stdout


def test_a_package_that_the_bill_does_not_list_ends_the_build(
    built: Builder, tmp_path: Path
) -> None:
    container = built.container()
    for name, version in (("zebra", "1.5"), ("numpy", "1.0")):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        built.output("copy", container, str(info), f"{PACKAGES}/{info.name}")
    bill = built.output("run", container, "--", "/opt/venv/bin/python3", "-c", _FIND_BILL)

    check = ("/opt/venv/bin/python3", "-m", "hallmark_predictor.contents", bill)
    done = built.run("run", container, "--", *check)

    assert done.returncode == REFUSED_EXIT_CODE
    assert "Package 'numpy': expected version " in done.stderr
    assert "Package 'zebra': expected no such package as the SBOM lists it" in done.stderr


_FIND_BILL = "import glob; print(*glob.glob('/opt/model/sbom_*.cdx.json'))"


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("loan/2", (), "loan-v2 would not serve: "),
        ("loan/1", ("--base", "localhost/x:latest"), "a tag can be moved to other bytes"),
        ("loan/1", ("--build", "buildah"), "expected the predictor's image by digest"),
        ("loan/1", ("--tag", "x --label=y"), "--tag: expected an image's name"),
        ("loan/1", ("--bundle", "/nowhere"), "Expected --state for a chain"),
    ],
)
def test_what_would_not_serve_is_not_written(
    builder: Builder,
    whole: Whole,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    sentence: str,
) -> None:
    done = image(builder, whole, tmp_path / "new", name, *options)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "new").exists()
