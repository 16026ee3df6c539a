"""What time it is where objects get their creation timestamps: at the API servers."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

HEARD = 16
"""Answers that are remembered: behind one address there may be several API servers."""


class ServerTime:
    """How far API servers' clocks are ahead of this one's, from the ``Date`` of their answers.

    A ``Date`` has whole seconds and is as old as its answer took, so that it never makes a clock
    seem ahead which is not. That one is behind cannot be told from a slow answer.
    """

    def __init__(self) -> None:
        """Know of no server."""
        self._ahead = deque[timedelta](maxlen=HEARD)

    def hear(self, date: str | None, now: datetime) -> None:
        """Take the ``Date`` of an answer that came now; one that cannot be read says nothing."""
        try:
            told = parsedate_to_datetime(date or "")
        except (ValueError, OverflowError):
            return
        self._ahead.append(told.replace(tzinfo=told.tzinfo or UTC) - now)

    def latest(self, now: datetime) -> datetime:
        """Return a moment that is not before this one by any of their clocks, nor by ours."""
        return now + max([timedelta(), *self._ahead])
