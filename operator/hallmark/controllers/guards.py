"""What Hallmark rests on is watched: each change of it is a record, an Event and a count."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from hallmark.api.admission import as_shipped, policies
from hallmark.api.model_policy import ModelPolicy
from hallmark.audit.record import Record
from hallmark.cluster.cache import Change, ObjectCache
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.events import build_event
from hallmark.cluster.guards import GuardChange
from hallmark.cluster.informer import Informer
from hallmark.cluster.kinds import ADMISSION_BINDING, ADMISSION_POLICY, MODEL_POLICY, Kind, Obj
from hallmark.cluster.lists import Selection
from hallmark.cluster.parse import read
from hallmark.controllers import metrics
from hallmark.controllers.runtime import Operator, count, log
from hallmark.errors import ConfigurationError
from hallmark.policies.guards import guard_event, guard_record
from hallmark.refusal import Refusal

NAMES = tuple(policy["metadata"]["name"] for policy, _ in policies())
"""Our admission policies; each binding has its policy's name."""

SELECTIONS = tuple(
    Selection(kind, name=name) for name in NAMES for kind in (ADMISSION_POLICY, ADMISSION_BINDING)
)
"""One object each, so that the operator needs a right to these alone."""

FIRST_LISTS_SECONDS = 60.0
"""How long the first look at all of them may take."""


async def _follow(informer: Informer) -> None:
    """Follow a guard; that it may not be read is shown, and no reason to enforce nothing else."""
    while True:
        try:
            await informer.run()
        except ConfigurationError as error:
            log.error("A guard cannot be watched.", error=str(error))
            await asyncio.sleep(FIRST_LISTS_SECONDS)


class GuardWatch:
    """Follows the guards: ours, each with a watch of its own, and every ModelPolicy.

    ModelPolicies are listed and watched for the reconciles already; ``came`` and ``changed`` are
    told of them. Those that come before ``run`` wait for it.

    Args:
        operator: whose memory of guards is filled.
        source: the API.
        wanted: set when there is something to record.
    """

    def __init__(self, operator: Operator, source: ApiCluster, wanted: asyncio.Event) -> None:
        self._operator = operator
        self._wanted = wanted
        self._early: dict[str, Obj] | None = {}
        """ModelPolicies that came before ``run``, by name; None after."""
        self._shipped: dict[tuple[str, str], bool] = {}
        self.informers = [
            Informer(source, ObjectCache(), selection, self.changed, self.came)
            for selection in SELECTIONS
        ]

    async def run(self, policies: Informer) -> None:
        """Follow them until cancelled; say once what is gone since an earlier process.

        Args:
            policies: lists and watches the ModelPolicies.
        """
        early, self._early = self._early or {}, None
        for obj in early.values():
            self.came(MODEL_POLICY, obj)
        listed = (*self.informers, policies)
        async with asyncio.TaskGroup() as group:
            for informer in self.informers:
                group.create_task(_follow(informer))
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LISTS_SECONDS):
                    for informer in listed:
                        await informer.synced.wait()
            self._operator.guards.confirm(partial(_is_listed, listed))
            self._wanted.set()

    def came(self, kind: Kind, obj: Obj) -> None:
        """Take a guard as the API server sent it."""
        if kind == MODEL_POLICY and self._early is not None:
            self._early[obj["metadata"]["name"]] = obj
            return
        self._operator.guards.saw(kind, obj, self._operator.latest())
        self._show(kind, obj["metadata"]["name"], obj)
        self._wake()

    def changed(self, change: Change) -> None:
        """Take that a guard is gone, where it is."""
        if change.after is None and change.before is not None:
            if change.key.kind == MODEL_POLICY and self._early is not None:
                self._early.pop(change.key.name, None)
                return
            self._operator.guards.went(change.key.kind, change.before)
            self._show(change.key.kind, change.key.name, None)
            self._wake()

    def _show(self, kind: Kind, name: str, obj: Obj | None) -> None:
        if kind == MODEL_POLICY:
            return
        self._shipped[kind.kind, name] = obj is not None and bool(as_shipped(obj))
        both = (self._shipped.get((found.kind, name), False) for found in _ADMISSION)
        metrics.GUARD_AS_SHIPPED.labels(name).set(all(both))

    def _wake(self) -> None:
        if self._operator.guards.changes:
            self._wanted.set()


def _is_listed(informers: Sequence[Informer], kind: str, name: str) -> bool:
    """Tell whether the API server was asked for a guard, and answered."""
    return any(
        informer.synced.is_set()
        and informer.selection.kind.kind == kind
        and informer.selection.name in (None, name)
        for informer in informers
    )


_ADMISSION = (ADMISSION_POLICY, ADMISSION_BINDING)


class GuardRecorder:
    """Records what changed, in the order in which it was seen; nothing is dropped."""

    def __init__(self, operator: Operator) -> None:
        """Start with nothing to record."""
        self.wanted = asyncio.Event()
        """There is something to record."""
        self._operator = operator
        self._notes: deque[Record] = deque()

    def note(self, record: Record) -> None:
        """Record this the next time."""
        self._notes.append(record)
        self.wanted.set()

    async def record(self) -> None:
        """Record what was seen.

        Raises:
            ArtifactError: the log takes no record; what is left is recorded the next time.
        """
        self.wanted.clear()
        changes = self._operator.guards.changes
        while self._notes:
            await self._append(self._notes[0])
            self._notes.popleft()
        while changes:
            await self._record(changes[0])
            changes.popleft()

    async def _record(self, change: GuardChange) -> None:
        guard = change.after or change.before
        if guard is None:
            return
        shipped = None if guard.kind == MODEL_POLICY.kind else _as_shipped(change)
        manager = _manager(change.obj)
        record = guard_record(change.before, change.after, manager, shipped, _digest(change))
        if not await self._append(record):
            return
        metrics.GUARD_CHANGES.labels(guard.kind, record.reason).inc()
        log.warning("What Hallmark rests on has changed.", what=record.message)
        if change.obj:
            event = guard_event(record, shipped)
            now = self._operator.clock()
            self._operator.events.put(build_event(change.obj, event, now))

    async def _append(self, record: Record) -> bool:
        if await asyncio.to_thread(self._operator.audit.append, record) is None:
            return False
        count(record)
        return True


def _as_shipped(change: GuardChange) -> bool:
    return change.after is not None and bool(as_shipped(change.obj))


def _digest(change: GuardChange) -> str:
    """Return the digest by which decisions name a ModelPolicy; nothing where it cannot be read."""
    if change.after is None or change.after.kind != MODEL_POLICY.kind:
        return ""
    policy = read(ModelPolicy, change.obj)
    return "" if isinstance(policy, Refusal) else policy.spec.digest


def _manager(obj: Obj) -> str:
    """Return which program wrote last; the API server does not store who did."""
    writes: list[Any] = (obj.get("metadata") or {}).get("managedFields") or []
    nobody: dict[str, Any] = {}
    last = max(writes, key=lambda write: str(write.get("time", "")), default=nobody)
    return f"unknown (program: {last.get('manager', 'unknown')})"
