"""The vocabulary of every policy: checks in a chain, and the decision they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hallmark.api.common import ConditionedStatus, ConditionStatus

Inputs = TypeVar("Inputs")


@dataclass(frozen=True)
class Refusal:
    """Why something is refused: a reason of the kind's enum, and a sentence."""

    reason: str
    message: str


Check = Callable[[Inputs], Refusal | None]
"""A named check: None where it passes."""


def evaluate(chain: Iterable[Callable[[Inputs], Refusal | None]], inputs: Inputs) -> Refusal | None:
    """Return the first violation of a chain, or None where every check passes."""
    for check in chain:
        refusal = check(inputs)
        if refusal is not None:
            return refusal
    return None


@dataclass(frozen=True)
class Verdict:
    """A condition as it was found now; when it last changed is not the policy's business."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def holds(type_: str, reason: str, message: str = "") -> Verdict:
    """Return a condition that is True."""
    return Verdict(type_, ConditionStatus.TRUE, reason, message)


def fails(type_: str, reason: str, message: str = "") -> Verdict:
    """Return a condition that is False."""
    return Verdict(type_, ConditionStatus.FALSE, reason, message)


def unknown(type_: str, reason: str, message: str = "") -> Verdict:
    """Return a condition that is Unknown."""
    return Verdict(type_, ConditionStatus.UNKNOWN, reason, message)


def ready(reason: str, message: str = "") -> tuple[Verdict, ...]:
    """Return the kstatus triple of an object that is what its spec asks for."""
    return (
        holds("Ready", reason, message),
        fails("Reconciling", reason),
        fails("Stalled", reason),
    )


def waiting(reason: str, message: str = "") -> tuple[Verdict, ...]:
    """Return the kstatus triple of an object that gets there by itself, or by an approval."""
    return (
        fails("Ready", reason, message),
        holds("Reconciling", reason, message),
        fails("Stalled", reason),
    )


def stalled(reason: str, message: str) -> tuple[Verdict, ...]:
    """Return the kstatus triple of an object that stays as it is until a person acts."""
    return (
        fails("Ready", reason, message),
        fails("Reconciling", reason),
        holds("Stalled", reason, message),
    )


@dataclass(frozen=True)
class Note:
    """An Event to emit."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Reference:
    """Exactly one object, by kind, name and uid: what is to be deleted."""

    api_version: str
    kind: str
    namespace: str | None
    name: str
    uid: str


@dataclass(frozen=True)
class Record:
    """A transition for the audit log. ``decision_id`` makes it idempotent.

    Args:
        decision_id: the same for the same decision, also after a crash: made of uids and
            digests, never of the time.
        event: gate, seal, approve, deny, revoke, withdraw, verify, promote, drift, rollback,
            action.
        kind: the kind of the object that was decided on.
        namespace: of that object.
        name: of that object.
        uid: of that object.
        outcome: what was decided, such as ``passed`` or ``refused``.
        reason: of the kind's enum.
        message: a sentence; never a value of a personal datum.
        actor: who decided: the operator, or a person's authenticated name.
        details: digests, versions and numbers, as text.
    """

    decision_id: str
    event: str
    kind: str
    namespace: str
    name: str
    uid: str
    outcome: str
    reason: str
    message: str = ""
    actor: str = "hallmark-operator"
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What a reconcile is to do, in this order: record, intent, apply, delete, report.

    Args:
        conditions: what was found now; a type that is not named stays as it is.
        status: the operator's other status fields (its ``conditions`` are ignored); None
            leaves them as they are.
        intent: status to write before anything is applied, where a crash in between must be
            completed and not decided anew.
        apply: objects to apply server-side, in this order.
        delete: objects to delete.
        events: Events besides the one for a change of Ready.
        records: transitions for the audit log, written and synced before anything else.
        requeue: seconds after which to look again without any event; None: never.
    """

    conditions: tuple[Verdict, ...] = ()
    status: ConditionedStatus | None = None
    intent: ConditionedStatus | None = None
    apply: tuple[Mapping[str, Any], ...] = ()
    delete: tuple[Reference, ...] = ()
    events: tuple[Note, ...] = ()
    records: tuple[Record, ...] = ()
    requeue: float | None = None


def unreadable(refusal: Refusal) -> Decision:
    """Return the decision about an object that cannot be read: it stays until it is changed."""
    return Decision(conditions=stalled(refusal.reason, refusal.message))
