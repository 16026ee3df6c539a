"""The operator's work queue: keys of objects to look at, never what happened to them.

Watches, resyncs and delays only put keys in. A key is reconciled from the cluster as it is then
(level-based), never twice at once, and once for any number of requests that came meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from hallmark.cluster.kinds import Kind

WORKERS = 8
"""Reconciles at the same time."""
FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0
"""Seconds after a failed reconcile: doubled from the first to the longest."""


class Key(NamedTuple):
    """An object to look at."""

    kind: Kind
    namespace: str | None
    name: str


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row (at least one)."""
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 10))


class WorkQueue:
    """Keys with the moment at which each is due, and the reconciles that run."""

    def __init__(
        self,
        reconcile: Callable[[Key], Awaitable[bool]],
        workers: int = WORKERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty queue.

        Args:
            reconcile: looks at one object; returns False (or raises) where it failed and is to
                be repeated with backoff.
            workers: how many reconciles may run at the same time.
            clock: seconds that never go back.
        """
        self._reconcile = reconcile
        self._workers = workers
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def request(self, kind: Kind, namespace: str | None, name: str, after: float = 0.0) -> None:
        """Ask for a reconcile in ``after`` seconds; an earlier request that waits stands."""
        key = Key(kind, namespace, name)
        due = self._clock() + after
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            self._wake.set()

    @property
    def depth(self) -> int:
        """How many keys are due and wait."""
        now = self._clock()
        return sum(1 for due in self._due.values() if due <= now)

    async def run(self) -> None:
        """Reconcile what is due, until cancelled; then the running reconciles are cancelled."""
        try:
            while True:
                self._start_what_is_due()
                await self._sleep()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start_what_is_due(self) -> None:
        now = self._clock()
        due = [key for key, at in self._due.items() if at <= now]
        for key in sorted(due, key=self._due.__getitem__):
            if len(self._running) >= self._workers:
                return
            if key not in self._running:
                del self._due[key]
                self._running[key] = asyncio.create_task(self._work(key))

    async def _sleep(self) -> None:
        self._wake.clear()
        # What is due but runs already, or finds no free worker, starts when a reconcile ends.
        waiting = [at for key, at in self._due.items() if key not in self._running]
        timeout = None
        if waiting and len(self._running) < self._workers:
            timeout = max(0.0, min(waiting) - self._clock())
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _work(self, key: Key) -> None:
        done = False
        try:
            done = await self._reconcile(key)
        finally:
            del self._running[key]
            self._wake.set()
            if done:
                self._failures.pop(key, None)
            else:
                self._failures[key] = self._failures.get(key, 0) + 1
                self.request(*key, after=backoff(self._failures[key]))
