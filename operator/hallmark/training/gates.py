"""The bars that a model must clear: the run's own and the policy's floors, all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from hallmark.api.training_run import Comparison, Gate, GateResult, MetricValue

_SIX_DIGITS = Decimal("0.000001")


def metric_text(value: float | None) -> str | None:
    """Return a metric as text with six digits after the point; None if it is no number."""
    if value is None or not math.isfinite(value):
        return None
    return str(Decimal(value).quantize(_SIX_DIGITS, rounding=ROUND_HALF_EVEN))


def metric_values(metrics: Mapping[str, float | None]) -> list[MetricValue]:
    """Return the metrics that are numbers, by name."""
    texts = {name: metric_text(value) for name, value in sorted(metrics.items())}
    return [MetricValue(name=name, value=text) for name, text in texts.items() if text is not None]


def judge(
    gates: Sequence[Gate], floors: Sequence[Gate], metrics: Mapping[str, float | None]
) -> list[GateResult]:
    """Return each gate's verdict: the run's, then the policy's. All must pass.

    A metric that is missing, undefined or not finite never passes. What is compared is the text
    of six digits that the report shows, so that anyone can repeat the verdict from it.

    Args:
        gates: The run's gates.
        floors: The policy's gates; a run cannot weaken them, for both apply.
        metrics: Every metric that was measured.
    """
    return [
        _judge_one(gate, metric_text(metrics.get(gate.metric)), source)
        for source, some in (("Run", gates), ("Policy", floors))
        for gate in some
    ]


def _judge_one(gate: Gate, value: str | None, source: str) -> GateResult:
    return GateResult.model_validate(
        {
            "metric": gate.metric,
            "comparison": gate.comparison,
            "threshold": gate.threshold,
            "value": value,
            "passed": value is not None and _passes(gate, Decimal(value)),
            "source": source,
        }
    )


def _passes(gate: Gate, value: Decimal) -> bool:
    threshold = Decimal(gate.threshold)
    return value >= threshold if gate.comparison is Comparison.AT_LEAST else value <= threshold


def failure(results: Sequence[GateResult]) -> str | None:
    """Return a sentence that names every gate that did not pass, or None if all did."""
    failed = [_sentence(result) for result in results if not result.passed]
    return " ".join(failed) or None


def _sentence(result: GateResult) -> str:
    bar = "at least" if result.comparison is Comparison.AT_LEAST else "at most"
    found = (
        "it could not be measured (no such metric, or too few rows)"
        if result.value is None
        else f"measured {result.value}"
    )
    owner = "The policy's gate" if result.source == "Policy" else "Gate"
    return f"{owner} {result.metric} failed: expected {bar} {result.threshold}, {found}."
