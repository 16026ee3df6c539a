"""Every child that is deleted or changed on a real API server is restored at once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hallmark.api import names
from hallmark.cluster.kinds import (
    APPS_DEPLOYMENT,
    CONFIG_MAP,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    Obj,
)
from tests.integration.operator_process import deployed, installation, store
from tests.integration.operator_stage import NAME, Stage, stage
from tests.integration.operator_world import api, kubeconfig, namespace, until

__all__ = ["api", "deployed", "installation", "kubeconfig", "namespace", "stage", "store"]

SECONDS = 10.0
"""A watch and a reconcile take tenths of a second; resyncs come after hours."""
UNLABELLED = {"metadata": {"labels": {names.LABEL_MANAGED_BY: None}}}

EDITS: dict[str, tuple[Kind, str, Any]] = {
    "the Service selects nobody": (SERVICE, NAME, {"spec": {"selector": {"app": "none"}}}),
    "the Service has another port": (
        SERVICE,
        NAME,
        {"spec": {"ports": [{"name": "http", "port": 80}, {"name": "b", "port": 81}]}},
    ),
    "another version is called active": (
        CONFIG_MAP,
        f"{NAME}-active",
        {"data": {"manifestDigest": "sha256:0"}},
    ),
    "the account has lost its label": (SERVICE_ACCOUNT, f"{NAME}-predictor", UNLABELLED),
    "the role gives nothing": (ROLE, f"{NAME}-predictor", {"rules": []}),
    "the role gives more": (
        ROLE,
        f"{NAME}-predictor",
        {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]}]},
    ),
    "the role is bound to nobody": (ROLE_BINDING, f"{NAME}-predictor", {"subjects": []}),
    "the role is bound to somebody else": (
        ROLE_BINDING,
        f"{NAME}-predictor",
        {"subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}]},
    ),
    "the NetworkPolicy lets everything out": (NETWORK_POLICY, NAME, {"spec": {"egress": [{}]}}),
    "the NetworkPolicy lets nothing in": (NETWORK_POLICY, NAME, {"spec": {"ingress": []}}),
    "the NetworkPolicy is of other Pods": (
        NETWORK_POLICY,
        NAME,
        {"spec": {"podSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]}}},
    ),
    "the budget is another": (
        POD_DISRUPTION_BUDGET,
        NAME,
        {"spec": {"maxUnavailable": None, "minAvailable": 9}},
    ),
    "the Pods are none": (APPS_DEPLOYMENT, "", {"spec": {"replicas": 0}}),
    "the Pods have no label any more": (APPS_DEPLOYMENT, "", UNLABELLED),
}
DELETED: dict[str, tuple[Kind, str]] = {
    "Service": (SERVICE, NAME),
    "active": (CONFIG_MAP, f"{NAME}-active"),
    "trust": (CONFIG_MAP, "trust"),
    "bundle": (CONFIG_MAP, "bundle"),
    "ServiceAccount": (SERVICE_ACCOUNT, f"{NAME}-predictor"),
    "Role": (ROLE, f"{NAME}-predictor"),
    "RoleBinding": (ROLE_BINDING, f"{NAME}-predictor"),
    "NetworkPolicy": (NETWORK_POLICY, NAME),
    "PodDisruptionBudget": (POD_DISRUPTION_BUDGET, NAME),
    "Deployment": (APPS_DEPLOYMENT, ""),
}


async def named(stage: Stage, kind: Kind, name: str) -> str:
    """Return the name of a child; some names hold a hash."""
    if name not in {"", "trust", "bundle"}:
        return name
    found = [str(obj["metadata"]["name"]) for obj in await stage.ours(kind)]
    return next(child for child in found if name in child)


def meaning(obj: Obj) -> dict[str, Any]:
    """Return what the operator wants of an object, with the API server's defaults."""
    parts = {k: v for k, v in obj.items() if k not in {"metadata", "status"}}
    spec = {
        k: v for k, v in (obj.get("spec") or {}).items() if k not in {"clusterIP", "clusterIPs"}
    }
    labels = obj["metadata"]["labels"]
    return {**parts, "labels": labels, **({"spec": spec} if spec else {})}


async def restored(stage: Stage, kind: Kind, name: str, before: Obj, uid: str | None) -> float:
    """Wait until a child is as it was, under another uid where one is named; return how long."""
    started = time.monotonic()
    last: Obj | None = None

    async def stands() -> bool:
        nonlocal last
        last = await stage.get(kind, name)
        return (
            last is not None
            and meaning(last) == meaning(before)
            and (uid is None or last["metadata"]["uid"] != uid)
        )

    try:
        await until(stands, SECONDS)
    except TimeoutError:
        pytest.fail(f"{kind.kind} {name} was not restored:\n{last}\nwanted\n{before}")
    return time.monotonic() - started


async def test_every_child_is_restored(stage: Stage) -> None:
    await stage.approved("v1", 1)
    await stage.deploy()
    await stage.wait_for("Ready=True")
    for why, (kind, name, change) in EDITS.items():
        name = await named(stage, kind, name)
        before = await stage.get(kind, name)
        assert before is not None
        await stage.patch(kind, name, change)
        print(f"{why}: restored after {await restored(stage, kind, name, before, None):.2f} s")
    for kind, name in DELETED.values():
        name = await named(stage, kind, name)
        before = await stage.get(kind, name)
        assert before is not None
        uid = before["metadata"]["uid"]
        await stage.installation.api.delete(kind, stage.namespace, name, uid)
        print(
            f"{kind.kind}: made again after {await restored(stage, kind, name, before, uid):.2f} s"
        )
    await stage.wait_for("Ready=True")
