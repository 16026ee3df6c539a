"""Who acts and what is refused, for the tests of every admission policy."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from tests.integration import objects
from tests.integration.api import RefusedError, User
from tests.integration.conftest import (
    OPERATOR,
    World,
    until,
)

ADMIN = None
REPLICA_SETS = User("system:serviceaccount:kube-system:replicaset-controller")
GARBAGE = User("system:serviceaccount:kube-system:generic-garbage-collector")
AUTOSCALER = User(
    "system:serviceaccount:kube-system:horizontal-pod-autoscaler", ("system:masters",)
)


def unique(stem: str) -> str:
    return f"{stem}-{secrets.token_hex(3)}"


def expect(act: Callable[[], object], refusal: str) -> None:
    """Do it; it must be refused with these words, or done where there are none."""
    if not refusal:
        act()
        return
    with pytest.raises(RefusedError) as refused:
        act()
    assert refusal in str(refused.value)


PREDICTOR_ROLE = {
    "apiGroups": ["hallmark.dev"],
    "resources": ["modeldeployments/status"],
    "verbs": ["patch"],
}


def predictor(world: World, deployment: str, pod: str = "", account: str = "") -> User:
    name = account or f"{deployment}-predictor"
    extra = (("authentication.kubernetes.io/pod-name", pod),) if pod else ()
    return User(f"system:serviceaccount:{world.namespace}:{name}", extra=extra)


@pytest.fixture
def deployment(world: World) -> str:
    """A ModelDeployment with one report of another Pod, and its predictors' rights."""
    name = unique("loan")
    made = objects.model_deployment(world.namespace, name)
    world.api.create(made)
    status = {"replicas": 1, "drift": {"other": objects.drift_report()}}
    world.api.patch(made, {"status": status}, OPERATOR, "status")
    for account in (f"{name}-predictor", "foreign-predictor"):
        grant(world, name, account)
    return name


def grant(world: World, deployment: str, account: str) -> None:
    name = f"{deployment}-{account}"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    metadata = {"name": name, "namespace": world.namespace}
    rule = {**PREDICTOR_ROLE, "resourceNames": [deployment]}
    world.api.create({**role, "metadata": metadata, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": world.namespace}
    world.api.create(
        {
            **role,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": name,
            },
            "subjects": [subject],
        }
    )
    place = {"group": "hallmark.dev", "namespace": world.namespace, "name": deployment}
    user = predictor(world, deployment, account=account)
    until(lambda: world.api.may(user, "patch", "modeldeployments/status", **place))
