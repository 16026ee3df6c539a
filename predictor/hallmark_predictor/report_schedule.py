"""When a predictor reports: at once where a decision hangs on it, else seldom. Pure.

It also reports without news, for silence must not read as health: each report says within how
many seconds the next one comes, and the operator believes no verdict whose Pods broke that word.

Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

INTERVAL = 15.0
"""Seconds between reports of closed windows that decide nothing new."""
LONGEST_INTERVAL = 60.0
"""The interval doubles up to this while the windows go on saying the same."""
IDLE_INTERVAL = 300.0
"""Seconds between reports while no row comes."""
JITTER = 0.2
"""Up to this share is added to an interval, so that Pods that started together part."""
AT_ONCE = 5
"""So many reports in a row go at once: as many as windows that must drift, at most."""
AT_ONCE_INTERVAL = 1.0
"""Seconds between further ones, whatever the clients send."""


class Pauses(Struct, frozen=True):
    """Seconds until a report that failed is tried again: the first, and the longest."""

    first: float
    longest: float
    longest_without_room: float
    """Where other Pods' reports take all the room: the operator makes some soon."""


URGENT = Pauses(first=0.5, longest=15, longest_without_room=4)
ORDINARY = Pauses(first=5, longest=60, longest_without_room=15)


class Standing(Struct, frozen=True):
    """How a Pod's windows stand since its version got the traffic."""

    windows: int = 0
    """How many were closed, at most as many as a decision needs."""
    drifting: int = 0
    """How many of the newest drift in a row, at most as many as a report holds."""

    def after(self, drifts: bool, consecutive: int, kept: int) -> Standing:
        """Return the standing after one more window."""
        run = min(self.drifting + 1, kept) if drifts else 0
        return Standing(min(self.windows + 1, consecutive), run)

    def vote(self, consecutive: int) -> bool | None:
        """Return what the Pod's vote is; None while it has none."""
        return None if self.windows < consecutive else self.drifting >= consecutive


class Told(Struct, frozen=True):
    """What a report says, as far as it matters to when the next one is due."""

    closed: int = 0
    """Windows since the start."""
    standing: Standing = Standing()
    refusals: int = 0
    """Requests since the start in which rows were refused."""
    rows: int = 0
    """Answered or refused since the start."""


class _Failure(Struct, frozen=True):
    at: float
    count: int
    urgent: bool
    no_room: bool


class Schedule:
    """Told what happens, says when the next report is due.

    A report is urgent when a window more drifts than the operator knows of, or when the Pod's
    vote is not the one that it knows. That a single window no longer drifts is not urgent: the
    Pod had no vote for drift.
    """

    def __init__(
        self, consecutive: int, now: float, random: Callable[[], float], kept: int = 0
    ) -> None:
        """Start with a first report to make soon: that the Pod can report at all.

        Args:
            consecutive: How many windows in a row must drift.
            now: The time of the start.
            random: Returns numbers from 0 to 1.
            kept: How many windows a report holds: each of them that drifts adds evidence.
        """
        self._consecutive = consecutive
        self._kept = max(consecutive, kept)
        self._random = random
        self._draw = random()
        self._current = self._told = Told()
        self._last = now
        self._began: float | None = now
        """The start, or when the version got the traffic, until a report of after it is taken."""
        self._grew = False
        """The last report that was accepted told of more rows than the one before."""
        self._same = 0
        """How many reports in a row had the standing of the one before."""
        self._failure: _Failure | None = None
        self._spent_until = now
        """How far the reports that went at once have used up the time for such."""

    def closed(self, drifts: Iterable[bool]) -> None:
        """Take whether each of the windows that were closed drifts, oldest first."""
        for one in drifts:
            standing = self._current.standing.after(one, self._consecutive, self._kept)
            self._current = replace(
                self._current, closed=self._current.closed + 1, standing=standing
            )

    def refused(self) -> None:
        """Take that rows were refused; no decision hangs on it, but it is told in its time."""
        self._current = replace(self._current, refusals=self._current.refusals + 1)

    def restart(self, now: float) -> None:
        """Count afresh: the version has got the traffic, and former windows decide nothing."""
        self._current = replace(self._current, standing=Standing())
        self._told = replace(self._told, closed=self._current.closed, standing=Standing())
        self._same, self._began = 0, now

    def due(self, rows: int) -> float:
        """Return when to report next.

        Args:
            rows: Answered or refused since the start.
        """
        urgent, failure = self._is_urgent(), self._failure
        if failure and (failure.urgent or not urgent):
            return failure.at + self._pause(failure, URGENT if urgent else ORDINARY)
        if urgent:
            return self._spent_until - (AT_ONCE - 1) * AT_ONCE_INTERVAL
        spread = 1 + JITTER * self._draw
        at = self._last + self._interval(rows) * spread
        return at if self._began is None else min(at, self._began + INTERVAL * spread)

    def _interval(self, rows: int) -> float:
        if self._has_news(self._current):
            return _doubled(INTERVAL, self._same, LONGEST_INTERVAL)
        # That no more rows come is news once, too.
        return LONGEST_INTERVAL if self._grew or rows != self._told.rows else IDLE_INTERVAL

    def sending(self, now: float, rows: int) -> Told:
        """Note that a report is sent; return what ``accepted`` must be told.

        Args:
            now: The time.
            rows: Answered or refused since the start.
        """
        if self._is_urgent():
            self._spent_until = max(self._spent_until, now) + AT_ONCE_INTERVAL
        return replace(self._current, rows=rows)

    def next_within(self, told: Told) -> int:
        """Return within how many seconds another report follows this one, once it is accepted."""
        longest = LONGEST_INTERVAL if told.rows != self._told.rows else IDLE_INTERVAL
        return ceil(longest * (1 + JITTER))

    def accepted(self, told: Told, now: float) -> None:
        """Note that a report was taken."""
        if self._has_news(told):
            self._same = self._same + 1 if told.standing == self._told.standing else 0
        self._grew, self._began = told.rows != self._told.rows, None
        self._told, self._last, self._failure = told, now, None
        self._draw = self._random()

    def failed(self, now: float, *, no_room: bool = False) -> None:
        """Note that a report was not taken."""
        before, urgent = self._failure, self._is_urgent()
        count = before.count + 1 if before and before.urgent == urgent else 1
        self._failure = _Failure(now, count, urgent, no_room)
        self._draw = self._random()

    def _has_news(self, report: Told) -> bool:
        """Whether a report tells of windows or refusals that the one before did not."""
        told = self._told
        return (report.closed, report.refusals) != (told.closed, told.refusals)

    def _is_urgent(self) -> bool:
        told, current = self._told.standing, self._current.standing
        voted = told.vote(self._consecutive) != current.vote(self._consecutive)
        return voted or current.drifting > told.drifting

    def _pause(self, failure: _Failure, pauses: Pauses) -> float:
        longest = pauses.longest_without_room if failure.no_room else pauses.longest
        return _doubled(pauses.first, failure.count - 1, longest) * (1 + self._draw) / 2


def _doubled(seconds: float, times: int, longest: float) -> float:
    return min(seconds * 2.0 ** min(times, 10), longest)
