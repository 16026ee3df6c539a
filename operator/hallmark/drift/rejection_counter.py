"""Counts answered and refused rows by client, in blocks: what ``rejections`` judges."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hallmark.api.structs import RejectionBlock
from hallmark.drift.block_counter import BlockCounter

if TYPE_CHECKING:
    from hallmark.api.drift import Drift, Rejections

_ANSWERED, _REFUSED = range(2)
ROWS = (_ANSWERED, _REFUSED)
"""The columns in which a client's rows are counted."""


class RejectionCounter(BlockCounter[RejectionBlock]):
    """Counts answered and refused rows in blocks, and keeps the newest ones."""

    def __init__(self, rejections: Rejections, keep: int) -> None:
        """Start empty.

        Args:
            rejections: How many rows make a block.
            keep: How many blocks are kept.
        """
        super().__init__(len(ROWS), rejections.minimum, keep)

    def add(self, client: str, answered: int, refused: int, now: datetime) -> bool:
        """Count a request; tell whether it ended a block.

        A big request counts as ``minimum`` rows at most, in its own shares.

        Args:
            client: Its address.
            answered: Rows.
            refused: Rows.
            now: When it came.
        """
        rows = answered + refused
        if rows > self._minimum:
            refused = refused * self._minimum // rows
            rows, answered = self._minimum, self._minimum - refused
        if self._since is None:
            self._since = now
        self._clients.add(client, _ANSWERED, answered)
        self._clients.add(client, _REFUSED, refused)
        return self._clients.total >= self._look_at and self._look(self._since)

    def _block(self, number: int, start: str) -> RejectionBlock | None:
        counted = self._judged([_REFUSED], ROWS, self._minimum)
        if counted is None:
            return None
        return RejectionBlock(number=number, start=start, rows=counted.of, refused=counted.found)


def rejection_counter(drift: Drift) -> RejectionCounter | None:
    """Return an empty counter where a limit is declared."""
    return RejectionCounter(drift.rejections, drift.consecutive) if drift.rejections else None
