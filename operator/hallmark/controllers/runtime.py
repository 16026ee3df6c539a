"""What every controller stands on: the operator's parts, and how a decision is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.common import ConditionedStatus, ConditionStatus, SummaryCondition
from hallmark.api.model_deployment import DeploymentCondition, DeploymentReason
from hallmark.audit import AuditLog
from hallmark.audit.events import withdraws
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import Change, Key, ObjectCache, key_of
from hallmark.cluster.cluster import Cluster, ForeignObject
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.events import build_event
from hallmark.cluster.guards import Guards
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import CONFIG_MAP, UNWATCHED, Kind, Obj, kind_of
from hallmark.cluster.status import merge_conditions, transition_event
from hallmark.cluster.trim import trimmed
from hallmark.controllers import metrics
from hallmark.controllers.event_queue import EventQueue
from hallmark.controllers.queue import WorkQueue
from hallmark.controllers.routes import concerned, urgency
from hallmark.controllers.settings import Settings
from hallmark.errors import ArtifactError
from hallmark.policies.conditions import ConditionUpdate, stalled, waiting
from hallmark.policies.decision import Decision, Event, Record, Reference

log = structlog.get_logger("hallmark")


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


class Outside(Protocol):
    """Where records of withdrawals wait that the audit volume does not take."""

    async def keep(self, records: Sequence[Record]) -> None:
        """Keep records safe until the log has them; ``HallmarkError`` where that fails, too."""
        ...

    def note(self, record: Record) -> None:
        """Have a record written soon, of what happened whether it is recorded or not."""
        ...


@dataclass
class Operator:
    """The parts that all controllers share; one for each process."""

    settings: Settings
    cluster: Cluster
    cache: ObjectCache
    audit: AuditLog
    queue: WorkQueue
    stores: Stores
    bundles: Bundles
    drift: DriftMonitor
    evidence: EvidenceMemory
    events: EventQueue
    clock: Callable[[], datetime] = now
    guards: Guards = field(default_factory=Guards)
    outside: Outside | None = None
    hold: Callable[[], str] = str
    """Why no version may be promoted; empty where promotions go on."""

    @property
    def identity(self) -> Identity:
        """Who vouches for names."""
        return Identity(self.cluster, self.guards, self.clock)

    def observe(self, kind: Kind, obj: Obj) -> None:
        """Take the answer to an own write into the cache, and wake what it concerns.

        The object that is being reconciled is not woken by what it wrote itself.
        """
        unwatched = kind == CONFIG_MAP and obj["metadata"]["name"] == names.AUDIT_ANCHOR
        if kind not in UNWATCHED and not unwatched:
            self.wake(self.cache.observe(kind, obj), but=RECONCILED.get())

    def wake(self, change: Change | None, but: Key | None = None) -> None:
        """Ask for a look at each object that a change concerns."""
        if change is not None:
            for key in concerned(change, self.cache):
                if key != but:
                    self.queue.request(key, urgency=urgency(change, key))


RECONCILED: ContextVar[Key | None] = ContextVar("RECONCILED", default=None)
"""The object that the current task reconciles."""


async def run_decision(operator: Operator, current: Obj, decision: Decision) -> Obj:
    """Record, then write the intent, apply, delete and report.

    Args:
        operator: the shared parts.
        current: the object that was decided on.
        decision: what to do.

    Returns:
        The object with its new status.

    Raises:
        ApiError: the API server refused or failed, or the object was changed since; what was
            recorded stands, and the next reconcile completes it.
    """
    await record(operator, decision.records)
    report = StatusReport(operator, current, decision.events)
    if decision.intent is not None:
        # What would say too early that something serves waits until it does.
        await report.write(decision.intent, () if _claims(decision) else decision.conditions)
    elif decision.apply and not _conditions(current):
        # The first status comes before the children do, which take longer.
        await report.write(None, waiting(DeploymentReason.PENDING, "Seen; work on it begins."))
    foreign = await _apply(operator.cluster, decision)
    updates = decision.conditions
    if foreign is not None:
        updates = (
            *_without_triple(updates),
            *stalled(DeploymentReason.FOREIGN_OBJECT, foreign.sentence()),
        )
    await report.write(decision.status, updates)
    report.tell()
    if decision.requeue is not None:
        operator.queue.request(key_of(kind_of(current), current), after=decision.requeue)
    return report.obj


def _claims(decision: Decision) -> bool:
    """Whether the conditions say that something serves which is only to be applied."""
    applies = bool(decision.apply or decision.delete)
    claims = {SummaryCondition.READY, DeploymentCondition.ROLLED_BACK}
    return applies and any(
        update.type in claims and update.status is ConditionStatus.TRUE
        for update in decision.conditions
    )


async def record(operator: Operator, records: tuple[Record, ...]) -> None:
    """Write and sync transitions to the audit log, before they take effect.

    What takes trust or traffic away waits for no volume: where the log takes no record, all of
    the decision's are kept outside it first.

    Raises:
        HallmarkError: they are recorded nowhere, so the decision must not take effect.
    """
    for transition in records:
        try:
            written = await asyncio.to_thread(operator.audit.append, transition)
        except ArtifactError:
            if operator.outside is None or not any(
                withdraws(record.event, record.outcome) for record in records
            ):
                raise
            await operator.outside.keep(records)
            return
        if written is not None:
            count(transition)


def count(transition: Record) -> None:
    """Count a decision that was recorded."""
    metrics.DECISIONS.labels(transition.event, transition.outcome, transition.reason).inc()


class StatusReport:
    """The status of one object during one reconcile, and the Events that are due at its end."""

    def __init__(self, operator: Operator, current: Obj, events: tuple[Event, ...] = ()) -> None:
        self.obj = current
        """The object as it was last answered."""
        self._operator = operator
        self._events = list(events)

    async def write(
        self, status: ConditionedStatus | None, updates: tuple[ConditionUpdate, ...]
    ) -> None:
        """Write fields and conditions in one request; None leaves the fields as they are."""
        current = self.obj
        wire = _fields(current) if status is None else status.to_wire()
        generation = int(current["metadata"].get("generation", 0))
        old = _conditions(current)
        new = merge_conditions(old, updates, self._operator.clock(), generation)
        wire["conditions"] = [condition.to_wire() for condition in new]
        wire["observedGeneration"] = generation
        answer = await self._operator.cluster.write_status(current, wire)
        self.obj = trimmed(kind_of(answer), answer)
        transition = transition_event(old, new)
        if transition is not None:
            self._events.append(transition)

    def tell(self) -> None:
        """Put the Events into their queue: one for each change of Ready, and the decision's own."""
        now = self._operator.clock()
        for event in self._events:
            self._operator.events.put(build_event(self.obj, event, now))


async def _apply(cluster: Cluster, decision: Decision) -> ForeignObject | None:
    """Apply and delete children; stop at the first object that belongs to somebody else."""
    for child in decision.apply:
        current = None if child.current is None else dict(child.current)
        applied = await cluster.apply(dict(child.obj), current, absent=child.absent)
        if isinstance(applied, ForeignObject):
            return applied
    await delete_all(cluster, decision.delete)
    return None


async def delete_all(cluster: Cluster, references: Iterable[Reference]) -> None:
    """Delete exactly these objects; those that are gone are fine."""
    for reference in references:
        kind = kind_of({"apiVersion": reference.api_version, "kind": reference.kind})
        await cluster.delete(kind, reference.namespace, reference.name, reference.uid)


def _fields(current: Obj) -> dict[str, Any]:
    return {k: v for k, v in (current.get("status") or {}).items() if k != "drift"}


def _conditions(current: Obj) -> list[Any]:
    status: Mapping[str, Any] = current.get("status") or {}
    try:
        found = ConditionedStatus.model_validate({"conditions": status.get("conditions") or []})
    except ValidationError:
        return []  # Somebody wrote nonsense there; ours replaces it.
    return list(found.conditions)


def _without_triple(updates: tuple[ConditionUpdate, ...]) -> tuple[ConditionUpdate, ...]:
    triple = set(SummaryCondition)
    return tuple(update for update in updates if update.type not in triple)


Reconciler = Callable[[Operator, str | None, str], Any]
"""``async reconcile(operator, namespace, name)``: gather, decide, run the decision."""

RECONCILERS: dict[Kind, Reconciler] = {}
"""By kind; each controller's module registers its own."""


def reconciler(kind: Kind) -> Callable[[Reconciler], Reconciler]:
    """Register the reconcile function of a kind."""

    def register(function: Reconciler) -> Reconciler:
        RECONCILERS[kind] = function
        return function

    return register
