"""Which part a Pod has in a mirror: it copies, it answers copies, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hallmark.api.names import mirror_name
from hallmark.drift.mirrored import MirrorCounter
from hallmark_predictor.active_watch import Copies, Traffic
from hallmark_predictor.copier import Copier
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.mirror_metrics import CopiesSeen
from hallmark_predictor.mirror_server import answer_copies
from hallmark_predictor.serving import Serving
from hallmark_predictor.settings import Settings


class Mirroring:
    """Follows what the operator says; for the event loop's thread alone."""

    def __init__(
        self, settings: Settings, serving: Serving, plane: DataPlane, recorder: DriftRecorder
    ) -> None:
        """Start with no part.

        Args:
            settings: Where this Pod is.
            serving: Offers what it answers.
            plane: Answers copies.
            recorder: Reports what became of them.
        """
        self._settings = settings
        self._serving = serving
        self._plane = plane
        self._recorder = recorder
        self._asked: Copies | None = None
        self._task: asyncio.Task[None] | None = None
        self._counter: MirrorCounter | None = None
        """Of the newest mirror, which may be interrupted and go on."""
        self._seen = CopiesSeen()
        serving.metrics.copies(self._seen.families)

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
            self._begin(answer_copies(self._plane, settings.host, settings.mirror_port))
        else:
            self._copy(asked)

    def _copy(self, asked: Copies) -> None:
        settings = self._settings
        # In this namespace, and by a name that no author chooses.
        host = (
            settings.mirror_host or f"{mirror_name(settings.deployment)}.{settings.namespace}.svc"
        )
        counter = self._counter
        if counter is None or (counter.candidate, counter.since) != (asked.candidate, asked.since):
            counter = self._counter = MirrorCounter(asked.candidate, asked.since)
            self._seen.follow(counter)
        classes = self._plane.model.schema.classes
        copier = Copier(host, settings.mirror_port, classes, counter, asked.percent)
        self._serving.copier, self._recorder.mirror = copier, counter
        self._begin(copier.run())

    def _begin(self, part: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(part)

    def _end(self) -> None:
        self._serving.copier = self._recorder.mirror = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
