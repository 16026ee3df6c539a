"""What people write into annotations: each action once and never lost, and the anchor's guard."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from hallmark.api.names import ANNOTATION_ACKNOWLEDGE, ANNOTATION_ACTION, AUDIT_ANCHOR
from tests.integration import objects
from tests.integration.api import Obj, RefusedError, User
from tests.integration.conftest import (
    AUTHOR,
    EDITOR,
    ENGINEER,
    OPERATOR,
    PLATFORM,
    World,
    binding,
    exists,
    until,
)
from tests.integration.test_cli import hallmark

ADMIN = None
SYSTEM = "hallmark-system"
AUDITOR = User("audrey")
NAMESPACES = User("system:serviceaccount:kube-system:namespace-controller", ("system:masters",))


def expect(act: Callable[[], Any], refusal: str) -> None:
    """Expect a refusal with these words, or none where there are no words."""
    if not refusal:
        act()
        return
    with pytest.raises(RefusedError) as refused:
        act()
    assert refusal in str(refused.value)


def action(identity: str = "1", **changes: str) -> str:
    whole = {"id": identity, "action": "pause", "by": "otto", "reason": "Quiet.", **changes}
    return json.dumps(whole, ensure_ascii=False)


def annotated(text: str | None) -> Obj:
    return {"metadata": {"annotations": {ANNOTATION_ACTION: text}}}


@pytest.fixture
def target(world: World) -> Obj:
    """Return a ModelDeployment."""
    made = objects.model_deployment(world.namespace, f"loan-{secrets.token_hex(3)}")
    return world.api.create(made)


def ran(world: World, target: Obj, *ids: str) -> None:
    """Write what the operator writes when actions have run, the last one first."""
    last = {"id": ids[0], "outcome": "done", "time": "2026-11-25T12:00:00Z"}
    status = {"lastAction": last, "actionIDs": [identity.lower() for identity in ids]}
    world.api.patch(target, {"status": status}, OPERATOR, "status")


WRITERS = {"an engineer": (ENGINEER, "otto"), "an administrator": (ADMIN, "admin")}


@pytest.mark.parametrize(("user", "name"), WRITERS.values(), ids=WRITERS.keys())
def test_an_action_is_not_overwritten_before_it_ran(
    world: World, target: Obj, user: User | None, name: str
) -> None:
    world.api.patch(target, annotated(action("a1")), ENGINEER)
    another = annotated(action("a2", by=name))
    expect(
        lambda: world.api.patch(target, another, user),
        "The action a1 of ModelDeployment " + target["metadata"]["name"] + " has not run yet",
    )
    ran(world, target, "a1")
    world.api.patch(target, another, user)


@pytest.mark.parametrize("user", [ENGINEER, AUTHOR, ADMIN], ids=["engineer", "author", "admin"])
def test_an_action_is_not_removed_before_it_ran(
    world: World, target: Obj, user: User | None
) -> None:
    world.api.patch(target, annotated(action("a1")), ENGINEER)
    expect(lambda: world.api.patch(target, annotated(None), user), "has not run yet")
    expect(lambda: world.api.patch(target, annotated(""), user), "has not run yet")
    bare = world.api.get(target)
    del bare["metadata"]["annotations"]
    expect(lambda: world.api.replace(bare, user), "has not run yet")
    ran(world, target, "a1")
    world.api.patch(target, annotated(None), user)


def test_another_action_that_ran_is_not_this_one(world: World, target: Obj) -> None:
    ran(world, target, "earlier")
    world.api.patch(target, annotated(action("a1")), ENGINEER)
    expect(lambda: world.api.patch(target, annotated(action("a2")), ENGINEER), "has not run yet")


def test_the_same_text_again_is_no_change(world: World, target: Obj) -> None:
    world.api.patch(target, annotated(action("a1")), ENGINEER)
    change = annotated(action("a1"))
    world.api.patch(target, {**change, "spec": {"replicas": 3}}, AUTHOR)


@pytest.mark.parametrize("identity", ["old", "OLD", "Older", "last", "LAST"])
def test_an_id_that_was_used_is_refused(world: World, target: Obj, identity: str) -> None:
    ran(world, target, "last", "old", "older")
    expect(
        lambda: world.api.patch(target, annotated(action(identity)), ENGINEER),
        f"The id {identity} was used before",
    )
    expect(
        lambda: world.api.patch(target, annotated(action(identity, reason="New.")), ENGINEER),
        "Take a new id",
    )


def test_an_id_of_a_status_without_a_list_is_used_all_the_same(world: World, target: Obj) -> None:
    last = {"id": "A1", "outcome": "done", "time": "2026-11-25T12:00:00Z"}
    world.api.patch(target, {"status": {"lastAction": last}}, OPERATOR, "status")
    expect(lambda: world.api.patch(target, annotated(action("a1")), ENGINEER), "was used before")


@pytest.mark.parametrize(
    "identity",
    ["", " ", " a", "a ", "a b", "a\u00a0", "\u200ba", "é", "-a", "x" * 65, "а"],
    ids=ascii,
)
def test_an_id_that_could_be_taken_for_another_is_refused(
    world: World, target: Obj, identity: str
) -> None:
    expect(
        lambda: world.api.patch(target, annotated(action(identity)), ENGINEER), "must be there once"
    )


TWICE = {
    "two ids": ('{"id":"a","id":"b","action":"pause","by":"otto"}', "must be there once"),
    "two reasons": (
        '{"id":"a","reason":"x","reason":"y","action":"pause","by":"otto"}',
        "may be there once",
    ),
    "two targets": (
        '{"id":"a","target":"x","target":"y","action":"pause","by":"otto"}',
        "may be there once",
    ),
    "a long target": (action(target="x" * 64), "at most 63 characters"),
    "a long reason": (action(reason="é" * 257), "at most 256"),
}


@pytest.mark.parametrize(("text", "refusal"), TWICE.values(), ids=TWICE.keys())
def test_what_the_operator_could_not_read_is_refused(
    world: World, target: Obj, text: str, refusal: str
) -> None:
    expect(lambda: world.api.patch(target, annotated(text), ENGINEER), refusal)


def test_an_action_and_a_change_of_the_spec_come_together(world: World, target: Obj) -> None:
    change = {**annotated(action("a1")), "spec": {"replicas": 2}}
    world.api.patch(target, change, ENGINEER)
    expect(lambda: world.api.patch(target, annotated(action("a2")), ENGINEER), "has not run yet")


def test_what_is_being_deleted_takes_no_action(world: World, target: Obj) -> None:
    path = f"/apis/hallmark.dev/v1alpha1/namespaces/{world.namespace}/modeldeployments/"
    options = {"propagationPolicy": "Foreground"}
    world.api.request("DELETE", path + target["metadata"]["name"], options)
    expect(lambda: world.api.patch(target, annotated(action("a1")), ENGINEER), "is being deleted")


HOLD = {"action": "hold", "until": "2030-01-31T12:00:00Z"}
NEEDS = "a hold needs 'until', a moment such as"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        pytest.param(HOLD, "", id="a hold with its end"),
        pytest.param({**HOLD, "until": "2030-01-31T12:00:00.000000Z"}, "", id="to the microsecond"),
        pytest.param({"action": "hold"}, NEEDS, id="a hold without an end"),
        pytest.param({**HOLD, "until": ""}, NEEDS, id="an empty end"),
        pytest.param({**HOLD, "until": "4h"}, NEEDS, id="a duration"),
        pytest.param({**HOLD, "until": "2030-01-31"}, NEEDS, id="a day"),
        pytest.param({**HOLD, "reason": "  "}, NEEDS, id="a hold without a reason"),
        pytest.param({"until": HOLD["until"]}, NEEDS, id="a pause with an end"),
        pytest.param({"action": "unhold", "until": HOLD["until"]}, NEEDS, id="a lifting with one"),
        pytest.param({"action": "unhold"}, "", id="a lifting"),
    ],
)
def test_a_hold_and_nothing_else_has_an_end(
    world: World, target: Obj, changes: dict[str, str], refusal: str
) -> None:
    text = action("1", **changes)
    expect(lambda: world.api.patch(target, annotated(text), ENGINEER), refusal)


@pytest.mark.parametrize("verb", ["hold", "unhold"])
def test_holding_and_lifting_need_their_own_verbs(world: World, target: Obj, verb: str) -> None:
    more = HOLD if verb == "hold" else {"action": verb}
    text = action("1", by=AUTHOR.name, **more)
    expect(lambda: world.api.patch(target, annotated(text), AUTHOR), f"You may not {verb}")


def test_two_writers_at_once_are_one_action(world: World, target: Obj) -> None:
    """Both read the object before either wrote: the version that each sends decides."""
    first, second = world.api.get(target), world.api.get(target)
    for obj, identity in ((first, "a1"), (second, "a2")):
        obj["metadata"]["annotations"] = {ANNOTATION_ACTION: action(identity)}
    world.api.replace(first, ENGINEER)
    expect(lambda: world.api.replace(second, ENGINEER), "the object has been modified")
    del second["metadata"]["resourceVersion"]
    expect(lambda: world.api.patch(target, annotated(action("a2")), ENGINEER), "The action a1 of")


# The anchor of the audit log.


@pytest.fixture(scope="module")
def anchor(world: World) -> Obj:
    """Return the anchor as the operator makes it; an auditor has the right to acknowledge."""
    grant = binding("ClusterRoleBinding", AUDITOR, "ClusterRole", "hallmark-auditor")
    until(lambda: exists(world.api, grant))
    until(lambda: world.api.may(AUDITOR, "acknowledge", "auditlogs", group="hallmark.dev"))
    obj = objects.config_map(SYSTEM, AUDIT_ANCHOR)
    # It holds no head: dashboards of other tests read it on the same API server.
    return world.api.create({**obj, "data": {"other.json": "{}"}}, OPERATOR)


def acknowledgement(by: str = "audrey", **changes: str) -> Obj:
    said = {"break": "0123456789ab", "by": by, "reason": "The volume was restored.", **changes}
    return {"metadata": {"annotations": {ANNOTATION_ACKNOWLEDGE: json.dumps(said)}}}


CHANGES: dict[str, Obj] = {
    "its data": {"data": {"head.json": "{'seq': 1}"}},
    "another key": {"data": {"more": "x"}},
    "no data": {"data": None},
    "binary data": {"binaryData": {"head": "AA=="}},
    "a label": {"metadata": {"labels": {"team": "x"}}},
    "another annotation": {"metadata": {"annotations": {"note": "x"}}},
    "its immutability": {"immutable": True},
    "a finalizer": {"metadata": {"finalizers": ["example.org/x"]}},
    "an owner": {
        "metadata": {
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1-2-3"}
            ]
        }
    },
    "data beside an acknowledgement": {**acknowledgement("admin"), "data": {"more": "x"}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_nobody_but_the_operator_changes_the_anchor(world: World, anchor: Obj, change: Obj) -> None:
    for user in (ADMIN, NAMESPACES):
        expect(lambda user=user: world.api.patch(anchor, change, user), "Only the operator changes")


def test_nobody_deletes_or_makes_the_anchor(world: World, anchor: Obj) -> None:
    expect(lambda: world.api.delete(anchor, ADMIN), "nobody deletes it; you are admin")
    path = f"/api/v1/namespaces/{SYSTEM}/configmaps?fieldSelector=metadata.name={AUDIT_ANCHOR}"
    expect(lambda: world.api.request("DELETE", path), "nobody deletes it")
    made = objects.config_map(SYSTEM, AUDIT_ANCHOR)
    expect(lambda: world.api.create(made, ADMIN), "only the operator makes it")
    world.api.create(objects.config_map(world.namespace, AUDIT_ANCHOR), EDITOR)
    world.api.patch(anchor, {"data": {"other.json": "[]"}}, OPERATOR)


ACKNOWLEDGED: dict[str, tuple[User | None, Obj, str]] = {
    "an auditor": (AUDITOR, acknowledgement(), ""),
    "an auditor in another's name": (AUDITOR, acknowledgement("petra"), "by (you)"),
    "an auditor without a reason": (AUDITOR, acknowledgement(reason=""), "must be one JSON"),
    "an auditor with a long reason": (AUDITOR, acknowledgement(reason="x" * 513), "must be one"),
    "the platform's engineer": (PLATFORM, acknowledgement("petra"), "cannot patch resource"),
    "an administrator": (ADMIN, acknowledgement("admin"), ""),
}


@pytest.mark.parametrize(
    ("user", "change", "refusal"), ACKNOWLEDGED.values(), ids=ACKNOWLEDGED.keys()
)
def test_who_acknowledges_a_break(
    world: World, anchor: Obj, user: User | None, change: Obj, refusal: str
) -> None:
    expect(lambda: world.api.patch(anchor, change, user), refusal)


def test_the_right_to_write_config_maps_is_none_to_acknowledge(world: World, anchor: Obj) -> None:
    writer = User("walter")
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "writes-config-maps"},
        "rules": rules,
    }
    until(lambda: exists(world.api, role))
    grant = binding("ClusterRoleBinding", writer, "ClusterRole", "writes-config-maps")
    until(lambda: exists(world.api, grant))
    until(lambda: world.api.may(writer, "patch", "configmaps", namespace=SYSTEM))
    expect(
        lambda: world.api.patch(anchor, acknowledgement("walter"), writer),
        "it needs the verb acknowledge on auditlogs; you are walter",
    )


def test_an_auditor_acknowledges_by_the_command_line(world: World, anchor: Obj) -> None:
    broken = {"id": "aaaabbbbcccc", "message": "Record 3 was edited.", "since": "x"}
    world.api.patch(anchor, {"data": {"break.json": json.dumps(broken)}}, OPERATOR)
    options = ("--as=audrey", "--reason=The volume was restored.")
    done = hallmark(world, "audit", "acknowledge", "0" * 12, *options)
    assert done.returncode == 1
    assert "the one that waits is 'aaaabbbbcccc': Record 3 was edited." in done.stderr
    done = hallmark(world, "audit", "acknowledge", broken["id"], *options)
    assert done.returncode == 0, done.stderr
    text = world.api.get(anchor)["metadata"]["annotations"][ANNOTATION_ACKNOWLEDGE]
    assert json.loads(text) == {
        "break": broken["id"],
        "by": "audrey",
        "reason": "The volume was restored.",
    }
    done = hallmark(world, "audit", "acknowledge", broken["id"], "--as=otto", "--reason=x")
    assert done.returncode == 1
    assert "cannot get resource" in done.stderr
    assert "Traceback" not in done.stderr
