"""What the page says of the rows themselves: quality, counts, leakage, personal data."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.gates import DATA
from hallmark.api.report import ColumnDecision, DataReport, FeatureLeakage, Report
from hallmark.reporting.charts import Chart, Line, intervals
from hallmark.reporting.parts import Charted, Table, code, count, finite, number

_FEATURES_DRAWN = 10


def quality(report: Report) -> Chart | None:
    """Return the parts of the quality score."""
    lines = [
        Line(part.dimension, part.score / 100, note=number(part.score, 1))
        for part in report.quality_parts
    ]
    return intervals("Parts of the data quality score, of 1", lines, bars=True) if lines else None


def counted(report: Report, found: DataReport) -> Table:
    """Return what was counted in the rows, with its share of them."""
    everywhere, in_test = report.rows, report.test_rows
    counts: list[tuple[str, int | None, int]] = [
        ("rows equal to an earlier one", found.duplicate_rows, everywhere),
        ("rows of equal features and another class", found.contradictory_rows, everywhere),
        ("test rows whose features were learned from", found.shared_rows, in_test),
        ("rows whose numbers are seldom together", found.anomalous_rows, everywhere),
        ("rows of the rarest class", min(found.class_rows, default=None), everywhere),
        ("rows of the smallest sensitive group", found.smallest_group_rows, everywhere),
    ]
    rows = [
        (what, "not measured" if rows is None else count(rows), _share(rows, whole))
        for what, rows, whole in counts
    ]
    values = {metric.name: finite(metric.value) for metric in report.metrics}
    outliers = _percent(values.get("outlierFraction"))
    rows.insert(4, ("numbers far from the rest of their column", "", outliers))
    return Table(("what", "count", "share"), rows, 2)


def _share(rows: int | None, whole: int) -> str:
    known = rows is not None and 0 <= rows <= whole and whole > 0
    return _percent(rows / whole if rows is not None and known else None)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"


def measured(report: Report) -> Table:
    """Return the metrics of the data, by the names that gates give them."""
    metrics = [metric for metric in report.metrics if metric.name in DATA]
    return Table(("metric", "value"), [(code(each.name), each.value) for each in metrics], 1)


def leakage(found: Sequence[FeatureLeakage]) -> Charted | None:
    """Return what one feature by itself tells of the target, the most telling first."""
    if not found:
        return None
    ordered = sorted(found, key=lambda feature: -feature.coefficient)
    lines = [
        Line(feature.feature, feature.coefficient, note=number(feature.coefficient))
        for feature in ordered[:_FEATURES_DRAWN]
    ]
    rows = [(code(feature.feature), number(feature.coefficient)) for feature in ordered]
    title = "What one feature tells of the target by itself"
    return Charted(intervals(title, lines, bars=True), Table(("feature", "coefficient"), rows, 1))


def personal(columns: Sequence[ColumnDecision]) -> Table:
    """Return what was done with personal data, by column."""
    rows = [
        (code(column.column), column.detector, _action(column), count(column.count))
        for column in columns
    ]
    return Table(("column", "detector", "what was done", "cells"), rows, 1)


def _action(column: ColumnDecision) -> str:
    return column.action or f"allowed: {column.reason or 'no reason'}"
