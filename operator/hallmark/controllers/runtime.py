"""What every controller stands on: the operator's parts, and how a decision is carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.conditions import (
    Condition,
    ConditionedStatus,
    ConditionStatus,
    SummaryCondition,
    without_empty,
)
from hallmark.api.model_deployment import DeploymentCondition
from hallmark.api.model_version import RolledBack
from hallmark.api.reasons import DeploymentReason
from hallmark.audit import AuditLog
from hallmark.audit.events import withdraws
from hallmark.audit.record import AuditRecord, Record
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import Change, Key, ObjectCache, key_of
from hallmark.cluster.cluster import CONFLICT, ApiError, Cluster
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.cluster.events import build_event
from hallmark.cluster.evidence_reader import EvidenceReader
from hallmark.cluster.gather.model_version import file_reader
from hallmark.cluster.guards import Guards
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_VERSION, UNWATCHED, Kind, Obj, kind_of
from hallmark.cluster.server_time import ServerTime
from hallmark.cluster.trim import trimmed
from hallmark.cluster.unwritten import Unwritten
from hallmark.controllers import metrics
from hallmark.controllers.carry_out import (
    apply_beside,
    carry_out,
    remove_all,
    set_aside,
)
from hallmark.controllers.event_queue import EventQueue
from hallmark.controllers.queue import WorkQueue
from hallmark.controllers.routes import concerned, delay, urgency
from hallmark.controllers.settings import Settings
from hallmark.controllers.trouble import unexpected
from hallmark.errors import ArtifactError
from hallmark.policies.conditions import ConditionUpdate, stalled, waiting
from hallmark.policies.decision import Decision, Event, unreadable
from hallmark.policies.model_version.renewal import last_of
from hallmark.policies.status import merge_conditions, shorten, transition_event
from hallmark.refusal import Refusal
from hallmark.supply_chain.osv_feed import Feed

log = structlog.get_logger("hallmark")


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


class Outside(Protocol):
    """Where records of withdrawals wait that the audit volume does not take."""

    async def keep(self, records: Sequence[Record]) -> None:
        """Keep records safe until the log has them; ``HallmarkError`` where that fails, too."""
        ...

    def rolled_back(self, namespace: str, digest: str) -> RolledBack | None:
        """Return the last time that some bytes had to give way, of what waits there."""
        ...

    def changed(self, change: Change) -> None:
        """Take what a watch told of: that an object is gone is recorded."""
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
    unwritten: Unwritten = field(default_factory=Unwritten)
    clock: Callable[[], datetime] = now
    guards: Guards = field(default_factory=Guards)
    server_time: ServerTime = field(default_factory=ServerTime)
    outside: Outside | None = None
    hold: Callable[[], str] = str
    """Why no version may be promoted; empty where promotions go on."""
    no_routes: Callable[[], str] = str
    """Why no HTTPRoute can be made or watched; empty where they can."""

    feed: Feed = field(init=False)
    reader: EvidenceReader = field(init=False)

    def __post_init__(self) -> None:
        """Make the reader of sealed files, which asks for another look when it has read."""
        self.feed = Feed(self.settings.osv)
        self.reader = EvidenceReader(
            self.evidence,
            file_reader(self.stores, self.feed),
            self.queue.request,
            partial(unexpected, MODEL_VERSION),
            self.clock,
            lambda: self.feed.state,
        )

    @property
    def identity(self) -> Identity:
        """Who vouches for names."""
        return Identity(self.cluster, self.guards, self.latest)

    def latest(self) -> datetime:
        """Return the time, or the API server's where that is later.

        What it stamps may be held against when the operator saw something.
        """
        return self.server_time.latest(self.clock())

    def rolled_back(self, namespace: str, digest: str) -> RolledBack | None:
        """Return the last time that some bytes had to give way in a namespace, as recorded."""
        waits = self.outside.rolled_back(namespace, digest) if self.outside else None
        return last_of(self.audit.memory.rolled_back(namespace, digest), waits)

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
                    self.queue.request(key, delay(change, key), urgency=urgency(change, key))


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
    await record(operator, decision.records, at_once=decision.withdraws)
    report = StatusReport(operator, current, decision.events, keeps=decision.withdraws)
    # What takes withdrawn bytes away is on record in the audit log, and waits for no status.
    await set_aside(operator.cluster, decision.aside)
    done = await remove_all(operator.cluster, decision.withdrawn)
    if decision.intent is not None and not decision.withdraws:
        # What would say too early that something serves waits until it does.
        claims = () if _claims(decision) else decision.conditions
        await _together(
            apply_beside(operator.cluster, decision, done), report.write(decision.intent, claims)
        )
    elif decision.apply and not decision.withdraws and not _conditions(current):
        # The first status comes before the children do, which take longer.
        await report.write(None, waiting(DeploymentReason.PENDING, "Seen; work on it begins."))
    await carry_out(operator.cluster, decision, done)
    if decision.requeue is not None:
        operator.queue.request(key_of(kind_of(current), current), after=decision.requeue)
    updates = decision.conditions
    if done.foreign is not None:
        updates = (
            *_without_triple(updates),
            *stalled(DeploymentReason.FOREIGN_OBJECT, done.foreign.sentence()),
        )
    await report.write(decision.status, updates)
    report.tell()
    if done.trouble is not None:
        raise done.trouble
    return report.obj


async def refuse(operator: Operator, current: Obj, refusal: Refusal) -> None:
    """Show on an object that it cannot be read, and why; what is beside it counts all the same."""
    metadata = current["metadata"]
    log.warning(
        "An object cannot be read.",
        kind=current["kind"],
        namespace=metadata.get("namespace") or "",
        name=metadata["name"],
        problem=refusal.message,
    )
    await run_decision(operator, current, unreadable(refusal))


async def _together(*writes: Awaitable[None]) -> None:
    """Wait for all of them, whatever becomes of one; then raise the first one's error."""
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if outcome is not None:
            raise outcome


def _claims(decision: Decision) -> bool:
    """Whether the conditions say that something serves which is only to be applied."""
    applies = bool(decision.beside or decision.apply or decision.delete)
    claims = {SummaryCondition.READY, DeploymentCondition.ROLLED_BACK}
    return applies and any(
        update.type in claims and update.status is ConditionStatus.TRUE
        for update in decision.conditions
    )


async def record(operator: Operator, records: tuple[Record, ...], *, at_once: bool = False) -> None:
    """Write and sync transitions to the audit log, before they take effect.

    What takes trust or traffic away waits for no volume: where the log takes no record, all of
    the decision's are kept outside it first. So is everything of what may wait for nothing
    (``at_once``).

    Raises:
        HallmarkError: they are recorded nowhere, so the decision must not take effect.
    """
    if not records:
        return
    try:
        written = await asyncio.to_thread(operator.audit.append_all, records)
    except ArtifactError:
        cannot_wait = at_once or any(withdraws(said.event, said.outcome) for said in records)
        if operator.outside is None or not cannot_wait:
            raise
        await operator.outside.keep(records)
        return
    for transition in written:
        count(transition)


def count(transition: Record | AuditRecord) -> None:
    """Count a decision that was recorded."""
    metrics.DECISIONS.labels(transition.event, transition.outcome, transition.reason).inc()


_NO_ANSWER = frozenset({0, 429, 502, 503, 504})
"""Where the API server is in trouble, and the status is not at fault."""


class StatusReport:
    """The status of one object during one reconcile, and the Events that are due at its end."""

    def __init__(
        self,
        operator: Operator,
        current: Obj,
        events: tuple[Event, ...] = (),
        *,
        keeps: bool = False,
    ) -> None:
        """Begin with an object as it was decided on.

        Args:
            operator: the shared parts.
            current: the object.
            events: the decision's own Events.
            keeps: what was carried out stands, so that a status which is refused is kept in
                memory; else the next look begins with the status that stands.
        """
        self.obj = current
        """The object as it was last answered."""
        self._operator = operator
        self._events = list(events)
        self._keeps = keeps

    async def write(
        self, status: ConditionedStatus | None, updates: tuple[ConditionUpdate, ...]
    ) -> None:
        """Write fields and conditions in one request; None leaves the fields as they are.

        Raises:
            ApiError: the API server did not take it. Where that is no conflict, the conditions
                alone were tried, with short messages.
        """
        current = self.obj
        wire = _fields(current) if status is None else status.to_wire()
        generation = int(current["metadata"].get("generation", 0))
        old = _conditions(current)
        new = merge_conditions(old, updates, self._operator.clock(), generation)
        wire["conditions"] = [condition.to_wire() for condition in new]
        wire["observedGeneration"] = generation
        transition = transition_event(old, new)
        try:
            answer = await self._operator.cluster.write_status(current, wire)
        except ApiError as error:
            if error.status != CONFLICT and not error.gone:
                self._events += [transition] if transition else []
                await self._refused(error, wire)
            raise
        if answer is not current:
            self.obj = trimmed(kind_of(answer), answer)
        if status is not None:
            self._operator.unwritten.written(current)
        if transition is not None:
            self._events.append(transition)

    async def _refused(self, error: ApiError, wire: dict[str, Any]) -> None:
        """Keep a status that was not taken; show as much of it as the API server takes."""
        kind, metadata = kind_of(self.obj), self.obj["metadata"]
        if self._keeps:
            self._operator.unwritten.keep(self.obj, wire)
            self.tell()
        if error.status in _NO_ANSWER:
            return
        metrics.STATUS_REFUSED.labels(kind.kind).inc()
        named = {"kind": kind.kind, "namespace": metadata.get("namespace", "")}
        log.error("A status was refused.", **named, name=metadata["name"], error=str(error))
        said = [{**c, "message": shorten(c.get("message", ""), 160)} for c in wire["conditions"]]
        shown = {"conditions": said, "observedGeneration": wire["observedGeneration"]}
        try:
            await self._operator.cluster.write_status(self.obj, {**_fields(self.obj), **shown})
        except ApiError as second:
            log.warning("Nor were its conditions taken.", **named, error=str(second))

    def tell(self) -> None:
        """Put the Events into their queue: one for each change of Ready, and the decision's own."""
        now = self._operator.clock()
        for event in self._events:
            self._operator.events.put(build_event(self.obj, event, now))


def _fields(current: Obj) -> dict[str, Any]:
    status: Mapping[str, Any] = current.get("status") or {}
    kept: dict[str, Any] = without_empty({k: v for k, v in status.items() if k != "drift"})
    return kept


def _conditions(current: Obj) -> list[Condition]:
    status: Mapping[str, Any] = current.get("status") or {}
    try:
        found = ConditionedStatus.model_validate({"conditions": status.get("conditions") or []})
    except ValidationError:
        return []  # Somebody wrote nonsense there; ours replaces it.
    return list(found.conditions)


def shown(current: Obj, type_: str) -> Condition | None:
    """Return a condition as an object shows it, or None."""
    return next((condition for condition in _conditions(current) if condition.type == type_), None)


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
