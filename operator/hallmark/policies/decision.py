"""What a reconcile is to do: conditions, status, children, Events, records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hallmark.api.conditions import ConditionedStatus
from hallmark.audit.record import Record
from hallmark.policies.conditions import ConditionUpdate, stalled
from hallmark.refusal import Refusal


@dataclass(frozen=True)
class Event:
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
class Apply:
    """An object to apply server-side.

    Args:
        obj: as it is wanted.
        current: as it was decided on; the write is lost where it is another one by now.
        absent: nobody had the name when it was decided; else, without ``current``, the API server
            is asked first.
    """

    obj: Mapping[str, Any]
    current: Mapping[str, Any] | None = None
    absent: bool = False


@dataclass(frozen=True)
class Shrink:
    """An apps/v1 Deployment that is to have fewer Pods, whatever else it is to be."""

    reference: Reference
    replicas: int


@dataclass(frozen=True)
class Decision:
    """What a reconcile is to do, in this order: record, intent, shrink, apply, delete, report.

    Args:
        conditions: what was found now; a type that is not named stays as it is.
        status: the operator's other status fields (its ``conditions`` are ignored); None
            leaves them as they are.
        intent: status to write before anything is applied, where a crash in between must be
            completed and not decided anew.
        withdraws: it takes Pods or traffic from bytes that must not serve: neither the intent's
            write nor a child that cannot be written holds up the others.
        beside: what is applied while the intent is written, as the record before it leads there;
            what is on record is completed after a crash, whichever of them was written.
        aside: what takes requests from those that go next; they go all the same where it fails.
        withdrawn: objects that run bytes which must not serve, and have no traffic: they go before
            anything else but the audit record is written.
        shrink: what loses Pods, before anything else is applied.
        apply: what to apply, in this order.
        delete: objects to delete.
        events: Events besides the one for a change of Ready.
        records: transitions for the audit log, written and synced before anything else.
        requeue: seconds after which to look again without any event; None: never.
    """

    conditions: tuple[ConditionUpdate, ...] = ()
    status: ConditionedStatus | None = None
    intent: ConditionedStatus | None = None
    withdraws: bool = False
    beside: tuple[Apply, ...] = ()
    aside: tuple[Apply, ...] = ()
    withdrawn: tuple[Reference, ...] = ()
    shrink: tuple[Shrink, ...] = ()
    apply: tuple[Apply, ...] = ()
    delete: tuple[Reference, ...] = ()
    events: tuple[Event, ...] = ()
    records: tuple[Record, ...] = ()
    requeue: float | None = None


def unreadable(refusal: Refusal) -> Decision:
    """Return the decision about an object that cannot be read: it stays until it is changed."""
    return Decision(conditions=stalled(refusal.reason, refusal.message))
