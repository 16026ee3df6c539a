"""Every child that is deleted or changed is restored by the look that its change asks for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hallmark.cluster.cache import Change, key_of
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    MODEL_DEPLOYMENT,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    Obj,
)
from hallmark.controllers.routes import concerned
from tests.unit.controllers.deployment_seen import NAME, SPACE
from tests.unit.controllers.deployment_world import World

ACTIVE, TRUST = f"{NAME}-active", f"{NAME}-trust-"
CHILDREN: dict[str, tuple[Kind, str, Callable[[Obj], object]]] = {
    "Service": (SERVICE, NAME, lambda obj: obj["spec"]["selector"].clear()),
    "active": (CONFIG_MAP, ACTIVE, lambda obj: obj["data"].update(manifestDigest="sha256:0")),
    "trust": (CONFIG_MAP, TRUST, lambda obj: obj["data"].update({"trust.json": "{}"})),
    "ServiceAccount": (SERVICE_ACCOUNT, NAME, lambda obj: obj["metadata"]["labels"].clear()),
    "Role": (ROLE, NAME, lambda obj: obj["rules"].clear()),
    "RoleBinding": (ROLE_BINDING, NAME, lambda obj: obj["subjects"].clear()),
    "NetworkPolicy": (NETWORK_POLICY, NAME, lambda obj: obj["spec"]["egress"].append({})),
    "PodDisruptionBudget": (
        POD_DISRUPTION_BUDGET,
        NAME,
        lambda obj: obj["spec"]["selector"]["matchLabels"].clear(),
    ),
    "Deployment": (APPS_DEPLOYMENT, NAME, lambda obj: obj["spec"].update(replicas=0)),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.seal(1)
    found.settle()
    found.wait(11)
    found.settle()
    return found


def child(world: World, kind: Kind, name: str) -> Obj:
    """Return the child of that kind whose name begins so."""
    [found] = [
        obj
        for obj in world.cluster.objects.values()
        if (obj["apiVersion"], obj["kind"]) == (kind.api_version, kind.kind)
        and obj["metadata"]["name"].startswith(name)
    ]
    return found


def meaning(obj: Obj) -> dict[str, Any]:
    """Return what the operator wants of an object."""
    parts = {k: v for k, v in obj.items() if k not in {"metadata", "status"}}
    return {**parts, "labels": obj["metadata"]["labels"]}


@pytest.mark.parametrize("how", ["deleted", "edited"])
@pytest.mark.parametrize("which", CHILDREN)
def test_a_child_is_restored(world: World, which: str, how: str) -> None:
    kind, name, edit = CHILDREN[which]
    found = child(world, kind, name)
    before = copy.deepcopy(found)
    if how == "deleted":
        del world.cluster.objects[world.cluster.key_of(found)]
        after = None
    else:
        edit(found)
        after = found
        assert meaning(found) != meaning(before)
    change = Change(key_of(kind, before), before, after)
    asked = concerned(change, world.operator.cache)
    assert [(key.kind, key.namespace, key.name) for key in asked] == [
        (MODEL_DEPLOYMENT, SPACE, NAME)
    ]
    world.settle()
    assert meaning(child(world, kind, name)) == meaning(before)
    assert world.condition("Ready") == "True/Serving"
