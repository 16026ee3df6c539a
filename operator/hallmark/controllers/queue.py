"""The operator's work queue: keys of objects to look at, never what happened to them.

Changes and delays only put keys in. A key is reconciled from the cache as it is then (level-based),
never twice at once, and once for any number of requests that came meanwhile. What may have to stop
serving (drift, a revocation) goes before Pods that came or went, and these before all else.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from enum import IntEnum, StrEnum
from typing import NamedTuple

from hallmark.cluster.cache import Key
from hallmark.controllers import tasks

WORKERS = 8
"""Reconciles at the same time."""
URGENT_WORKERS = 8
"""More of them for what is urgent, where all others wait for something, such as a store."""
LONGEST_BACKOFF = 60.0
"""Seconds after a failed reconcile, at most."""


class Outcome(StrEnum):
    """How a reconcile ended."""

    DONE = "ok"
    FAILED = "error"
    STALE = "conflict"
    """What it decided on had changed; the watch brings the change in a moment."""


_FIRST_BACKOFF = {Outcome.FAILED: 1.0, Outcome.STALE: 0.05}
"""Seconds after the first failure in a row; doubled with each further one."""


class Urgency(IntEnum):
    """What goes first of the looks that are due."""

    AT_ONCE = 0
    """What serves may not serve any more: it drifted, or was withdrawn."""
    SOON = 1
    """Pods came or went: a rollout goes on, or what serves is short of them."""
    IN_TURN = 2


class _Due(NamedTuple):
    """When a key is due; of those that are due together the urgent ones, then the older go first.

    What is urgent has no delay (``at`` is 0), so it is due before all that has one.
    """

    urgency: Urgency
    at: float
    order: int

    @property
    def urgent(self) -> bool:
        """Whether it goes before everything that is due."""
        return self.urgency is Urgency.AT_ONCE


def backoff(outcome: Outcome, failures: int) -> float:
    """Return the seconds to wait after so many failures in a row (at least one)."""
    return min(LONGEST_BACKOFF, _FIRST_BACKOFF[outcome] * 2.0 ** min(failures - 1, 11))


class WorkQueue:
    """Keys with the moment at which each is due, and the reconciles that run."""

    def __init__(
        self,
        reconcile: Callable[[Key], Awaitable[Outcome]],
        workers: int = WORKERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty queue.

        Args:
            reconcile: looks at one object; what is not done (or raises) is repeated with backoff.
            workers: how many reconciles may run at the same time.
            clock: seconds that never go back.
        """
        self._reconcile = reconcile
        self._workers = workers
        self._clock = clock
        self._due: dict[Key, _Due] = {}
        self._heap: list[tuple[_Due, Key]] = []
        """What is in ``_due``, and entries that an earlier request replaced."""
        self._blocked: set[Key] = set()
        """Keys that were due while they ran; they are due when that reconcile ends."""
        self._failures: dict[Key, int] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._count = itertools.count(1)
        self._wake = asyncio.Event()

    def request(self, key: Key, after: float = 0.0, *, urgency: Urgency = Urgency.IN_TURN) -> None:
        """Ask for a reconcile in ``after`` seconds; an earlier request that waits stands.

        What is urgent is due at once.
        """
        at = self._clock() + after if urgency is Urgency.IN_TURN else 0.0
        due = _Due(urgency, at, next(self._count))
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
            self._wake.set()

    @property
    def depth(self) -> int:
        """How many keys are due and wait."""
        now = self._clock()
        return sum(1 for due in self._due.values() if due.at <= now)

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing is due."""
        return not self._running and not self.depth

    async def run(self) -> None:
        """Reconcile what is due, until cancelled; then the running reconciles are cancelled."""
        try:
            while True:
                self._start_what_is_due()
                await self._sleep()
        finally:
            await tasks.end(tuple(self._running.values()))

    def _start_what_is_due(self) -> None:
        now = self._clock()
        while self._heap and self._has_room(self._heap[0][0]):
            due, key = self._heap[0]
            if self._due.get(key) != due:
                heapq.heappop(self._heap)
                continue
            if due.at > now:
                return
            heapq.heappop(self._heap)
            if key in self._running:
                self._blocked.add(key)
                continue
            del self._due[key]
            self._running[key] = asyncio.create_task(self._work(key))

    def _has_room(self, due: _Due) -> bool:
        more = URGENT_WORKERS if due.urgent else 0
        return len(self._running) < self._workers + more

    async def _sleep(self) -> None:
        self._wake.clear()
        # Where no worker is free, the next one starts when a reconcile ends.
        timeout = None
        if self._heap and self._has_room(self._heap[0][0]):
            timeout = max(0.0, self._heap[0][0].at - self._clock())
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _work(self, key: Key) -> None:
        outcome = Outcome.FAILED
        try:
            outcome = await self._reconcile(key)
        finally:
            del self._running[key]
            if key in self._blocked:
                self._blocked.discard(key)
                heapq.heappush(self._heap, (self._due[key], key))
            self._wake.set()
            if outcome is Outcome.DONE:
                self._failures.pop(key, None)
            else:
                self._failures[key] = self._failures.get(key, 0) + 1
                self.request(key, after=backoff(outcome, self._failures[key]))
