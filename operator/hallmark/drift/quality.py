"""Whether what became true of answers is worse than a declared floor, of all or of a group.

How sure that must be: ``hallmark.drift.quality_evidence``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median

from hallmark.api.bounds import EARLIER_VERSIONS
from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState
from hallmark.api.feedback import (
    EarlierOutcomes,
    EarlierQuality,
    Feedback,
    GroupQuality,
    OnFeedback,
    OutcomeReport,
    OutcomeWindow,
    QualityState,
)
from hallmark.api.texts import parse_timestamp
from hallmark.drift.budget import MOST_WINDOWS, as_text, needed_by, rounded_up
from hallmark.drift.quality_evidence import (
    accuracy_evidence,
    calibration_error,
    calibration_evidence,
)
from hallmark.drift.quality_gaps import GapVote, gap_votes, with_gaps
from hallmark.drift.quality_groups import GroupVote, group_states, group_votes

GROUPS_SAID = 3
"""So many groups a sentence names."""


@dataclass(frozen=True)
class QualityVote:
    """What a Pod's windows of outcomes say.

    Attributes:
        newest: Its newest window since the promotion.
        window: Which one it is in the life of the ModelDeployment.
        below: It is below a floor of all answers.
        evidence: The natural logarithm of the greatest e-value.
        fails: There is as much evidence as the budget asks for, too.
        groups: What they say of each group.
        gaps: What they say of each group beside the best of the others.
    """

    newest: OutcomeWindow
    window: int
    below: bool
    evidence: float
    fails: bool
    groups: tuple[GroupVote, ...] = ()
    gaps: tuple[GapVote, ...] = ()


def floors(feedback: Feedback) -> int:
    """Return how many floors are declared; each has the same part of the budget."""
    declared = (
        feedback.minimum_accuracy,
        feedback.maximum_calibration_error,
        feedback.group_floor,
        feedback.group_gap,
    )
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
        groups=group_votes(windows, feedback, _needed_of_group(feedback, number)),
        gaps=gap_votes(windows, feedback, _needed_of_gap(feedback, number)),
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


def _needed_of_group(feedback: Feedback, window: int) -> float:
    parts = max(1, floors(feedback)) * max(1, len(feedback.groups))
    return needed_by(float(feedback.false_rollback_risk), parts, window)


def _needed_of_gap(feedback: Feedback, window: int) -> float:
    """Return what each ordered pair of groups needs."""
    groups = max(2, len(feedback.groups))
    parts = max(1, floors(feedback)) * groups * (groups - 1)
    return needed_by(float(feedback.false_rollback_risk), parts, window)


def quality_state(
    feedback: Feedback | None,
    votes: Iterable[QualityVote | None],
    spent: int,
    former: int,
    earlier: Iterable[Sequence[EarlierOutcomes]] = (),
) -> QualityState | None:
    """Return what all Pods say together; None where no feedback is declared.

    Args:
        feedback: the floors.
        votes: of the Pods.
        spent: on how many windows of a Pod the budget is spent.
        former: which number of these is on record.
        earlier: what the Pods were told of versions that served before.
    """
    if feedback is None:
        return None
    voters = [vote for vote in votes if vote is not None]
    failing = sum(vote.fails for vote in voters)
    groups = with_gaps(
        group_states([told for vote in voters for told in vote.groups]),
        [told for vote in voters for told in vote.gaps],
    )
    state = QualityState(
        below_floor=2 * failing > len(voters) or any(group.falls_short for group in groups),
        voters=len(voters),
        failing=failing,
        unsure=sum(vote.below and not vote.fails for vote in voters),
        windows=max(former, rounded_up(spent)),
        earlier=_earlier(earlier),
    )
    if not voters:
        return state
    newest = [vote.newest for vote in voters]
    outcomes, correct = sum(one.outcomes for one in newest), sum(one.correct for one in newest)
    proof = median(vote.evidence for vote in voters)
    of_groups = (feedback.group_floor is not None) + (feedback.group_gap is not None)
    declared = floors(feedback) > of_groups
    window = max(1, spent)
    return state.replace(
        outcomes=outcomes,
        accuracy=f"{correct / outcomes:.4f}",
        calibration_error=f"{calibration_error(newest):.4f}",
        evidence=as_text(proof) if declared else "",
        needed=as_text(_needed(feedback, window)) if declared else "",
        needed_of_group=as_text(_needed_of_group(feedback, window)) if feedback.group_floor else "",
        needed_of_gap=as_text(_needed_of_gap(feedback, window)) if feedback.group_gap else "",
        groups=groups,
    )


def _earlier(told: Iterable[Sequence[EarlierOutcomes]]) -> list[EarlierQuality]:
    """Return the sums of those versions that most outcomes are known of."""
    sums: dict[str, tuple[int, int]] = {}
    for one in (version for pod in told for version in pod):
        outcomes, correct = sums.get(one.version, (0, 0))
        sums[one.version] = outcomes + one.outcomes, correct + one.correct
    known = [
        EarlierQuality(version=version, outcomes=count, accuracy=f"{correct / count:.4f}")
        for version, (count, correct) in sums.items()
        if 0 < count <= MOST_WINDOWS
    ]
    return sorted(known, key=lambda one: (-one.outcomes, one.version))[:EARLIER_VERSIONS]


def spent_on(votes: Iterable[QualityVote | None]) -> int:
    """Return on how many windows the budget is spent: the median over the Pods."""
    counted = sorted(vote.window for vote in votes if vote is not None)
    return counted[(len(counted) - 1) // 2] if counted else 0


def is_below_floor(state: DriftState) -> bool:
    """Tell whether what became true is worse than a declared floor."""
    return state.quality is not None and state.quality.below_floor


def newly_below(before: QualityState | None, now: QualityState) -> bool:
    """Tell whether a floor was missed just now: that of all answers, or one more group's."""
    if before is None or not before.below_floor:
        return now.below_floor
    if _fails(now) and not _fails(before):
        return True
    return bool(_names(groups_below(now)) - _names(groups_below(before)))


def _fails(quality: QualityState) -> bool:
    return 2 * quality.failing > quality.voters


def _names(groups: Sequence[GroupQuality]) -> set[str]:
    return {told.group for told in groups}


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
    if _fails(quality):
        text += f" {quality.failing} of {quality.voters} Pods that know enough are below the floor."
    text += _groups_said(quality, declared)
    if quality.below_floor:
        text += " See whether the outcomes are right, then retrain, or roll back."
    return text


def groups_below(quality: QualityState) -> list[GroupQuality]:
    """Return the groups that are below their floor or too far behind, the least accurate first."""
    below = [told for told in quality.groups if told.falls_short]
    return sorted(below, key=lambda told: (float(told.accuracy), told.group))


def _groups_said(quality: QualityState, declared: Feedback) -> str:
    below = groups_below(quality)
    said = "".join(_group_said(told, quality, declared) for told in below[:GROUPS_SAID])
    left_out = len(below) - GROUPS_SAID
    return f"{said} So are {left_out} more groups." if left_out > 0 else said


def _group_said(told: GroupQuality, quality: QualityState, declared: Feedback) -> str:
    floor, gap, said = declared.group_floor, declared.group_gap, ""
    share = f" Of {told.outcomes} outcomes of the group '{told.group}' {_per_cent(told.accuracy)}"
    if floor is not None and told.below_floor:
        said += (
            f"{share} are right (at least {_per_cent(floor.minimum_accuracy)} expected); evidence "
            f"10^{told.evidence}, needed 10^{quality.needed_of_group}."
        )
    if gap is not None and told.lags:
        said += (
            f"{share} are right, {_per_cent(told.gap)} of all fewer than of '{told.behind}' (at "
            f"most {_per_cent(gap.maximum)} expected); evidence 10^{told.gap_evidence}, needed "
            f"10^{quality.needed_of_gap}."
        )
    return said


def _per_cent(share: str) -> str:
    return f"{ceil(float(share) * 1000 - 0.5) / 10:g} %"


STEP = 0.01
_DECIDED_OF_GROUP = ("below_floor", "voters", "failing", "lags", "compared", "lagging")


def quality_differs(before: QualityState | None, after: QualityState | None) -> bool:
    """Tell whether a state shows or decides anything that the former did not."""
    if before is None or after is None:
        return before is not after
    versions = [
        {one.version: one.accuracy for one in quality.earlier} for quality in (before, after)
    ]
    if versions[0].keys() != versions[1].keys():
        return True
    decided = ("below_floor", "voters", "failing", "unsure", "windows")
    if any(getattr(before, name) != getattr(after, name) for name in decided):
        return True
    pairs = [
        (before.accuracy, after.accuracy),
        (before.calibration_error, after.calibration_error),
    ]
    pairs += [(versions[0][name], accuracy) for name, accuracy in versions[1].items()]
    groups = {group.group: group for group in before.groups}
    if groups.keys() != {group.group for group in after.groups}:
        return True
    known = [(groups[group.group], group) for group in after.groups]
    pairs += [(former.accuracy, group.accuracy) for former, group in known]
    return any(_moved(*pair) for pair in pairs) or any(
        any(getattr(former, name) != getattr(group, name) for name in _DECIDED_OF_GROUP)
        for former, group in known
    )


def _moved(before: str, after: str) -> bool:
    if not before or not after:
        return before != after
    return abs(float(after) - float(before)) >= STEP
