"""When a request is turned away because others are before it; pure decisions.

A queue that grows serves nobody: each answer comes when its client has given up. So what would wait
for long is told at once to come again, and what is taken is answered soon.
"""

from __future__ import annotations

from collections.abc import Callable

MOST_WAITING = 1.0
"""Seconds that a request may wait for those before it on the event loop."""
LONGEST_LANE = 2.0
"""Seconds that a large body may wait for those before it; they are read one after the other."""
CAME = "hallmark.came"
"""In a request's state: when the turn began in which its head was read, by ``perf_counter``."""
DROPPED = "hallmark.dropped"
"""In a request's state, as a status: why nothing more of its body is read."""


class Turn:
    """One turn of the event loop: everything that had come is looked at, one after the other."""

    def __init__(self) -> None:
        """Start between turns."""
        self._began: float | None = None

    def waited(self, now: float, when_over: Callable[[Callable[[], None]], object]) -> float:
        """Return for how many seconds what is looked at now has waited in this turn.

        Args:
            now: The time.
            when_over: Calls what it is given when the turn is over.
        """
        if self._began is None:
            self._began = now
            when_over(self._over)
        return now - self._began

    def _over(self) -> None:
        self._began = None


class Lane:
    """Large bodies, which are worked on one after the other."""

    def __init__(self) -> None:
        """Start empty, without knowing how long anything takes."""
        self._waiting = 0
        self._pace = 0.0
        """Seconds for a byte, mostly of the newest ones."""

    def enter(self, size: int) -> bool:
        """Let a body of so many bytes in, if those before it are done soon; tell whether it is."""
        if self._waiting * self._pace > LONGEST_LANE:
            return False
        self._waiting += size
        return True

    def leave(self, size: int, seconds: float) -> None:
        """Take that a body is done.

        Args:
            size: Its bytes.
            seconds: What it took, without waiting; 0 where nothing was done.
        """
        self._waiting -= size
        if seconds:
            self._pace += (seconds / size - self._pace) / 4


class Inbox:
    """How much of bodies has come over all connections and was not asked for yet."""

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: Bytes.
        """
        self._limit = limit
        self._most = 0
        """Bytes that there are at most: what came since somebody counted is in it."""
        self._is_full = False

    def take(
        self,
        size: int,
        count: Callable[[], int],
        when_over: Callable[[Callable[[], None]], object],
    ) -> bool:
        """Take so many bytes; tell whether there was room.

        Args:
            size: Bytes.
            count: Counts how many there are without them, which takes long.
            when_over: Calls what it is given when the loop's turn is over.
        """
        if self._is_full:
            return False
        self._most += size
        if self._most <= self._limit:
            return True
        self._most = count() + size
        if self._most <= self._limit:
            return True
        self._is_full = True  # until somebody had his turn: nothing was asked for before
        when_over(self._look_again)
        return False

    def _look_again(self) -> None:
        self._is_full = False
