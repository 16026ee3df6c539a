"""What is measured, how surely, and the bars that it must clear."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import ApiModel, DecimalString, ShortText
from hallmark.api.rules import cel, list_map, rule


class Comparison(StrEnum):
    """The side of the threshold that passes."""

    AT_LEAST = "AtLeast"
    AT_MOST = "AtMost"


class Statistic(StrEnum):
    """The number of a metric that a gate looks at."""

    ESTIMATE = "Estimate"
    """The number that was measured on the test rows."""
    BOUND = "Bound"
    """The bound of the confidence interval on the unfavourable side: the lower for AtLeast, the
    upper for AtMost."""


MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_.\-]*$", max_length=160)]
"""A metric: ``accuracy``, ``rocAuc``, ``certifiedAccuracy``, ``dataQuality``,
``demographicParityDifference.<attribute>``, ..."""


class Gate(ApiModel):
    """A bar that the model must clear. A metric that is missing or not a number never passes."""

    metric: MetricName
    """Such as ``accuracy`` or ``demographicParityDifference.<attribute>``."""
    comparison: Comparison
    """The side of the threshold that passes."""
    threshold: DecimalString
    """The bar."""
    statistic: Statistic = Statistic.ESTIMATE
    """The number that must clear it: the estimate, or the unfavourable confidence bound."""


Gates = Annotated[
    list[Gate], Field(max_length=32, json_schema_extra=list_map("metric", "comparison"))
]
"""Gates, at most one for each side of a metric."""


class Evaluation(ApiModel):
    """The certainty that a measurement must have."""

    confidence: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) >= 0.5 && double(self) <= 0.999",
                    "The confidence of an interval must be between 0.5 and 0.999.",
                )
            )
        ),
    ] = "0.95"
    """The confidence of every interval."""
    resamples: Annotated[int, Field(ge=100, le=10000)] = 1000
    """How often the test rows are drawn anew for an interval."""
    epsilon: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) > 0.0 && double(self) <= 10.0",
                    "The radius must be above 0 and at most 10 standard deviations.",
                )
            )
        ),
    ] = "0.1"
    """The radius, in standard deviations, for which robustness is certified."""
    minimum_group_rows: Annotated[int, Field(ge=1, le=1000000)] = 30
    """With fewer test rows in a group, fairness is inconclusive and passes no gate."""
    intersections: bool = True
    """Whether pairs of sensitive attributes are measured too."""


class GateResult(ApiModel):
    """A gate's verdict. ``value`` is absent where the metric was missing or not a number."""

    metric: MetricName
    comparison: Comparison
    threshold: DecimalString
    statistic: Statistic = Statistic.ESTIMATE
    value: Annotated[str, Field(max_length=32)] | None = None
    """What was compared: the estimate or the bound."""
    inconclusive: ShortText | None = None
    """Why there is no value."""
    passed: bool
    source: Literal["Run", "Policy"] = "Run"


class MetricValue(ApiModel):
    """A measured number, as text with six digits after the point."""

    name: MetricName
    value: Annotated[str, Field(max_length=32)]
    lower: Annotated[str, Field(max_length=32)] | None = None
    """The lower end of the confidence interval; absent where a number is exact."""
    upper: Annotated[str, Field(max_length=32)] | None = None
    """The upper end of the confidence interval; absent where a number is exact."""
