"""Who may change which field of what: every user, kind and field, really tried.

Fields and values come from the kinds' own schemas, so that a new field is in the matrix at once and
nobody's until the table says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from hallmark.api import crd
from tests.integration import objects
from tests.integration.admission_world import unique
from tests.integration.api import Obj, RefusedError, User, path_of
from tests.integration.conftest import (
    AUTHOR,
    CALLER,
    EDITOR,
    ENGINEER,
    OPERATOR,
    PLATFORM,
    RELAY,
    REVIEWER,
    VIEWER,
    World,
)
from tests.unit.api.status_values import values_of

ADMIN = User("system:admin", ("system:masters",))
USERS = {
    "viewer": VIEWER,
    "author": AUTHOR,
    "reviewer": REVIEWER,
    "engineer": ENGINEER,
    "caller": CALLER,
    "editor": EDITOR,
    "relay": RELAY,
    "platform": PLATFORM,
    "operator": OPERATOR,
    "administrator": ADMIN,
}
NOBODY: frozenset[str] = frozenset()
TRIES = {"Deployment": 40, "ModelPolicy": 40}
"""Values of a field that are tried until one is taken: not each keeps what CEL demands."""
FEW = 6
"""So many where a spec is frozen, or only the operator writes."""
REFUSALS = ("cannot change", "denied request")
"""What is said where no value would be taken; otherwise this value was at fault."""
METADATA: Mapping[str, Any] = {
    "labels": {"team": "risk"},
    "annotations": {"team": "risk"},
    "finalizers": ["example.org/wait"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1-2-3"}],
}
KEY = {"keyId": "c" * 64, "publicKey": objects.PUBLIC_KEY}
TOGETHER: Mapping[tuple[str, str], list[Obj]] = {
    ("Deployment", "modelVersion"): [{"modelVersion": "loan-v2", "model": None}],
    ("ModelPolicy", "signers"): [{"signers": [KEY]}],
    ("ModelPolicy", "sealWith"): [{"signers": [KEY], "sealWith": KEY["keyId"]}],
}
"""Changes of fields whose values no schema draws, with what must change with them."""

AUTHORS = frozenset({"author", "administrator"})
PLATFORMS = frozenset({"platform", "administrator"})
OPERATORS = frozenset({"operator"})
ALL_WHO_RUN_IT = frozenset({"author", "engineer", "platform", "administrator"})
ADMINS = frozenset({"administrator"})
MAY: Mapping[str, Mapping[str, Mapping[str, frozenset[str]]]] = {
    "TrainingRun": {
        "spec": {"*": NOBODY, "suspend": AUTHORS},
        "status": {"*": OPERATORS},
        "metadata": {"*": AUTHORS, "finalizers": NOBODY},
    },
    "ModelVersion": {
        "spec": {"*": NOBODY},
        "status": {"*": OPERATORS},
        "metadata": {"*": OPERATORS, "finalizers": NOBODY},
    },
    "ModelApproval": {
        "spec": {"*": NOBODY},
        "status": {"*": OPERATORS},
        "metadata": {"*": ADMINS, "finalizers": NOBODY},
    },
    "ModelPolicy": {
        "spec": {"*": PLATFORMS},
        "status": {"*": OPERATORS},
        "metadata": {"*": PLATFORMS, "finalizers": NOBODY},
    },
    "Deployment": {
        "spec": {"*": ALL_WHO_RUN_IT},
        "status": {"*": OPERATORS},
        "metadata": {"*": ALL_WHO_RUN_IT, "finalizers": NOBODY},
    },
}
"""By kind and part: who may change a field; ``*`` stands for all others of the part."""


def values(kind: crd.Kind, part: str, field: str) -> list[Any]:
    """Return values of a field that differ, as its schema draws them."""
    if part == "metadata":
        return [METADATA[field]]
    found: list[Any] = []

    @settings(
        max_examples=TRIES.get(kind.name, FEW),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(value=values_of(kind.model, part, field))
    def draw(value: object) -> None:
        found.append(value)

    draw()
    return found


def fields_of(kind: crd.Kind) -> Iterator[tuple[str, str]]:
    """Yield each part of a kind and each field of it."""
    for part in ("spec", "status"):
        model = kind.model.model_fields[part].annotation
        assert isinstance(model, type)
        for field in model.model_json_schema(by_alias=True)["properties"]:
            yield part, field
    for field in METADATA:
        yield "metadata", field


def made(world: World, kind: crd.Kind) -> Obj:
    """Create an object of a kind."""
    name = unique("field")
    if kind.name == "ModelPolicy":
        return world.api.create(objects.model_policy(name))
    space = world.namespace
    if kind.name == "TrainingRun":
        return world.api.create(objects.training_run(space, name, requestedBy="alice"), AUTHOR)
    if kind.name == "ModelVersion":
        return world.api.create(objects.model_version(space, name), OPERATOR)
    if kind.name == "ModelApproval":
        return world.api.create(objects.model_approval(space, name, approver="rita"), REVIEWER)
    return world.api.create(objects.model_deployment(space, name), AUTHOR)


def may_change(world: World, obj: Obj, part: str, field: str, tried: list[Obj], user: User) -> bool:
    """Tell whether the API server would let a user change a field; nothing is written."""
    path = path_of(obj, subresource="status" if part == "status" else "") + "?dryRun=All"
    before = (obj.get(part) or {}).get(field)
    for change in tried:
        if change[field] == before or change[field] is None:
            continue
        try:
            content = "application/merge-patch+json"
            after = world.api.request("PATCH", path, {part: change}, user, content=content)
        except RefusedError as refused:
            if refused.code == 403 or any(said in str(refused) for said in REFUSALS):
                return False
            continue
        if (after.get(part) or {}).get(field) != before:
            return True
    return False


@pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.name)
def test_who_may_change_what(world: World, kind: crd.Kind) -> None:
    obj = made(world, kind)
    found: dict[str, dict[str, frozenset[str]]] = {}
    for part, field in fields_of(kind):
        tried = TOGETHER.get((kind.name, field)) or [
            {field: value} for value in values(kind, part, field)
        ]
        found.setdefault(part, {})[field] = frozenset(
            name for name, user in USERS.items() if may_change(world, obj, part, field, tried, user)
        )
    wrong = {
        f"{part}.{field}": (users, expected)
        for part, told in found.items()
        for field, users in told.items()
        if users != (expected := MAY[kind.name][part].get(field, MAY[kind.name][part]["*"]))
    }
    assert not wrong
