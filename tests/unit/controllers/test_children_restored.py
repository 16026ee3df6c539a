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
from hallmark.cluster.trim import trimmed
from hallmark.controllers.routes import concerned
from hallmark.resources.difference import correction, stands
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


# -- what a stranger adds beside what the operator wants ---------------------------------------

CONTAINER = ("spec", "template", "spec", "containers", 0)
POD_SPEC = ("spec", "template", "spec")
ADDED: dict[str, list[tuple[tuple[str | int, ...], str, object]]] = {
    "Service": [
        (("spec",), "type", "NodePort"),
        (("spec",), "type", "LoadBalancer"),
        (("spec",), "type", "ExternalName"),
        (("spec",), "externalName", "elsewhere.example"),
        (("spec",), "externalIPs", ["192.0.2.1"]),
        (("spec",), "publishNotReadyAddresses", True),
        (("spec",), "sessionAffinity", "ClientIP"),
        (("spec",), "internalTrafficPolicy", "Local"),
        (("spec",), "trafficDistribution", "PreferClose"),
        (("spec", "selector"), "more", "x"),
    ],
    "Role": [(("rules", 0), "nonResourceURLs", ["*"])],
    "RoleBinding": [(("subjects", 0), "more", "x"), (("roleRef",), "more", "x")],
    "NetworkPolicy": [
        (("spec", "egress", 0, "ports", 0), "endPort", 65535),
        (("spec", "ingress", 0), "more", []),
        (("spec", "podSelector"), "matchExpressions", [{"key": "a", "operator": "Exists"}]),
    ],
    "PodDisruptionBudget": [
        (("spec", "selector"), "matchExpressions", [{"key": "a", "operator": "Exists"}])
    ],
    "Deployment": [
        (("spec",), "paused", True),
        (("spec", "selector", "matchLabels"), "more", "x"),
        *((POD_SPEC, name, True) for name in ("hostNetwork", "hostPID", "hostIPC")),
        (POD_SPEC, "shareProcessNamespace", True),
        (POD_SPEC, "initContainers", [{"name": "first", "image": "stranger"}]),
        (POD_SPEC, "hostAliases", [{"ip": "192.0.2.1", "hostnames": ["store"]}]),
        (POD_SPEC, "dnsConfig", {"nameservers": ["192.0.2.1"]}),
        (CONTAINER, "command", ["sh"]),
        (CONTAINER, "workingDir", "/models"),
        ((*CONTAINER, "volumeMounts", 0), "subPathExpr", "elsewhere"),
        (CONTAINER, "envFrom", [{"configMapRef": {"name": "a"}}]),
        (CONTAINER, "lifecycle", {"postStart": {"exec": {"command": ["sh"]}}}),
        (CONTAINER, "startupProbe", {"exec": {"command": ["sh"]}}),
        (CONTAINER, "volumeDevices", [{"name": "disk", "devicePath": "/dev/a"}]),
        ((*CONTAINER, "securityContext"), "privileged", True),
        ((*CONTAINER, "securityContext", "capabilities"), "add", ["SYS_ADMIN"]),
        ((*CONTAINER, "ports", 0), "hostPort", 80),
        ((*CONTAINER, "ports", 0), "hostIP", "192.0.2.1"),
        ((*CONTAINER, "volumeMounts", 0), "subPath", "a"),
        ((*POD_SPEC, "volumes", 0), "hostPath", {"path": "/"}),
        (POD_SPEC, "nodeName", "theirs"),
        (POD_SPEC, "nodeSelector", {"disk": "none"}),
        (POD_SPEC, "affinity", {"nodeAffinity": {}}),
        (POD_SPEC, "tolerations", [{"operator": "Exists"}]),
        (POD_SPEC, "topologySpreadConstraints", [{"topologyKey": "zone"}]),
        (POD_SPEC, "schedulerName", "theirs"),
        (POD_SPEC, "priorityClassName", "system-node-critical"),
        (POD_SPEC, "priority", 0),
        (POD_SPEC, "runtimeClassName", "theirs"),
        (POD_SPEC, "dnsPolicy", "None"),
        *((POD_SPEC, name, [{"name": "never"}]) for name in ("schedulingGates", "readinessGates")),
        (POD_SPEC, "resources", {"requests": {"cpu": "1000"}}),
        (("spec",), "minReadySeconds", 86400),
        ((*CONTAINER, "readinessProbe"), "initialDelaySeconds", 86400),
        ((*CONTAINER, "readinessProbe"), "successThreshold", 86400),
        ((*CONTAINER, "resources", "limits"), "cpu", "1m"),
        ((*CONTAINER, "resources", "requests"), "ephemeral-storage", "1Pi"),
        ((*CONTAINER, "securityContext"), "runAsUser", 0),
        ((*CONTAINER, "securityContext"), "runAsNonRoot", False),
        ((*CONTAINER, "securityContext"), "procMount", "Unmasked"),
        ((*CONTAINER, "securityContext"), "seccompProfile", {"type": "Unconfined"}),
        ((*CONTAINER, "volumeMounts", 0), "mountPropagation", "Bidirectional"),
        ((*POD_SPEC, "securityContext"), "sysctls", [{"name": "a", "value": "b"}]),
        ((*POD_SPEC, "securityContext"), "supplementalGroups", [0]),
    ],
}
DEFAULTS: dict[str, list[tuple[tuple[str | int, ...], str, object]]] = {
    "Service": [
        (("spec",), "type", "ClusterIP"),
        (("spec",), "clusterIP", "10.0.0.1"),
        (("spec",), "sessionAffinity", "None"),
        (("spec",), "internalTrafficPolicy", "Cluster"),
        (("spec",), "ipFamilyPolicy", "SingleStack"),
        (("spec", "ports", 0), "protocol", "TCP"),
    ],
    "Deployment": [
        (("spec",), "progressDeadlineSeconds", 600),
        (("spec",), "paused", False),
        (POD_SPEC, "dnsPolicy", "ClusterFirst"),
        (POD_SPEC, "hostNetwork", False),
        (POD_SPEC, "schedulerName", "default-scheduler"),
        (CONTAINER, "terminationMessagePath", "/dev/termination-log"),
        ((*CONTAINER, "readinessProbe", "httpGet"), "scheme", "HTTP"),
        ((*CONTAINER, "readinessProbe"), "successThreshold", 1),
        ((*CONTAINER, "securityContext"), "procMount", "Default"),
        ((*CONTAINER, "securityContext"), "runAsNonRoot", True),
        (POD_SPEC, "nodeSelector", {}),
        (POD_SPEC, "tolerations", None),
        (POD_SPEC, "serviceAccount", "credit-predictor"),
    ],
}
"""What an API server adds by itself."""


def _cases(
    table: dict[str, list[tuple[tuple[str | int, ...], str, object]]],
) -> list[tuple[str, tuple[str | int, ...], str, object]]:
    return [(which, *added) for which, found in table.items() for added in found]


def _add(obj: Any, place: tuple[str | int, ...], name: str, value: object) -> None:  # noqa: ANN401
    for part in place:
        obj = obj[part]
    obj[name] = value


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Obj]:
    """Return each child as it stands."""
    world = World(tmp_path_factory.mktemp("children"))
    world.seal(1)
    world.settle()
    return {which: child(world, kind, name) for which, (kind, name, _) in CHILDREN.items()}


@pytest.mark.parametrize(("which", "place", "name", "value"), _cases(ADDED))
def test_what_a_stranger_adds_that_changes_the_meaning_is_found_and_taken_away(
    children: dict[str, Obj], which: str, place: tuple[str | int, ...], name: str, value: object
) -> None:
    wanted, kind = children[which], CHILDREN[which][0]
    live = copy.deepcopy(wanted)
    _add(live, place, name, value)
    assert not stands(trimmed(kind, wanted), trimmed(kind, live))
    patched = merged(live, correction(wanted, live))
    assert stands(wanted, patched)


@pytest.mark.parametrize(("which", "place", "name", "value"), _cases(DEFAULTS))
def test_what_the_api_server_adds_is_let_alone(
    children: dict[str, Obj], which: str, place: tuple[str | int, ...], name: str, value: object
) -> None:
    wanted, kind = children[which], CHILDREN[which][0]
    live = copy.deepcopy(wanted)
    _add(live, place, name, value)
    assert stands(trimmed(kind, wanted), trimmed(kind, live))
    assert correction(wanted, live) == {}


def merged(found: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return what a JSON merge patch (RFC 7396) makes of a document."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(found) if isinstance(found, dict) else {}
    for name, value in patch.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = merged(kept.get(name), value)
    return kept
