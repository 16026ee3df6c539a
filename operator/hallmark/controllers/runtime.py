"""What every controller stands on: the operator's parts, and how a decision is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from hallmark.api.common import ConditionedStatus, ConditionStatus, SummaryCondition
from hallmark.api.model_deployment import DeploymentCondition, DeploymentReason
from hallmark.audit import AuditLog
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster import events
from hallmark.cluster.cache import Change, Key, ObjectCache, key_of
from hallmark.cluster.client import ApiError, Cluster, ForeignObject
from hallmark.cluster.corrected import apply_corrected
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.kinds import UNWATCHED, Kind, Obj, kind_of
from hallmark.cluster.status import merge_conditions, transition_event
from hallmark.cluster.trim import trimmed
from hallmark.controllers import metrics
from hallmark.controllers.queue import WorkQueue
from hallmark.controllers.routes import concerned, is_urgent
from hallmark.controllers.settings import Settings
from hallmark.policies.conditions import ConditionUpdate, stalled, waiting
from hallmark.policies.decision import Decision, Event, Record, Reference

log = structlog.get_logger("hallmark")


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


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
    clock: Callable[[], datetime] = now

    def observe(self, kind: Kind, obj: Obj) -> None:
        """Take the answer to an own write into the cache, and wake what it concerns.

        The object that is being reconciled is not woken by what it wrote itself.
        """
        if kind not in UNWATCHED:
            self.wake(self.cache.observe(kind, obj), but=RECONCILED.get())

    def wake(self, change: Change | None, but: Key | None = None) -> None:
        """Ask for a look at each object that a change concerns."""
        if change is not None:
            for key in concerned(change, self.cache):
                if key != but:
                    self.queue.request(key, urgent=is_urgent(change, key))


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
    await report.emit()
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
    """Write and sync transitions to the audit log, before they take effect."""
    for transition in records:
        if await asyncio.to_thread(operator.audit.append, transition) is not None:
            labels = (transition.event, transition.outcome, transition.reason)
            metrics.DECISIONS.labels(*labels).inc()


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

    async def emit(self) -> None:
        """Create the Events: one for each change of Ready, and the decision's own."""
        for event in self._events:
            try:
                await events.emit(self._operator.cluster, self.obj, event, self._operator.clock())
            except ApiError as error:
                log.warning("An Event was not created.", reason=event.reason, error=str(error))


async def _apply(cluster: Cluster, decision: Decision) -> ForeignObject | None:
    """Apply and delete children; stop at the first object that belongs to somebody else."""
    for child in decision.apply:
        applied = await apply_corrected(cluster, child)
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
