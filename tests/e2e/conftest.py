"""One installation on the cluster `test`, and sealed versions that many tests share."""

from collections.abc import Callable, Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.harness import objects
from tests.e2e.harness.api import Object
from tests.e2e.harness.installation import installed
from tests.e2e.harness.versions import SHARED, sealed
from tests.e2e.harness.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Hallmark, installed; namespaces of an earlier run are removed."""
    with installed(Cluster("test")) as ready:
        names = [namespace["metadata"]["name"] for namespace in ready.api.list("Namespace")]
        leftovers = [name for name in names if name == SHARED or name.startswith("e2e-")]
        for leftover in leftovers:
            ready.api.delete("Namespace", None, leftover)
        for leftover in leftovers:
            ready.remove_namespace(leftover)
        yield ready


@pytest.fixture(scope="session")
def shared(world: World) -> Object:
    """A namespace with `loan-v1` and `loan-v2` approved, and `loan-v3` sealed only.

    Returns:
        The three ModelVersions by name.
    """
    world.namespace(SHARED)
    world.api.apply(objects.config_map(SHARED, "loans", {objects.DATA_KEY: objects.loan_csv()}))
    return sealed(world, SHARED, {"loan-v1": True, "loan-v2": True, "loan-v3": False})


@pytest.fixture
def deploy(world: World, shared: Object) -> Iterator[Callable[..., Object]]:
    """Make a ModelDeployment in the shared namespace that goes when the test ends."""
    del shared
    made: list[str] = []

    def make(name: str, version: str, *, ready: bool = True, **spec: object) -> Object:
        made.append(name)
        manifest = objects.model_deployment(SHARED, name, version, **spec)
        created = world.api.apply(manifest, user=objects.AUTHOR)
        if not ready:
            return created
        return world.wait_for("ModelDeployment", SHARED, name, "Ready=True")

    yield make
    for name in made:
        world.api.delete("ModelDeployment", SHARED, name)
