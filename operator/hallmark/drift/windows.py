"""Closes a window after every N rows and keeps the newest ones.

A machine's clock may be set back while a window is open. What follows in a report has times that
follow, too, or the operator would believe none of it: until the clock is where it was, time stands
still here.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from hallmark.api.structs import DriftReport, DriftWindow
from hallmark.api.texts import timestamp
from hallmark.drift.counts import BinCounter, CountedRows


class WindowCounter:
    """Counts rows since the start, and in windows of a fixed number of rows."""

    def __init__(self, counter: BinCounter, window: int, keep: int) -> None:
        """Start empty.

        Args:
            counter: Knows the bins.
            window: Rows in a window.
            keep: How many closed windows are kept (``evidence.kept_windows``).
        """
        self._counter = counter
        self._window = window
        self._closed: deque[DriftWindow] = deque(maxlen=keep)
        self._number = 0
        self._rows = 0
        self._totals = counter.zeros()
        self._open_rows = 0
        self._open = counter.zeros()
        self._open_since: datetime | None = None
        self._newest: datetime | None = None
        """The latest time that a window has."""

    @property
    def rows_to_close(self) -> int:
        """How many more rows close the open window."""
        return self._window - self._open_rows

    @property
    def closed(self) -> int:
        """How many windows were closed since the start."""
        return self._number

    @property
    def kept(self) -> tuple[DriftWindow, ...]:
        """The newest closed windows, oldest first."""
        return tuple(self._closed)

    def add(self, rows: CountedRows, first: datetime, last: datetime) -> None:
        """Count rows, shape (rows, columns); they may close any number of windows.

        Args:
            rows: The rows in the order in which they came.
            first: When the first of them came.
            last: When the last of them came, which is also when a window that they fill ends.
        """
        while len(rows):
            part, rows = rows[: self.rows_to_close], rows[self.rows_to_close :]
            if self._open_since is None:
                self._open_since = self._not_before(first)
            self._counter.add(part, self._open)
            self._open_rows += len(part)
            if self._open_rows == self._window:
                self._close(self._open_since, self._not_before(last))
                first = last

    def report(self, manifest_digest: str, boot_id: str, sequence: int) -> DriftReport:
        """Return what is reported now: totals with the open window, and the closed windows."""
        return DriftReport(
            manifest_digest=manifest_digest,
            boot_id=boot_id,
            sequence=sequence,
            rows=self._rows + self._open_rows,
            counts=self._counter.named(self._totals + self._open),
            windows=list(self._closed),
        )

    def _not_before(self, time: datetime) -> datetime:
        """Return a time, or the latest one that there was before, where that is later."""
        self._newest = time if self._newest is None else max(time, self._newest)
        return self._newest

    def _close(self, start: datetime, end: datetime) -> None:
        self._number += 1
        window = DriftWindow(
            number=self._number,
            rows=self._open_rows,
            start=timestamp(start),
            end=timestamp(end),
            counts=self._counter.named(self._open),
        )
        self._closed.append(window)
        self._totals += self._open
        self._rows += self._open_rows
        self._open, self._open_rows, self._open_since = self._counter.zeros(), 0, None
