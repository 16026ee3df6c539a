"""One kind's part of the cache: a list in pages of bounded size, then a watch, for ever.

kopf's own watches keep 8 KB and take 0.8 ms for each object, hold the bodies of a whole list where
the workers are slow, and page by number alone (docs/decisions/0020-reconcile-from-memory.md).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Protocol

import structlog

from hallmark.cluster.cache import Change, Key, ObjectCache, key_of
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import Kind, Obj
from hallmark.cluster.lists import ListGone, Page, Selection
from hallmark.errors import ConfigurationError

PAGE_BYTES = 2 * 1024 * 1024
"""What a page of a list should hold; its number of objects follows from the page before."""
FIRST_PAGE, LARGEST_PAGE = 16, 500
"""Objects in the first page, and in any."""
WATCH_SECONDS = 300
"""How long the API server keeps a watch open (at least; a random part comes on top)."""
SILENCE_SECONDS = 90.0
"""Without an event or bookmark (one each minute) for so long a watch counts as dead."""
LONGEST_BACKOFF = 30.0

log = structlog.get_logger("hallmark")


class Source(Protocol):
    """The part of the client that an informer needs."""

    async def page(self, selection: Selection, limit: int, token: str) -> Page | None:
        """Return a page of a list, or None where it would be too large to take."""
        ...

    def watch(
        self, selection: Selection, version: str, seconds: int, silence: float
    ) -> AsyncIterator[Obj]:
        """Yield the watch's events since a version, until the API server ends it."""
        ...


OnChange = Callable[[Change], None]
OnObject = Callable[[Kind, Obj], None]


class Informer:
    """Follows one selection into the cache.

    Args:
        source: the API.
        cache: takes the objects.
        selection: what to follow.
        on_change: told of each change, after the cache took it; not of the first list.
        on_object: shown each object as it came, untrimmed, after the cache took it.
        sleep: waits between attempts.
        clock: seconds that never go back.
        optional: the kind may be uninstalled; then following it ends.
    """

    def __init__(
        self,
        source: Source,
        cache: ObjectCache,
        selection: Selection,
        on_change: OnChange,
        on_object: OnObject = lambda kind, obj: None,
        sleep: Callable[[float], Any] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        *,
        optional: bool = False,
    ) -> None:
        self.selection = selection
        self.synced = asyncio.Event()
        """The first list is in the cache."""
        self.lists = 0
        """How many lists were begun."""
        self._source = source
        self._cache = cache
        self._on_change = on_change
        self._on_object = on_object
        self._sleep = sleep
        self._clock = clock
        self._optional = optional
        self._heard = clock()
        self._limit = FIRST_PAGE

    @property
    def age(self) -> float:
        """Seconds since the API server last said anything, bookmarks included."""
        return self._clock() - self._heard

    async def run(self) -> None:
        """Follow until cancelled.

        Raises:
            ConfigurationError: the kind cannot be listed from the start, or is optional and gone.
        """
        version, failures = "", 0
        while True:
            # What ends before it delivered anything failed, even where no error says so.
            failures += 1
            try:
                if not version:
                    version = await self._list()
                async for event in self._events(version):
                    version, failures = self._take(event) or version, 0
            except ListGone:
                version = ""
            except ApiError as error:
                self._end_where_nothing_helps(error)
                failures = max(failures, 1)
                log.warning(
                    "A watch broke and is opened again.",
                    kind=self.selection.kind.plural,
                    error=str(error),
                )
            if failures:
                await self._sleep(min(LONGEST_BACKOFF, 0.5 * 2.0 ** min(failures, 8)))

    def _end_where_nothing_helps(self, error: ApiError) -> None:
        """Refuse to start where the kind is not installed, or may not be listed."""
        gone = self._optional and error.gone
        if not gone and (self.synced.is_set() or error.status not in {401, 403, 404}):
            return
        raise ConfigurationError(
            f"Expected to list {self.selection.kind.plural}, found that it cannot be done; install "
            f"crds/ and the operator's roles, or give it credentials that hold. {error}"
        ) from error

    async def _list(self) -> str:
        """Bring the cache to what the API server lists; return the list's version."""
        self.lists += 1
        kind, first = self.selection.kind, not self.synced.is_set()
        seen: list[Key] = []
        token = ""
        while True:
            page = await self._page(token)
            for obj in page.objects:
                seen.append(key_of(kind, obj))
                self._observe(obj, quiet=first)
            token = page.token
            if not token:
                break
        self._tell(self._cache.keep_only(kind, seen, int(page.version)), quiet=first)
        self.synced.set()
        return page.version

    async def _page(self, token: str) -> Page:
        """Return the next page; one that is too large is asked for again with fewer objects."""
        while True:
            page = await self._source.page(self.selection, self._limit, token)
            self._heard = self._clock()
            if page is not None:
                break
            self._limit = max(1, self._limit // 8)
        if page.objects:
            fitting = len(page.objects) * PAGE_BYTES // max(page.size, 1)
            self._limit = max(1, min(LARGEST_PAGE, 4 * self._limit, fitting))
        return page

    def _events(self, version: str) -> AsyncIterator[Obj]:
        seconds = WATCH_SECONDS + random.randrange(WATCH_SECONDS)  # noqa: S311 - spreads load
        return self._source.watch(self.selection, version, seconds, SILENCE_SECONDS)

    def _take(self, event: Obj) -> str:
        """Take one event; return the version to go on from."""
        self._heard = self._clock()
        obj: Obj = event["object"]
        match event["type"]:
            case "ERROR":
                raise _watch_error(self.selection, obj)
            case "DELETED":
                self._tell([self._cache.remove(self.selection.kind, obj)])
            case "ADDED" | "MODIFIED":
                self._observe(obj)
        return str(obj["metadata"]["resourceVersion"])

    def _observe(self, obj: Obj, *, quiet: bool = False) -> None:
        kind = self.selection.kind
        self._tell([self._cache.observe(kind, obj, quiet=quiet)])
        self._on_object(kind, obj)

    def _tell(self, changes: Iterable[Change | None], *, quiet: bool = False) -> None:
        for change in changes:
            if change is not None and not quiet:
                self._on_change(change)


def _watch_error(selection: Selection, status: Obj) -> Exception:
    if status.get("code") == 410:
        return ListGone()
    said = str(status.get("message", ""))[:500]
    return ApiError(f"The watch of {selection.kind.plural} ended: {said}", 0)
