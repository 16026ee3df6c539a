"""Which objects are to be looked at when another one changed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hallmark.api import names
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
    Obj,
)
from hallmark.controllers.dispatch import ALL
from hallmark.controllers.queue import Key

Route = Callable[[Obj], list[Key]]


def training_run(obj: Obj) -> list[Key]:
    """A run concerns itself."""
    return [Key(TRAINING_RUN, *_place(obj))]


def model_version(obj: Obj) -> list[Key]:
    """A version concerns itself, its run, the approvals it decided on, and what may serve it."""
    namespace, name = _place(obj)
    decided = (obj.get("status") or {}).get("approvals") or []
    approvals = [Key(MODEL_APPROVAL, namespace, str(each.get("name"))) for each in decided]
    return [
        *approvals,
        Key(MODEL_VERSION, namespace, name),
        Key(TRAINING_RUN, namespace, name),
        Key(MODEL_DEPLOYMENT, namespace, ALL),
    ]


def model_approval(obj: Obj) -> list[Key]:
    """An approval is decided on with its version; its own status follows."""
    namespace, name = _place(obj)
    version = _text(obj, "spec", "modelVersion", "name")
    return [Key(MODEL_APPROVAL, namespace, name)] + (
        [Key(MODEL_VERSION, namespace, version)] if version else []
    )


def model_deployment(obj: Obj) -> list[Key]:
    """A ModelDeployment concerns itself; which versions it uses, see ``used_versions``."""
    return [Key(MODEL_DEPLOYMENT, *_place(obj))]


def model_policy(obj: Obj) -> list[Key]:
    """A policy concerns itself and everything it may apply to."""
    return [Key(MODEL_POLICY, None, str(obj["metadata"]["name"])), *_everything(None)]


def namespace(obj: Obj) -> list[Key]:
    """A namespace's label chooses the policy of everything in it."""
    return _everything(str(obj["metadata"]["name"]))


def child(obj: Obj) -> list[Key]:
    """A child concerns the run or the ModelDeployment that its labels name."""
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    space = obj["metadata"].get("namespace")
    found = []
    if run := labels.get(names.LABEL_RUN):
        found.append(Key(TRAINING_RUN, labels.get(names.LABEL_RUN_NAMESPACE, space), run))
    if deployment := labels.get(names.LABEL_DEPLOYMENT):
        found.append(Key(MODEL_DEPLOYMENT, space, deployment))
    return found


def used_versions(obj: Obj) -> frozenset[str]:
    """Return the names of the versions that a ModelDeployment serves or could serve again.

    As ``policies.version.uses`` says of one version.
    """
    status: dict[str, Any] = obj.get("status") or {}
    named = [
        status.get("activeModelVersion"),
        status.get("stableModelVersion"),
        status.get("candidateModelVersion"),
        (status.get("rollout") or {}).get("modelVersion"),
    ]
    targets = [each.get("version") for each in status.get("history") or [] if each.get("wasStable")]
    return frozenset(str(each) for each in (*named, *targets) if each)


def _everything(space: str | None) -> list[Key]:
    return [Key(kind, space, ALL) for kind in (TRAINING_RUN, MODEL_VERSION, MODEL_DEPLOYMENT)]


def _place(obj: Obj) -> tuple[str, str]:
    return str(obj["metadata"]["namespace"]), str(obj["metadata"]["name"])


def _text(obj: Obj, *path: str) -> str:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
