"""Whether a predictor's report is to be believed: it must fit the signed baseline and go on.

A Pod can write its own entry alone (admission sees to that), but into that entry it can write
anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import ValidationError

from hallmark.api.drift_report import DriftReport, DriftWindow
from hallmark.api.drift_state import PodDriftState
from hallmark.api.feedback import Feedback
from hallmark.api.texts import parse_timestamp
from hallmark.drift import answers, odd, outcomes
from hallmark.drift.rejections import problem_of

MAX_ROWS = 2**53
"""More rows than this cannot be told apart in a float; no Pod counts so many."""

Report = DriftReport | Mapping[str, object]
"""An entry of ``status.drift``, parsed, or as it stands there: then it is parsed when judged."""

Key = tuple[str, int]
"""A report's boot id and sequence. One sequence is judged once: whatever else comes under it
decides nothing."""


class ReportFault(StrEnum):
    """Why a report decides nothing."""

    UNREADABLE = "Unreadable"
    """It is not a report."""
    OTHER_DIGEST = "OtherDigest"
    """It is about another version; usual while the former version is kept warm."""
    UNKNOWN_POD = "UnknownPod"
    """No such Pod exists."""
    OLD_SEQUENCE = "OldSequence"
    """It is older than one that was accepted, or the same one with other content."""
    WRONG_COUNTS = "WrongCounts"
    """Its counts do not fit the baseline, or do not add up."""
    WRONG_WINDOWS = "WrongWindows"
    """Its windows do not follow each other, or went back."""


@dataclass(frozen=True)
class RefusedReport:
    """A report that decides nothing, and the sentence that says why."""

    pod: str
    reason: ReportFault
    message: str


@dataclass(frozen=True)
class Expected:
    """What a Pod's report must fit."""

    active_digest: str
    bins: Mapping[str, int]
    """How many bins each watched feature has."""
    former: PodDriftState | None
    """What was accepted of the Pod before."""
    block: int = 1
    """Rows that a block of refusals has at least."""
    requests: int = 1
    """Requests that a block of them has at least."""
    feedback: Feedback | None = None
    """How outcomes are counted."""


def key_of(report: Report) -> Key | None:
    """Return what tells a report from the Pod's others; None if it has no such thing."""
    if isinstance(report, DriftReport):
        return report.boot_id, report.sequence
    boot_id, sequence = report.get("bootID"), report.get("sequence")
    return (boot_id, sequence) if isinstance(boot_id, str) and type(sequence) is int else None


def believe(pod: str, report: Report, expected: Expected) -> DriftReport | RefusedReport:
    """Return the parsed report, or why it decides nothing."""
    if not isinstance(report, DriftReport):
        try:
            report = DriftReport.model_validate(report, strict=True)
        except ValidationError as error:
            where = f"{error.error_count()} fields are wrong"
            return refused(pod, ReportFault.UNREADABLE, f"cannot be read: {where}.")
    for check in _CHECKS:
        found = check(report, expected)
        if found:
            return refused(pod, *found)
    return report


def refused(pod: str, reason: ReportFault, why: str) -> RefusedReport:
    """Return the refusal of a Pod's report; ``why`` goes on from its subject."""
    return RefusedReport(pod, reason, f"The drift report of Pod '{pod}' {why}")


def newest_number(report: DriftReport) -> int:
    """Return the number of the newest closed window; 0 without any."""
    return report.windows[-1].number if report.windows else 0


def newest_outcomes(report: DriftReport) -> int:
    """Return the number of the newest closed window of outcomes; 0 without any."""
    return report.outcomes.windows[-1].number if report.outcomes and report.outcomes.windows else 0


def report_hash(report: DriftReport) -> str:
    """Return 16 hex digits that tell two reports of one sequence apart."""
    return hashlib.sha256(report.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


# -- the checks -------------------------------------------------------------------------------

_Check = Callable[[DriftReport, Expected], tuple[ReportFault, str] | None]


def _is_of_the_active_version(
    report: DriftReport, expected: Expected
) -> tuple[ReportFault, str] | None:
    if report.manifest_digest == expected.active_digest:
        return None
    return ReportFault.OTHER_DIGEST, (
        f"is about {report.manifest_digest[:19]}; active is {expected.active_digest[:19]}."
    )


def _goes_on(report: DriftReport, expected: Expected) -> tuple[ReportFault, str] | None:
    former = expected.former
    if former is None or former.boot_id != report.boot_id:
        return None  # A restarted predictor starts to count, and to number, anew.
    if report.sequence < former.sequence:
        return ReportFault.OLD_SEQUENCE, (
            f"has sequence {report.sequence}; {former.sequence} was accepted already."
        )
    if report.sequence == former.sequence and report_hash(report) != former.report_hash:
        return ReportFault.OLD_SEQUENCE, (
            f"repeats sequence {report.sequence} with other content than was accepted."
        )
    told, known = newest_outcomes(report), former.outcome_window or 0
    if told < known:
        return ReportFault.WRONG_WINDOWS, (
            f"ends with window {told} of outcomes; window {known} was accepted."
        )
    if newest_number(report) < former.window:
        return ReportFault.WRONG_WINDOWS, (
            f"ends with window {newest_number(report)}; window {former.window} was accepted."
        )
    return None


def _counts_fit(report: DriftReport, expected: Expected) -> tuple[ReportFault, str] | None:
    parts: list[DriftReport | DriftWindow] = [report, *report.windows]
    problems = (_problem_of_counts(part, expected.bins) for part in parts)
    found = next(filter(None, problems), None)
    if found:
        return ReportFault.WRONG_COUNTS, found
    if report.refused_rows > MAX_ROWS:
        return ReportFault.WRONG_COUNTS, f"claims more than {MAX_ROWS} refused rows."
    wrong = (
        problem_of(report.rejections, expected.block)
        or answers.problem_of(report.answers, expected.requests)
        or odd.problem_of(report.odd)
        or outcomes.problem_of(report.outcomes, expected.feedback)
    )
    if wrong:
        return ReportFault.WRONG_COUNTS, wrong
    in_windows = sum(window.rows for window in report.windows)
    if in_windows > report.rows:
        return ReportFault.WRONG_COUNTS, (
            f"has {in_windows} rows in its windows, more than its total of {report.rows}."
        )
    return None


def _problem_of_counts(part: DriftReport | DriftWindow, expected: Mapping[str, int]) -> str | None:
    where = f"window {part.number}" if isinstance(part, DriftWindow) else "its totals"
    if part.rows > MAX_ROWS:
        return f"claims more than {MAX_ROWS} rows in {where}."
    if part.counts.keys() != expected.keys():
        missing = len(expected.keys() - part.counts.keys())
        extra = len(part.counts.keys() - expected.keys())
        return (
            f"must count the {len(expected)} watched features in {where}; "
            f"{missing} are missing, {extra} are not watched."
        )
    for name, bins in expected.items():
        counts = part.counts[name]
        if len(counts) != bins:
            return f"has {len(counts)} bins for '{name}' in {where}; the baseline has {bins}."
        if sum(counts) != part.rows:
            return f"counts {sum(counts)} rows of '{name}' in {where}, which has {part.rows}."
    return None


def _windows_follow_each_other(
    report: DriftReport, expected: Expected
) -> tuple[ReportFault, str] | None:
    end: datetime | None = None
    for former, window in zip([None, *report.windows], report.windows, strict=False):
        if former and window.number != former.number + 1:
            return ReportFault.WRONG_WINDOWS, (
                f"has window {window.number} after window {former.number}."
            )
        try:
            start, stop = parse_timestamp(window.start), parse_timestamp(window.end)
        except ValueError:
            return ReportFault.WRONG_WINDOWS, f"has no real times in window {window.number}."
        if stop < start or (end and start < end):
            return ReportFault.WRONG_WINDOWS, (
                f"has a window {window.number} that ends before it or the one before it began."
            )
        end = stop
    return None


_CHECKS: tuple[_Check, ...] = (
    _is_of_the_active_version,
    _goes_on,
    _counts_fit,
    _windows_follow_each_other,
)
