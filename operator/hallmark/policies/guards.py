"""What is recorded and told when something that Hallmark rests on became another one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.policies.decision import Event


class GuardReason(StrEnum):
    """How a guard changed: reasons of records and Events."""

    GUARD_MADE = "GuardMade"
    """It was made, or made anew: since it was last seen there was a time without it."""
    GUARD_CHANGED = "GuardChanged"
    """Its spec became another one."""
    GUARD_TOUCHED = "GuardTouched"
    """Its spec was changed and changed back while nobody looked."""
    GUARD_DELETED = "GuardDeleted"
    """It is gone."""
    POLICY_CHOSEN = "PolicyChosen"
    """A namespace was put under another ModelPolicy."""


@dataclass(frozen=True)
class Guard:
    """An admission policy of ours, its binding or a ModelPolicy, as it was seen.

    Args:
        kind: of the object.
        name: of the object.
        uid: another one means that it was made anew.
        generation: another one means that its spec was changed, be it for a moment.
        digest: SHA-256 of its spec.
        fields: the first hex digits of the SHA-256 of each field of its spec.
        since: when the operator first saw this uid and generation (RFC 3339, whole seconds).
        version: the resource version in which it was last seen.
    """

    kind: str
    name: str
    uid: str
    generation: int
    digest: str
    fields: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    version: int = 0


def reason_of(before: Guard | None, after: Guard | None) -> GuardReason:
    """Return what happened to a guard."""
    if after is None:
        return GuardReason.GUARD_DELETED
    if before is None or before.uid != after.uid:
        return GuardReason.GUARD_MADE
    if before.digest == after.digest:
        return GuardReason.GUARD_TOUCHED
    return GuardReason.GUARD_CHANGED


def guard_record(
    before: Guard | None,
    after: Guard | None,
    manager: str,
    as_shipped: bool | None,
    policy_digest: str = "",
) -> Record:
    """Return the record of a guard's change.

    Args:
        before: as it was last seen, or None.
        after: as it is, or None.
        manager: which program the API server names as the last writer; who wrote, it does not say.
        as_shipped: whether an admission policy is now exactly this version's; None for others.
        policy_digest: of a ModelPolicy that can be read, the digest by which decisions name it.
    """
    guard = after or before
    if guard is None:
        raise ValueError("A change has a side.")
    reason = reason_of(before, after)
    shipped = {} if as_shipped is None else {"asShipped": str(as_shipped).lower()}
    named = {"policyDigest": policy_digest} if policy_digest else {}
    return Record(
        decision_id=f"guard/{guard.kind}/{guard.uid}/{guard.generation}/{reason}",
        event=AuditEvent.GUARD,
        kind=guard.kind,
        namespace="",
        name=guard.name,
        uid=guard.uid,
        outcome=AuditOutcome.DELETED if after is None else AuditOutcome.CHANGED,
        reason=reason,
        message=_sentence(before, after, reason),
        actor=manager,
        details={
            "oldDigest": before.digest if before else "",
            "newDigest": after.digest if after else "",
            "oldGeneration": str(before.generation) if before else "",
            "newGeneration": str(after.generation) if after else "",
            **shipped,
            **named,
            **dict(_changed_fields(before, after)),
        },
    )


def namespace_record(name: str, uid: str, version: str, old: str, new: str) -> Record:
    """Return the record of a namespace that was put under another ModelPolicy.

    Args:
        name: the namespace's.
        uid: the namespace's.
        version: its resource version with the new choice.
        old: the ModelPolicy's name before.
        new: the ModelPolicy's name now.
    """
    return Record(
        decision_id=f"guard/Namespace/{uid}/{version}",
        event=AuditEvent.GUARD,
        kind="Namespace",
        namespace=name,
        name=name,
        uid=uid,
        outcome=AuditOutcome.CHANGED,
        reason=GuardReason.POLICY_CHOSEN,
        message=f"Namespace '{name}' was put under ModelPolicy '{new}' instead of '{old}'.",
        actor="unknown",
        details={"oldPolicy": old, "newPolicy": new},
    )


def _changed_fields(before: Guard | None, after: Guard | None) -> Iterator[tuple[str, str]]:
    """Yield each field that changed, with the digests of its old and new value."""
    if before is None or after is None:
        return
    for name in sorted(before.fields.keys() | after.fields.keys()):
        old, new = before.fields.get(name, "none"), after.fields.get(name, "none")
        if old != new:
            yield f"spec.{name}", f"{old} to {new}"


def _sentence(before: Guard | None, after: Guard | None, reason: GuardReason) -> str:
    guard = after or before
    name = f"{guard.kind} '{guard.name}'" if guard else ""
    match reason:
        case GuardReason.GUARD_DELETED:
            return f"{name} was deleted: what it forbade is not forbidden any more."
        case GuardReason.GUARD_MADE:
            return f"{name} was made{' anew' if before else ''}."
        case GuardReason.GUARD_TOUCHED:
            return (
                f"{name} was changed and changed back; what it forbids may have been done between."
            )
    fields = ", ".join(path for path, _ in _changed_fields(before, after))
    return f"{name} was changed: {fields}."


def guard_event(record: Record, as_shipped: bool | None) -> Event:
    """Return the Event that tells of a guard's change."""
    message = record.message
    if as_shipped is False:
        message += " It is not what this version ships: apply manifests/base/admission again."
    calm = as_shipped is not False and record.reason == GuardReason.GUARD_MADE
    return Event(record.reason, message, warning=not calm and as_shipped is not None)
