"""Which part a Pod has in a mirror: it copies, it answers copies, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hallmark.api.names import mirror_name
from hallmark_predictor.active_watch import Copies, Traffic
from hallmark_predictor.copier import Copier
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.mirror_counts import CopyCounts
from hallmark_predictor.mirror_server import answer_copies
from hallmark_predictor.serving import Serving
from hallmark_predictor.settings import Settings


class Mirroring:
    """Follows what the operator says; for the event loop's thread alone."""

    def __init__(
        self,
        settings: Settings,
        serving: Serving,
        plane: DataPlane,
        counts: CopyCounts,
        processes: int = 1,
    ) -> None:
        """Start with no part.

        Args:
            settings: Where this Pod is.
            serving: Offers what it answers.
            plane: Answers copies.
            counts: Counts what becomes of them.
            processes: How many of this Pod copy, or answer copies.
        """
        self._settings = settings
        self._serving = serving
        self._plane = plane
        self._counts = counts
        self._processes = processes
        self._asked: Copies | None = None
        self._task: asyncio.Task[None] | None = None

    def follow(self, traffic: Traffic) -> None:
        """Take the part that is left to this Pod's version."""
        own, asked = self._plane.model.trust.manifest_digest, traffic.copies
        if asked is not None and own not in {asked.candidate, traffic.digest}:
            asked = None
        if asked == self._asked:
            return
        self._end()
        self._asked = asked
        if asked is None:
            return
        if asked.candidate == own:
            settings = self._settings
            where, shared = (settings.host, settings.mirror_port), self._processes > 1
            self._begin(answer_copies(self._plane, *where, shared=shared))
        else:
            self._copy(asked)

    def _copy(self, asked: Copies) -> None:
        settings = self._settings
        # In this namespace, and by a name that no author chooses.
        host = (
            settings.mirror_host or f"{mirror_name(settings.deployment)}.{settings.namespace}.svc"
        )
        copier = Copier(
            host,
            settings.mirror_port,
            self._plane.model.schema.classes,
            self._counts.begin(asked.candidate, asked.since),
            asked.percent,
            self._processes,
        )
        self._serving.copier = copier
        self._begin(copier.run())

    def _begin(self, part: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(part)

    def _end(self) -> None:
        self._serving.copier = None
        self._counts.end()
        if self._task is not None:
            self._task.cancel()
            self._task = None
