"""The dashboard's memory of the cluster: the operator's cache and informers, and who is told.

What it holds is read with the dashboard's own rights, so that nothing of it may be shown without
asking for the caller's (``access/rights.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice

import structlog

from hallmark.cluster.cache import Change, Key, ObjectCache
from hallmark.cluster.informer import Informer, Source
from hallmark.cluster.kinds import HALLMARK_KINDS, MODEL_DEPLOYMENT, NAMESPACE, Kind, Obj
from hallmark.cluster.lists import Selection
from hallmark.errors import HallmarkError
from hallmark_dashboard.lists import Lists
from hallmark_dashboard.traffic import Traffic

PARSED = 8192
"""Objects that are kept parsed: pages show many at once."""
STALE_SECONDS = 150.0
"""From this age on pages say that what they show is old: a bookmark comes each minute, a watch that
is silent for 90 s is opened again, and its first bookmark takes a minute more."""
MOST_REMEMBERED = 1024
"""Changes that are remembered for pages that were made before and follow only now."""
MOST_LISTENERS = 512
MOST_CHANGES = 256
"""Changes that one listener has not heard of; beyond that it is told to look at everything."""

log = structlog.get_logger("hallmark")


@dataclass(eq=False)
class Listener:
    """Somebody who is told of changes."""

    changed: set[Key] = field(default_factory=set)
    overflowed: bool = False
    ended: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, key: Key) -> None:
        """Note a change."""
        if len(self.changed) < MOST_CHANGES:
            self.changed.add(key)
        else:
            self.overflowed = True
        self.woken.set()

    def overflow(self) -> None:
        """Note that more changed than is known."""
        self.overflowed = True
        self.woken.set()

    def take(self) -> tuple[frozenset[Key], bool]:
        """Return what changed since the last time, and whether that is not all."""
        found = frozenset(self.changed), self.overflowed
        self.changed.clear()
        self.overflowed = False
        self.woken.clear()
        return found


class Watch:
    """Follows the five kinds and namespaces into a cache."""

    def __init__(self, source: Source) -> None:
        """Prepare an informer for each kind."""
        self.cache = ObjectCache(PARSED)
        self.lists = Lists(self.cache)
        self.traffic = Traffic()
        self.problem = ""
        """Why nothing is followed any more, as a sentence; empty where all is well."""
        self.serial = time.time_ns() // 1_000_000
        """Grows with each change, and from one process to the next."""
        self._recent: deque[Key] = deque(maxlen=MOST_REMEMBERED)
        self._listeners: set[Listener] = set()
        self._informers = [
            Informer(source, self.cache, Selection(kind), self._changed, self._came)
            for kind in (*HALLMARK_KINDS, NAMESPACE)
        ]

    @property
    def synced(self) -> bool:
        """Whether every first list is in the cache."""
        return all(informer.synced.is_set() for informer in self._informers)

    @property
    def ages(self) -> Mapping[str, float]:
        """Seconds since the API server last said anything, by plural of the kind."""
        return {informer.selection.kind.plural: informer.age for informer in self._informers}

    @property
    def age(self) -> float:
        """Seconds since the most silent of the watches last said anything."""
        return max(informer.age for informer in self._informers)

    @property
    def is_stale(self) -> bool:
        """Whether what is shown may be old."""
        return not self.synced or self.age > STALE_SECONDS

    def namespaces(self, kinds: Iterable[Kind]) -> frozenset[str]:
        """Return the namespaces that hold objects of these kinds."""
        lists = [self.lists.of(kind) for kind in set(kinds)]
        return frozenset(
            space
            for found in lists
            for space in (*found.within, *(one.namespace for one in found.unreadable))
        )

    async def run(self) -> None:
        """Follow until cancelled; what cannot be followed at all is told in ``problem``."""
        try:
            async with asyncio.TaskGroup() as group:
                for informer in self._informers:
                    group.create_task(informer.run())
        except* HallmarkError as errors:
            self.problem = str(errors.exceptions[0])
            log.error("Nothing is followed any more.", error=self.problem)

    @asynccontextmanager
    async def listening(self, since: int | None = None) -> AsyncIterator[Listener | None]:
        """Yield somebody who is told of changes; None where too many listen already.

        Args:
            since: the serial of what he knows; what changed after it is told at once.
        """
        if len(self._listeners) >= MOST_LISTENERS:
            yield None
            return
        listener = Listener()
        missed = self.serial - since if since is not None else 0
        if 0 <= missed <= len(self._recent):
            for key in islice(reversed(self._recent), missed):
                listener.tell(key)
        else:
            listener.overflow()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def end_listening(self) -> None:
        """Tell all who listen that nothing more comes."""
        for listener in self._listeners:
            listener.ended = True
            listener.woken.set()

    def observe(self, kind: Kind, obj: Obj) -> None:
        """Take the answer to a write, so that the next page shows it."""
        change = self.cache.observe(kind, obj)
        if change is not None:
            self._changed(change)

    def _changed(self, change: Change) -> None:
        self.lists.changed(change.key.kind)
        if change.after is None and change.key.kind == MODEL_DEPLOYMENT:
            self.traffic.forget(change.key.namespace or "", change.key.name)
        self._tell(change.key)

    def _tell(self, key: Key) -> None:
        self.serial += 1
        self._recent.append(key)
        for listener in self._listeners:
            listener.tell(key)

    def _came(self, kind: Kind, obj: Obj) -> None:
        """Look at an object as it came: predictors' reports are not in the cache."""
        if kind == MODEL_DEPLOYMENT and self.traffic.hear(obj):
            metadata = obj["metadata"]
            self._tell(Key(kind, metadata.get("namespace"), metadata["name"]))
