"""What the page says of the rows themselves: quality, counts, leakage, remarks, personal data."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hallmark.api.gates import DATA
from hallmark.api.report import ColumnDecision, DataReport, FeatureLeakage, Report
from hallmark.reporting.charts import Line, intervals
from hallmark.reporting.parts import code, details, finite, number, section, table

_FEATURES_DRAWN = 10


def data_section(report: Report) -> str:
    """Return the section on the data."""
    measured = [
        (code(each.name), escape(each.value)) for each in report.metrics if each.name in DATA
    ]
    remarks = "".join(f"<li>{escape(each.sentence())}</li>" for each in report.remarks)
    return section(
        "Data",
        _quality(report),
        _counts(report, report.data) if report.data else "",
        details("Metrics as gates name them", table(("metric", "value"), measured, 1))
        if measured
        else "",
        _leakage(report.data.leakage) if report.data else "",
        f"<h3>Remarks</h3><ul>{remarks}</ul>" if remarks else "",
        _personal(report.pii),
    )


def _quality(report: Report) -> str:
    lines = [
        Line(part.dimension, part.score / 100, note=f"{part.score:.1f}")
        for part in report.quality_parts
    ]
    return intervals("Parts of the data quality score, of 1", lines, bars=True) if lines else ""


def _counts(report: Report, data: DataReport) -> str:
    everywhere, in_test = report.rows, report.test_rows
    counted: list[tuple[str, int | None, int]] = [
        ("rows equal to an earlier one", data.duplicate_rows, everywhere),
        ("rows of equal features and another class", data.contradictory_rows, everywhere),
        ("test rows whose features were learned from", data.shared_rows, in_test),
        ("rows whose numbers are seldom together", data.anomalous_rows, everywhere),
        ("rows of the rarest class", min(data.class_rows, default=None), everywhere),
        ("rows of the smallest sensitive group", data.smallest_group_rows, everywhere),
    ]
    rows = [
        (what, "not measured" if found is None else f"{found:,}", _share(found, whole))
        for what, found, whole in counted
    ]
    values = {each.name: finite(each.value) for each in report.metrics}
    outliers = _percent(values.get("outlierFraction"))
    rows.insert(4, ("numbers far from the rest of their column", "", outliers))
    return "<h3>Counted in the rows</h3>" + table(("what", "count", "share"), rows, 2)


def _share(count: int | None, whole: int) -> str:
    known = count is not None and 0 <= count <= whole and whole > 0
    return _percent(count / whole if count is not None and known else None)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"


def _leakage(found: Sequence[FeatureLeakage]) -> str:
    if not found:
        return ""
    ordered = sorted(found, key=lambda each: -each.coefficient)
    lines = [
        Line(each.feature, each.coefficient, note=number(each.coefficient))
        for each in ordered[:_FEATURES_DRAWN]
    ]
    rows = [(code(each.feature), number(each.coefficient)) for each in ordered]
    return (
        "<h3>What one feature tells of the target</h3>"
        + intervals("What one feature tells of the target by itself", lines, bars=True)
        + '<p class="muted">Theil\'s coefficient: 0 is nothing, 1 is everything. Near 1 it may '
        "be known only once the target is.</p>"
        + details(f"Features as numbers ({len(rows)})", table(("feature", "coefficient"), rows, 1))
    )


def _personal(decisions: Sequence[ColumnDecision]) -> str:
    if not decisions:
        return ""
    rows = [
        (code(each.column), escape(each.detector), _action(each), f"{each.count:,}")
        for each in decisions
    ]
    head = ("column", "detector", "what was done", "cells")
    return "<h3>Personal data</h3>" + table(head, rows, 1)


def _action(each: ColumnDecision) -> str:
    if each.action is not None:
        return escape(each.action)
    return f"allowed: {escape(each.reason or 'no reason')}"
