"""What became true of a version's answers, over time and by group, beside what was sealed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.feedback import GroupQuality, QualityState
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.report import Report
from hallmark.drift.quality_evidence import calibration_error
from hallmark_dashboard.traffic import SeenOutcomes
from hallmark_dashboard.views.standing import State


@dataclass(frozen=True)
class QualityPoint:
    """One Pod's window of outcomes."""

    end: str
    pod: str
    outcomes: int
    accuracy: float
    calibration_error: float


@dataclass(frozen=True)
class GroupLine:
    """A group's accuracy, as it came true and as it was sealed; None where it was not measured.

    Attributes:
        group: Which one.
        outcomes: In as many of the newest windows as a verdict needs.
        accuracy: Of these.
        sealed: Of the test rows.
        state: Stopped below the floor, good above it with enough outcomes, else unknown; None
            where no floor is declared.
        evidence: The power of ten that was found; empty where there are too few outcomes.
        behind: The best of the other groups; empty where none can be compared.
        gap: How much higher the accuracy is there.
        gap_state: As ``state``, of the gap.
        gap_evidence: As ``evidence``, of the gap.
    """

    group: str
    outcomes: int
    accuracy: float | None
    sealed: float | None
    state: State | None = None
    evidence: str = ""
    behind: str = ""
    gap: float | None = None
    gap_state: State | None = None
    gap_evidence: str = ""


@dataclass(frozen=True)
class EarlierLine:
    """What became true of the answers of a version that served before.

    Attributes:
        version: Its name, or the first digits of its manifest digest where history forgot it.
        outcomes: That the Pods were told since their start.
        accuracy: Of these.
    """

    version: str
    outcomes: int
    accuracy: float | None


@dataclass(frozen=True)
class QualityDetail:
    """What is said of the answers of what serves.

    Attributes:
        below_floor: The operator's verdict.
        voters: Pods that have a window.
        failing: How many of them are below a floor.
        outcomes: In the newest windows.
        accuracy: In these; None before the first.
        calibration_error: Likewise.
        sealed_accuracy: Of the test rows; None where the report cannot be read.
        sealed_calibration_error: Likewise.
        minimum_accuracy: The declared floor, or nothing.
        maximum_calibration_error: Likewise.
        window: Outcomes in a window.
        evidence: The power of ten that was found.
        needed: The power of ten that it must reach.
        minimum_group_accuracy: The declared floor of each group, or nothing.
        minimum_group_outcomes: How many outcomes of a group a verdict needs; 0 without a floor.
        needed_of_group: The power of ten that the evidence on a group must reach.
        maximum_gap: How far a group may be behind another one, or nothing.
        minimum_gap_outcomes: As ``minimum_group_outcomes``, of both groups.
        needed_of_gap: The power of ten that the evidence on a gap must reach.
        groups: By name.
        earlier: Versions that served before, those with most outcomes first.
        course: Windows since the dashboard began to watch, oldest first.
    """

    below_floor: bool
    voters: int
    failing: int
    outcomes: int
    accuracy: float | None
    calibration_error: float | None
    sealed_accuracy: float | None
    sealed_calibration_error: float | None
    minimum_accuracy: str
    maximum_calibration_error: str
    window: int
    evidence: str
    needed: str
    minimum_group_accuracy: str
    minimum_group_outcomes: int
    needed_of_group: str
    maximum_gap: str
    minimum_gap_outcomes: int
    needed_of_gap: str
    groups: tuple[GroupLine, ...]
    earlier: tuple[EarlierLine, ...]
    course: tuple[QualityPoint, ...]


def quality_detail(
    deployment: ModelDeployment, report: Report | None, windows: Sequence[SeenOutcomes]
) -> QualityDetail | None:
    """Return what is said of the answers, or None where no feedback is declared.

    Args:
        deployment: the ModelDeployment.
        report: the sealed report of what serves, where it could be read.
        windows: windows of any version, oldest first; others than of what serves do not count.
    """
    state, declared = deployment.status.drift_state, deployment.spec.drift.feedback
    quality = state.quality if state else None
    if declared is None:
        return None
    digest = deployment.status.active_digest
    course = [_point(seen) for seen in windows if seen.manifest_digest == digest]
    metrics = {metric.name: _number(metric.value) for metric in report.metrics} if report else {}
    sealed = _sealed_groups(report, declared.groups)
    floor, gap = declared.group_floor, declared.group_gap
    return QualityDetail(
        below_floor=quality.below_floor if quality else False,
        voters=quality.voters if quality else 0,
        failing=quality.failing if quality else 0,
        outcomes=quality.outcomes if quality else 0,
        accuracy=_number(quality.accuracy) if quality else None,
        calibration_error=_number(quality.calibration_error) if quality else None,
        sealed_accuracy=metrics.get("accuracy"),
        sealed_calibration_error=metrics.get("expectedCalibrationError"),
        minimum_accuracy=declared.minimum_accuracy or "",
        maximum_calibration_error=declared.maximum_calibration_error or "",
        window=declared.window,
        evidence=quality.evidence if quality else "",
        needed=quality.needed if quality else "",
        minimum_group_accuracy=floor.minimum_accuracy if floor else "",
        minimum_group_outcomes=floor.minimum_outcomes if floor else 0,
        needed_of_group=quality.needed_of_group if quality else "",
        maximum_gap=gap.maximum if gap else "",
        minimum_gap_outcomes=gap.minimum_outcomes if gap else 0,
        needed_of_gap=quality.needed_of_gap if quality else "",
        groups=tuple(
            GroupLine(
                told.group,
                told.outcomes,
                _number(told.accuracy),
                sealed.get(told.group),
                _stands(told) if floor else None,
                told.evidence,
                told.behind,
                _number(told.gap),
                _stands_behind(told) if gap else None,
                told.gap_evidence,
            )
            for told in (quality.groups if quality else ())
        ),
        earlier=_earlier(deployment, quality) if quality else (),
        course=tuple(point for point in course if point is not None),
    )


def _earlier(deployment: ModelDeployment, quality: QualityState) -> tuple[EarlierLine, ...]:
    served = {
        entry.manifest_digest.removeprefix("sha256:")[:16]: entry.version
        for entry in deployment.status.history
    }
    return tuple(
        EarlierLine(served.get(told.version, told.version), told.outcomes, _number(told.accuracy))
        for told in quality.earlier
    )


def _stands(told: GroupQuality) -> State:
    if told.below_floor:
        return State.STOPPED
    return State.GOOD if told.voters else State.UNKNOWN


def _stands_behind(told: GroupQuality) -> State:
    if told.lags:
        return State.STOPPED
    return State.GOOD if told.compared else State.UNKNOWN


def _point(seen: SeenOutcomes) -> QualityPoint | None:
    window = seen.window
    try:
        error = calibration_error([window])
    except ValueError:  # A Pod may write bins that do not fit each other.
        return None
    return QualityPoint(
        window.end, seen.pod, window.outcomes, window.correct / window.outcomes, error
    )


def _sealed_groups(report: Report | None, names: Sequence[str]) -> dict[str, float]:
    """Return the sealed accuracy of groups whose name one attribute alone has."""
    found: dict[str, list[float]] = {}
    for attribute in report.fairness if report else ():
        if " x " in attribute.attribute:
            continue
        for group in attribute.groups:
            if group.group in names and group.accuracy is not None:
                found.setdefault(group.group, []).append(group.accuracy)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
