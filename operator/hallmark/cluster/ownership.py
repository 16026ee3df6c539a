"""Whose object it is, and whether it is still the one that was decided on. Pure."""

from __future__ import annotations

from hallmark.api import names
from hallmark.cluster.kinds import Obj, kind_of
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


def controller_uid(obj: Obj) -> str | None:
    """Return the uid of an object's controller, or None."""
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner["uid"])
    return None


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
