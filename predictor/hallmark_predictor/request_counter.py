"""Counts requests for predictions: how many, how they ended, how long they took."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable

from hallmark.api.model_deployment import LATENCY_BOUNDS, RequestCounts

_PREDICTING = ("/predict", "/infer", ":predict")
"""How the routes end that answer with predictions."""
_BOUNDS = tuple(bound / 1000 for bound in LATENCY_BOUNDS)


class RequestCounter:
    """Cumulative since its start; used on the event loop's thread alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing counted.

        Args:
            clock: Tells seconds.
        """
        self._clock = clock
        self._began = clock()
        self.count = 0
        """Requests that ended."""
        self._refused = self._failed = 0
        self._latency = [0] * (len(_BOUNDS) + 1)

    def ended(self, route: str, code: int, seconds: float) -> None:
        """Count a request, if it was for predictions.

        Args:
            route: The route's path.
            code: The status code of the answer.
            seconds: From its headers to the end of its answer.
        """
        if not route.endswith(_PREDICTING):
            return
        self.count += 1
        self._refused += 400 <= code < 500
        self._failed += code >= 500
        self._latency[bisect_left(_BOUNDS, seconds)] += 1

    def told(self) -> RequestCounts:
        """Return what is to be reported now."""
        return RequestCounts(
            uptime=int((self._clock() - self._began) * 1000),
            count=self.count,
            refused=self._refused,
            failed=self._failed,
            latency=list(self._latency),
        )
