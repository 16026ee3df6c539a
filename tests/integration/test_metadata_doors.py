"""Subresources are no way around the bounds of metadata, and what people do every day goes on."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from hallmark.api.admission.bounds import LAST_APPLIED
from hallmark.api.names import ANNOTATION_ACTION
from tests.integration import objects
from tests.integration.api import Obj, User, path_of
from tests.integration.bounded_metadata import (
    ADMIN,
    APPLY,
    KINDS,
    MERGE,
    REFUSED,
    annotation,
    entry,
    labels,
    made,
    owner,
    said,
    tried,
    tried_patch,
    unique,
)
from tests.integration.conftest import AUTHOR, ENGINEER, OPERATOR, World, until

GARBAGE = User("system:serviceaccount:kube-system:generic-garbage-collector")


@pytest.fixture(scope="module", autouse=True)
def _in_force(world: World) -> None:
    """Wait until the policies that are tested here act."""
    bad = made(world, "trainingruns", finalizers=["example.com/keep"])
    until(lambda: bool(tried(world, bad, ADMIN)))
    probe = world.api.create(made(world, "modeldeployments"))
    until(lambda: bool(sent(world, probe, "scale", ADMIN, "?fieldManager=one&force=true")))


# The doors beside the object itself.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [MERGE, APPLY], ids=["a patch", "an apply"])
def test_the_status_changes_no_metadata(world: World, kind: str, content: str) -> None:
    obj = world.api.create(made(world, kind), KINDS[kind].writer)
    metadata = {
        **REFUSED["4,170 short labels"][0],
        "finalizers": ["a.example/b"],
        **annotation("x"),
    }
    metadata["managedFields"] = REFUSED["managed fields with an endless name"][0]["managedFields"]
    change: Obj = {"metadata": metadata, "status": {"conditions": []}}
    query = ""
    if content == APPLY:
        del metadata["managedFields"]
        change |= {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
        query = "?fieldManager=hallmark-operator&force=true"
    path = path_of(obj, subresource="status") + query

    world.api.request("PATCH", path, change, OPERATOR, content=content)
    found = world.api.get(obj)["metadata"]
    assert {"labels", "annotations", "finalizers"}.isdisjoint(found)
    assert "x" * 1_000 not in json.dumps(found)


def predictor(world: World, deployment: Obj) -> User:
    """Return a predictor's Pod of a ModelDeployment, with the rights that it has."""
    name = deployment["metadata"]["name"]
    extra = (("authentication.kubernetes.io/pod-name", "mine"),)
    user = User(f"system:serviceaccount:{world.namespace}:{name}-predictor", extra=extra)
    subject = {"kind": "User", "name": user.name, "apiGroup": "rbac.authorization.k8s.io"}
    group, metadata = "rbac.authorization.k8s.io", {"name": name, "namespace": world.namespace}
    rule = {
        "apiGroups": ["hallmark.dev"],
        "resources": ["modeldeployments/status"],
        "verbs": ["patch"],
        "resourceNames": [name],
    }
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata}
    world.api.create({**role, "rules": [rule]})
    reference = {"apiGroup": group, "kind": "Role", "name": name}
    world.api.create({**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]})
    place = {"group": "hallmark.dev", "namespace": world.namespace, "name": name}
    until(lambda: world.api.may(user, "patch", "modeldeployments/status", **place))
    return user


def sent(
    world: World,
    obj: Obj,
    part: str,
    user: User | None,
    query: str,
    **more: Any,  # noqa: ANN401
) -> str:
    """Patch a part of a ModelDeployment; return what the refusal says, or nothing."""
    if part == "scale":
        change: Obj = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 1}}
        change["metadata"] = {"name": obj["metadata"]["name"]}
    else:
        change = {"status": {"drift": {"mine": objects.drift_report()}}}
        change |= {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    path = path_of(obj, subresource=part) + query
    content = APPLY if "force" in query else MERGE
    return said(lambda: world.api.request("PATCH", path, {**change, **more}, user, content=content))


def test_a_subresource_does_not_add_to_the_managed_fields(world: World) -> None:
    obj = made(world, "modeldeployments", name=unique("loan"))
    world.api.create(obj)
    pod = predictor(world, obj)

    for part, user in (("scale", AUTHOR), ("scale", ADMIN), ("status", pod)):
        for query in ("?fieldManager=one&force=true", f"?fieldManager={'x' * 128}"):
            said_of_it = sent(world, obj, part, user, query)
            assert "under no fieldManager of his own, found" in said_of_it, (part, query)
    long = {"metadata": {"labels": {f"l{index}": "" for index in range(1_000)}}}
    reports = "?fieldManager=hallmark-predictor"
    assert "sends no metadata with it" in sent(world, obj, "status", pod, reports, **long)
    assert sent(world, obj, "status", pod, reports) == ""
    assert sent(world, obj, "status", pod, reports + "&force=true") == ""
    assert sent(world, obj, "scale", AUTHOR, "?fieldManager=kubectl-patch") == ""
    assert sent(world, obj, "scale", AUTHOR, "") == ""
    assert sent(world, obj, "status", OPERATOR, "?fieldManager=hallmark-operator&force=true") == ""
    assert sent(world, obj, "status", pod, reports) == ""


def test_a_scale_is_written_by_kubectl_and_by_an_autoscaler(world: World) -> None:
    obj = made(world, "modeldeployments", name=unique("loan"))
    world.api.create(obj)
    name, path = obj["metadata"]["name"], path_of(obj, subresource="scale")

    world.cluster.kubectl("scale", "-n", world.namespace, f"mdep/{name}", "--replicas=2")
    scale = world.api.request("GET", path)
    assert scale["spec"]["replicas"] == 2
    scale["spec"]["replicas"] = 3
    world.api.request("PUT", path, scale, ENGINEER)
    assert world.api.get(obj)["spec"]["replicas"] == 3


def test_the_largest_metadata_leaves_half_of_what_etcd_takes_to_the_rest(world: World) -> None:
    features = [f"f{index:062}" for index in range(256)]
    obj = made(
        world,
        "modeldeployments",
        labels=labels(64),
        annotations={
            **{f"example.com/{index:02}": "<" * 38 for index in range(64)},
            LAST_APPLIED: "\n" * 65_536,
        },
        ownerReferences=[owner(name="<" * 1_300)],
        managedFields=[
            entry("a", {"f:spec": {f"f:{'<' * 13_000}": {}}}),
            entry("b", {"f:status": {f"f:{'<' * 10_800}": {}}}, subresource="status"),
        ],
    )
    obj["spec"]["drift"] = {"features": features}

    metadata = world.api.create(obj, AUTHOR)["metadata"]
    stored = json.dumps(metadata, ensure_ascii=False)
    size = len(stored.encode()) + 5 * stored.count("<")
    assert 300_000 < size < 786_432


# What people do every day.


def test_an_author_does_not_keep_an_action_out(world: World) -> None:
    obj = made(
        world,
        "modeldeployments",
        labels=labels(64),
        annotations={f"example.com/{index}": "x" * 200 for index in range(64)},
        managedFields=[entry("a", {"f:spec": {f"f:{'x' * 40_000}": {}}})],
    )
    world.api.create(obj, AUTHOR)
    path = path_of(obj)
    for index in range(200):
        change = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "spec": obj["spec"]}
        query = f"?fieldManager={index:0128}&force=true"
        act = partial(world.api.request, "PATCH", path + query, change, AUTHOR, content=APPLY)
        if "bytes of managedFields" in said(act):
            break
    else:
        pytest.fail("no number of field managers was refused")
    text = json.dumps({"action": "pause", "by": ENGINEER.name, "id": "1", "reason": "x" * 256})

    world.api.patch(obj, {"metadata": annotation(text, ANNOTATION_ACTION)}, ENGINEER)
    assert world.api.get(obj)["metadata"]["annotations"][ANNOTATION_ACTION] == text


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [
        (256, ""),
        (257, "'reason' (at most 256)"),
        (4_100, "annotation hallmark.dev/action"),
    ],
    ids=["a long reason", "a reason that is too long", "an endless reason"],
)
def test_an_action_has_a_bound_of_its_own(world: World, reason: int, refusal: str) -> None:
    obj = made(world, "modeldeployments")
    world.api.create(obj, AUTHOR)
    text = json.dumps({"action": "pause", "by": ENGINEER.name, "id": "1", "reason": "x" * reason})

    said_of_it = tried_patch(
        world, obj, {"metadata": annotation(text, ANNOTATION_ACTION)}, ENGINEER
    )
    assert refusal in said_of_it
    assert bool(refusal) == bool(said_of_it)


def test_kubectl_apply_takes_a_run_with_all_records_that_fit(world: World) -> None:
    records = "income,approved\n" + "100000,yes&\n" * 10_500
    run = objects.training_run(world.namespace, unique("inline"), dataset={"records": records})
    assert 100_000 < len(records) < 131_072

    for team in ("credit", "risk"):
        run["metadata"]["labels"] = {"team": team}
        world.cluster.kubectl("apply", "-f", "-", input=json.dumps(run))
    found = world.api.get(run)["metadata"]
    assert found["labels"] == {"team": "risk"}
    assert len(found["annotations"][LAST_APPLIED]) > 180_000
    options = ("--server-side", "--force-conflicts", "-f", "-")
    world.cluster.kubectl("apply", *options, input=json.dumps(run))


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_deleting_in_the_foreground_and_orphaning_go_on(
    world: World, kind: str, policy: str, finalizer: str
) -> None:
    obj = world.api.create(made(world, kind), KINDS[kind].writer)
    user = AUTHOR if kind in {"trainingruns", "modeldeployments"} else ADMIN

    world.api.request("DELETE", path_of(obj), {"propagationPolicy": policy}, user)
    assert world.api.get(obj)["metadata"]["finalizers"] == [finalizer]
    if user == AUTHOR:
        world.api.patch(obj, {"metadata": {"labels": {"a": "b"}}}, user)
    world.api.patch(obj, {"metadata": {"finalizers": None}}, GARBAGE)
    assert "not found" in said(lambda: world.api.get(obj))
