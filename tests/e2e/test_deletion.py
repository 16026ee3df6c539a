"""Deletion in every state, with the operator there and away, leaves nothing behind."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.harness import objects
from tests.e2e.harness.api import Object, RefusedError
from tests.e2e.harness.objects import AUTHOR
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.versions import SHARED, sealed
from tests.e2e.harness.world import DEPLOYMENT_LABEL, World
from tests.examples import slow_but

NAMESPACE = "e2e-deletion"
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 40)
CHILDREN = (
    "Deployment",
    "ReplicaSet",
    "Pod",
    "Service",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "PodDisruptionBudget",
    "NetworkPolicy",
)


def children(world: World, name: str) -> list[str]:
    """Return what is left of a ModelDeployment's children."""
    label = f"{DEPLOYMENT_LABEL}={name}"
    return [
        f"{kind} {child['metadata']['name']}"
        for kind in CHILDREN
        for child in world.api.list(kind, SHARED, label)
    ]


def gone(world: World, name: str) -> None:
    """Delete a ModelDeployment as its author, and wait until nothing of it is left."""
    world.api.delete("ModelDeployment", SHARED, name, user=AUTHOR)
    world.until(
        lambda: not world.api.find("ModelDeployment", SHARED, name),
        f"{name} to be gone",
        seconds=15,
    )
    world.until(
        lambda: not children(world, name),
        f"the children of {name} to be gone",
        seconds=45,
        describe=lambda: ", ".join(children(world, name)),
    )


def awaiting(world: World, deploy: Callable[..., Object], name: str) -> None:
    deploy(name, "loan-v3", ready=False)
    world.wait_for("ModelDeployment", SHARED, name, "Ready=False/AwaitingApproval")


def starting(world: World, deploy: Callable[..., Object], name: str) -> None:
    deploy(name, "loan-v1", ready=False)
    world.until(lambda: world.pods_of(SHARED, name), "the first Pod")


def serving(world: World, deploy: Callable[..., Object], name: str) -> None:
    deploy(name, "loan-v1")


def rolled_back(world: World, deploy: Callable[..., Object], name: str) -> None:
    deploy(name, "loan-v1")
    world.wait_field("ModelDeployment", SHARED, name, "status.stableModelVersion", "loan-v1")
    change = {"spec": {"modelVersion": "loan-v2"}}
    world.api.patch("ModelDeployment", SHARED, name, change, user=AUTHOR)
    world.wait_field("ModelDeployment", SHARED, name, "status.activeModelVersion", "loan-v2")
    with world.traffic(SHARED, name, SHIFTED):
        world.wait_for("ModelDeployment", SHARED, name, "RolledBack=True")


@pytest.mark.parametrize("state", slow_but(serving, of=[awaiting, starting, serving, rolled_back]))
def test_a_deployment_goes_with_all_its_children(
    world: World,
    deploy: Callable[..., Object],
    state: Callable[[World, Callable[..., Object], str], None],
) -> None:
    name = f"gone-{state.__name__.replace('_', '-')}"
    state(world, deploy, name)
    gone(world, name)
    world.stays(lambda: not children(world, name), "that nothing comes back", seconds=2)


@pytest.fixture
def operator_away(world: World) -> Iterator[None]:
    world.scale_operator(0)
    yield
    world.scale_operator(1)


def test_everything_goes_while_the_operator_is_away(
    world: World, deploy: Callable[..., Object], request: pytest.FixtureRequest
) -> None:
    serving(world, deploy, "gone-alone")
    world.namespace(NAMESPACE)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(NAMESPACE, "loans", data))
    world.api.create(objects.training_run(NAMESPACE, "half-way"), user=AUTHOR)
    world.until(lambda: world.api.list("Job", NAMESPACE), "the training Job")
    request.getfixturevalue("operator_away")
    gone(world, "gone-alone")
    world.remove_namespace(NAMESPACE)


def test_a_run_deleted_while_it_trains_leaves_no_job_and_no_version(world: World) -> None:
    namespace = f"{NAMESPACE}-run"
    world.namespace(namespace)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(namespace, "loans", data))
    world.api.create(objects.training_run(namespace, "stopped"), user=AUTHOR)
    world.until(lambda: world.api.list("Pod", namespace), "the training Pod")
    world.api.delete("TrainingRun", namespace, "stopped", user=AUTHOR)
    kinds = ("Job", "Pod", "Secret")
    world.until(
        lambda: not any(world.api.list(kind, namespace) for kind in kinds),
        "Job, Pod and Secret to be gone",
    )
    world.stays(
        lambda: not world.api.list("ModelVersion", namespace),
        "that no version was made",
        seconds=3,
    )
    world.remove_namespace(namespace)


def test_a_version_in_use_cannot_be_deleted(world: World, deploy: Callable[..., Object]) -> None:
    serving(world, deploy, "user-of-v1")
    world.until(
        lambda: (
            "user-of-v1"
            in world.api.get("ModelVersion", SHARED, "loan-v1")["status"].get("usedBy", [])
        ),
        "the version to name its user",
    )
    with pytest.raises(RefusedError, match=r"user-of-v1|in use|used"):
        world.api.request(
            "DELETE", f"/apis/hallmark.dev/v1alpha1/namespaces/{SHARED}/modelversions/loan-v1"
        )
    assert world.api.get("ModelVersion", SHARED, "loan-v1")


@pytest.mark.slow
def test_an_unused_version_can_be_deleted_and_its_number_is_not_given_again(world: World) -> None:
    namespace = f"{NAMESPACE}-version"
    world.namespace(namespace)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(namespace, "loans", data))
    first = sealed(world, namespace, {"first": False})["first"]
    world.api.delete("ModelVersion", namespace, "first")
    world.until(lambda: not world.api.find("ModelVersion", namespace, "first"), "it to be gone")
    second = sealed(world, namespace, {"second": False})["second"]
    assert second["spec"]["version"] > first["spec"]["version"]
    world.remove_namespace(namespace)
