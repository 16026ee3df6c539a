"""Counts what became true of answers, in windows of a fixed number of outcomes.

Of two classes the score is the probability of the positive one, and the event that it is; of more,
the score is the probability of the decided class, and the event that the answer was right: see
``hallmark.classification.scored_class``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from hallmark.api.bounds import EARLIER_VERSIONS, OUTCOME_WINDOWS, SCORE_BINS, SCORE_SCALE
from hallmark.api.structs import EarlierOutcomes, GroupOutcomes, OutcomeReport, OutcomeWindow
from hallmark.api.texts import timestamp

if TYPE_CHECKING:
    from hallmark.api.feedback import Feedback

MAX_SEEN = 65_536
"""So many of the newest receipts are remembered, so that none counts twice; about 9 MB."""


class Outcome(Struct, frozen=True):
    """What became true of one answer.

    Attributes:
        number: Of the answer's receipt.
        correct: The answer came true.
        score: From 0 to 1.
        happened: What the score is the probability of came true.
        group: One of the declared; empty where none was named.
    """

    number: int
    correct: bool
    score: float
    happened: bool
    group: str = ""


class _Open:
    """A window that is being filled."""

    def __init__(self, groups: Sequence[str], start: datetime) -> None:
        self.start = start
        self.outcomes = self.correct = 0
        self.scored, self.happened, self.scores = ([0] * SCORE_BINS for _ in range(3))
        self.groups = {group: [0, 0] for group in groups}

    def add(self, outcome: Outcome) -> None:
        place = min(SCORE_BINS - 1, int(outcome.score * SCORE_BINS))
        self.outcomes += 1
        self.correct += outcome.correct
        self.scored[place] += 1
        self.happened[place] += outcome.happened
        self.scores[place] += round(outcome.score * SCORE_SCALE)
        if outcome.group:
            found = self.groups[outcome.group]
            found[0] += 1
            found[1] += outcome.correct

    def closed(self, number: int, end: datetime) -> OutcomeWindow:
        return OutcomeWindow(
            number=number,
            start=timestamp(self.start),
            end=timestamp(max(self.start, end)),  # the clock may have been set back
            outcomes=self.outcomes,
            correct=self.correct,
            scored=self.scored,
            happened=self.happened,
            scores=self.scores,
            groups=[
                GroupOutcomes(group=group, outcomes=outcomes, correct=correct)
                for group, (outcomes, correct) in self.groups.items()
                if outcomes
            ],
        )


class OutcomeCounter:
    """Counts outcomes, each receipt once, and keeps the newest windows."""

    def __init__(self, feedback: Feedback) -> None:
        """Start empty.

        Args:
            feedback: How many outcomes make a window, and which groups there are.
        """
        self._feedback = feedback
        self._seen: dict[int, None] = {}
        self._windows: deque[OutcomeWindow] = deque(maxlen=OUTCOME_WINDOWS)
        self._number = 0
        self._open: _Open | None = None
        self.outcomes = self.correct = 0
        """Since the start."""
        self.refused = 0
        """Outcomes that were not counted."""
        self.earlier: dict[str, list[int]] = {}
        """Of versions that served before: outcomes and how many of them were right."""

    @property
    def kept(self) -> list[OutcomeWindow]:
        """The newest windows, oldest first."""
        return list(self._windows)

    @property
    def told(self) -> int:
        """All outcomes since the start, counted or refused, of whatever version."""
        return self.outcomes + self.refused + sum(count for count, _ in self.earlier.values())

    def add(self, outcome: Outcome, now: datetime) -> bool:
        """Count an outcome; tell whether its receipt is new."""
        if not self._is_new(outcome.number):
            return False
        self.outcomes += 1
        self.correct += outcome.correct
        if self._open is None:
            self._open = _Open(self._feedback.groups, now)
        self._open.add(outcome)
        if self._open.outcomes == self._feedback.window:
            self._number += 1
            self._windows.append(self._open.closed(self._number, now))
            self._open = None
        return True

    def takes(self, version: str) -> bool:
        """Tell whether another version is counted, or there is room for it."""
        return version in self.earlier or len(self.earlier) < EARLIER_VERSIONS

    def add_earlier(self, version: str, outcome: Outcome) -> bool:
        """Count an outcome of another version, which is in no window; tell whether it is new.

        Args:
            version: The first 16 hex digits of its manifest digest; it must be taken (``takes``).
            outcome: What became true.
        """
        if not self._is_new(outcome.number):
            return False
        counts = self.earlier.setdefault(version, [0, 0])
        counts[0] += 1
        counts[1] += outcome.correct
        return True

    def _is_new(self, number: int) -> bool:
        """Tell whether a receipt was not counted before, and remember it."""
        if number in self._seen:
            return False
        self._seen[number] = None
        if len(self._seen) > MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        return True

    def report(self) -> OutcomeReport:
        """Return what is reported now."""
        return OutcomeReport(
            outcomes=self.outcomes,
            correct=self.correct,
            refused=self.refused,
            windows=self.kept,
            earlier=[
                EarlierOutcomes(version=version, outcomes=outcomes, correct=correct)
                for version, (outcomes, correct) in self.earlier.items()
            ],
        )
