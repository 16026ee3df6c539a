"""What every controller stands on: the operator's parts, and how a decision is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from hallmark.api.common import ConditionedStatus
from hallmark.audit import AuditLog
from hallmark.bundles.stores import Stores
from hallmark.cluster import events
from hallmark.cluster.client import ApiError, Cluster, ForeignObject
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Kind, Obj, kind_of
from hallmark.cluster.status import merge_conditions, transition_note
from hallmark.controllers import metrics
from hallmark.controllers.queue import WorkQueue
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
    audit: AuditLog
    queue: WorkQueue
    stores: Stores
    clock: Callable[[], datetime] = now


async def run_decision(operator: Operator, current: Obj, decision: Decision) -> Obj:
    """Record, then write the intent, apply, delete and report.

    Args:
        operator: the shared parts.
        current: the object that was decided on, as it was read.
        decision: what to do.

    Returns:
        The object with its new status.

    Raises:
        ApiError: the API server refused or failed; what was recorded stands, and the next
            reconcile completes it. A refusal shows in the object's conditions.
    """
    await record(operator, decision.records)
    if decision.intent is not None:
        current = await write_status(operator, current, decision.intent, ())
    elif decision.apply and not _conditions(current):
        # The first status comes before the children do, which take longer.
        current = await write_status(
            operator, current, None, waiting("Pending", "Seen; work on it begins.")
        )
    foreign = await _apply(operator.cluster, decision)
    verdicts = decision.conditions
    if foreign is not None:
        verdicts = (*_without_triple(verdicts), *stalled("ForeignObject", foreign.sentence()))
    current = await write_status(operator, current, decision.status, verdicts, decision.events)
    if decision.requeue is not None:
        metadata = current["metadata"]
        operator.queue.request(
            kind_of(current), metadata.get("namespace"), metadata["name"], after=decision.requeue
        )
    return current


async def record(operator: Operator, records: tuple[Record, ...]) -> None:
    """Write and sync transitions to the audit log, before they take effect."""
    for each in records:
        if await asyncio.to_thread(operator.audit.append, each) is not None:
            metrics.DECISIONS.labels(each.event, each.outcome, each.reason).inc()


async def write_status(
    operator: Operator,
    current: Obj,
    status: ConditionedStatus | None,
    verdicts: tuple[ConditionUpdate, ...],
    notes: tuple[Event, ...] = (),
) -> Obj:
    """Write fields and conditions in one request, and one Event where Ready changed."""
    wire = _fields(current) if status is None else status.to_wire()
    generation = int(current["metadata"].get("generation", 0))
    old = _conditions(current)
    new = merge_conditions(old, verdicts, operator.clock(), generation)
    wire["conditions"] = [each.to_wire() for each in new]
    wire["observedGeneration"] = generation
    if kind_of(current) == MODEL_DEPLOYMENT:
        wire.pop("drift", None)
    changed = await operator.cluster.write_status(current, wire)
    transition = transition_note(old, new)
    for note in (*((transition,) if transition else ()), *notes):
        await _emit(operator, current, note)
    return changed


async def _emit(operator: Operator, current: Obj, note: Event) -> None:
    try:
        await events.emit(operator.cluster, current, note, operator.clock())
    except ApiError as error:
        log.warning("An Event was not created.", reason=note.reason, error=str(error))


async def _apply(cluster: Cluster, decision: Decision) -> ForeignObject | None:
    """Apply and delete children; stop at the first object that belongs to somebody else."""
    for child in decision.apply:
        applied = await cluster.apply(dict(child))
        if isinstance(applied, ForeignObject):
            return applied
    await delete_all(cluster, decision.delete)
    return None


async def delete_all(cluster: Cluster, references: Iterable[Reference]) -> None:
    """Delete exactly these objects; those that are gone are fine."""
    for each in references:
        kind = kind_of({"apiVersion": each.api_version, "kind": each.kind})
        await cluster.delete(kind, each.namespace, each.name, each.uid)


def _fields(current: Obj) -> dict[str, Any]:
    return {k: v for k, v in (current.get("status") or {}).items() if k != "drift"}


def _conditions(current: Obj) -> list[Any]:
    status: Mapping[str, Any] = current.get("status") or {}
    try:
        found = ConditionedStatus.model_validate({"conditions": status.get("conditions") or []})
    except ValidationError:
        return []  # Somebody wrote nonsense there; ours replaces it.
    return list(found.conditions)


def _without_triple(verdicts: tuple[ConditionUpdate, ...]) -> tuple[ConditionUpdate, ...]:
    return tuple(v for v in verdicts if v.type not in {"Ready", "Reconciling", "Stalled"})


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
