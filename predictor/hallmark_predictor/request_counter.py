"""Counts requests for predictions: how many, how they ended, how long they took, and whose."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.structs import RequestCounts
from hallmark.drift.answer_counter import AnswerCounter
from hallmark.drift.fair import MOST_ROWS, FairCounter
from hallmark_predictor.apart import apart

_PREDICTING = ("/predict", "/infer", ":predict")
"""How the routes end that answer with predictions."""
_BOUNDS = tuple(bound / 1000 for bound in LATENCY_BOUNDS)
Ended = tuple[str, float, str, float]
"""A request that was answered: its route, its seconds, its client's address, and what it took of
the processor; see ``RequestCounter.ended``."""
CLIENT_GONE = 499
"""The status of a request whose client went away, or did not take its answer; it is never sent."""


def own_seconds(seconds: float, rows: int) -> float:
    """Return the processor's seconds for at most 100 rows: a batch is not late for its size.

    Args:
        seconds: That a prediction took of the processor.
        rows: How many it is for.
    """
    return seconds * MOST_ROWS / max(MOST_ROWS, rows)


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
        self.fair = FairCounter()
        """The same, and rows, by client."""
        self.blocks: AnswerCounter | None = None
        """The same in blocks, where the spec declares limits."""
        self._refused = self._failed = self._shed = 0
        self._latency = [0] * (len(_BOUNDS) + 1)
        self._work = [0] * (len(_BOUNDS) + 1)

    def ended(
        self, route: str, code: int, seconds: float, client: str = "", own: float | None = None
    ) -> None:
        """Count a request, if it was for predictions.

        Args:
            route: The route's path.
            code: The status code of the answer.
            seconds: From its headers to the end of its answer.
            client: The address of who sent it.
            own: The processor's seconds for its answer (``own_seconds``), without what it waited
                for and what others took; None where there was nothing to answer.
        """
        if not route.endswith(_PREDICTING):
            return
        self.count += 1
        self._latency[bisect_left(_BOUNDS, seconds)] += 1
        if code >= 500 and code != HTTPStatus.SERVICE_UNAVAILABLE:
            self._failed += 1
            self.fair.failed(client)
            self._in_block(client, None)
            return
        self._shed += code == HTTPStatus.SERVICE_UNAVAILABLE
        self._refused += 400 <= code < 500
        if own is not None:
            bucket = bisect_left(_BOUNDS, own)
            self._work[bucket] += 1
            self.fair.answered(client, bucket)
            if self.blocks is not None:
                self._in_block(client, bucket)

    def answered(self, ended: Sequence[Ended]) -> None:
        """Count requests for predictions that were answered; what ``ended`` does, sooner."""
        self.count += len(ended)
        latency, work, blocks, fair = self._latency, self._work, self.blocks, self.fair
        for _, seconds, client, own in ended:
            bucket = bisect_left(_BOUNDS, own)
            latency[bisect_left(_BOUNDS, seconds)] += 1
            work[bucket] += 1
            fair.answered(client, bucket)
            if blocks is not None:
                self._in_block(client, bucket)

    def _in_block(self, client: str, bucket: int | None) -> None:
        if self.blocks is not None:
            apart(self.blocks.add, client, bucket, datetime.now(UTC))

    def told(self) -> RequestCounts:
        """Return what is to be reported now."""
        return RequestCounts(
            uptime=int((self._clock() - self._began) * 1000),
            count=self.count,
            refused=self._refused,
            failed=self._failed,
            shed=self._shed,
            latency=list(self._latency),
            work=list(self._work),
            fair=self.fair.told(),
        )
