"""Who may approve, ask for runs, act, and put a namespace under a policy: by impersonation."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hallmark.api import admission
from hallmark.api.names import (
    ANNOTATION_ACTION,
    ANNOTATION_RELAY,
    LABEL_POLICY,
    SYSTEM_NAMESPACE,
)
from tests.integration import objects
from tests.integration.admission_world import (
    ADMIN,
    expect,
    unique,
)
from tests.integration.api import Obj, User
from tests.integration.conftest import (
    AUTHOR,
    ENGINEER,
    PLATFORM,
    RELAY,
    REVIEWER,
    World,
    until,
)


@pytest.mark.parametrize(
    "expected",
    admission.policies(),
    ids=[wanted["metadata"]["name"] for wanted, _ in admission.policies()],
)
def test_the_operator_recognises_a_policy_of_the_cluster(
    world: World, expected: tuple[Obj, Obj]
) -> None:
    policy, binding = (world.api.get(obj) for obj in expected)
    name = expected[0]["metadata"]["name"]

    assert admission.in_force_since(name, policy, binding)


APPROVALS: dict[str, tuple[User | None, Obj, str]] = {
    "a reviewer approves in his own name": (REVIEWER, {"approver": "rita"}, ""),
    "a reviewer denies in his own name": (
        REVIEWER,
        {"approver": "rita", "decision": "Denied"},
        "",
    ),
    "a reviewer does not approve in another's name": (
        REVIEWER,
        {"approver": "alice"},
        "'approver' must be the user who creates the approval: you are rita, found alice",
    ),
    "a reviewer's attestation does not make him a relay": (
        REVIEWER,
        {"approver": "alice", "attestation": "{}"},
        "'approver' must be the user",
    ),
    "an author has no right to create approvals": (AUTHOR, {"approver": "alice"}, "forbidden"),
    "a relay passes on another's attested decision": (
        RELAY,
        {"approver": "rita", "attestation": "{}"},
        "",
    ),
    "a relay does not pass on a decision without attestation": (
        RELAY,
        {"approver": "rita"},
        "'approver' must be the user",
    ),
    "an empty attestation is none": (
        RELAY,
        {"approver": "rita", "attestation": ""},
        "'approver' must be the user",
    ),
    "a relay does not decide in its own name": (
        RELAY,
        {"approver": RELAY.name},
        "lacks the verb approve on modelversions",
    ),
    "an administrator does not approve in another's name": (
        ADMIN,
        {"approver": "rita"},
        "'approver' must be the user",
    ),
}


@pytest.mark.parametrize(("user", "spec", "refusal"), APPROVALS.values(), ids=APPROVALS.keys())
def test_approval_identity(world: World, user: User | None, spec: Obj, refusal: str) -> None:
    approval = objects.model_approval(world.namespace, unique("approval"), **spec)

    expect(lambda: world.api.create(approval, user), refusal)


DECLARED = {ANNOTATION_RELAY: RELAY.name}


RUNS: dict[str, tuple[User | None, str, dict[str, str], str]] = {
    "an author asks in his own name": (AUTHOR, "alice", {}, ""),
    "an author does not ask in another's name": (
        AUTHOR,
        "bob",
        DECLARED,
        "'requestedBy' must be the user who creates the run: you are alice, found bob",
    ),
    "a relay asks in another's name and says so": (RELAY, "bob", DECLARED, ""),
    "a relay does not pass a name off as authenticated": (RELAY, "bob", {}, "must be the user who"),
    "a relay does not name another relay": (
        RELAY,
        "bob",
        {ANNOTATION_RELAY: "another"},
        "must be the user who creates the run where it names another requester",
    ),
    "an author does not call his own name declared": (
        AUTHOR,
        "alice",
        {ANNOTATION_RELAY: "alice"},
        "and on no other run; you are alice",
    ),
}


@pytest.mark.parametrize(
    ("user", "requester", "annotations", "refusal"), RUNS.values(), ids=RUNS.keys()
)
def test_requester_identity(
    world: World, user: User | None, requester: str, annotations: dict[str, str], refusal: str
) -> None:
    run = objects.training_run(world.namespace, unique("run"), requestedBy=requester)
    run["metadata"]["annotations"] = annotations

    expect(lambda: world.api.create(run, user), refusal)


def test_a_declared_requester_does_not_become_an_authenticated_one(world: World) -> None:
    run = objects.training_run(world.namespace, unique("run"), requestedBy="bob")
    run["metadata"]["annotations"] = DECLARED
    world.api.create(run, RELAY)
    change = {"metadata": {"annotations": {ANNOTATION_RELAY: None}}}

    expect(lambda: world.api.patch(run, change), "cannot change")
    world.api.patch(run, {"spec": {"suspend": True}}, AUTHOR)


@pytest.mark.parametrize("make", [objects.training_run, objects.model_deployment])
def test_nothing_is_trained_or_served_where_the_keys_are(
    world: World, make: Callable[..., Obj]
) -> None:
    bad = make(SYSTEM_NAMESPACE, unique("bad"))
    expect(lambda: world.api.create(bad), "is the operator's own, where its keys are")


def action(**changes: object) -> str:
    whole = {"id": "1", "action": "rollback", "by": "otto", "reason": "Too many refusals."}
    return json.dumps({**whole, **changes}, ensure_ascii=False)


ACTIONS: dict[str, tuple[User | None, str, str]] = {
    "an engineer rolls back": (ENGINEER, action(), ""),
    "an engineer promotes a target": (ENGINEER, action(action="promote", target="loan-v2"), ""),
    "in canonical form": (
        ENGINEER,
        '{"action":"pause","by":"otto","id":"a","reason":"Später."}',
        "",
    ),
    "without a reason": (ENGINEER, '{"action":"resume","by":"otto","id":"a"}', ""),
    "not in another's name": (ENGINEER, action(by="rita"), "must be the user who writes it"),
    "not without the verb": (
        AUTHOR,
        action(by="alice"),
        "You may not rollback ModelDeployment",
    ),
    "not an unknown action": (ENGINEER, action(action="destroy"), "You may not destroy"),
    "not without a name": (ENGINEER, '{"action":"pause","id":"a"}', "must be the user who writes"),
    "not without an action": (ENGINEER, '{"by":"otto","id":"a"}', "You may not do that to"),
    "not with two names": (
        ENGINEER,
        '{"action":"pause","by":"otto","by":"rita","id":"a"}',
        "must be the user who writes",
    ),
    "not with two actions": (
        ENGINEER,
        '{"action":"pause","action":"rollback","by":"otto","id":"a"}',
        "You may not do that to",
    ),
    "not with a name in the reason": (
        ENGINEER,
        '{"action":"pause","by":"rita","id":"a","reason":"x\\",\\"by\\":\\"otto"}',
        "must be one JSON object",
    ),
    "not with an escaped key": (
        ENGINEER,
        '{"action":"pause","by":"otto","\\u0062y":"rita","id":"a"}',
        "must be one JSON object",
    ),
    "not with a nested object": (
        ENGINEER,
        '{"action":"pause","by":"otto","id":{"by":"rita"}}',
        "must be one JSON object",
    ),
    "not with an unknown key": (
        ENGINEER,
        '{"action":"pause","by":"otto","By":"rita"}',
        "must be one JSON object",
    ),
    "not as a list": (ENGINEER, f"[{action()}]", "must be one JSON object"),
    "not with something after it": (ENGINEER, action() + "{}", "must be one JSON object"),
    "not over two lines": (ENGINEER, action(reason="x") + "\n", "must be one JSON object"),
    "an administrator in his own name": (ADMIN, action(by="admin"), ""),
    "an administrator not in another's": (ADMIN, action(by="otto"), "must be the user who writes"),
}


@pytest.mark.parametrize(("user", "text", "refusal"), ACTIONS.values(), ids=ACTIONS.keys())
def test_an_action(world: World, user: User | None, text: str, refusal: str) -> None:
    target = objects.model_deployment(world.namespace, unique("loan"))
    world.api.create(target)
    change = {"metadata": {"annotations": {ANNOTATION_ACTION: text}}}

    expect(lambda: world.api.patch(target, change, user), refusal)


def test_an_action_comes_with_a_new_object_under_the_same_rule(world: World) -> None:
    target = objects.model_deployment(world.namespace, unique("loan"))
    target["metadata"]["annotations"] = {ANNOTATION_ACTION: action()}

    expect(lambda: world.api.create(target, AUTHOR), "must be the user who writes")


def test_an_action_that_stands_there_hinders_nobody(world: World) -> None:
    target = objects.model_deployment(world.namespace, unique("loan"))
    world.api.create(target)
    change = {"metadata": {"annotations": {ANNOTATION_ACTION: action()}}}
    world.api.patch(target, change, ENGINEER)

    world.api.patch(target, {"spec": {"replicas": 2}}, AUTHOR)


def namespace_with(policy: str | None) -> Obj:
    labels = {LABEL_POLICY: policy} if policy else {}
    metadata = {"name": unique("space"), "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


@pytest.fixture(scope="module")
def namespaces(world: World) -> User:
    """Somebody who may write namespaces, and use the policy `lax` alone."""
    user = User("norman")
    group = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "namespaces/status"], "verbs": ["*"]},
        {
            "apiGroups": ["hallmark.dev"],
            "resources": ["modelpolicies"],
            "resourceNames": ["lax"],
            "verbs": ["use"],
        },
    ]
    version, name = f"{group}/v1", unique("namespaces")
    world.api.create(
        {
            "apiVersion": version,
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": rules,
        }
    )
    world.api.create(
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user.name}],
        }
    )
    until(lambda: world.api.may(user, "use", "modelpolicies", group="hallmark.dev", name="lax"))
    return user


def test_a_namespace_is_put_under_a_policy_by_who_may_use_it(
    world: World, namespaces: User
) -> None:
    plain, lax = namespace_with(None), namespace_with("lax")
    world.api.create(plain, namespaces)
    world.api.create(lax, namespaces)
    strict: Obj = {"metadata": {"labels": {LABEL_POLICY: "strict"}}}
    none: Obj = {"metadata": {"labels": {LABEL_POLICY: None}}}

    expect(lambda: world.api.create(namespace_with("strict"), namespaces), "verb use")
    expect(
        lambda: world.api.patch(plain, strict, namespaces),
        f"put namespace {plain['metadata']['name']} under ModelPolicy strict",
    )
    expect(lambda: world.api.patch(plain, strict, namespaces, "status"), "verb use")
    expect(lambda: world.api.patch(lax, none, namespaces), "under ModelPolicy default")
    world.api.patch(lax, {"metadata": {"labels": {"a": "b"}}}, namespaces)
    world.api.patch(plain, {"metadata": {"labels": {LABEL_POLICY: "lax"}}}, namespaces)


def test_the_platform_engineer_uses_every_policy(world: World) -> None:
    assert world.api.may(PLATFORM, "use", "modelpolicies", group="hallmark.dev", name="any")
