"""Who has an HTTPRoute made, and who may touch ours: on an API server with Gateway API's CRDs."""

from __future__ import annotations

from functools import partial

import pytest

from hallmark.api.names import LABEL_DEPLOYMENT, LABEL_MANAGED_BY, MANAGED_BY
from hallmark.cluster.kinds import HTTP_ROUTE
from tests.integration import gateway_api, objects
from tests.integration.admission_world import ADMIN, GARBAGE, expect, unique
from tests.integration.api import Obj, User
from tests.integration.bounded_metadata import said, tried
from tests.integration.conftest import AUTHOR, OPERATOR, World, binding, rbac, until

GROUP = "gateway.networking.k8s.io"
ROUTER = User("rosa")
"""Authors models, and may make HTTPRoutes."""
CONTROLLER = User("system:serviceaccount:gateways:controller")
OURS = {LABEL_DEPLOYMENT: "loan", LABEL_MANAGED_BY: MANAGED_BY}
ROUTE: Obj = {"parentRefs": [{"name": "public", "namespace": "gateways"}]}


@pytest.fixture(scope="module", autouse=True)
def _gateway(world: World) -> None:
    gateway_api.install(world.cluster)
    rules = {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["*"]}
    world.api.create(rbac("Role", "routes", world.namespace, rules=[rules]))
    for user in (ROUTER, CONTROLLER):
        world.api.create(binding("RoleBinding", user, "Role", "routes", world.namespace))
    author = binding("RoleBinding", ROUTER, "ClusterRole", "hallmark-author", world.namespace)
    world.api.create(author)
    place = {"group": GROUP, "namespace": world.namespace}
    until(lambda: world.api.may(CONTROLLER, "update", "httproutes", **place))
    until(
        lambda: world.api.may(
            ROUTER, "create", "modeldeployments", group="hallmark.dev", namespace=world.namespace
        )
    )
    until(lambda: bool(tried(world, route(world, OURS), ROUTER)))


def route(world: World, labels: dict[str, str]) -> Obj:
    metadata = {"name": unique("route"), "namespace": world.namespace, "labels": labels}
    spec = {"rules": [{"backendRefs": [{"name": "loan", "port": 80, "weight": 100}]}]}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.kind,
        "metadata": metadata,
        "spec": spec,
    }


def routed(world: World, route: Obj | None) -> Obj:
    """Return a ModelDeployment with a route, or without one."""
    canary = {"steps": [{"weight": 10}], **({"route": route} if route else {})}
    strategy = {"type": "Canary", "canary": canary}
    return objects.model_deployment(world.namespace, unique("loan"), strategy=strategy)


# -- who has one made -------------------------------------------------------------------------

REFUSAL = f"it needs the right to create httproutes of {GROUP} there; you are {AUTHOR.name}"


def test_an_author_gets_no_route_that_he_could_not_make(world: World) -> None:
    expect(lambda: world.api.create(routed(world, ROUTE), AUTHOR), REFUSAL)
    plain = routed(world, None)
    world.api.create(plain, AUTHOR)
    change = {"spec": {"strategy": {"canary": {"route": ROUTE}}}}
    expect(lambda: world.api.patch(plain, change, AUTHOR), REFUSAL)
    world.api.patch(plain, change, ROUTER)


def test_an_author_may_change_all_else_of_it(world: World) -> None:
    made = routed(world, ROUTE)
    world.api.create(made, ROUTER)
    world.api.patch(made, {"spec": {"replicas": 3}}, AUTHOR)
    elsewhere = {"canary": {"route": {"hostnames": ["loans.example.com"]}}}
    expect(lambda: world.api.patch(made, {"spec": {"strategy": elsewhere}}, AUTHOR), REFUSAL)
    world.api.patch(made, {"spec": {"strategy": elsewhere}}, ROUTER)
    world.api.patch(made, {"spec": {"strategy": {"canary": {"route": None}}}}, AUTHOR)


def test_whatever_is_taken_gateway_api_takes_too(world: World) -> None:
    parents = [
        {"name": "g", "sectionName": "https", "port": 443},
        {"name": "g", "sectionName": "http"},
        {"name": "g", "namespace": "gateways"},
        {"name": "loan", "group": "", "kind": "Service"},
        *({"name": f"g{number}." + "a" * 60} for number in range(4)),
    ]
    hosts = ["*.example.com", "credit", *(f"h{number}." + "a" * 200 for number in range(14))]
    asked = {"parentRefs": parents, "hostnames": hosts}
    world.api.create(routed(world, asked), ROUTER)
    ours = route(world, OURS)
    ours["spec"].update(asked)
    world.api.create(ours, OPERATOR)


# -- who touches ours -------------------------------------------------------------------------

GUARD = f"carries the label {LABEL_DEPLOYMENT}, or {LABEL_MANAGED_BY}: {MANAGED_BY}: only the"
EDITS: dict[str, Obj] = {
    "the weights": {"spec": {"rules": [{"backendRefs": [{"name": "loan", "port": 80}]}]}},
    "the backends": {"spec": {"rules": [{"backendRefs": [{"name": "evil", "port": 80}]}]}},
    "the parents": {"spec": ROUTE},
    "the hosts": {"spec": {"hostnames": ["evil.example.com"]}},
    "a label": {"metadata": {"labels": {"a": "b"}}},
    "our labels": {"metadata": {"labels": dict.fromkeys(OURS)}},
    "the owner": {"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}]}},
}  # fmt: skip


@pytest.mark.parametrize("user", [ROUTER, CONTROLLER, ADMIN], ids=["author", "gateway", "admin"])
def test_nobody_leads_our_route_elsewhere(world: World, user: User | None) -> None:
    ours = route(world, OURS)
    world.api.create(ours, OPERATOR)
    for what, change in EDITS.items():
        assert GUARD in said(partial(world.api.patch, ours, change, user)), what
    for labels in (OURS, {LABEL_DEPLOYMENT: "loan"}, {LABEL_MANAGED_BY: MANAGED_BY}):
        assert GUARD in tried(world, route(world, labels), user)
    kept = world.api.get(ours)["spec"]["rules"][0]["backendRefs"][0]
    assert (kept["name"], kept["weight"]) == ("loan", 100)


def test_a_gateway_keeps_its_status_finalizers_and_annotations(world: World) -> None:
    ours = route(world, OURS)
    world.api.create(ours, OPERATOR)
    marks = {"annotations": {"gw.example.com/id": "7"}, "finalizers": ["gw.example.com/route"]}
    world.api.patch(ours, {"metadata": marks}, CONTROLLER)
    world.api.patch(ours, {"status": {"parents": []}}, CONTROLLER, "status")
    world.api.patch(ours, {"metadata": {"finalizers": None}}, CONTROLLER)


def test_a_stranger_does_not_delete_our_route(world: World) -> None:
    ours = route(world, OURS)
    world.api.create(ours, OPERATOR)
    assert GUARD in said(lambda: world.api.delete(ours, ROUTER))
    world.api.delete(ours, GARBAGE)


def test_routes_of_strangers_are_theirs(world: World) -> None:
    theirs = route(world, {LABEL_MANAGED_BY: "Helm"})
    world.api.create(theirs, ROUTER)
    world.api.patch(theirs, EDITS["the backends"], ROUTER)
    assert GUARD in said(lambda: world.api.patch(theirs, {"metadata": {"labels": OURS}}, ROUTER))
    said(lambda: world.api.patch(theirs, {"metadata": {"labels": OURS}}, ROUTER, "status"))
    assert LABEL_DEPLOYMENT not in world.api.get(theirs)["metadata"]["labels"]
    world.api.delete(theirs, ROUTER)
