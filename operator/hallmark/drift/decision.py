"""Decides from the predictors' reports whether the active version's traffic has drifted.

No report is trusted. A Pod can write its own entry alone (admission sees to that), and here its
counts must fit the signed baseline, its windows must follow each other, and its sequence must
go on; then PSI is computed from the counts. One Pod cannot decide for the others: more than half
of the Pods that have enough windows must drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median

from hallmark.api.artifacts import Baseline, BaselineFeature
from hallmark.api.common import canonical_json, parse_timestamp
from hallmark.api.model_deployment import (
    Drift,
    DriftReport,
    DriftState,
    DriftWindow,
    FeatureDrift,
    PodDriftState,
    Verdict,
)
from hallmark.api.names import short_hash
from hallmark.drift.counts import watched
from hallmark.drift.psi import Stability, stability

MAX_ROWS = 2**53
"""More rows than this cannot be told apart in a float; no Pod counts so many."""


@dataclass(frozen=True)
class DriftInputs:
    """All that the decision depends on."""

    reports: Mapping[str, DriftReport]
    """By Pod, as they stand in ``status.drift``."""
    baseline: Baseline
    """Of the active version, from its sealed bundle."""
    active_digest: str
    drift: Drift
    live_pods: frozenset[str]
    """The Pods of this Deployment that exist, of whichever version."""
    former: Mapping[str, PodDriftState]
    """What was accepted before: ``status.driftState.pods``."""
    since: datetime
    """When the active version got the traffic, or drift was acknowledged."""


class Refusal(StrEnum):
    """Why a report decides nothing."""

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
    reason: Refusal
    message: str


@dataclass(frozen=True)
class DriftVerdict:
    """What the reports say."""

    state: DriftState
    """For ``status.driftState``: verdict, what moved most, the accepted sequences."""
    message: str
    """A sentence for the condition."""
    refused: tuple[RefusedReport, ...]
    """Reports that decide nothing, by Pod."""
    gone: tuple[str, ...]
    """Entries of ``status.drift`` whose Pod no longer exists: the operator removes them."""


@dataclass(frozen=True)
class _Judged:
    """An accepted report."""

    pod: str
    state: PodDriftState
    enough: bool
    """There are ``consecutive`` full windows since the promotion."""
    drifts: bool
    newest: Mapping[str, Stability]


def judge(inputs: DriftInputs) -> DriftVerdict:
    """Return whether the traffic has drifted; without enough windows the answer is Inconclusive.

    Inconclusive is neither drift nor a pass: nothing may be rolled back or counted as stable
    because of it.
    """
    features = watched(inputs.baseline, inputs.drift)
    judged: list[_Judged] = []
    refused: list[RefusedReport] = []
    for pod, report in sorted(inputs.reports.items()):
        refusal = _refusal(pod, report, inputs, features)
        if refusal:
            refused.append(refusal)
        else:
            judged.append(_judge_pod(pod, report, inputs, features))
    return DriftVerdict(
        state=_state(judged, inputs),
        message=_message(judged, inputs),
        refused=tuple(refused),
        gone=tuple(sorted(set(inputs.reports) - inputs.live_pods)),
    )


# -- is the report to be believed? ------------------------------------------------------------

_Check = Callable[
    [str, DriftReport, DriftInputs, Sequence[BaselineFeature]], tuple[Refusal, str] | None
]


def _refusal(
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> RefusedReport | None:
    for check in _CHECKS:
        found = check(pod, report, inputs, features)
        if found:
            return RefusedReport(pod, found[0], f"The drift report of Pod '{pod}' {found[1]}")
    return None


def _is_of_the_active_version(
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> tuple[Refusal, str] | None:
    if report.manifest_digest == inputs.active_digest:
        return None
    return Refusal.OTHER_DIGEST, (
        f"is about {report.manifest_digest[:19]}; active is {inputs.active_digest[:19]}."
    )


def _is_of_a_pod_that_exists(
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> tuple[Refusal, str] | None:
    if pod in inputs.live_pods:
        return None
    return Refusal.UNKNOWN_POD, "is ignored: no such Pod of this Deployment exists."


def _goes_on(
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> tuple[Refusal, str] | None:
    former = inputs.former.get(pod)
    if former is None or former.boot_id != report.boot_id:
        return None  # A restarted predictor starts to count, and to number, anew.
    if report.sequence < former.sequence:
        return Refusal.OLD_SEQUENCE, (
            f"has sequence {report.sequence}; {former.sequence} was accepted already."
        )
    if report.sequence == former.sequence and _report_hash(report) != former.report_hash:
        return Refusal.OLD_SEQUENCE, (
            f"repeats sequence {report.sequence} with other content than was accepted."
        )
    if _newest_number(report) < former.window:
        return Refusal.WRONG_WINDOWS, (
            f"ends with window {_newest_number(report)}; window {former.window} was accepted."
        )
    return None


def _counts_fit(
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> tuple[Refusal, str] | None:
    parts: list[DriftReport | DriftWindow] = [report, *report.windows]
    problems = (_problem_of_counts(each, features) for each in parts)
    found = next(filter(None, problems), None)
    if found:
        return Refusal.WRONG_COUNTS, found
    in_windows = sum(each.rows for each in report.windows)
    if in_windows > report.rows:
        return Refusal.WRONG_COUNTS, (
            f"has {in_windows} rows in its windows, more than its total of {report.rows}."
        )
    return None


def _problem_of_counts(
    part: DriftReport | DriftWindow, features: Sequence[BaselineFeature]
) -> str | None:
    where = f"window {part.number}" if isinstance(part, DriftWindow) else "its totals"
    if part.rows > MAX_ROWS:
        return f"claims more than {MAX_ROWS} rows in {where}."
    expected = {each.name: len(each.counts) for each in features}
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
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> tuple[Refusal, str] | None:
    end: datetime | None = None
    for former, window in zip([None, *report.windows], report.windows, strict=False):
        if former and window.number != former.number + 1:
            return Refusal.WRONG_WINDOWS, (
                f"has window {window.number} after window {former.number}."
            )
        try:
            start, stop = parse_timestamp(window.start), parse_timestamp(window.end)
        except ValueError:
            return Refusal.WRONG_WINDOWS, f"has no real times in window {window.number}."
        if stop < start or (end and start < end):
            return Refusal.WRONG_WINDOWS, (
                f"has a window {window.number} that ends before it or the one before it began."
            )
        end = stop
    return None


_CHECKS: tuple[_Check, ...] = (
    _is_of_the_active_version,
    _is_of_a_pod_that_exists,
    _goes_on,
    _counts_fit,
    _windows_follow_each_other,
)


def _newest_number(report: DriftReport) -> int:
    return report.windows[-1].number if report.windows else 0


def _report_hash(report: DriftReport) -> str:
    return short_hash(canonical_json(report.to_wire()).decode(), digits=16)


# -- what does it say? ------------------------------------------------------------------------


def _judge_pod(
    pod: str, report: DriftReport, inputs: DriftInputs, features: Sequence[BaselineFeature]
) -> _Judged:
    full = [each for each in report.windows if _counts(each, inputs)]
    last = full[-inputs.drift.consecutive :]
    measured = [_measure(each, features) for each in last]
    drifting = [_drifts(each, inputs.drift) for each in measured]
    enough = bool(features) and len(last) == inputs.drift.consecutive
    state = PodDriftState(
        boot_id=report.boot_id,
        sequence=report.sequence,
        manifest_digest=report.manifest_digest,
        window=_newest_number(report),
        drifted_windows=_trailing(drifting),
        report_hash=_report_hash(report),
    )
    return _Judged(
        pod=pod,
        state=state,
        enough=enough,
        drifts=enough and all(drifting),
        newest=measured[-1] if measured else {},
    )


def _counts(window: DriftWindow, inputs: DriftInputs) -> bool:
    """Tell whether a window counts: full, and begun after the promotion.

    Predictors count from their start. What a version saw before it got the traffic (probes, or
    its former time in service before a rollback came back to it) says nothing about now, and a
    window that began before holds some of that.
    """
    return window.rows >= inputs.drift.window and parse_timestamp(window.start) >= inputs.since


def _measure(window: DriftWindow, features: Sequence[BaselineFeature]) -> dict[str, Stability]:
    return {
        each.name: stability(window.counts[each.name], each.counts, len(features))
        for each in features
    }


def _drifts(measured: Mapping[str, Stability], drift: Drift) -> bool:
    threshold = float(drift.threshold)
    return any(each.psi > max(threshold, each.limit) for each in measured.values())


def _trailing(drifting: Iterable[bool]) -> int:
    run = 0
    for each in drifting:
        run = run + 1 if each else 0
    return run


def _state(judged: Sequence[_Judged], inputs: DriftInputs) -> DriftState:
    kept = {pod: state for pod, state in inputs.former.items() if pod in inputs.live_pods}
    return DriftState(
        verdict=_verdict(judged),
        manifest_digest=inputs.active_digest,
        top=[FeatureDrift(feature=name, psi=f"{psi:.4f}") for name, psi in _moved(judged)[:5]],
        pods=dict(sorted((kept | {each.pod: each.state for each in judged}).items())[:64]),
    )


def _verdict(judged: Sequence[_Judged]) -> Verdict:
    voters = [each for each in judged if each.enough]
    if not voters:
        return Verdict.INCONCLUSIVE
    drifts = 2 * sum(each.drifts for each in voters) > len(voters)
    return Verdict.DRIFTED if drifts else Verdict.STABLE


def _moved(judged: Sequence[_Judged]) -> list[tuple[str, float]]:
    """Return the features by PSI of the newest window, highest first.

    The median over the Pods: a single one, whatever it reports, cannot move it far.
    """
    windows = [each.newest for each in judged if each.enough]
    if not windows:
        return []
    middle = {name: median(each[name].psi for each in windows) for name in windows[0]}
    return sorted(middle.items(), key=lambda item: (-item[1], item[0]))


def _message(judged: Sequence[_Judged], inputs: DriftInputs) -> str:
    need = f"{inputs.drift.consecutive} windows of {inputs.drift.window} rows"
    voters = [each for each in judged if each.enough]
    if not voters:
        return f"No Pod has {need} since the version got the traffic; there is no verdict yet."
    drifting = sum(each.drifts for each in voters)
    name, psi = _moved(judged)[0]
    return (
        f"{drifting} of {len(voters)} Pods that have {need} drift; "
        f"'{name}' moved most (PSI {psi:.4f}, threshold {inputs.drift.threshold})."
    )
