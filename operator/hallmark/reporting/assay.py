"""What the page says of the model: gates, metrics, calibration, fairness, robustness, origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hallmark.api.gates import DATA, most_telling_first
from hallmark.api.metrics import Comparison, GateResult, MetricValue, Statistic
from hallmark.api.report import (
    AttributeFairness,
    CalibrationBin,
    GroupMetrics,
    Proxy,
    Report,
    RobustnessReport,
)
from hallmark.reporting.charts import Chart, Line, Mark, Series, curves, intervals
from hallmark.reporting.parts import Charted, Table, code, count, finite, number

_PASSED = Markup('<span class="good">✓ passed</span>')
_FAILED = Markup('<span class="bad">✗ failed</span>')
_NO_SHARES = frozenset(
    {
        "dataQuality",
        "quality",
        "smallestGroupRows",
        "logLoss",
        "meanRobustRadius",
        "meanRobustRadiusL2",
    }
)
"""Metrics that do not go from 0 to 1."""
_MEASURES = (
    ("demographic parity difference", "demographicParityDifference"),
    ("demographic parity ratio", "demographicParityRatio"),
    ("equalized odds difference", "equalizedOddsDifference"),
    ("equal opportunity difference", "equalOpportunityDifference"),
)


@dataclass(frozen=True)
class Metrics:
    """Metrics on the test rows.

    Attributes:
        chart: Those from 0 to 1; None where there is none.
        sure: Which intervals they have, or nothing.
        table: All of them.
    """

    chart: Chart | None
    sure: str
    table: Table


@dataclass(frozen=True)
class Attribute:
    """How groups of a sensitive attribute fare."""

    attribute: str
    inconclusive: str | None
    chart: Chart | None
    measures: Table
    groups: Table


def gates(results: Sequence[GateResult]) -> Table:
    """Return the gates with their verdicts."""
    rows = [
        (
            code(gate.metric),
            "policy" if gate.source == "Policy" else "run",
            _bar(gate),
            gate.value or gate.inconclusive or "not measured",
            _PASSED if gate.passed else _FAILED,
        )
        for gate in results
    ]
    return Table(("metric", "asked by", "needed", "found", "verdict"), rows)


def _bar(gate: GateResult) -> str:
    sign = "≥" if gate.comparison is Comparison.AT_LEAST else "≤"
    bound = ""
    if gate.statistic is Statistic.BOUND:
        bound = " (lower bound)" if gate.comparison is Comparison.AT_LEAST else " (upper bound)"
    return f"{sign} {gate.threshold}{bound}"


def metrics(report: Report) -> Metrics:
    """Return the metrics, the most telling first."""
    ordered = most_telling_first(report.metrics, ())
    plain = [metric for metric in ordered if "." not in metric.name and metric.name not in DATA]
    lines = [_line(metric, report.gates) for metric in plain if _is_share(metric)]
    sure = f", {report.evaluation.confidence} confidence intervals" if report.evaluation else ""
    rows = [(code(metric.name), *_ends(metric)) for metric in ordered]
    return Metrics(
        intervals(f"Metrics on the test rows{sure}, and gates", lines) if lines else None,
        sure,
        Table(("metric", "value", "lower", "upper"), rows, 3),
    )


def _ends(metric: MetricValue) -> tuple[str, ...]:
    return tuple(text or "–" for text in (metric.value, metric.lower, metric.upper))


def _is_share(metric: MetricValue) -> bool:
    value = finite(metric.value)
    name = metric.name.partition(".")[0]
    return name not in _NO_SHARES and value is not None and 0 <= value <= 1


def _line(metric: MetricValue, results: Sequence[GateResult]) -> Line:
    value = finite(metric.value)
    return Line(
        metric.name,
        value,
        finite(metric.lower),
        finite(metric.upper),
        number(value),
        tuple(
            Mark(float(gate.threshold), gate.comparison is Comparison.AT_LEAST, gate.passed)
            for gate in results
            if gate.metric == metric.name
        ),
    )


def calibration(bins: Sequence[CalibrationBin]) -> Charted | None:
    """Return how often predictions came true; larger points are more rows."""
    if not bins:
        return None
    most = max(1, *(found.rows for found in bins))
    points = Series(
        "observed",
        "a",
        [(found.predicted, found.observed) for found in bins],
        [2.5 + 5.5 * (max(found.rows, 0) / most) ** 0.5 for found in bins],
    )
    rows = [(number(found.predicted), number(found.observed), count(found.rows)) for found in bins]
    chart = curves(
        "Calibration: what was predicted and what came of it",
        [points],
        ("predicted probability", "observed share"),
        diagonal=True,
    )
    return Charted(chart, Table(("predicted", "observed", "rows"), rows, 3))


def fairness(report: Report) -> list[Attribute]:
    """Return how groups fare, for each attribute and pair of attributes."""
    by_name = {metric.name: metric for metric in report.metrics}
    return [_attribute(found, by_name) for found in report.fairness]


def _attribute(found: AttributeFairness, by_name: Mapping[str, MetricValue]) -> Attribute:
    key = found.attribute.replace(" x ", "_x_").replace(" ", "_")
    lines = [
        Line(
            group.group,
            group.selection_rate,
            group.selection_rate_lower,
            group.selection_rate_upper,
            f"{count(group.rows)} rows",
        )
        for group in found.groups
    ]
    measures = [(label, by_name.get(f"{name}.{key}")) for label, name in _MEASURES]
    rows = [
        (label, *_ends(metric)) if metric else (label, "inconclusive", "–", "–")
        for label, metric in measures
    ]
    title = f"Share decided as positive by {found.attribute}"
    head = ("group", "rows", "selected", "true pos.", "false pos.", "accuracy", "ROC-AUC")
    return Attribute(
        found.attribute,
        found.inconclusive,
        intervals(title, lines) if lines else None,
        Table(("measure", "value", "lower", "upper"), rows, 3),
        Table(head, [_group(group) for group in found.groups], 6),
    )


def _group(group: GroupMetrics) -> tuple[str, ...]:
    return (
        group.group,
        count(group.rows),
        number(group.selection_rate),
        number(group.true_positive_rate),
        number(group.false_positive_rate),
        number(group.accuracy),
        number(group.metrics.get("rocAuc")),
    )


def proxies(found: Sequence[Proxy]) -> Table:
    """Return how well other features predict each sensitive attribute."""
    rows = [
        (
            proxy.attribute,
            number(proxy.roc_auc) if proxy.inconclusive is None else proxy.inconclusive,
            _features(proxy) or "–",
        )
        for proxy in found
    ]
    return Table(("attribute", "ROC-AUC", "features that contribute most"), rows)


def _features(proxy: Proxy) -> Markup:
    most = [
        Markup("{} {:.3f}").format(code(feature.feature), feature.contribution)
        for feature in proxy.features[:5]
    ]
    return Markup(", ").join(most)


def robustness(found: RobustnessReport | None) -> Charted | None:
    """Return the certified accuracy by radius, if there are radii above zero."""
    certified = [at for at in found.curve if at.radius > 0] if found else []
    if not certified:
        return None
    curve = sorted(certified, key=lambda at: at.radius)
    rows = [
        (f"{at.radius:g}", number(at.certified_accuracy), number(at.certified_accuracy_l2))
        for at in curve
    ]
    series = [
        Series("every number moves", "a", [(at.radius, at.certified_accuracy) for at in curve]),
        Series("Euclidean distance", "b", [(at.radius, at.certified_accuracy_l2) for at in curve]),
    ]
    axes = ("radius in standard deviations", "certified accuracy")
    chart = curves("Certified accuracy by radius", series, axes, logarithmic=True)
    return Charted(chart, Table(("radius", "every number moves", "Euclidean"), rows, 3))


def origin(report: Report) -> Table:
    """Return what the model was made of."""
    facts = [
        ("run id", report.run_id),
        ("spec digest", report.spec_digest),
        ("dataset fingerprint", report.dataset_fingerprint),
        ("trainer's image", report.image_digest),
        ("seed", str(report.seed)),
        ("largest difference of the served form", f"{report.served_form_max_difference:.2g}"),
    ]
    rows = [(name, code(value)) for name, value in facts if value is not None]
    return Table(("what", "value"), rows)


def named(head: tuple[str, str], values: Mapping[str, str]) -> Table:
    """Return values by name, in the order of the names."""
    return Table(head, [(code(name), code(value)) for name, value in sorted(values.items())])
