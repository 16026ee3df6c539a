"""HTTPRoutes are followed where the cluster has them, which may change at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hallmark.api import names
from hallmark.api.route import GROUP
from hallmark.cluster.cache import Change, ObjectCache
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.informer import Informer, Source
from hallmark.cluster.kinds import HTTP_ROUTE
from hallmark.cluster.lists import Selection
from hallmark.errors import ConfigurationError

SELECTION = Selection(HTTP_ROUTE, labels={names.LABEL_MANAGED_BY: names.MANAGED_BY})
"""Ours alone, as of every other child."""
AGAIN_SECONDS = 5.0
"""When it is looked again whether the cluster has the kind by now."""


class RouteWatch:
    """Follows our HTTPRoutes into the cache, and says why not where that cannot be.

    Args:
        source: the API.
        cache: takes the objects.
        on_change: told of each change of a route.
        on_use: told that HTTPRoutes can be used by now, or cannot any more.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        source: Source,
        cache: ObjectCache,
        on_change: Callable[[Change], None],
        on_use: Callable[[], None],
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.known = asyncio.Event()
        """It is known whether they can be used; what there is of them is in the cache."""
        self._source = source
        self._cache = cache
        self._on_change = on_change
        self._on_use = on_use
        self._sleep = sleep
        self._why = ""
        self._informer: Informer | None = None

    def missing(self) -> str:
        """Return why no HTTPRoute can be made or watched, as a sentence; empty where they can."""
        return self._why

    @property
    def age(self) -> float | None:
        """Seconds since the API server last said anything of them; None where there are none."""
        return self._informer.age if self._informer and not self._why else None

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except ConfigurationError as error:
                self._say(_sentence(error.__cause__))
                self._forget()
            await self._sleep(AGAIN_SECONDS)

    async def _follow(self) -> None:
        informer = self._informer = Informer(
            self._source,
            self._cache,
            SELECTION,
            self._on_change,
            sleep=self._sleep,
            optional=True,
        )
        following = asyncio.create_task(informer.run())
        synced = asyncio.create_task(informer.synced.wait())
        try:
            await asyncio.wait({following, synced}, return_when=asyncio.FIRST_COMPLETED)
            if informer.synced.is_set():
                self._say("")
            await following
        finally:
            for task in (following, synced):
                task.cancel()
                with suppress(asyncio.CancelledError, ConfigurationError):
                    await task

    def _say(self, why: str) -> None:
        changed, self._why = why != self._why or not self.known.is_set(), why
        self.known.set()
        if changed:
            self._on_use()

    def _forget(self) -> None:
        for key in self._cache.keys(HTTP_ROUTE):
            obj = self._cache.get(*key)
            gone = self._cache.remove(HTTP_ROUTE, obj) if obj else None
            if gone is not None:
                self._on_change(gone)


def _sentence(error: BaseException | None) -> str:
    kind = f"HTTPRoutes ({GROUP}/v1)"
    if isinstance(error, ApiError) and error.gone:
        return (
            f"Expected the cluster to have {kind}, found no such kind. Install the CRDs of Gateway "
            f"API, or remove spec.strategy.canary.route."
        )
    return (
        f"Expected the operator to be allowed to list {kind}, found that it is not. Apply the "
        f"roles of this release, or remove spec.strategy.canary.route."
    )
