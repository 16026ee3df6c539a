"""A candidate that gets copies of requests before its first traffic: what is asked for and told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.canary import ErrorShare, Latency
from hallmark.api.common import ApiModel, Count, DecimalString, Digest, DurationString, Timestamp
from hallmark.api.rules import cel, rule


def _share(what: str) -> dict[str, object]:
    return cel(
        rule(
            "double(self) >= 0.0 && double(self) <= 1.0",
            f"The share of {what} must be between 0 and 1, such as '0.05'.",
        )
    )


ScoreDifference = Annotated[
    DecimalString,
    Field(
        json_schema_extra=cel(
            rule(
                "double(self) > 0.0 && double(self) <= 0.2",
                "The difference must be above 0 and at most 0.2, the last one that predictors "
                "tell apart.",
            )
        )
    ),
]
"""A difference of two scores that predictors' counts can tell: up to 0.2."""


class MirrorAnalysis(ApiModel):
    """What the candidate's answers to copies are held to. What was not seen is no success.

    Who asked the active version counts here, too: rows and copies count without the clients that
    had most to do with each number, unless ten times the minimum came from these.
    """

    minimum_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 100
    """Rows that both versions must have answered."""
    max_disagreement: Annotated[
        DecimalString, Field(json_schema_extra=_share("rows with another label"))
    ] = "0.05"
    """The greatest share of rows to which the candidate may give another label."""
    max_score_difference: ScoreDifference | None = None
    """How far apart the two scores of 95 per cent of the rows may be, rounded up to 0.01, 0.02,
    0.05, 0.1 or 0.2; none: it is not looked at."""
    minimum_requests: Annotated[int, Field(ge=1, le=1_000_000_000)] = 20
    """Copies that it must have answered, refused or failed to answer."""
    max_rejections: Annotated[DecimalString, Field(json_schema_extra=_share("refused copies"))] = (
        "0.01"
    )
    """The greatest share of copies that it may refuse: the active version answered them all."""
    max_errors: ErrorShare = "0.01"
    """The greatest share of copies that it may fail to answer, or answer after two seconds."""
    max_latency: Latency | None = None
    """Within how long 95 per cent of its answers must be back, the way included, as the active
    version's Pods measure it, rounded up to a bound of the histogram; none: it is not looked at."""


class Mirror(ApiModel):
    """The candidate gets copies of requests that the active version answers, and answers nobody."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    """Per cent of the answered requests that are copied; those there is no room for are dropped."""
    pause: DurationString = "10m"
    """How long it lasts at least."""
    analysis: MirrorAnalysis = Field(default_factory=MirrorAnalysis)


BySpan = Annotated[list[Count], Field(max_length=5)]
"""One number for each bound: of ``LATENCY_BOUNDS``, or of ``SCORE_BOUNDS``."""


class MirrorCounts(ApiModel):
    """What became of copies. Each number of what is looked for stands beside its own whole."""

    requests: Count = 0
    """Copies that reached the candidate."""
    failed: Count = 0
    """Those of them that it did not answer, or not in time."""
    taken: Count = 0
    """Copies that it answered or refused."""
    refused: Count = 0
    """Those of them that it refused."""
    timed: BySpan = Field(default_factory=list)
    """Answered copies, by bound of latency."""
    late: BySpan = Field(default_factory=list)
    """Those of them that took longer."""
    rows: Count = 0
    """Rows that both versions answered; of a request 100 at most."""
    other: Count = 0
    """Those of them with another label."""
    scored: BySpan = Field(default_factory=list)
    """Rows, by bound of the scores' difference."""
    apart: BySpan = Field(default_factory=list)
    """Those of them whose scores were farther apart."""


class MirrorReport(ApiModel):
    """What a Pod of the active version has seen of a candidate: the comparison is its own."""

    candidate: Digest
    """The candidate's manifest digest."""
    since: Timestamp
    """When this mirror began; another one is counted from the start."""
    dropped: Count = 0
    """Copies that were not made or did not reach the candidate; no word about the candidate."""
    all: MirrorCounts = Field(default_factory=MirrorCounts)
    fair: MirrorCounts = Field(default_factory=MirrorCounts)
    """The same, each number without the busiest clients."""


class MirrorRecord(ApiModel):
    """A mirror that is under way, and what was seen so far; the operator's own record."""

    started: Timestamp
    """When the first copies could be made."""
    short_since: Timestamp | None = None
    """Since when fewer of the candidate's Pods are ready than are needed."""
    dropped: Count = 0
    all: MirrorCounts = Field(default_factory=MirrorCounts)
    fair: MirrorCounts = Field(default_factory=MirrorCounts)
    """What is judged: without the busiest clients."""
