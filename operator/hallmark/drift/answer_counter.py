"""Counts requests by client, in blocks: what ``answers`` judges."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.structs import AnswerBlock
from hallmark.drift.block_counter import BlockCounter
from hallmark.drift.clients import Share
from hallmark.drift.latency import bound_of

if TYPE_CHECKING:
    from hallmark.api.drift import Drift, RequestLimits

_IN_TIME, _LATE, _FAILED = range(3)
_COLUMNS = 3


class AnswerCounter(BlockCounter[AnswerBlock]):
    """Counts requests in blocks, and keeps the newest ones."""

    def __init__(self, limits: RequestLimits, keep: int) -> None:
        """Start empty.

        Args:
            limits: How many requests make a block, and when an answer is late.
            keep: How many blocks are kept.
        """
        super().__init__(_COLUMNS, limits.minimum, keep)
        self._bound = bound_of(limits.max_latency) if limits.max_latency else len(LATENCY_BOUNDS)

    def add(self, client: str, bucket: int | None, now: datetime) -> None:
        """Count a request.

        Args:
            client: Its address.
            bucket: In which its answer's time stands; None where there was no answer.
            now: When it ended.
        """
        late = _LATE if bucket is not None and bucket > self._bound else _IN_TIME
        self._since = self._since or now
        self._clients.add(client, _FAILED if bucket is None else late)
        if self._clients.total >= self._look_at:
            self._look(self._since)

    def _block(self, number: int, start: str) -> AnswerBlock | None:
        failed = self._judged([_FAILED], [_IN_TIME, _LATE, _FAILED], self._minimum)
        if failed is None:
            return None
        # Who is left out differs: there may be fewer answers than requests.
        late = self._judged([_LATE], [_IN_TIME, _LATE], self._minimum // 2) or Share()
        return AnswerBlock(
            number=number,
            start=start,
            requests=failed.of,
            failed=failed.found,
            timed=late.of,
            late=late.found,
        )


def answer_counter(drift: Drift) -> AnswerCounter | None:
    """Return an empty counter where limits are declared."""
    return AnswerCounter(drift.requests, drift.consecutive) if drift.requests else None
