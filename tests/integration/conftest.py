"""An API server with Hallmark's CRDs, roles and admission policies, and people to act as."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hallmark.api.names import LABEL_JOB, OPERATOR_USER
from tests.cluster import Cluster
from tests.integration import objects
from tests.integration.api import Api, RefusedError, User
from tests.integration.clusters import api_server

ROOT = Path(__file__).parents[2]

OPERATOR = User(OPERATOR_USER)
AUTHOR = User("alice")
REVIEWER = User("rita")
VIEWER = User("vera")
ENGINEER = User("otto")
CALLER = User("cora")
PLATFORM = User("petra")
EDITOR = User("eve")
"""Has the rights of the cluster's own role `edit`, and none of Hallmark's."""
RELAY = User("system:serviceaccount:argocd:argocd-application-controller")

GRANTS = {
    AUTHOR: "hallmark-author",
    REVIEWER: "hallmark-reviewer",
    VIEWER: "hallmark-viewer",
    ENGINEER: "hallmark-engineer",
    CALLER: "hallmark-caller",
    EDITOR: "system:aggregate-to-edit",
    RELAY: "relay",
}


@dataclass(frozen=True)
class World:
    """An API server and a namespace in which each person has a role."""

    api: Api
    namespace: str
    cluster: Cluster


@contextmanager
def enforcing(name: str) -> Iterator[Cluster]:
    """Yield an API server with everything installed that it enforces."""
    with api_server(name) as made:
        made.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "crds"))
        made.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: hallmark-system}\n"
        made.kubectl("apply", "--server-side", "-f", "-", input=namespace)
        for part in ("rbac", "admission"):
            folder = ROOT / "manifests" / "base" / part
            made.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(folder))
        yield made


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield the API server of a whole session."""
    with enforcing("admission") as made:
        yield made


@pytest.fixture(scope="session")
def world(cluster: Cluster) -> World:
    """Return the world of a whole session, once its policies act."""
    return world_of(cluster)


def world_of(cluster: Cluster) -> World:
    """Return a world on an API server, once its policies act."""
    api = Api(cluster.kubeconfig)
    namespace = f"credit-{secrets.token_hex(3)}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    relay = {
        "apiGroups": ["hallmark.dev"],
        "resources": ["*"],
        "verbs": ["create", "get", "relay-approval", "relay-request"],
    }
    api.create(rbac("Role", "relay", namespace, rules=[relay]))
    for user, role in GRANTS.items():
        kind = "Role" if role == "relay" else "ClusterRole"
        api.create(binding("RoleBinding", user, kind, role, namespace))
    platform = binding("ClusterRoleBinding", PLATFORM, "ClusterRole", "hallmark-platform")
    until(lambda: exists(api, platform))
    built = World(api, namespace, cluster)
    until(lambda: _acts(built))
    # The last that was granted to each kind of subject.
    place = {"group": "hallmark.dev", "namespace": namespace}
    until(lambda: api.may(RELAY, "relay-approval", "modelversions", **place))
    until(lambda: api.may(PLATFORM, "use", "modelpolicies", group="hallmark.dev"))
    return built


def rbac(kind: str, name: str, namespace: str = "", **content: object) -> objects.Obj:
    """Return an object of RBAC."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    version = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def binding(kind: str, user: User, role_kind: str, role: str, namespace: str = "") -> objects.Obj:
    """Return what gives a user a role."""
    group = "rbac.authorization.k8s.io"
    return rbac(
        kind,
        f"{role.replace(':', '-')}-{user.name.rpartition(':')[2]}",
        namespace,
        roleRef={"apiGroup": group, "kind": role_kind, "name": role},
        subjects=[{"apiGroup": group, "kind": "User", "name": user.name}],
    )


def exists(api: Api, obj: objects.Obj) -> bool:
    """Create an object unless it is there."""
    try:
        api.create(obj)
    except RefusedError as refusal:
        return refusal.code == 409
    return True


def until(probe: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until a probe says yes."""
    end = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > end:
            raise TimeoutError("What was waited for did not come.")
        time.sleep(0.1)


def _acts(world: World) -> bool:
    """Tell whether the policies are at work: they refuse objects that are known to be bad."""
    bad = (
        objects.training_run(world.namespace, requestedBy="nobody"),
        objects.model_approval(world.namespace, approver="nobody"),
        objects.model_version(world.namespace),
        objects.config_map(world.namespace, "bad", {LABEL_JOB: "train"}),
    )
    return all(_refused(world.api, each) for each in bad)


def _refused(api: Api, obj: objects.Obj) -> bool:
    try:
        api.create(obj, dry_run=True)
    except RefusedError:
        return True
    return False
