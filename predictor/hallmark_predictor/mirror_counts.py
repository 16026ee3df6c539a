"""Who counts what became of copies: a Pod's first process, for all of its processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hallmark.drift.mirrored import MirrorCounter
from hallmark_predictor.mirror_frames import Outcome
from hallmark_predictor.mirror_metrics import CopiesSeen

if TYPE_CHECKING:
    from hallmark_predictor.drift_reporter import DriftRecorder
    from hallmark_predictor.feed import Copied, Teller
    from hallmark_predictor.serving import Serving


class CountsCopies(Protocol):
    """Counts what becomes of copies for one candidate (``MirrorCounter``)."""

    @property
    def candidate(self) -> str:
        """The candidate's manifest digest."""

    def drop(self, copies: int = 1) -> None:
        """Count copies that were not made or did not reach the candidate."""

    def failed(self, client: str) -> None:
        """Count a copy that the candidate did not answer, or not in time."""

    def refused(self, client: str) -> None:
        """Count a copy that the candidate refused."""

    def answered(self, client: str, seconds: float, rows: Sequence[tuple[bool, float]]) -> None:
        """Count a copy that both versions answered."""


class CopyCounts(Protocol):
    """Gives a mirror its counter."""

    def begin(self, candidate: str, since: str) -> CountsCopies:
        """Return what counts for a mirror, which may have been interrupted."""

    def end(self) -> None:
        """Take that nothing is copied any more, for now."""


class CountedHere:
    """Counts for a Pod, and lets its reports and metrics tell."""

    def __init__(self, serving: Serving, recorder: DriftRecorder) -> None:
        """Start with nothing counted.

        Args:
            serving: Gets what other processes tell.
            recorder: Reports.
        """
        self._recorder = recorder
        self._counter: MirrorCounter | None = None
        self._seen = CopiesSeen()
        serving.metrics.copies(self._seen.families)
        serving.count_copies = self.count

    def begin(self, candidate: str, since: str) -> MirrorCounter:
        """Count for a mirror from now on; for the former one again where it is that."""
        counter = self._counter
        if counter is None or (counter.candidate, counter.since) != (candidate, since):
            counter = self._counter = MirrorCounter(candidate, since)
            self._seen.follow(counter)
        self._recorder.mirror = counter
        return counter

    def end(self) -> None:
        """Report nothing of it any more."""
        self._recorder.mirror = None

    def count(self, copied: Copied) -> None:
        """Count what another process tells; of an earlier mirror nothing counts any more."""
        counter = self._counter
        if counter is None or (counter.candidate, counter.since) != (
            copied.candidate,
            copied.since,
        ):
            return
        counter.drop(copied.dropped)
        for client, outcome, seconds, rows in copied.came:
            if outcome == Outcome.ANSWERED:
                counter.answered(client, seconds, rows)
            elif outcome == Outcome.REFUSED:
                counter.refused(client)
            else:
                counter.failed(client)


class ToldCounter:
    """Tells the first process what becomes of the copies that another one makes."""

    def __init__(self, teller: Teller, candidate: str, since: str) -> None:
        """Tell everything to a teller, of the mirror that has this candidate and beginning."""
        self._teller = teller
        self.candidate, self.since = candidate, since

    def drop(self, copies: int = 1) -> None:
        """Tell of copies that were not made or did not reach the candidate."""
        if copies:
            self._teller.copied(self.candidate, self.since).dropped += copies

    def failed(self, client: str) -> None:
        """Tell of a copy that the candidate did not answer, or not in time."""
        self._tell(client, Outcome.FAILED, 0.0, ())

    def refused(self, client: str) -> None:
        """Tell of a copy that the candidate refused."""
        self._tell(client, Outcome.REFUSED, 0.0, ())

    def answered(self, client: str, seconds: float, rows: Sequence[tuple[bool, float]]) -> None:
        """Tell of a copy that both versions answered."""
        self._tell(client, Outcome.ANSWERED, seconds, rows)

    def _tell(
        self, client: str, outcome: Outcome, seconds: float, rows: Sequence[tuple[bool, float]]
    ) -> None:
        told = self._teller.copied(self.candidate, self.since)
        told.came.append((client, outcome, seconds, list(rows)))


class ToldCounts:
    """A further process's: the first one counts."""

    def __init__(self, teller: Teller) -> None:
        """Tell everything to a teller."""
        self._teller = teller

    def begin(self, candidate: str, since: str) -> ToldCounter:
        """Return what tells of a mirror."""
        return ToldCounter(self._teller, candidate, since)

    def end(self) -> None:
        """Do nothing: the first process knows."""
