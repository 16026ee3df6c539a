"""Whether what became true of a group's answers is worse than the floor of groups.

As for all answers (``hallmark.drift.quality``), with the part of the error budget that one floor
has divided among the groups that are declared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from hallmark.api.feedback import Feedback, GroupQuality, OutcomeWindow
from hallmark.drift.budget import as_text
from hallmark.drift.quality_evidence import accuracy_evidence


@dataclass(frozen=True)
class GroupVote:
    """What a Pod's windows of outcomes say of a group.

    Attributes:
        group: Which one.
        outcomes: In the fewest of the newest windows that have enough of them, else in all.
        correct: How many of these came true.
        enough: There are as many as a verdict needs.
        evidence: The natural logarithm of the greatest e-value.
        fails: It is below the floor, with as much evidence as the budget asks for.
    """

    group: str
    outcomes: int
    correct: int
    enough: bool = False
    evidence: float = 0.0
    fails: bool = False


def group_votes(
    windows: Sequence[OutcomeWindow], feedback: Feedback, needed: float
) -> tuple[GroupVote, ...]:
    """Return what windows say of each group that they tell of.

    Args:
        windows: of a Pod, since the promotion, oldest first.
        feedback: the floor.
        needed: the natural logarithm of the e-value that a group needs.
    """
    return tuple(_vote(group, windows, feedback, needed) for group in groups_of(windows))


def groups_of(windows: Sequence[OutcomeWindow]) -> list[str]:
    """Return the groups that windows tell of, sorted."""
    return sorted({told.group for window in windows for told in window.groups})


def counts_since(group: str, windows: Sequence[OutcomeWindow]) -> list[tuple[int, int]]:
    """Return a group's outcomes and how many are right: of the newest window, of two, of all."""
    return list(accumulate(map(_counts(group), reversed(windows)), _sum))


def _vote(
    group: str, windows: Sequence[OutcomeWindow], feedback: Feedback, needed: float
) -> GroupVote:
    declared = feedback.group_floor
    since_each = counts_since(group, windows)
    shown = declared or feedback.group_gap
    least = shown.minimum_outcomes if shown else 1
    outcomes, correct = next((some for some in since_each if some[0] >= least), since_each[-1])
    if declared is None or outcomes < least:
        return GroupVote(group, outcomes, correct)
    floor = float(declared.minimum_accuracy)
    proof = max(accuracy_evidence(right, told, floor) for told, right in since_each)
    fails = correct < floor * outcomes and proof >= needed
    return GroupVote(group, outcomes, correct, enough=True, evidence=proof, fails=fails)


def _counts(group: str) -> Callable[[OutcomeWindow], tuple[int, int]]:
    def of(window: OutcomeWindow) -> tuple[int, int]:
        return next(
            ((told.outcomes, told.correct) for told in window.groups if told.group == group), (0, 0)
        )

    return of


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def group_states(votes: Sequence[GroupVote]) -> list[GroupQuality]:
    """Return what all Pods say of each group that they were told of."""
    named = sorted({vote.group for vote in votes})
    found = ([vote for vote in votes if vote.group == group] for group in named)
    return [_state(of) for of in found if any(vote.outcomes for vote in of)]


def _state(votes: Sequence[GroupVote]) -> GroupQuality:
    voters = [vote for vote in votes if vote.enough]
    failing = sum(vote.fails for vote in voters)
    shown = voters or votes
    outcomes = sum(vote.outcomes for vote in shown)
    return GroupQuality(
        group=votes[0].group,
        outcomes=outcomes,
        accuracy=f"{sum(vote.correct for vote in shown) / outcomes:.4f}",
        below_floor=2 * failing > len(voters),
        voters=len(voters),
        failing=failing,
        evidence=as_text(median(vote.evidence for vote in voters)) if voters else "",
    )
