"""What strangers added to a child goes, where server-side apply would leave it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from hallmark.resources import predictor, predictor_version
from hallmark.resources.difference import correction, stamped, stands
from hallmark.resources.predictor import ApiServer
from hallmark.resources.predictor_version import Version
from tests.unit.policies.model_deployment import rollouts

Obj = dict[str, Any]
OWNER = rollouts.deployment(replicas=2)
VERSION = Version("credit-v1", "0123456789ab", "ab" * 32, "predictor:1", 2)


def children() -> dict[str, Obj]:
    made = (
        *predictor.account(OWNER),
        predictor.service(OWNER, VERSION.manifest),
        predictor.active_config_map(OWNER, rollouts.digest(1)),
        predictor.disruption_budget(OWNER, VERSION.manifest),
        predictor.network_policy(OWNER, rollouts.policy().spec, [ApiServer("10.0.0.1", 6443)]),
        predictor_version.workload(OWNER, VERSION),
    )
    return {child["kind"]: stamped(child) for child in made}


def merged(live: Any, patch: Any) -> Any:  # noqa: ANN401 - RFC 7386 is about any JSON
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def pod(obj: Obj) -> Obj:
    spec: Obj = obj["spec"]["template"]["spec"]
    return spec


EDITS: dict[str, tuple[str, Callable[[Obj], object]]] = {
    "another container": (
        "Deployment",
        lambda obj: pod(obj)["containers"].append({"name": "thief", "image": "x"}),
    ),
    "another variable": (
        "Deployment",
        lambda obj: pod(obj)["containers"][0]["env"].append({"name": "LD_PRELOAD", "value": "x"}),
    ),
    "another image": (
        "Deployment",
        lambda obj: pod(obj)["containers"][0].update(image="thief"),
    ),
    "another volume": ("Deployment", lambda obj: pod(obj)["volumes"].append({"name": "host"})),
    "no Pods": ("Deployment", lambda obj: obj["spec"].update(replicas=0)),
    "another port": (
        "Service",
        lambda obj: obj["spec"]["ports"].append({"name": "b", "port": 81, "targetPort": 22}),
    ),
    "a selector of more": ("Service", lambda obj: obj["spec"]["selector"].update(pod="one")),
    "a selector of other Pods": (
        "Service",
        lambda obj: obj["spec"].update(selector={"app": "other"}),
    ),
    "another key": ("ConfigMap", lambda obj: obj["data"].update(more="x")),
    "another digest": ("ConfigMap", lambda obj: obj["data"].update(manifestDigest="x")),
    "more rights": ("Role", lambda obj: obj["rules"].append({"verbs": ["*"]})),
    "rights to every object": ("Role", lambda obj: obj["rules"][0].pop("resourceNames")),
    "rights to other objects": (
        "Role",
        lambda obj: obj["rules"][0].update(resourceNames=["other"]),
    ),
    "nobody": ("RoleBinding", lambda obj: obj.update(subjects=[])),
    "another subject": (
        "RoleBinding",
        lambda obj: obj["subjects"].append({"kind": "User", "name": "eve"}),
    ),
    "egress to anywhere": ("NetworkPolicy", lambda obj: obj["spec"]["egress"].append({})),
    "a wider rule": ("NetworkPolicy", lambda obj: obj["spec"]["egress"][0].pop("to")),
    "ingress from few": (
        "NetworkPolicy",
        lambda obj: obj["spec"]["ingress"][0].update({"from": [{"podSelector": {}}]}),
    ),
    "a policy for fewer Pods": (
        "NetworkPolicy",
        lambda obj: obj["spec"]["podSelector"].update(
            matchExpressions=[{"key": "x", "operator": "Exists"}]
        ),
    ),
    "a budget for other Pods": (
        "PodDisruptionBudget",
        lambda obj: obj["spec"]["selector"].update(matchExpressions=[]),
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_child_does_not_stand_and_is_corrected(
    edit: tuple[str, Callable[[Obj], object]],
) -> None:
    kind, change = edit
    wanted = children()[kind]
    live = copy.deepcopy(wanted)
    change(live)
    assert not stands(wanted, live)
    patch = correction(wanted, live)
    assert patch
    assert stands(wanted, merged(live, patch))
    # What a list lost comes back too.
    assert correction(wanted, merged(live, patch)) == {}


@pytest.mark.parametrize("kind", children())
def test_what_stands_is_left_alone(kind: str) -> None:
    wanted = children()[kind]
    live = copy.deepcopy(wanted)
    live["status"] = {"observedGeneration": 1}
    live["metadata"]["uid"] = "x"
    if "spec" in live:
        live["spec"]["defaulted"] = "by the API server"
    assert stands(wanted, live)
    assert correction(wanted, live) == {}
