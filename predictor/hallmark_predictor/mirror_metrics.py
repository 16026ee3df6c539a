"""What Prometheus sees of copies for candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from hallmark.drift.mirrored import MirrorCounter

if TYPE_CHECKING:
    from prometheus_client import Metric


class CopyOutcome(StrEnum):
    """What became of a copy."""

    ANSWERED = "Answered"
    REFUSED = "Refused"
    FAILED = "Failed"
    """It was not answered, or not in time."""
    DROPPED = "Dropped"
    """It was not made, or did not reach the candidate."""


class Label(StrEnum):
    """How the candidate's label of a row compares."""

    SAME = "Same"
    OTHER = "Other"


class CopiesSeen:
    """What became of copies since the start, over one mirror after another."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._before = Counter[CopyOutcome | Label]()
        self._counter: MirrorCounter | None = None

    def follow(self, counter: MirrorCounter) -> None:
        """Count by another counter from now on; what was counted stays."""
        self._before = self._all()
        self._counter = counter

    def families(self) -> Iterator[Metric]:
        """Yield the metrics."""
        from prometheus_client.core import CounterMetricFamily

        seen = self._all()
        copies = CounterMetricFamily(
            "hallmark_predictor_mirror_copies",
            "Copies of requests for candidates, by what became of them.",
            labels=["outcome"],
        )
        for outcome in CopyOutcome:
            copies.add_metric([outcome], seen[outcome])
        yield copies
        rows = CounterMetricFamily(
            "hallmark_predictor_mirror_rows",
            "Rows of copies that both versions answered, by whether their labels are the same.",
            labels=["label"],
        )
        for label in Label:
            rows.add_metric([label], seen[label])
        yield rows

    def _all(self) -> Counter[CopyOutcome | Label]:
        found = Counter(self._before)
        if self._counter is not None:
            counts = self._counter.seen()
            found[CopyOutcome.ANSWERED] += counts.taken - counts.refused
            found[CopyOutcome.REFUSED] += counts.refused
            found[CopyOutcome.FAILED] += counts.failed
            found[CopyOutcome.DROPPED] += self._counter.dropped
            found[Label.SAME] += counts.rows - counts.other
            found[Label.OTHER] += counts.other
        return found
