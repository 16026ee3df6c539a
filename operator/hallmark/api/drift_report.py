"""What a Pod that serves reports: its windows, what it refused, its requests, its odd rows."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from hallmark.api.bounds import (
    LATENCY_BOUNDS,
    MAX_REFUSED_FEATURES,
    MAX_WINDOWS,
    PROBERS,
    Oddity,
)
from hallmark.api.common import (
    MAX_WATCHED,
    ApiModel,
    ColumnName,
    Count,
    Digest,
    Ordinal,
    Timestamp,
)
from hallmark.api.feedback import OutcomeReport
from hallmark.api.mirror import MirrorReport

BinCounts = Annotated[list[Count], Field(max_length=259)]
"""Rows per bin of one feature: one count for each bin of the baseline, in its order."""
FeatureCounts = Annotated[dict[str, BinCounts], Field(max_length=MAX_WATCHED)]
"""Counts by feature name."""


class DriftWindow(ApiModel):
    """A closed window of one Pod."""

    number: Ordinal
    rows: Count
    start: Timestamp
    end: Timestamp
    counts: FeatureCounts = Field(default_factory=dict)


RowCount = Count
"""Rows since the start of a Pod."""


class RefusedFeature(ApiModel):
    """Rows that a Pod refused for one feature, by reason; a reason without any is absent."""

    feature: ColumnName
    missing: RowCount | None = None
    """It was absent, or null where none may be."""
    wrong_type: RowCount | None = None
    """It was of another type."""
    unseen_category: RowCount | None = None
    """It was none of the declared categories."""
    out_of_range: RowCount | None = None
    """It was below the minimum, above the maximum, or beyond what its datatype holds."""


class RejectionBlock(ApiModel):
    """Rows of one Pod, answered and refused, without the busiest clients."""

    number: Ordinal
    start: Timestamp
    rows: Ordinal
    refused: Count


class AnswerBlock(ApiModel):
    """Requests of one Pod, each number without the busiest clients."""

    number: Ordinal
    start: Timestamp
    requests: Ordinal
    """Those that were answered, or failed."""
    failed: Count
    timed: Count
    """Answers; fewer clients may be left than of all requests."""
    late: Count
    """Those of them that took longer than ``maxLatency``."""


Latencies = Annotated[list[Count], Field(max_length=len(LATENCY_BOUNDS) + 1)]
"""Requests by how long they took: up to 1, 5, 25, 100, 500 milliseconds, and longer."""
ByBound = Annotated[list[Count], Field(max_length=len(LATENCY_BOUNDS))]
"""Requests for each of these bounds."""


class FairCounts(ApiModel):
    """A Pod's rows and requests since its start, each number without the busiest clients.

    These are those that had most of what is looked for, and those that had most of all else; so
    each number has a whole of its own.
    """

    rows: Count = 0
    """Rows that the Pod was asked for; of a request 100 at most."""
    refused: Count = 0
    """Those of them that were refused."""
    requests: Count = 0
    """Requests that the version answered, or failed to answer; not those that were turned away."""
    failed: Count = 0
    """Those of them that failed."""
    timed: ByBound = Field(default_factory=list)
    """Answered requests, by bound."""
    late: ByBound = Field(default_factory=list)
    """Those of them that took more of the processor's time than the bound."""


class RequestCounts(ApiModel):
    """Requests for predictions that a Pod has ended since its start."""

    uptime: Count
    """Milliseconds since the start, by the Pod's own clock that never goes back."""
    count: Count
    """All of them."""
    refused: Count = 0
    """Those whose answer was 4xx: the request was at fault."""
    failed: Count = 0
    """Those whose answer was 5xx and that were not shed."""
    shed: Count = 0
    """Those that were turned away with 503, because there was too much to do."""
    latency: Latencies = Field(default_factory=list)
    """By the time from the head to the end of the answer, slow clients' time included."""
    work: Latencies = Field(default_factory=list)
    """Answered ones by the processor's time that the prediction took; of more than 100 rows, by
    that of 100."""
    fair: FairCounts | None = None
    """What is judged: the same without the busiest clients."""


class OddBlock(ApiModel):
    """64 rows of one client that were odd: the newest of their kind."""

    kind: Annotated[Oddity, BeforeValidator(Oddity)]
    client: Ordinal
    """Its number among those whose rows were odd; the address is in the Pod's log alone."""
    start: Timestamp
    """Not later than the first of the rows."""
    rows: Annotated[int, Field(ge=0, le=64)]
    """How many of them were odd."""


class OddRows(ApiModel):
    """What a Pod has seen since its start of rows that look made to find the model's boundary."""

    rows: Count = 0
    """Those that were looked at: of a request at most 64."""
    near: Count = 0
    """How many of them are near the boundary."""
    outside: Count = 0
    """How many of them lie outside the training region."""
    blocks: Count = 0
    """Blocks of 64 rows of one client."""
    borderline: Count = 0
    """How many of these are odd in this way, and so on; see ``Oddity``."""
    beyond: Count = 0
    probing: Count = 0
    newest: Annotated[list[OddBlock], Field(max_length=PROBERS + 2)] = Field(default_factory=list)


class DriftReport(ApiModel):
    """What one predictor Pod counted: ``status.drift[<pod>]``, written by that Pod alone."""

    manifest_digest: Digest
    boot_id: Annotated[str, Field(alias="bootID", min_length=8, max_length=64)]
    sequence: Ordinal
    next_within: Annotated[int, Field(ge=1, le=86400)] | None = None
    """Seconds within which the Pod reports again, whether or not a row comes."""
    rows: Count = 0
    counts: FeatureCounts = Field(default_factory=dict)
    windows: Annotated[list[DriftWindow], Field(max_length=MAX_WINDOWS)] = Field(
        default_factory=list
    )
    refused_rows: RowCount = 0
    """Rows that were refused since the start; they are in none of the counts."""
    refused: Annotated[list[RefusedFeature], Field(max_length=MAX_REFUSED_FEATURES)] = Field(
        default_factory=list
    )
    """The features that were most often at fault, those first."""
    rejections: Annotated[list[RejectionBlock], Field(max_length=MAX_WINDOWS)] = Field(
        default_factory=list
    )
    """The last blocks, where the spec declares a limit."""
    answers: Annotated[list[AnswerBlock], Field(max_length=MAX_WINDOWS)] = Field(
        default_factory=list
    )
    """The last blocks of requests, likewise."""
    requests: RequestCounts | None = None
    """How many requests there were, how they ended and how long they took."""
    odd: OddRows | None = None
    """Rows that look made to find the boundary; absent where the version was sealed without a
    region."""
    outcomes: OutcomeReport | None = None
    """What became true of answers; absent where no feedback is declared."""
    mirror: MirrorReport | None = None
    """How a candidate answered copies of requests; absent where none were asked for."""
