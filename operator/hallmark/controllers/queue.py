"""The operator's work queue: keys of objects to look at, never what happened to them.

Changes and delays only put keys in. A key is reconciled from the cache as it is then (level-based),
never twice at once, and once for any number of requests that came meanwhile. What may have to stop
serving (drift, a revocation) goes before Pods that came or went, and these before all else; but of
``MOST_BEFORE`` looks and one more the last is of what waits, so that nobody starves it by objects
that are always urgent. Of what is as urgent each namespace has its turn, however much there is of
another. An object that changes all the time, such as where somebody deletes its children as they
are made, is looked at ``LOOKS_TOGETHER`` times, and then each ``LOOK_SECONDS``.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple

from hallmark.cluster.cache import Key
from hallmark.controllers import tasks

WORKERS = 8
"""Reconciles at the same time."""
URGENT_WORKERS = 8
"""More of them for what is urgent, where all others wait for something, such as a store."""
PATIENCE = 2.0
"""Seconds after which a reconcile keeps no worker from others: it waits, such as for a store."""
MOST_OF_ONE = 16
"""Reconciles of one namespace at the same time, those that wait too; of what is urgent more."""
MOST = 128
"""Places that namespaces share for reconciles that wait, likewise: each takes half of what is free
at most, so that some are left for the next one; and one beyond them, where none is."""
MOST_AT_ALL = 1024
"""Reconciles of all namespaces together, those beyond the places too."""
MOST_BEFORE = 16
"""So many more urgent looks begin before one that waits has its turn."""
LOOKS_TOGETHER = 32
"""Looks at one object as fast as it changes: more than a rollout takes."""
LOOK_SECONDS = 0.5
"""Seconds for which one of them is spent; a look at once is never kept waiting."""
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

    What goes before its turn has no delay, but after a failure: its ``at`` is 0.
    """

    urgency: Urgency
    at: float
    order: int


Waiting = list[tuple[_Due, Key]]
"""A heap."""


class _Running(NamedTuple):
    """A reconcile that runs, since when, and how urgent it was."""

    task: asyncio.Task[None]
    since: float
    urgency: Urgency


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
        patience: float = PATIENCE,
    ) -> None:
        """Make an empty queue.

        Args:
            reconcile: looks at one object; what is not done (or raises) is repeated with backoff.
            workers: how many reconciles may run at the same time.
            clock: seconds that never go back.
            patience: seconds after which a reconcile that waits leaves its worker to others.
        """
        self._reconcile = reconcile
        self._workers = workers
        self._clock = clock
        self._patience = patience
        self._due: dict[Key, _Due] = {}
        self._later: list[tuple[float, _Due, Key]] = []
        """Of what is in ``_due``, what was not due when it was last looked at, by when it is."""
        self._ready: dict[Urgency, OrderedDict[str | None, Waiting]] = {
            urgency: OrderedDict() for urgency in Urgency
        }
        """The rest by namespace, the one whose turn it is first; here and there are also entries
        that an earlier request replaced."""
        self._before = Counter[Urgency]()
        """How many more urgent looks began while one of that urgency waited."""
        self._blocked: set[Key] = set()
        """Keys that were due while they ran; they are due when that reconcile ends."""
        self._spent = OrderedDict[Key, float]()
        """Until when the looks at a key are spent, the key that was looked at last at the end."""
        self._failures: dict[Key, int] = {}
        self._running: dict[Key, _Running] = {}
        self._running_in = Counter[str | None]()
        self._count = itertools.count(1)
        self._wake = asyncio.Event()

    def request(self, key: Key, after: float = 0.0, *, urgency: Urgency = Urgency.IN_TURN) -> None:
        """Ask for a reconcile in ``after`` seconds.

        Of a request that waits the earlier moment and the greater urgency stand.
        """
        goes_before = urgency is not Urgency.IN_TURN and not after
        now = self._clock()
        at = 0.0 if goes_before else now + after
        free = self._spent.get(key, 0.0) - (LOOKS_TOGETHER - 1) * LOOK_SECONDS
        if urgency is not Urgency.AT_ONCE and free > now:
            at = max(at, free)
        former = self._due.get(key)
        if former is not None:
            urgency, at = min(urgency, former.urgency), min(at, former.at)
        if former is None or (urgency, at) != (former.urgency, former.at):
            self._due[key] = due = _Due(urgency, at, next(self._count))
            self._put(due, key)
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
            await tasks.end(tuple(running.task for running in self._running.values()))

    def _put(self, due: _Due, key: Key) -> None:
        if due.at:
            heapq.heappush(self._later, (due.at, due, key))
        else:
            heapq.heappush(self._ready[due.urgency].setdefault(key.namespace, []), (due, key))

    def _start_what_is_due(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            _, due, key = heapq.heappop(self._later)
            heapq.heappush(self._ready[due.urgency].setdefault(key.namespace, []), (due, key))
        while (found := self._next(now)) is not None:
            urgency, key = found
            task = asyncio.create_task(self._work(key, urgency))
            self._running[key] = _Running(task, now, urgency)
            self._running_in[key.namespace] += 1
            self._spend(key, now)

    def _spend(self, key: Key, now: float) -> None:
        """Count a look, and forget what was not looked at for long."""
        self._spent[key] = max(self._spent.get(key, 0.0), now) + LOOK_SECONDS
        self._spent.move_to_end(key)
        while next(iter(self._spent.values())) <= now:
            self._spent.popitem(last=False)

    def _next(self, now: float) -> tuple[Urgency, Key] | None:
        """Take the key whose turn it is, where there is room for it, and how urgent it is."""
        for urgency in sorted(Urgency, key=self._turn):
            if not self._has_room(urgency, now):
                continue
            spaces = self._ready[urgency]
            for _ in range(len(spaces)):
                space, waiting = spaces.popitem(last=False)
                key = self._taken(waiting) if self._has_place(space, urgency) else None
                if waiting:
                    spaces[space] = waiting
                if key is not None:
                    self._note_turn(urgency)
                    return urgency, key
        return None

    def _turn(self, urgency: Urgency) -> tuple[bool, Urgency]:
        """Return what sorts what has waited for long before all else."""
        return self._before[urgency] < MOST_BEFORE, urgency

    def _note_turn(self, urgency: Urgency) -> None:
        """Count a look that begins against what is less urgent and waits."""
        self._before[urgency] = 0
        for other in Urgency:
            if other > urgency:
                self._before[other] = self._before[other] + 1 if self._ready[other] else 0

    def _has_place(self, space: str | None, urgency: Urgency) -> bool:
        """Tell whether a namespace may have one more look, however many of others wait."""
        more = URGENT_WORKERS if urgency is Urgency.AT_ONCE else 0
        own, every = self._running_in[space], len(self._running)
        fair = min(MOST_OF_ONE + more, (MOST + more - every) // 2)
        return own < max(1, fair) and every < MOST_AT_ALL + more

    def _has_room(self, urgency: Urgency, now: float) -> bool:
        """Tell whether a worker is free; where all have urgent looks, one other may begin."""
        busy = sum(1 for _ in self._young(now))
        if urgency is Urgency.AT_ONCE:
            return busy < self._workers + URGENT_WORKERS
        overdue = self._before[urgency] >= MOST_BEFORE
        others = any(self._young(now, urgency))
        return busy < self._workers or (overdue and not others)

    def _young(self, now: float, urgency: Urgency = Urgency.AT_ONCE) -> Iterator[float]:
        """Yield until when each keeps its worker, of those that do and are as urgent or less."""
        for running in self._running.values():
            end = running.since + self._patience
            if running.urgency >= urgency and end > now:
                yield end

    def _taken(self, waiting: Waiting) -> Key | None:
        """Take the first key of a namespace that does not run."""
        while waiting:
            due, key = heapq.heappop(waiting)
            if self._due.get(key) != due:
                continue
            if key in self._running:
                self._blocked.add(key)
                continue
            del self._due[key]
            return key
        return None

    async def _sleep(self) -> None:
        self._wake.clear()
        now = self._clock()
        moments = [self._later[0][0]] if self._later else []
        if any(self._ready.values()):
            # Another one starts when a reconcile ends, or has run for long.
            moments += self._young(now)
        timeout = max(0.0, min(moments) - now) if moments else None
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _work(self, key: Key, urgency: Urgency) -> None:
        outcome = Outcome.FAILED
        try:
            outcome = await self._reconcile(key)
        finally:
            del self._running[key]
            self._running_in[key.namespace] -= 1
            if not self._running_in[key.namespace]:
                del self._running_in[key.namespace]
            if key in self._blocked:
                self._blocked.discard(key)
                self._put(self._due[key], key)
            self._wake.set()
            if outcome is Outcome.DONE:
                self._failures.pop(key, None)
            else:
                self._failures[key] = self._failures.get(key, 0) + 1
                self.request(key, backoff(outcome, self._failures[key]), urgency=urgency)
