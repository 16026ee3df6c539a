"""Kubernetes Events that wait to be created, beside the reconciles, of each namespace in turn.

A reconcile never waits for an Event: when many versions are withdrawn at once, the API server's
time belongs to the switches. Events are told for people; what must not be lost is in the audit log
and in the conditions.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import structlog

from hallmark.cluster import events
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import Obj

log = structlog.get_logger("hallmark")

MOST_WAITING = 10_000
"""Events that wait at most (some 30 MB); what comes then is only logged."""
MOST_OF_ONE = 5_000
"""Events of one namespace that do, so that there is room for those of others."""
AFTER_SECONDS = 0.25
"""An Event waits so long: by then what it tells of is carried out."""
LAST_SECONDS = 5.0
"""What waits when the operator ends is created for so long."""


class EventQueue:
    """The Events that are not created yet, of a namespace in the order in which they happened."""

    def __init__(self, cluster: Cluster) -> None:
        """Make an empty queue that creates Events in a cluster."""
        self._cluster = cluster
        self._waiting: OrderedDict[str, dict[str, Obj]] = OrderedDict()
        """By namespace, the one whose turn it is first, and by name, which follows from what is
        told: nothing is told twice."""
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def put(self, event: Obj) -> None:
        """Take an Event (see ``events.build_event``) that is to be created soon."""
        space, name = event["metadata"]["namespace"], event["metadata"]["name"]
        if len(self) >= MOST_WAITING or len(self._waiting.get(space, ())) >= MOST_OF_ONE:
            log.warning("Too many Events wait; one is left out.", reason=event["reason"])
            return
        self._waiting.setdefault(space, {}).setdefault(name, event)
        self._wake.set()

    async def run(self) -> None:
        """Create what waits, one after the other; when cancelled, what is left for some seconds."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(AFTER_SECONDS)
                self._wake.clear()
                await self.drain()
        finally:
            try:
                async with asyncio.timeout(LAST_SECONDS):
                    await self.drain()
            except TimeoutError:
                log.warning("Events were left out at the end.", count=len(self))

    async def drain(self) -> None:
        """Create everything that waits; what the API server does not take is only logged."""
        while self._waiting:
            space, waiting = self._waiting.popitem(last=False)
            event = waiting.pop(next(iter(waiting)))
            if waiting:
                self._waiting[space] = waiting
            try:
                await events.emit(self._cluster, event)
            except ApiError as error:
                log.warning("An Event was not created.", reason=event["reason"], error=str(error))
