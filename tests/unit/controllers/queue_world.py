"""What the tests of the work queue share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hallmark.cluster.cache import Key
from hallmark.controllers.queue import PATIENCE, Outcome, WorkQueue


@asynccontextmanager
async def working(
    reconcile: Callable[[Key], Awaitable[Outcome]],
    workers: int = 8,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[WorkQueue]:
    """Yield a queue that works until the block ends."""
    queue = WorkQueue(reconcile, workers, clock, patience)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def soon(probe: Callable[[], bool]) -> None:
    """Wait until a probe holds."""
    async with asyncio.timeout(60):
        while not probe():
            await asyncio.sleep(0.005)


class Recorder:
    """Remembers what was reconciled, and can hold reconciles up or fail them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at: list[float] = []
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: Outcome | None = None

    async def __call__(self, key: Key) -> Outcome:
        """Reconcile, as the queue asks."""
        self.seen.append(key.name)
        self.at.append(time.monotonic())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return self.failing or Outcome.DONE

    def at_least(self, looks: int) -> Callable[[], bool]:
        """Return a probe that tells whether there were so many looks."""
        return lambda: len(self.seen) >= looks


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now
