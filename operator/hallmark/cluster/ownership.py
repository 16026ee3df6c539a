"""Whose object it is, and whether it is still the one that was decided on. Pure."""

from __future__ import annotations

from hallmark.api import names
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Obj, kind_of
from hallmark.cluster.trim import trimmed


def same_owner(existing: Obj, wanted: Obj) -> bool:
    """Tell whether an existing object belongs to who wants to apply ``wanted``."""
    owner = controller_uid(wanted)
    if owner is not None:
        return controller_uid(existing) == owner
    if controller_uid(existing) is not None:
        return False
    have, want = (_identity(obj) for obj in (existing, wanted))
    return names.LABEL_MANAGED_BY in want and have == want


def may_change(existing: Obj, wanted: Obj) -> bool:
    """Tell whether an existing object is ours to make what is wanted of it."""
    labels: dict[str, str] = wanted["metadata"].get("labels") or {}
    name, owner = labels.get(names.LABEL_DEPLOYMENT), controller_uid(wanted)
    left_behind = bool(name and owner) and is_abandoned(existing, str(name), str(owner))
    return same_owner(existing, wanted) or left_behind


def is_abandoned(obj: Obj, name: str, uid: str) -> bool:
    """Tell whether an object was made for a ModelDeployment of that name which is gone.

    It carries our labels, and nobody owns it (the deletion's ``--cascade=orphan`` takes the owner
    off), or a ModelDeployment of the same name with another uid than ``uid`` does.
    """
    metadata = obj["metadata"]
    labels: dict[str, str] = metadata.get("labels") or {}
    ours = labels.get(names.LABEL_MANAGED_BY) == names.MANAGED_BY
    if not ours or labels.get(names.LABEL_DEPLOYMENT) != name:
        return False
    owner = _controller(obj)
    if owner is None:
        return True
    same = (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) == (
        MODEL_DEPLOYMENT.api_version,
        MODEL_DEPLOYMENT.kind,
        name,
    )
    return same and owner.get("uid") != uid


def controller_uid(obj: Obj) -> str | None:
    """Return the uid of an object's controller, or None."""
    owner = _controller(obj)
    return None if owner is None else str(owner["uid"])


def _controller(obj: Obj) -> Obj | None:
    owners = obj["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def _identity(obj: Obj) -> dict[str, str]:
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    ours = {k: v for k, v in labels.items() if k.startswith("hallmark.dev/")}
    if names.LABEL_MANAGED_BY in labels:
        ours[names.LABEL_MANAGED_BY] = labels[names.LABEL_MANAGED_BY]
    return ours


def decided_on(current: Obj, newest: Obj) -> bool:
    """Whether an object still says what a decision about it read."""
    kind = kind_of(current)
    then, now = ({**trimmed(kind, obj)} for obj in (current, newest))
    for obj in (then, now):
        obj["metadata"] = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    return then == now
