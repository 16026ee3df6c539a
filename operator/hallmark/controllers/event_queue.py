"""Kubernetes Events that wait to be created, beside the reconciles and one after the other.

A reconcile never waits for an Event: when many versions are withdrawn at once, the API server's
time belongs to the switches. Events are told for people; what must not be lost is in the audit log
and in the conditions.
"""

from __future__ import annotations

import asyncio

import structlog

from hallmark.cluster import events
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import Obj

log = structlog.get_logger("hallmark")

MOST_WAITING = 10_000
"""Events that wait at most (some 30 MB); what comes then is only logged."""
LAST_SECONDS = 5.0
"""What waits when the operator ends is created for so long."""


class EventQueue:
    """The Events that are not created yet, in the order in which they happened."""

    def __init__(self, cluster: Cluster) -> None:
        """Make an empty queue that creates Events in a cluster."""
        self._cluster = cluster
        self._waiting: dict[tuple[str, str], Obj] = {}
        """By namespace and name, which follows from what is told: nothing is told twice."""
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, event: Obj) -> None:
        """Take an Event (see ``events.build_event``) that is to be created soon."""
        metadata = event["metadata"]
        if len(self._waiting) >= MOST_WAITING:
            log.warning("Too many Events wait; one is left out.", reason=event["reason"])
            return
        self._waiting.setdefault((metadata["namespace"], metadata["name"]), event)
        self._wake.set()

    async def run(self) -> None:
        """Create what waits, one after the other; when cancelled, what is left for some seconds."""
        try:
            while True:
                await self.drain()
                self._wake.clear()
                await self._wake.wait()
        finally:
            try:
                async with asyncio.timeout(LAST_SECONDS):
                    await self.drain()
            except TimeoutError:
                log.warning("Events were left out at the end.", count=len(self._waiting))

    async def drain(self) -> None:
        """Create everything that waits; what the API server does not take is only logged."""
        while self._waiting:
            event = self._waiting.pop(next(iter(self._waiting)))
            try:
                await events.emit(self._cluster, event)
            except ApiError as error:
                log.warning("An Event was not created.", reason=event["reason"], error=str(error))
