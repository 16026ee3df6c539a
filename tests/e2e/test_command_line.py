"""`hallmark predict`, `diff` and `sbom` against a model that serves and the store it is from."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import command_line, forward, objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.objects import VIEWER
from tests.e2e.harness.versions import SHARED
from tests.e2e.harness.world import SYSTEM, World

CALLER = "cora"
NAME = "asked"
REFUSED = 10


def hallmark(world: World, user: str, *arguments: str) -> tuple[int, str, str]:
    """Run the command line as a user; return its exit code, output and messages."""
    options = [f"--namespace={SHARED}", f"--as={user}"]
    done = command_line.run(world.cluster, *arguments, *options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the user has on his machine."""
    return tmp_path_factory.mktemp("user")


@pytest.fixture
def serving(world: World, deploy: Callable[..., Object]) -> Object:
    """A ModelDeployment, and somebody who may only ask models."""
    world.grant(SHARED, CALLER, "hallmark-caller")
    return deploy(NAME, "loan-v1")


@pytest.fixture
def url(world: World, serving: Object, folder: Path) -> Iterator[str]:
    """The model's own Service, through a port-forward."""
    file = folder / "predictor.pid"
    yield forward.begin(world.cluster, file, NAME, SHARED)
    forward.end(file)


def test_predictions_come_through_the_proxy_and_from_an_address(
    world: World, serving: Object, url: str
) -> None:
    rows = json.dumps(objects.loan_rows(3))
    for way in ([], ["--url", url]):
        code, out, err = hallmark(world, CALLER, "predict", NAME, "-d", rows, *way)
        assert code == 0, err
        answer = json.loads(out)
        assert answer["modelVersion"] == "loan-v1"
        assert len(answer["predictions"]) == 3
        code, out, err = hallmark(world, CALLER, "predict", NAME, "-d", rows, "-otable", *way)
        assert (code, "P(yes)" in out) == (0, True), err

        wrong = '{"income": "much"}'
        code, _, err = hallmark(world, CALLER, "predict", NAME, "-d", wrong, *way)
        assert code == REFUSED
        assert "expected" in err
        assert "'income'" in err
        assert "much" not in err


def test_whoever_may_not_use_the_proxy_is_told_which_right_is_missing(
    world: World, serving: Object
) -> None:
    code, _, err = hallmark(world, VIEWER, "predict", NAME, "-d", json.dumps(objects.loan_rows(1)))

    assert code == 1
    assert 'cannot create resource "services/proxy"' in " ".join(err.split())


@pytest.fixture(scope="module")
def store(world: World, shared: Object, folder: Path) -> Iterator[list[str]]:
    """The options that name the store through a port-forward, and its credentials."""
    del shared
    data = world.api.get("Secret", SYSTEM, "hallmark-store")["data"]
    credentials = folder / "credentials"
    credentials.mkdir()
    for key, value in data.items():
        (credentials / key).write_bytes(base64.b64decode(value))
    file = folder / "store.pid"
    address = forward.begin(world.cluster, file, "hallmark-store", SYSTEM, of=7070)
    yield [f"--store-endpoint={address}", f"--store-credentials={credentials}"]
    forward.end(file)


def test_two_versions_are_compared_with_their_sealed_evidence(
    world: World, store: list[str]
) -> None:
    code, out, err = hallmark(world, VIEWER, "diff", "loan-v1", "loan-v2", "-ojson", *store)

    assert (code, err) == (0, "")
    changes = json.loads(out)["changes"]
    assert {change["part"] for change in changes} >= {"parameters", "metrics"}
    assert [change["after"] for change in changes if change["what"] == "seed"] == ["1"]
    assert hallmark(world, VIEWER, "diff", "loan-v1", "loan-v2", *store)[0] == 0


def test_the_bill_of_materials_is_the_sealed_one(world: World, store: list[str]) -> None:
    code, out, err = hallmark(world, VIEWER, "sbom", "loan-v1", "-ojson", *store)
    assert code == 0, err
    assert json.loads(out)["bomFormat"] == "CycloneDX"

    code, out, err = hallmark(world, VIEWER, "sbom", "loan-v1", "--search=scikit", *store)
    assert code == 0, err
    assert "scikit-learn" in out
    assert "numpy" not in out


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(["--store-endpoint=http://localhost:9"], id="nobody at the address"),
        pytest.param(["--store-credentials=/nowhere"], id="no credentials"),
    ],
)
def test_without_the_store_it_is_said_what_could_not_be_read(
    world: World, store: list[str], wrong: list[str]
) -> None:
    options = [*store, *wrong]
    code, out, err = hallmark(world, VIEWER, "diff", "loan-v1", "loan-v2", "-ojson", *options)
    assert code == 0
    assert json.loads(out)["hidden"]
    assert "Reports and SBOMs are not compared" in err

    code, out, err = hallmark(world, VIEWER, "sbom", "loan-v1", *options)
    assert (code, out) == (1, "")
    assert "Traceback" not in err
