"""What each role may do: a snapshot of the API server's own answer for each user."""

from __future__ import annotations

import pytest

from hallmark.api.admission import policies
from hallmark.api.model_deployment import ActionName
from tests.integration import objects
from tests.integration.api import RefusedError, User
from tests.integration.conftest import (
    AUTHOR,
    CALLER,
    ENGINEER,
    OPERATOR,
    PLATFORM,
    REVIEWER,
    VIEWER,
    World,
)

READ = {"get", "list", "watch"}
WRITE = READ | {"create", "delete", "patch", "update"}
ACTIONS = {action.value for action in ActionName}
SCALE = {"get", "patch", "update"}

EVERYBODY = {"events": READ, "modelpolicies": READ}
EXPECTED: dict[User, dict[str, set[str]]] = {
    VIEWER: {
        **EVERYBODY,
        "trainingruns": READ,
        "modelversions": READ,
        "modelapprovals": READ,
        "modeldeployments": READ,
        "modeldeployments/scale": {"get"},
    },
    AUTHOR: {
        **EVERYBODY,
        "trainingruns": WRITE,
        "modelversions": READ,
        "modelapprovals": READ,
        "modeldeployments": WRITE | {"predict"},
        "modeldeployments/scale": SCALE,
    },
    REVIEWER: {
        **EVERYBODY,
        "trainingruns": READ,
        "modelversions": READ | {"approve"},
        "modelapprovals": READ | {"create", "delete"},
        "modeldeployments": READ,
    },
    ENGINEER: {
        **EVERYBODY,
        "trainingruns": READ,
        "modelversions": READ,
        "modelapprovals": READ,
        "modeldeployments": READ | {"patch", "predict", "update"} | ACTIONS,
        "modeldeployments/scale": SCALE,
    },
    CALLER: {
        "modelpolicies": READ,
        "modeldeployments": {"get"},
        "services/proxy": {"create"},
    },
    PLATFORM: {
        **EVERYBODY,
        "trainingruns": READ | {"clean-up"},
        "modelversions": READ,
        "modelapprovals": READ,
        "modeldeployments": READ | {"patch", "predict", "update", "clean-up"} | ACTIONS,
        "modeldeployments/scale": SCALE,
        "modelpolicies": WRITE | {"use"},
    },
}
CHILD = READ | {"create", "patch", "delete"}
STATUS = {"get", "patch", "update"}
EXPECTED_OPERATOR = {
    "trainingruns": READ,
    "modelversions": READ | {"patch", "create"},
    "modelapprovals": READ,
    "modeldeployments": READ,
    "modelpolicies": READ,
    "trainingruns/status": STATUS,
    "modelversions/status": STATUS,
    "modelapprovals/status": STATUS,
    "modeldeployments/status": STATUS,
    "modelpolicies/status": STATUS,
    "jobs": CHILD,
    "deployments": CHILD,
    "configmaps": CHILD,
    "services": CHILD,
    "serviceaccounts": CHILD,
    "secrets": {"get", "create", "patch", "delete"},
    "poddisruptionbudgets": CHILD,
    "networkpolicies": CHILD,
    "httproutes": CHILD,
    "roles": CHILD,
    "rolebindings": CHILD,
    "persistentvolumeclaims": {"get"},
    "pods": READ,
    "endpointslices": READ,
    "events": {"create", "patch"},
    "namespaces": READ,
    "validatingadmissionpolicies": READ,
    "validatingadmissionpolicybindings": READ,
}


def rights(world: World, user: User) -> dict[str, set[str]]:
    """Return what a user may do in the namespace, beside what everybody may ask of himself."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": world.namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    verbs: dict[str, set[str]] = {}
    for rule in world.api.request("POST", path, review, user)["status"]["resourceRules"]:
        for resource in rule["resources"]:
            if not resource.startswith("selfsubject"):
                verbs.setdefault(resource, set()).update(rule["verbs"])
    return verbs


@pytest.mark.parametrize(
    ("user", "expected"),
    [*EXPECTED.items(), (OPERATOR, EXPECTED_OPERATOR)],
    ids=["viewer", "author", "reviewer", "engineer", "caller", "platform", "operator"],
)
def test_a_role_gives_exactly(world: World, user: User, expected: dict[str, set[str]]) -> None:
    assert rights(world, user) == expected


@pytest.mark.parametrize("user", EXPECTED, ids=lambda user: user.name)
@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("create", "pods"),
        ("create", "pods/exec"),
        ("get", "pods/log"),
        ("get", "secrets"),
        ("create", "jobs"),
        ("create", "serviceaccounts/token"),
        ("create", "modelversions"),
        ("patch", "modelversions/status"),
        ("patch", "modeldeployments/status"),
        ("impersonate", "users"),
    ],
)
def test_no_person_can_fake_an_outcome(world: World, user: User, verb: str, resource: str) -> None:
    assert not allowed(world, user, verb, resource)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("list", "secrets"),
        ("watch", "secrets"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("delete", "pods"),
        ("update", "trainingruns"),
        ("delete", "modelversions"),
        ("create", "modelapprovals"),
        ("approve", "modelversions"),
        ("escalate", "roles"),
        ("bind", "roles"),
        ("bind", "clusterroles"),
        ("create", "clusterroles"),
        ("impersonate", "users"),
        ("impersonate", "serviceaccounts"),
        ("create", "serviceaccounts/token"),
        ("delete", "validatingadmissionpolicies"),
        ("list", "validatingadmissionpolicies"),
        ("patch", "validatingadmissionpolicies"),
        ("acknowledge", "auditlogs"),
    ],
)
def test_the_operator_cannot(world: World, verb: str, resource: str) -> None:
    assert not allowed(world, OPERATOR, verb, resource)


def allowed(world: World, user: User, verb: str, resource: str) -> bool:
    """Ask the API server whether a user may do something in the namespace."""
    groups = {
        "jobs": "batch",
        "roles": "rbac.authorization.k8s.io",
        "clusterroles": "rbac.authorization.k8s.io",
        "validatingadmissionpolicies": "admissionregistration.k8s.io",
    }
    name = resource.partition("/")[0]
    ours = name.startswith(("model", "training", "auditlogs"))
    group = "hallmark.dev" if ours else groups.get(name, "")
    return world.api.may(user, verb, resource, group=group, namespace=world.namespace)


@pytest.mark.parametrize(
    "kind", ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
)
@pytest.mark.parametrize("name", [policy["metadata"]["name"] for policy, _ in policies()])
def test_the_operator_watches_each_of_its_own_admission_policies(
    world: World, kind: str, name: str
) -> None:
    group = "admissionregistration.k8s.io"
    for verb in ("get", "list", "watch"):
        assert world.api.may(OPERATOR, verb, kind, group=group, name=name)


PREDICTOR_RULES = [
    {
        "apiGroups": ["hallmark.dev"],
        "resources": ["modeldeployments/status"],
        "resourceNames": ["loan"],
        "verbs": ["patch"],
    },
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["loan-active"],
        "verbs": ["get", "list", "watch"],
    },
]


def role(world: World, name: str, rules: list[objects.Obj]) -> objects.Obj:
    """Return a Role as the operator makes it."""
    labels = {"hallmark.dev/deployment": "loan"}
    metadata = {"name": name, "namespace": world.namespace, "labels": labels}
    version = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules}


def test_the_operator_gives_a_predictor_its_rights(world: World) -> None:
    world.api.create(role(world, "loan-predictor", PREDICTOR_RULES), OPERATOR)


def test_the_operator_gives_nobody_a_right_that_it_lacks(world: World) -> None:
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}

    with pytest.raises(RefusedError, match="attempting to grant RBAC permissions not currently"):
        world.api.create(role(world, "too-much", [secrets]), OPERATOR)


def test_the_viewer_is_part_of_the_clusters_own_view(world: World) -> None:
    made = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    role = world.api.get({**made, "metadata": {"name": "hallmark-viewer"}})

    assert role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
