"""What a Pod tells of its rows and requests by client; the report carries sums, never addresses."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.structs import FairCounts
from hallmark.drift.clients import Clients, Share
from hallmark.drift.rejection_counter import ROWS

BLOCK = 2000
"""After so many rows, or requests, those counted are judged for good, and the next ones anew."""
MOST_ROWS = 100
"""A request counts as so many rows at most."""
_TIMED = tuple(range(len(LATENCY_BOUNDS) + 1))
"""The columns of answered requests: the buckets of their times."""
_FAILED = len(_TIMED)


class FairCounter:
    """Cumulative since its start; used on the event loop's thread alone."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._rows, self._requests = Clients(len(ROWS)), Clients(len(_TIMED) + 1)
        self._of_rows = [Share()]
        self._of_requests = [Share()] * len(_TIMED)

    def rows(self, client: str, answered: int, refused: int) -> None:
        """Count a request's rows.

        Args:
            client: Its address.
            answered: Rows.
            refused: Rows.
        """
        whole = answered + refused
        if whole > MOST_ROWS:
            refused = -(-refused * MOST_ROWS // whole)
            answered = MOST_ROWS - refused
        if answered:
            self._rows.add(client, 0, answered)
        if refused:
            self._rows.add(client, 1, refused)
        self._look_at_rows()

    def row(self, client: str) -> None:
        """Count an answered request of one row, by its client's address."""
        self._rows.add(client, 0)
        self._look_at_rows()

    def answered(self, client: str, bucket: int) -> None:
        """Count an answered request.

        Args:
            client: Its address.
            bucket: In which its time stands, among ``RequestCounts.work``.
        """
        self._add(client, bucket)

    def failed(self, client: str) -> None:
        """Count a request that could not be answered though nothing was wrong with it."""
        self._add(client, _FAILED)

    def told(self) -> FairCounts:
        """Return what is to be reported now."""
        [rows], [requests, *late] = self._rows_now(), self._requests_now()
        return FairCounts(
            rows=rows.of,
            refused=rows.found,
            requests=requests.of,
            failed=requests.found,
            timed=[share.of for share in late],
            late=[share.found for share in late],
        )

    def _look_at_rows(self) -> None:
        if self._rows.total >= BLOCK:
            self._of_rows = self._rows_now()
            self._rows = Clients(len(ROWS))

    def _add(self, client: str, column: int) -> None:
        self._requests.add(client, column)
        if self._requests.total >= BLOCK:
            self._of_requests = self._requests_now()
            self._requests = Clients(len(_TIMED) + 1)

    def _rows_now(self) -> list[Share]:
        return [self._of_rows[0] + self._rows.fair([1], ROWS)]

    def _requests_now(self) -> list[Share]:
        found: list[Sequence[int]] = [_TIMED[within:] for within in _TIMED[1:]]
        now = [
            self._requests.fair([_FAILED], [*_TIMED, _FAILED]),
            *(self._requests.fair(late, _TIMED) for late in found),
        ]
        return [before + new for before, new in zip(self._of_requests, now, strict=True)]
