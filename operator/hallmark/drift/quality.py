"""Whether what became true of answers is worse than a declared floor.

Accuracy: the null is that each answer, whatever came before it, is right with a probability of at
least the floor. A mixture of ways to be worse is held against it: for each the ratio of the
probabilities of what came is a supermartingale, and so is their mean.

Calibration: the null is that of each row the probability of the event, whatever came before, is at
most the limit away from its score. With ``D`` the events of a bin less its scores, ``n`` the rows
and ``c`` above zero, ``exp(-n (c limit + c^2 / 8))`` times the product over the bins of
``cosh(c D)`` is a supermartingale: the mean over all signs of the bins of what Hoeffding's lemma
(1963, lemma 1) bounds for each.

As for drift (``hallmark.drift.evidence``) a martingale begins at each window, with its share of
the error budget, so that a verdict holds whenever one looks, and a late loss is held against its
own outcomes alone. Neither null needs rows to be independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, exp, fsum, log
from statistics import median

from hallmark.api.common import parse_timestamp
from hallmark.api.drift_state import DriftState
from hallmark.api.feedback import (
    SCORE_SCALE,
    Feedback,
    GroupQuality,
    OnFeedback,
    OutcomeReport,
    OutcomeWindow,
    QualityState,
)
from hallmark.api.model_deployment import Drift
from hallmark.drift.budget import MOST_WINDOWS, as_text, needed_by, rounded_up

WORSE_ODDS = (1.1, 1.25, 1.5, 2.0, 4.0, 16.0)
"""By so much the odds of a wrong answer are higher in the alternatives."""
SLOPES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""What ``c`` is in the alternatives: four times the calibration error beyond the limit is best."""


@dataclass(frozen=True)
class QualityVote:
    """What a Pod's windows of outcomes say.

    Attributes:
        newest: Its newest window since the promotion.
        window: Which one it is in the life of the ModelDeployment.
        below: It is below a floor.
        evidence: The natural logarithm of the greatest e-value.
        fails: There is as much evidence as the budget asks for, too.
    """

    newest: OutcomeWindow
    window: int
    below: bool
    evidence: float
    fails: bool


def accuracy_evidence(correct: int, outcomes: int, floor: float) -> float:
    """Return the natural logarithm of the e-value against an accuracy of at least the floor."""
    wrong = outcomes - correct
    found = []
    for odds in WORSE_ODDS:
        worse = (1 - floor) / floor * odds
        right = 1 / (1 + worse)
        found.append(correct * log(right / floor) + wrong * log((1 - right) / (1 - floor)))
    return _log_mean(found)


def calibration_evidence(windows: Sequence[OutcomeWindow], limit: float) -> float:
    """Return the same against a calibration error of at most the limit."""
    gaps, rows = _gaps(windows)
    return _log_mean(
        [
            fsum(_log_cosh(slope * gap) for gap in gaps)
            - rows * (slope * limit + slope * slope / 8)
            for slope in SLOPES
        ]
    )


def calibration_error(windows: Sequence[OutcomeWindow]) -> float:
    """Return the expected calibration error: the mean gap of the bins, by their rows.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015.
    """
    gaps, rows = _gaps(windows)
    return fsum(map(abs, gaps)) / rows


def _gaps(windows: Sequence[OutcomeWindow]) -> tuple[list[float], int]:
    """Return the events of each bin less its scores, and how many outcomes there are."""
    happened = [sum(counts) for counts in zip(*(one.happened for one in windows), strict=True)]
    scores = [sum(counts) for counts in zip(*(one.scores for one in windows), strict=True)]
    gaps = [events - told / SCORE_SCALE for events, told in zip(happened, scores, strict=True)]
    return gaps, sum(one.outcomes for one in windows)


def _log_cosh(value: float) -> float:
    size = abs(value)
    return size + log((1 + exp(-2 * size)) / 2)


def _log_mean(values: Sequence[float]) -> float:
    most = max(values)
    return most + log(fsum(exp(value - most) for value in values) / len(values))


def floors(feedback: Feedback) -> int:
    """Return how many floors are declared; each has the same part of the budget."""
    declared = (feedback.minimum_accuracy, feedback.maximum_calibration_error)
    return sum(floor is not None for floor in declared)


def quality_vote(
    report: OutcomeReport | None, feedback: Feedback | None, since: datetime, before: int
) -> QualityVote | None:
    """Return what a believed report says, or None where it has no window since the promotion.

    Args:
        report: of a Pod.
        feedback: how its windows were counted, and the floors.
        since: when the version got the traffic; a window that began before does not count.
        before: how many windows the budget was spent on before the Pod's first.
    """
    if report is None or feedback is None:
        return None
    windows = [one for one in report.windows if parse_timestamp(one.start) >= since]
    if not windows:
        return None
    newest = windows[-1]
    since_each = [windows[start:] for start in range(len(windows))]
    found: list[tuple[bool, float]] = []
    if feedback.minimum_accuracy is not None:
        floor = float(feedback.minimum_accuracy)
        found.append((newest.correct < floor * newest.outcomes, _accuracy(since_each, floor)))
    if feedback.maximum_calibration_error is not None:
        limit = float(feedback.maximum_calibration_error)
        proof = max(calibration_evidence(some, limit) for some in since_each)
        found.append((calibration_error([newest]) > limit, proof))
    number = min(MOST_WINDOWS, max(1, before + newest.number))
    enough = _needed(feedback, number)
    return QualityVote(
        newest=newest,
        window=number,
        below=any(below for below, _ in found),
        evidence=max((proof for _, proof in found), default=0.0),
        fails=any(below and proof >= enough for below, proof in found),
    )


def _accuracy(since_each: Iterable[Sequence[OutcomeWindow]], floor: float) -> float:
    return max(
        accuracy_evidence(
            sum(one.correct for one in windows), sum(one.outcomes for one in windows), floor
        )
        for windows in since_each
    )


def _needed(feedback: Feedback, window: int) -> float:
    return needed_by(float(feedback.false_rollback_risk), max(1, floors(feedback)), window)


def quality_state(
    feedback: Feedback | None, votes: Iterable[QualityVote | None], spent: int, former: int
) -> QualityState | None:
    """Return what all Pods say together; None where no feedback is declared.

    Args:
        feedback: the floors.
        votes: of the Pods.
        spent: on how many windows of a Pod the budget is spent.
        former: which number of these is on record.
    """
    if feedback is None:
        return None
    voters = [vote for vote in votes if vote is not None]
    failing = sum(vote.fails for vote in voters)
    state = QualityState(
        below_floor=2 * failing > len(voters),
        voters=len(voters),
        failing=failing,
        unsure=sum(vote.below and not vote.fails for vote in voters),
        windows=max(former, rounded_up(spent)),
    )
    if not voters:
        return state
    newest = [vote.newest for vote in voters]
    outcomes, correct = sum(one.outcomes for one in newest), sum(one.correct for one in newest)
    proof = median(vote.evidence for vote in voters)
    declared = floors(feedback) > 0
    return state.replace(
        outcomes=outcomes,
        accuracy=f"{correct / outcomes:.4f}",
        calibration_error=f"{calibration_error(newest):.4f}",
        evidence=as_text(proof) if declared else "",
        needed=as_text(_needed(feedback, max(1, spent))) if declared else "",
        groups=_groups(newest),
    )


def spent_on(votes: Iterable[QualityVote | None]) -> int:
    """Return on how many windows the budget is spent: the median over the Pods."""
    counted = sorted(vote.window for vote in votes if vote is not None)
    return counted[(len(counted) - 1) // 2] if counted else 0


def _groups(windows: Sequence[OutcomeWindow]) -> list[GroupQuality]:
    totals: dict[str, tuple[int, int]] = {}
    for told in (group for window in windows for group in window.groups):
        outcomes, correct = totals.get(told.group, (0, 0))
        totals[told.group] = outcomes + told.outcomes, correct + told.correct
    return [
        GroupQuality(group=group, outcomes=outcomes, accuracy=f"{correct / outcomes:.4f}")
        for group, (outcomes, correct) in sorted(totals.items())
        if outcomes
    ]


def is_below_floor(state: DriftState) -> bool:
    """Tell whether what became true is worse than a declared floor."""
    return state.quality is not None and state.quality.below_floor


def quality_rolls_back(state: DriftState, drift: Drift) -> bool:
    """Tell whether that is a reason to roll back."""
    declared = drift.feedback
    return bool(declared and declared.then is OnFeedback.ROLLBACK) and is_below_floor(state)


def quality_sentence(state: DriftState, drift: Drift) -> str:
    """Return what became true of the answers; empty where nothing is known."""
    quality, declared = state.quality, drift.feedback
    if quality is None or declared is None or not quality.voters:
        return ""
    said = [f"Of the newest {quality.outcomes} outcomes {_per_cent(quality.accuracy)} are right"]
    if declared.minimum_accuracy is not None:
        said.append(f" (at least {_per_cent(declared.minimum_accuracy)} expected)")
    said.append(f"; the calibration error is {quality.calibration_error}")
    if declared.maximum_calibration_error is not None:
        said.append(f" (at most {declared.maximum_calibration_error} expected)")
    if quality.evidence:
        said.append(f"; evidence 10^{quality.evidence}, needed 10^{quality.needed}")
    text = f"{''.join(said)}."
    if quality.below_floor:
        text += (
            f" {quality.failing} of {quality.voters} Pods that know enough are below the floor: "
            f"see whether the outcomes are right, then retrain, or roll back."
        )
    return text


def _per_cent(share: str) -> str:
    return f"{ceil(float(share) * 1000 - 0.5) / 10:g} %"


STEP = 0.01


def quality_differs(before: QualityState | None, after: QualityState | None) -> bool:
    """Tell whether a state shows or decides anything that the former did not."""
    if before is None or after is None:
        return before is not after
    decided = ("below_floor", "voters", "failing", "unsure", "windows")
    if any(getattr(before, name) != getattr(after, name) for name in decided):
        return True
    pairs = [
        (before.accuracy, after.accuracy),
        (before.calibration_error, after.calibration_error),
    ]
    groups = {group.group: group.accuracy for group in before.groups}
    pairs += [(groups.get(group.group, ""), group.accuracy) for group in after.groups]
    return len(before.groups) != len(after.groups) or any(_moved(*pair) for pair in pairs)


def _moved(before: str, after: str) -> bool:
    if not before or not after:
        return before != after
    return abs(float(after) - float(before)) >= STEP
