"""``report.html``: the report on one page for people, the same bytes for the same report.

Self-contained: its policy forbids everything but its own style, so that it can be opened from
anywhere without trust. Every text is escaped; every chart has the same numbers in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hallmark.api.gates import DATA, most_telling_first
from hallmark.api.report import (
    AttributeFairness,
    CertifiedAt,
    Proxy,
    Report,
    RobustnessReport,
)
from hallmark.api.training_run import Comparison, GateResult, MetricValue, Statistic
from hallmark.reporting.charts import Line, Mark, Series, curves, intervals
from hallmark.reporting.data_section import data_section
from hallmark.reporting.parts import code, details, finite, number, section, table

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2127;--muted:#5a6472;--line:#d8dde3;
--a:#1f5fa8;--b:#b2500d;--bar:#c6d8ec;--good:#1a7046;--bad:#b3261e;--panel:#f5f7f9}
@media (prefers-color-scheme:dark){:root{--paper:#15191e;--ink:#e4e8ec;--muted:#9da8b4;
--line:#353d46;--a:#7fb2ec;--b:#eea06a;--bar:#2c4867;--good:#6cc795;--bad:#f2867e;--panel:#1d2329}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:74rem;padding:2rem 1.5rem 4rem;background:var(--paper);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.4rem 0}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));
gap:0 2.5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{font-weight:600}thead th{color:var(--muted)}td.n,th.n{text-align:right}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.verdict{font-size:1.1rem;font-weight:600;margin:.3rem 0 1rem}.good{color:var(--good)}
.bad{color:var(--bad)}.muted{color:var(--muted)}details{margin:.5rem 0}
td:first-child code{overflow-wrap:normal}
summary{cursor:pointer;color:var(--muted)}.scroll{overflow-x:auto}
svg{width:100%;height:auto;display:block;margin:.3rem 0 .5rem;background:var(--panel);
border-radius:6px}
svg text{font:12px system-ui,sans-serif}svg .ink{fill:var(--ink)}svg .muted{fill:var(--muted)}
svg .grid{stroke:var(--line)}svg .interval{stroke:var(--a);stroke-width:2.5}
svg .dot{fill:var(--a)}svg .bar{fill:var(--bar)}svg .gate{stroke-width:2;fill:none}
svg .good{stroke:var(--good)}svg .bad{stroke:var(--bad)}
svg .curve{fill:none;stroke-width:2}svg .curve.a{stroke:var(--a)}svg .curve.b{stroke:var(--b)}
svg .point.a,svg text.a{fill:var(--a)}svg .point.b,svg text.b{fill:var(--b)}
svg .diagonal{stroke:var(--muted);stroke-dasharray:4 4}
@media print{body{max-width:none;padding:0}details>*{display:block}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report) -> bytes:
    """Return the page of a report, UTF-8."""
    name = escape(report.model)
    parts = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Assay of {name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n",
        _head(report),
        _gates(report.gates),
        '<div class="columns">',
        _metrics(report),
        _calibration(report),
        "</div>",
        _fairness(report.fairness, report.metrics),
        _proxies(report.proxies),
        '<div class="columns">',
        _robustness(report.robustness),
        data_section(report),
        "</div>",
        _origin(report),
        "</main>\n</body>\n</html>\n",
    )
    return "\n".join(part for part in parts if part).encode()


def _head(report: Report) -> str:
    passed = sum(gate.passed for gate in report.gates)
    every = passed == len(report.gates)
    verdict = (
        f"{passed} of {len(report.gates)} gates passed" if report.gates else "No gate was asked for"
    )
    return (
        f"<header><h1>Assay of {escape(report.model)}</h1>"
        f'<p class="verdict {"good" if every else "bad"}">{verdict}</p>'
        f"<p>{escape(report.algorithm)}, learned from {report.train_rows:,} rows and measured on "
        f"{report.test_rows:,} others of {report.rows:,}. Data quality {report.quality:.1f} of 100."
        f"</p></header>"
    )


def _bar_text(gate: GateResult) -> str:
    sign = "≥" if gate.comparison is Comparison.AT_LEAST else "≤"
    bound = ""
    if gate.statistic is Statistic.BOUND:
        bound = " (lower bound)" if gate.comparison is Comparison.AT_LEAST else " (upper bound)"
    return f"{sign} {gate.threshold}{bound}"


def _gates(gates: Sequence[GateResult]) -> str:
    if not gates:
        return ""
    rows = [
        (
            code(gate.metric),
            "policy" if gate.source == "Policy" else "run",
            escape(_bar_text(gate)),
            escape(gate.value or gate.inconclusive or "not measured"),
            '<span class="good">✓ passed</span>'
            if gate.passed
            else '<span class="bad">✗ failed</span>',
        )
        for gate in gates
    ]
    return section("Gates", table(("metric", "asked by", "needed", "found", "verdict"), rows))


def _ends(metric: MetricValue) -> tuple[str, ...]:
    return tuple(escape(text or "–") for text in (metric.value, metric.lower, metric.upper))


def _from_zero_to_one(metric: MetricValue) -> bool:
    name = metric.name.partition(".")[0]
    whole = {"dataQuality", "quality", "smallestGroupRows", "logLoss"} | {
        "meanRobustRadius",
        "meanRobustRadiusL2",
    }
    value = finite(metric.value)
    return name not in whole and value is not None and 0 <= value <= 1


def _line(metric: MetricValue, gates: Sequence[GateResult]) -> Line:
    value = finite(metric.value)
    return Line(
        metric.name,
        value,
        finite(metric.lower),
        finite(metric.upper),
        number(value),
        tuple(
            Mark(float(gate.threshold), gate.comparison is Comparison.AT_LEAST, gate.passed)
            for gate in gates
            if gate.metric == metric.name
        ),
    )


def _metrics(report: Report) -> str:
    ordered = most_telling_first(report.metrics, ())
    plain = [each for each in ordered if "." not in each.name and each.name not in DATA]
    lines = [_line(each, report.gates) for each in plain if _from_zero_to_one(each)]
    sure = f", {report.evaluation.confidence} confidence intervals" if report.evaluation else ""
    rows = [(code(each.name), *_ends(each)) for each in ordered]
    why = [f"{code(name)}: {escape(reason)}" for name, reason in report.inconclusive.items()]
    left_out = "".join(f'<p class="muted">{each}</p>' for each in why)
    return section(
        "Metrics",
        intervals(f"Metrics on the test rows{sure}, and gates", lines) if lines else "",
        f'<p class="muted">On the test rows{escape(sure)}. A bracket is a gate; it opens to the '
        f"side that passes.</p>",
        details("All metrics as numbers", table(("metric", "value", "lower", "upper"), rows, 3)),
        details(f"Inconclusive ({len(why)})", left_out) if why else "",
    )


def _calibration(report: Report) -> str:
    bins = report.calibration
    if not bins:
        return ""
    most = max(1, *(each.rows for each in bins))
    points = Series(
        "observed",
        "a",
        [(each.predicted, each.observed) for each in bins],
        [2.5 + 5.5 * (max(each.rows, 0) / most) ** 0.5 for each in bins],
    )
    what = f"'{report.positive}'" if report.positive is not None else "the class in question"
    rows = [(f"{each.predicted:.3f}", f"{each.observed:.3f}", f"{each.rows:,}") for each in bins]
    return section(
        "Calibration",
        curves(
            "Calibration: what was predicted and what came of it",
            [points],
            ("predicted probability", "observed share"),
            diagonal=True,
        ),
        f'<p class="muted">Of {escape(what)}; on the dashed line predictions come true as often as '
        "they say. Larger points are more rows.</p>",
        details("As numbers", table(("predicted", "observed", "rows"), rows, 3)),
    )


def _fairness(fairness: Sequence[AttributeFairness], metrics: Sequence[MetricValue]) -> str:
    if not fairness:
        return ""
    by_name = {each.name: each for each in metrics}
    single = [each for each in fairness if " x " not in each.attribute]
    pairs = [each for each in fairness if " x " in each.attribute]
    blocks = "".join(_attribute(each, by_name) for each in single)
    together = "".join(_attribute(each, by_name) for each in pairs)
    return section(
        "Fairness",
        '<p class="muted">Share decided as positive by group, with its interval, and the test '
        "rows of the group.</p>",
        f'<div class="columns">{blocks}</div>',
        details(f"Pairs of attributes ({len(pairs)})", f'<div class="columns">{together}</div>')
        if pairs
        else "",
    )


_MEASURES = (
    ("demographic parity difference", "demographicParityDifference"),
    ("demographic parity ratio", "demographicParityRatio"),
    ("equalized odds difference", "equalizedOddsDifference"),
    ("equal opportunity difference", "equalOpportunityDifference"),
)


def _attribute(each: AttributeFairness, metrics: dict[str, MetricValue]) -> str:
    key = each.attribute.replace(" x ", "_x_").replace(" ", "_")
    lines = [
        Line(
            group.group,
            group.selection_rate,
            group.selection_rate_lower,
            group.selection_rate_upper,
            f"{group.rows:,} rows",
        )
        for group in each.groups
    ]
    found = [(label, metrics.get(f"{name}.{key}")) for label, name in _MEASURES]
    rows = [
        (escape(label), *_ends(metric)) if metric else (escape(label), "inconclusive", "–", "–")
        for label, metric in found
    ]
    groups = [
        (
            escape(group.group),
            f"{group.rows:,}",
            number(group.selection_rate),
            number(group.true_positive_rate),
            number(group.false_positive_rate),
            number(group.accuracy),
            number(group.metrics.get("rocAuc")),
        )
        for group in each.groups
    ]
    head = ("group", "rows", "selected", "true pos.", "false pos.", "accuracy", "ROC-AUC")
    why = f'<p class="bad">Inconclusive: {escape(each.inconclusive or "")}.</p>'
    return (
        f"<div><h3>{escape(each.attribute)}</h3>"
        + (why if each.inconclusive else "")
        + (intervals(f"Share decided as positive by {each.attribute}", lines) if lines else "")
        + table(("measure", "value", "lower", "upper"), rows, 3)
        + (details("Groups as numbers", table(head, groups, 6)) if groups else "")
        + "</div>"
    )


def _proxies(proxies: Sequence[Proxy]) -> str:
    if not proxies:
        return ""
    rows = [
        (
            escape(each.attribute),
            number(each.roc_auc) if each.inconclusive is None else escape(each.inconclusive),
            ", ".join(f"{code(one.feature)} {one.contribution:.3f}" for one in each.features[:5])
            or "–",
        )
        for each in proxies
    ]
    return section(
        "Proxies",
        '<p class="muted">How well the other features predict a sensitive attribute: 0.5 is '
        "chance, 1 gives it away. Behind a feature stands by how much that drops without it.</p>",
        table(("attribute", "ROC-AUC", "features that contribute most"), rows),
    )


def _radius(each: CertifiedAt) -> float:
    return each.radius


def _robustness(found: RobustnessReport | None) -> str:
    curve = sorted((each for each in found.curve if each.radius > 0), key=_radius) if found else []
    if found is None or not curve:
        return ""
    rows = [
        (f"{at.radius:g}", f"{at.certified_accuracy:.3f}", f"{at.certified_accuracy_l2:.3f}")
        for at in curve
    ]
    series = [
        Series("every number moves", "a", [(at.radius, at.certified_accuracy) for at in curve]),
        Series("Euclidean distance", "b", [(at.radius, at.certified_accuracy_l2) for at in curve]),
    ]
    return section(
        "Robustness",
        curves(
            "Certified accuracy by radius",
            series,
            ("radius in standard deviations", "certified accuracy"),
            logarithmic=True,
        ),
        '<p class="muted">The share of test rows decided rightly and proven to stay so within a '
        f"radius; {found.rows:,} of {found.test_rows:,} rows were looked at.</p>",
        details("As numbers", table(("radius", "every number moves", "Euclidean"), rows, 3)),
    )


def _origin(report: Report) -> str:
    facts = [
        ("run id", report.run_id),
        ("spec digest", report.spec_digest),
        ("dataset fingerprint", report.dataset_fingerprint),
        ("trainer's image", report.image_digest),
        ("seed", str(report.seed)),
        ("largest difference of the served form", f"{report.served_form_max_difference:.2g}"),
    ]
    rows = [(escape(name), code(value)) for name, value in facts if value is not None]
    settings = [(code(name), code(value)) for name, value in sorted(report.parameters.items())]
    packages = [(code(name), code(value)) for name, value in sorted(report.packages.items())]
    return section(
        "Where it comes from",
        table(("what", "value"), rows),
        details(
            f"Parameters of {report.algorithm} ({len(settings)})",
            table(("parameter", "value"), settings),
        ),
        details(f"Packages ({len(packages)})", table(("package", "version"), packages)),
    )
