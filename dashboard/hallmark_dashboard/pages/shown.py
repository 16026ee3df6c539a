"""Charts and tables of a page, made from views and reports. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.report import Report
from hallmark.reporting import assay, data
from hallmark.reporting.charts import Chart
from hallmark.reporting.parts import Charted, Table, count, number
from hallmark.reporting.series import Moment, course, side_by_side
from hallmark_dashboard.views.drift import DriftDetail, FeatureCourse
from hallmark_dashboard.views.quality import QualityDetail
from hallmark_dashboard.views.standing import State


@dataclass(frozen=True)
class Sections:
    """The sections of a sealed report."""

    metrics: assay.Metrics
    fairness: list[assay.Attribute]
    robustness: Charted | None
    calibration: Charted | None
    quality: Chart | None
    counted: Table | None
    personal: Table
    proxies: Table


def sections(report: Report) -> Sections:
    """Return the sections of a report, as ``report.html`` has them."""
    return Sections(
        assay.metrics(report),
        assay.fairness(report),
        assay.robustness(report.robustness),
        assay.calibration(report.calibration),
        data.quality(report),
        data.counted(report, report.data) if report.data else None,
        data.personal(report.pii),
        assay.proxies(report.proxies),
    )


@dataclass(frozen=True)
class ShownFeature:
    """A feature's drift, drawn."""

    course: FeatureCourse
    state: State
    chart: Chart | None
    histogram: Chart | None
    table: Table | None
    shares: Table | None = None


MOST_DRAWN = 40
"""Features that are drawn; the others have their numbers alone."""


def features(drift: DriftDetail) -> list[ShownFeature]:
    """Return the features, the one that moved most first."""
    return [
        _feature(found, drawn=number_ < MOST_DRAWN) for number_, found in enumerate(drift.features)
    ]


def _feature(found: FeatureCourse, *, drawn: bool) -> ShownFeature:
    last = found.course[-1] if found.course else None
    if last is not None:
        state = State.STOPPED if last.drifts else State.GOOD
    elif found.psi is not None:
        state = State.STOPPED if found.psi > found.limit else State.GOOD
    else:
        state = State.UNKNOWN
    if not drawn or not found.course:
        return ShownFeature(found, state, None, None, None)
    moments = [Moment(_clock(point.end), point.psi, point.limit) for point in found.course]
    rows = [
        (point.end, point.pod, count(point.rows), number(point.psi), number(point.limit))
        for point in reversed(found.course)
    ]
    return ShownFeature(
        found,
        state,
        course(f"PSI of {found.feature} by window, and its limit", moments, "PSI"),
        side_by_side(
            f"{found.feature}: training data and the newest window",
            [one.short for one in found.bins],
            [one.baseline for one in found.bins],
            [one.now for one in found.bins],
            found.feature,
        )
        if found.bins
        else None,
        Table(("window's end", "Pod", "rows", "PSI", "limit"), rows, 3),
        _shares(found),
    )


@dataclass(frozen=True)
class ShownQuality:
    """Realised quality, drawn."""

    detail: QualityDetail
    state: State
    accuracy: Chart | None
    calibration: Chart | None
    table: Table | None


def shown_quality(detail: QualityDetail) -> ShownQuality:
    """Return what became true of the answers, beside what was sealed."""
    state = State.STOPPED if detail.below_floor else State.GOOD
    points = detail.course
    rows = [
        (
            point.end,
            point.pod,
            count(point.outcomes),
            number(point.accuracy),
            number(point.calibration_error),
        )
        for point in reversed(points)
    ]
    return ShownQuality(
        detail,
        state if detail.voters else State.UNKNOWN,
        _beside(
            "Realised accuracy by window, and the sealed one",
            [(point.end, point.accuracy) for point in points],
            detail.sealed_accuracy,
            "accuracy",
        ),
        _beside(
            "Realised calibration error by window, and the sealed one",
            [(point.end, point.calibration_error) for point in points],
            detail.sealed_calibration_error,
            "calibration error",
        ),
        Table(("window's end", "Pod", "outcomes", "accuracy", "calibration error"), rows, 3)
        if rows
        else None,
    )


def _beside(
    title: str, points: Sequence[tuple[str, float]], sealed: float | None, unit: str
) -> Chart | None:
    if not points or sealed is None:
        return None
    moments = [Moment(_clock(end), value, sealed) for end, value in points]
    return course(title, moments, unit, "sealed")


def _shares(found: FeatureCourse) -> Table | None:
    """Return the histogram as numbers."""
    if not found.bins:
        return None
    rows = [(one.label, f"{one.baseline:.1%}", f"{one.now:.1%}") for one in found.bins]
    return Table((found.feature, "training data", "newest window"), rows, 2)


def _clock(moment: str) -> str:
    """Return a moment as an axis shows it: ``11-28 03:07 UTC``."""
    return f"{moment[5:10]} {moment[11:16]} UTC"
