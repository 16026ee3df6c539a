"""Hands that play the predictors: each Pod reports its counts when a window of it closed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from hallmark.api.names import PREDICTOR_FIELD_MANAGER
from hallmark.api.texts import API_VERSION, timestamp
from tests.bench.scale.api import Api, Obj, for_all
from tests.bench.scale.objects import BINS, FEATURES, WINDOW
from tests.integration.api import RefusedError

Counts = NDArray[np.int64]
"""Rows in a window, shape (features, bins)."""

AT_ONCE = 8
_CALM_WINDOWS = 64
"""Windows of unchanged traffic that the Pods draw from."""


def calm_windows() -> list[Counts]:
    """Return windows of rows that come as in training."""
    random = np.random.default_rng(0)
    shares = np.array([*BINS, 0]) / sum(BINS)
    return [random.multinomial(WINDOW, shares, size=len(FEATURES)) for _ in range(_CALM_WINDOWS)]


def drifted_window() -> Counts:
    """Return a window in which every feature is at its upper end."""
    counts = np.zeros((len(FEATURES), len(BINS) + 1), dtype=np.int64)
    counts[:, len(BINS) - 1] = WINDOW
    return counts


CALM = calm_windows()
DRIFTED = drifted_window()


class Predictor:
    """A Pod's counts."""

    __slots__ = ("_boot", "_digest", "_path", "_pod", "_sequence", "_total", "_windows")

    def __init__(self, namespace: str, deployment: str, pod: str, digest: str) -> None:
        """Start to count for the version of that manifest digest."""
        self._path = (
            f"/apis/{API_VERSION}/namespaces/{namespace}/modeldeployments/{deployment}/status"
        )
        self._pod = pod
        self._digest = digest
        self._boot = f"boot-{pod[-40:]}"
        self._sequence = 0
        self._windows: list[tuple[int, str, Counts]] = []
        self._total = np.zeros_like(DRIFTED)

    def close(self, counts: Counts) -> None:
        """Close a window of these rows."""
        number = self._windows[-1][0] + 1 if self._windows else 1
        self._windows = [*self._windows[-1:], (number, timestamp(datetime.now(UTC)), counts)]
        self._total = self._total + counts

    async def report(self, api: Api) -> None:
        """Send the two newest windows and the totals."""
        self._sequence += 1
        report = {
            "manifestDigest": self._digest,
            "bootID": self._boot,
            "sequence": self._sequence,
            "rows": int(self._total[0].sum()),
            "counts": _wire(self._total),
            "windows": [
                {"number": number, "rows": WINDOW, "start": at, "end": at, "counts": _wire(counts)}
                for number, at, counts in self._windows
            ],
        }
        change = {"status": {"drift": {self._pod: report}}}
        # One that is not taken is made again when the next window closes.
        with suppress(RefusedError):
            await api.merge(self._path, change, PREDICTOR_FIELD_MANAGER)


def _wire(counts: Counts) -> Obj:
    return dict(zip(FEATURES, counts.tolist(), strict=True))


class Fleet:
    """The Pods that have traffic as usual."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._draw = itertools.cycle(CALM)

    async def report_first(self, pods: Sequence[Predictor]) -> None:
        """Let every Pod report two calm windows, as fast as a few connections allow."""
        await for_all(pods, self._report_first, AT_ONCE)

    async def report(self, pods: Sequence[Predictor], period: float) -> None:
        """Let each Pod close a calm window and report it once in a period, until cancelled.

        Args:
            pods: spread evenly over the period.
            period: seconds.
        """
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = started + number * period / len(pods)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                pod = pods[number % len(pods)]
                pod.close(next(self._draw))
                group.create_task(pod.report(self._api))

    async def _report_first(self, pod: Predictor) -> None:
        for _ in range(2):
            pod.close(next(self._draw))
        await pod.report(self._api)
