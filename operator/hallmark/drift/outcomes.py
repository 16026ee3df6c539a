"""Counts what became true of answers, in windows of a fixed number of outcomes.

Of two classes the score is the probability of the positive one, and the event that it is; of more,
the score is the probability of the decided class, and the event that the answer was right: see
``hallmark.classification.scored_class``.
"""

from __future__ import annotations

from hallmark.api.bounds import SCORE_BINS, SCORE_SCALE
from hallmark.api.feedback import Feedback, OutcomeReport, OutcomeWindow
from hallmark.api.texts import parse_timestamp


def problem_of(report: OutcomeReport | None, feedback: Feedback | None) -> str | None:
    """Return why outcomes are not to be believed; it goes on from the drift report's subject."""
    if report is None or feedback is None:
        return None
    if report.correct > report.outcomes:
        return f"claims {report.correct} right of {report.outcomes} outcomes."
    if sum(window.outcomes for window in report.windows) > report.outcomes:
        return f"has more outcomes in its windows than its total of {report.outcomes}."
    names = [told.version for told in report.earlier]
    if len(set(names)) != len(names):
        return "names an earlier version twice."
    if any(told.correct > told.outcomes for told in report.earlier):
        return "claims more right than told of an earlier version."
    for former, window in zip([None, *report.windows], report.windows, strict=False):
        if former and window.number != former.number + 1:
            return f"has window {window.number} of outcomes after window {former.number}."
        if problem := _problem_of_window(window, feedback):
            return f"{problem} in window {window.number} of outcomes."
    return None


def _problem_of_window(window: OutcomeWindow, feedback: Feedback) -> str | None:
    """Return what is wrong with one window; it goes on from the drift report's subject."""
    if window.outcomes != feedback.window:
        return f"has {window.outcomes} instead of {feedback.window} outcomes"
    if window.correct > window.outcomes:
        return f"claims {window.correct} right of {window.outcomes} outcomes"
    bins = (window.scored, window.happened, window.scores)
    if {len(counts) for counts in bins} != {SCORE_BINS}:
        return f"must have {SCORE_BINS} bins of scores, and has others"
    if sum(window.scored) != window.outcomes:
        return f"counts {sum(window.scored)} scores of {window.outcomes} outcomes"
    if any(not _fits(place, *counts) for place, counts in enumerate(zip(*bins, strict=True))):
        return "has a bin whose scores or events do not fit it"
    names = [group.group for group in window.groups]
    if len(set(names)) != len(names) or not set(names) <= set(feedback.groups):
        return "names groups that are not declared, or one twice"
    if any(group.correct > group.outcomes for group in window.groups):
        return "claims more right than told of a group"
    if (
        sum(group.outcomes for group in window.groups) > window.outcomes
        or sum(group.correct for group in window.groups) > window.correct
    ):
        return "counts more in groups than in all"
    try:
        if parse_timestamp(window.end) < parse_timestamp(window.start):
            return "ends before it begins"
    except ValueError:
        return "has no real time"
    return None


def _fits(place: int, scored: int, happened: int, scores: int) -> bool:
    """Tell whether a bin's sum of scores lies where the bin does, up to the rounding of each."""
    low, high = (edge * SCORE_SCALE / SCORE_BINS for edge in (place, place + 1))
    return happened <= scored and scored * (low - 1) <= scores <= scored * (high + 1)
