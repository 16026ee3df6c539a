"""How a candidate answered copies of requests, counted by who had sent them.

The report carries sums, never addresses: all, and without the busiest clients (``clients``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from hallmark.api.bounds import LATENCY_BOUNDS, SCORE_BOUNDS
from hallmark.api.structs import MirrorCounts, MirrorReport
from hallmark.drift.clients import Clients, Share

BLOCK = 2000
"""After so many rows, or copies, those counted are judged for good, and the next ones anew."""
MOST_ROWS = 100
"""So many rows of a copy are compared."""
_LATENCIES = tuple(bound / 1000 for bound in LATENCY_BOUNDS)
_SPANS = tuple(map(float, SCORE_BOUNDS))
_TIMED = range(len(_LATENCIES) + 1)
"""The columns of answered copies: the buckets of their times."""
_REFUSED, _FAILED = len(_TIMED), len(_TIMED) + 1
_SAME = range(len(_SPANS) + 1)
"""The columns of rows with the same label: the buckets of their scores' difference."""
_OTHER = range(len(_SAME), 2 * len(_SAME))
"""Those with another label, likewise."""
Question = tuple[Sequence[int], Sequence[int]]
"""The columns that hold what is looked for, and those that hold all of which it is a part."""


class _Cumulative:
    """Shares since the start, each without the clients that had most to do with it in a block."""

    def __init__(self, columns: int, questions: Sequence[Question]) -> None:
        self._questions = questions
        self._clients = Clients(columns)
        self._totals = [0] * columns
        self._fair = [Share()] * len(questions)

    def add(self, client: str, column: int) -> None:
        self._totals[column] += 1
        self._clients.add(client, column)
        if self._clients.total >= BLOCK:
            self._fair = self.fair
            self._clients = Clients(len(self._totals))

    @property
    def all(self) -> list[Share]:
        totals = self._totals
        return [
            Share(sum(totals[column] for column in of), sum(totals[column] for column in found))
            for found, of in self._questions
        ]

    @property
    def fair(self) -> list[Share]:
        now = self._clients.all_fair(self._questions)
        return [before + new for before, new in zip(self._fair, now, strict=True)]


class MirrorCounter:
    """Cumulative since a mirror began; used on the event loop's thread alone."""

    def __init__(self, candidate: str, since: str) -> None:
        """Start with nothing counted.

        Args:
            candidate: The candidate's manifest digest.
            since: When the mirror began.
        """
        self.candidate, self.since = candidate, since
        self.dropped = 0
        """Copies that were not made or did not reach the candidate."""
        self.copies = 0
        """Copies that did."""
        answered = list(_TIMED)
        self._copies = _Cumulative(
            _FAILED + 1,
            [
                ([_FAILED], [*answered, _REFUSED, _FAILED]),
                ([_REFUSED], [*answered, _REFUSED]),
                *((answered[within:], answered) for within in answered[1:]),
            ],
        )
        every = [*_SAME, *_OTHER]
        self._rows = _Cumulative(
            len(every),
            [
                (list(_OTHER), every),
                *(([*_SAME[within:], *_OTHER[within:]], every) for within in _SAME[1:]),
            ],
        )

    def drop(self, copies: int = 1) -> None:
        """Count copies that were not made or did not reach the candidate."""
        self.dropped += copies

    def failed(self, client: str) -> None:
        """Count a copy that the candidate did not answer, or not in time."""
        self.copies += 1
        self._copies.add(client, _FAILED)

    def refused(self, client: str) -> None:
        """Count a copy that the candidate refused."""
        self.copies += 1
        self._copies.add(client, _REFUSED)

    def answered(self, client: str, seconds: float, rows: Sequence[tuple[bool, float]]) -> None:
        """Count a copy that both versions answered.

        Args:
            client: The address of who sent the request.
            seconds: Until the candidate's answer was back.
            rows: For each of ``MOST_ROWS`` rows at most whether the label is the same, and how
                far the scores are apart.
        """
        self.copies += 1
        self._copies.add(client, bisect_left(_LATENCIES, seconds))
        for same, apart in rows:
            bucket = bisect_left(_SPANS, apart)
            self._rows.add(client, bucket if same else _OTHER[bucket])

    def seen(self) -> MirrorCounts:
        """Return the counts of all clients."""
        return _counts(self._copies.all, self._rows.all)

    def told(self) -> MirrorReport:
        """Return what is to be reported now."""
        return MirrorReport(
            candidate=self.candidate,
            since=self.since,
            dropped=self.dropped,
            all=self.seen(),
            fair=_counts(self._copies.fair, self._rows.fair),
        )


def _counts(copies: Sequence[Share], rows: Sequence[Share]) -> MirrorCounts:
    [failed, refused, *late], [other, *apart] = copies, rows
    return MirrorCounts(
        requests=failed.of,
        failed=failed.found,
        taken=refused.of,
        refused=refused.found,
        timed=[share.of for share in late],
        late=[share.found for share in late],
        rows=other.of,
        other=other.found,
        scored=[share.of for share in apart],
        apart=[share.found for share in apart],
    )
