"""What a reconcile is to do: conditions, status, children, Events, records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hallmark.api.common import ConditionedStatus
from hallmark.api.names import OPERATOR_NAME
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.policies.conditions import ConditionUpdate, stalled
from hallmark.policies.refusals import Refusal


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
class Record:
    """A transition for the audit log. ``decision_id`` makes it idempotent.

    Args:
        decision_id: the same for the same decision, also after a crash: made of uids and
            digests, never of the time.
        event: which kind of decision.
        kind: the kind of the object that was decided on.
        namespace: of that object.
        name: of that object.
        uid: of that object.
        outcome: what was decided.
        reason: of the kind's enum.
        message: a sentence; never a value of a personal datum.
        actor: who decided: the operator, or a person's authenticated name.
        details: digests, versions and numbers, as text.
    """

    decision_id: str
    event: AuditEvent
    kind: str
    namespace: str
    name: str
    uid: str
    outcome: AuditOutcome
    reason: str
    message: str = ""
    actor: str = OPERATOR_NAME
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

    conditions: tuple[ConditionUpdate, ...] = ()
    status: ConditionedStatus | None = None
    intent: ConditionedStatus | None = None
    apply: tuple[Mapping[str, Any], ...] = ()
    delete: tuple[Reference, ...] = ()
    events: tuple[Event, ...] = ()
    records: tuple[Record, ...] = ()
    requeue: float | None = None


def unreadable(refusal: Refusal) -> Decision:
    """Return the decision about an object that cannot be read: it stays until it is changed."""
    return Decision(conditions=stalled(refusal.reason, refusal.message))
