"""Gates as lines: what was needed, what was found, and how near it was. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.metrics import Comparison, GateResult, MetricValue, Statistic
from hallmark.reporting.charts import Chart, Line, Mark, intervals
from hallmark.reporting.parts import finite, number
from hallmark_dashboard.views.standing import State

NEAR = 0.1
"""A margin below this share of the threshold is near."""


@dataclass(frozen=True)
class GateLine:
    """A gate with its margin.

    Attributes:
        metric: What was measured.
        needed: The bar, in words.
        found: What was compared, with its interval and the limit beside it.
        margin: How far on the right side it is; negative on the wrong one; None without a number.
        near: Whether it was near, or the interval reaches over the bar.
        state: Passed or not.
        source: Who asked for it: the run or the policy.
    """

    metric: str
    needed: str
    found: str
    margin: float | None
    near: bool
    state: State
    source: str


def gate_lines(results: Sequence[GateResult], metrics: Sequence[MetricValue]) -> list[GateLine]:
    """Return the gates: those that did not pass first, then the nearest."""
    by_name = {metric.name: metric for metric in metrics}
    lines = [_line(result, by_name.get(result.metric)) for result in results]
    return sorted(
        lines,
        key=lambda line: (
            line.state is State.GOOD,
            not line.near,
            line.margin if line.margin is not None else 0.0,
        ),
    )


def _line(result: GateResult, metric: MetricValue | None) -> GateLine:
    threshold = float(result.threshold)
    value = finite(result.value)
    is_floor = result.comparison is Comparison.AT_LEAST
    margin = None if value is None else (value - threshold if is_floor else threshold - value)
    low, high = (finite(metric.lower), finite(metric.upper)) if metric else (None, None)
    crosses = low is not None and high is not None and low <= threshold <= high
    near = margin is not None and abs(margin) < NEAR * max(abs(threshold), 1e-9)
    bound = ""
    if result.statistic is Statistic.BOUND:
        bound = ", by the lower bound" if is_floor else ", by the upper bound"
    ends = f" ({number(low)} to {number(high)})" if low is not None and high is not None else ""
    found = f"{number(value)}{ends}" if value is not None else result.inconclusive or "not measured"
    return GateLine(
        result.metric,
        f"{'at least' if is_floor else 'at most'} {result.threshold}{bound}",
        found,
        margin,
        near or crosses,
        State.GOOD if result.passed else State.STOPPED,
        "policy" if result.source == "Policy" else "run",
    )


def gate_chart(results: Sequence[GateResult], metrics: Sequence[MetricValue]) -> Chart | None:
    """Return the gates on a scale from 0 to 1, where they are on one."""
    by_name = {metric.name: metric for metric in metrics}
    lines = []
    for result in results:
        metric, value = by_name.get(result.metric), finite(result.value)
        threshold = float(result.threshold)
        if not 0 <= threshold <= 1 or value is None or not 0 <= value <= 1:
            continue
        mark = Mark(threshold, result.comparison is Comparison.AT_LEAST, result.passed)
        low, high = (finite(metric.lower), finite(metric.upper)) if metric else (None, None)
        note = f"limit {result.threshold}"
        lines.append(Line(result.metric, value, low, high, note, (mark,)))
    title = "Gates: what was measured, its interval, and the limit"
    return intervals(title, lines) if lines else None
