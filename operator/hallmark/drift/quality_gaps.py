"""Whether answers come true less often for one group than for another, by more than they may.

The null is that there is one level which, whatever came before, the probability of being right is
nowhere below for the one group, and nowhere above by more than the gap for the other. For each
level the product of what speaks against either half (``quality_evidence``) is a supermartingale;
the least of these products over all levels is no greater than that of the true one. What speaks
against the first half grows with the level, against the second it falls, so that on a grid the one
at an interval's lower end times the other at its upper end is never above the product in between.

Each group is held against the best of the others. Which that is, is seen in the same outcomes, so
that each ordered pair of declared groups has an equal part of the budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from hallmark.api.feedback import Feedback, GroupQuality, OutcomeWindow
from hallmark.drift.budget import as_text
from hallmark.drift.quality_evidence import excess_evidence
from hallmark.drift.quality_groups import counts_since, groups_of

LEVELS = 256
"""Intervals of the grid: finer ones find more evidence, coarser ones never too much."""
Counts = tuple[int, int]
"""Outcomes, and how many of them are right."""


@dataclass(frozen=True)
class GapVote:
    """What a Pod's windows of outcomes say of a group beside the best of the others.

    Attributes:
        group: Which one.
        behind: The best of the others.
        gap: How much higher the share of right answers is there.
        evidence: The natural logarithm of the greatest e-value; 0 where the gap is allowed.
        lags: The gap is greater than it may be, with as much evidence as the budget asks for.
    """

    group: str
    behind: str
    gap: float
    evidence: float = 0.0
    lags: bool = False


def gap_votes(
    windows: Sequence[OutcomeWindow], feedback: Feedback, needed: float
) -> tuple[GapVote, ...]:
    """Return what windows say of each group that they tell enough of, where others are known, too.

    Args:
        windows: of a Pod, since the promotion, oldest first.
        feedback: the greatest gap.
        needed: the natural logarithm of the e-value that a pair of groups needs.
    """
    declared = feedback.group_gap
    if declared is None:
        return ()
    since = {group: counts_since(group, windows) for group in groups_of(windows)}
    known: dict[str, float] = {}
    for group, counts in since.items():
        enough = next((some for some in counts if some[0] >= declared.minimum_outcomes), None)
        if enough is not None:
            known[group] = enough[1] / enough[0]
    found = []
    for group, accuracy in known.items():
        others = [(right, name) for name, right in known.items() if name != group]
        if not others:
            continue
        best, behind = max(others)
        gap, most, proof = best - accuracy, float(declared.maximum), 0.0
        if gap > most:
            pairs = zip(since[group], since[behind], strict=True)
            proof = max(gap_evidence(low, high, most) for low, high in pairs)
        found.append(GapVote(group, behind, gap, proof, gap > most and proof >= needed))
    return tuple(found)


def gap_evidence(low: Counts, high: Counts, most: float) -> float:
    """Return the natural logarithm of the e-value against a gap of at most ``most``.

    Args:
        low: of the group that is less often right.
        high: of the other one.
        most: between 0 and 1.
    """
    levels = np.linspace(0.0, 1.0 - most, LEVELS + 1)
    below = excess_evidence(low[0], low[0] - low[1], levels[:-1])
    above = excess_evidence(high[0], high[1], np.clip(1.0 - most - levels[1:], 0.0, 1.0))
    return float(np.min(below + above))


def with_gaps(groups: Sequence[GroupQuality], votes: Sequence[GapVote]) -> list[GroupQuality]:
    """Return what is known of groups with what all Pods say of their gaps."""
    return [_with_gap(of, [vote for vote in votes if vote.group == of.group]) for of in groups]


def _with_gap(group: GroupQuality, votes: Sequence[GapVote]) -> GroupQuality:
    if not votes:
        return group
    lagging = [vote for vote in votes if vote.lags]
    named = Counter(vote.behind for vote in lagging or votes)
    return group.replace(
        lags=2 * len(lagging) > len(votes),
        behind=min(named, key=lambda name: (-named[name], name)),
        gap=f"{median(vote.gap for vote in votes):.4f}",
        compared=len(votes),
        lagging=len(lagging),
        gap_evidence=as_text(median(vote.evidence for vote in votes)),
    )
