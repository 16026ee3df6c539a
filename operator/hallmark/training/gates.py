"""Measurements as the text that gates compare and the report shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from hallmark.api.metrics import MetricValue

_SIX_DIGITS = Decimal("0.000001")


@dataclass(frozen=True)
class Measurement:
    """A number with its confidence interval, or why there is none.

    Attributes:
        value: The number; None where it is not defined.
        lower: The lower end of its interval; None where it has none.
        upper: The upper end.
        inconclusive: Why there is no number, without a value of any row.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    inconclusive: str | None = None


def metric_text(value: float | None) -> str | None:
    """Return a metric as text with six digits after the point; None if it is no number."""
    if value is None or not math.isfinite(value):
        return None
    return str(Decimal(value).quantize(_SIX_DIGITS, rounding=ROUND_HALF_EVEN))


def metric_values(metrics: Mapping[str, Measurement]) -> list[MetricValue]:
    """Return the metrics that are numbers, by name."""
    return [
        MetricValue(
            name=name,
            value=text,
            lower=metric_text(measurement.lower),
            upper=metric_text(measurement.upper),
        )
        for name, measurement in sorted(metrics.items())
        if measurement.inconclusive is None and (text := metric_text(measurement.value)) is not None
    ]


def inconclusive(metrics: Mapping[str, Measurement]) -> dict[str, str]:
    """Return why a metric has no number, by name."""
    return {
        name: measurement.inconclusive or "it is not defined for these rows"
        for name, measurement in sorted(metrics.items())
        if measurement.inconclusive or metric_text(measurement.value) is None
    }
