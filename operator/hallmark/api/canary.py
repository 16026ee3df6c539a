"""How a new version takes over step by step: weights, pauses, and what may refuse it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.common import (
    ApiModel,
    Count,
    DecimalString,
    DurationString,
    PositiveDuration,
    Timestamp,
)
from hallmark.api.route import Route
from hallmark.api.rules import cel, rule

ErrorShare = Annotated[
    DecimalString,
    Field(
        json_schema_extra=cel(
            rule(
                "double(self) >= 0.0 && double(self) <= 1.0",
                "The share of failed requests must be between 0 and 1, such as '0.01'.",
            )
        )
    ),
]
"""A share of requests, between 0 and 1."""
Latency = Annotated[
    PositiveDuration,
    Field(
        json_schema_extra=cel(
            rule(
                "duration(self) > duration('0s') && duration(self) <= duration('500ms')",
                "The latency must be above zero and at most 500ms, the last bound of the "
                "histogram.",
            )
        )
    ),
]
"""A time that predictors' histogram can tell: up to 500ms."""


class CanaryStep(ApiModel):
    """A share of the traffic, and how long the candidate has it at least."""

    weight: Annotated[int, Field(ge=1, le=99)]
    """Per cent of the traffic, exactly with ``route``, else as near as whole Pods come; after the
    last step it has all."""
    pause: DurationString = "5m"
    """How long the step lasts at least."""


class CanaryAnalysis(ApiModel):
    """What the candidate is held to in each step. What was not seen is no success.

    Rows and requests count without the clients that had most to do with each number, unless ten
    times the minimum came from these, and fewer than the minimum from all others.
    """

    minimum_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100
    """Rows that the candidate must have been asked for in a step; with fewer the step goes on."""
    max_rejections: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) >= 0.0 && double(self) <= 1.0",
                    "The share of rejected rows must be between 0 and 1, such as '0.05'.",
                )
            )
        ),
    ] = "0.05"
    """The greatest share of rows that it may reject, once there are enough."""
    minimum_requests: Annotated[int, Field(ge=1, le=1_000_000_000)] = 20
    """Requests that it must have answered (or failed to answer) in a step, likewise."""
    max_errors: ErrorShare = "0.01"
    """The greatest share of requests that it may fail to answer, once there are enough. Those that
    are turned away because there is too much to do are not among them."""
    max_latency: Latency | None = None
    """How much of the processor's time 95 per cent of its answers may take (batches: for each 100
    rows), rounded up to a bound of the histogram that predictors report; none: it is not looked
    at."""
    drift: bool = True
    """Whether drift of the candidate's own rows refuses it."""


class Canary(ApiModel):
    """The steps of a canary, and the analysis in each."""

    steps: Annotated[
        list[CanaryStep],
        Field(
            min_length=1,
            max_length=10,
            json_schema_extra=cel(
                rule(
                    "self.all(s, self.exists_one(t, t.weight == s.weight)) && "
                    "self.map(s, s.weight).isSorted()",
                    "The weights must increase from step to step, such as 10, 25, 50.",
                )
            ),
        ),
    ] = Field(
        default_factory=lambda: [CanaryStep(weight=weight) for weight in (10, 25, 50)],
    )
    """The steps, in the order in which they come."""
    analysis: CanaryAnalysis = Field(default_factory=CanaryAnalysis)
    route: Route | None = None
    """An HTTPRoute whose weights are those of the steps; none: numbers of Pods are the weights."""


class CanaryCounts(ApiModel):
    """What a candidate's Pods had told of their traffic when a step began."""

    rows: Count = 0
    """Rows that the candidate had been asked for."""
    rejected: Count = 0
    """Those of them that it had rejected."""
    requests: Count = 0
    """Requests that it had answered, or failed to answer."""
    failed: Count = 0
    """Those of them that had failed."""
    timed: Count = 0
    """Those that it had answered, where ``maxLatency`` is declared."""
    late: Count = 0
    """Those of them that had taken longer."""

    def since(self, before: CanaryCounts) -> CanaryCounts:
        """Return what came since; a Pod that is gone took its counts along: there are too few."""
        rows = max(0, self.rows - before.rows)
        requests = max(0, self.requests - before.requests)
        timed = max(0, self.timed - before.timed)
        return CanaryCounts(
            rows=rows,
            rejected=min(rows, max(0, self.rejected - before.rejected)),
            requests=requests,
            failed=min(requests, max(0, self.failed - before.failed)),
            timed=timed,
            late=min(timed, max(0, self.late - before.late)),
        )


class CanaryRecord(CanaryCounts):
    """Where a canary stands, and all counts when the step began; the operator's own record."""

    step: Count
    """The number of the step, from 0; after the last one all Pods of the candidate start."""
    started: Timestamp
    """When the candidate got its first traffic."""
    fair: CanaryCounts = Field(default_factory=CanaryCounts)
    """The counts without the busiest clients."""
    short_since: Timestamp | None = None
    """Since when fewer of its Pods are ready than the step needs."""
    routed_since: Timestamp | None = None
    """With ``route``: since when its parents have had the step's weight; all counts are of then."""
