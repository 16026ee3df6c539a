"""What a Deployment's status says of drift: each Pod's report as judged, and the verdict."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hallmark.api.bounds import Oddity
from hallmark.api.common import (
    ApiModel,
    Clipped,
    Count,
    Digest,
    Timestamp,
    WatchedName,
)
from hallmark.api.feedback import QualityState
from hallmark.api.rules import SET


class PodDriftState(ApiModel):
    """The last report of a Pod that the operator accepted."""

    boot_id: Annotated[str, Field(alias="bootID", max_length=64)]
    sequence: Count
    manifest_digest: Digest
    window: Count = 0
    drifted_windows: Count = 0
    windows_before: Count = 0
    """How many windows the error budget had been spent on before the Pod's first."""
    outcome_window: Count | None = None
    """The newest window of outcomes; absent where no feedback is declared."""
    outcome_windows_before: Count | None = None
    """As ``windowsBefore``, of outcomes."""
    recent_rows: Count | None = None
    """Rows that it answered lately, at most as many as make a vote: so much its vote weighs."""
    report_hash: Annotated[str, Field(max_length=16)] = ""
    """Of the accepted report: a sequence that comes twice must come with the same content."""


class FeatureDrift(ApiModel):
    """A feature's PSI in the Pods' newest windows (the median), with four digits after the point.

    It is written anew when it has moved by a quarter: of the threshold, or of itself if it is more.
    """

    feature: WatchedName
    psi: Annotated[str, Field(max_length=16)]
    evidence: Annotated[str, Field(max_length=16)] = ""
    """The power of ten of the e-value: 6.0 says that chance alone shows so much in one of a
    million. Renewed along with the PSI, and empty where that is too low to matter."""
    jensen_shannon: Annotated[str, Field(max_length=16)] = ""
    """A second opinion that decides nothing: the Jensen-Shannon distance from the training rows,
    from 0, the same shares, to 1, no bin in common."""
    nulls: Annotated[str, Field(max_length=16)] = ""
    """The share of rows without a value; empty where there is none, nor in training."""
    training_nulls: Annotated[str, Field(max_length=16)] = ""
    """The same share of the training rows."""


class Verdict(StrEnum):
    """What the drift reports say of the traffic."""

    INCONCLUSIVE = "Inconclusive"
    """Too few rows, or too little evidence."""
    NO_DRIFT = "NoDrift"
    DRIFT = "Drift"


class AnswerState(ApiModel):
    """What the Pods' last blocks of requests say together."""

    failing: Count = 0
    """In how many Pods more requests fail than may."""
    fails: bool = False
    """They are more than half of those that can tell."""
    late_pods: Count = 0
    """In how many Pods more answers are late than may be."""
    late: bool = False
    """They are more than half of those that can tell."""
    within: Annotated[str, Field(max_length=32)] = ""
    """The ``maxLatency`` that more than half of those that can tell are within; else empty."""


class DriftState(ApiModel):
    """The operator's view of the drift of the active version."""

    verdict: Verdict = Verdict.INCONCLUSIVE
    manifest_digest: Digest | None = None
    voters: Count = 0
    """How many Pods have enough windows."""
    drifting: Count = 0
    """How many of them drift."""
    unsure: Count = 0
    """In how many of them the last windows are above the threshold, and evidence is missing."""
    idle: Count = 0
    """How many of them answered no row lately, so that their votes weigh nothing."""
    rejecting: Count = 0
    """How many Pods' last blocks of rows are above the limit of refused rows."""
    input_rejected: bool = False
    """More than half of the Pods that have enough blocks are."""
    rejected_for: Annotated[str, Clipped(256)] = ""
    """What rows were refused for, the most frequent first."""
    answers: AnswerState | None = None
    """What is known of errors and late answers, where the spec declares limits."""
    odd: Annotated[list[Oddity], Field(max_length=3, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """What was odd of any client's rows since the version got the traffic."""
    probing_clients: Count = 0
    """How many clients were seen probing by one Pod, at most three."""
    quality: QualityState | None = None
    """What became true of the answers; absent where no feedback is declared."""
    needed: Annotated[str, Field(max_length=16)] = ""
    """The power of ten that the evidence must reach, by the error budget."""
    windows: Count = 0
    """On how many windows of a Pod the error budget is spent in the Deployment's life, at most."""
    top: Annotated[list[FeatureDrift], Field(max_length=5)] = Field(default_factory=list)
    """The five features that moved most, highest PSI first."""
    silent_pods: Count = 0
    """How many Pods that serve have not reported as they said they would."""
    silent: Annotated[
        list[Annotated[str, Field(max_length=253)]], Field(max_length=64, json_schema_extra=SET)
    ] = Field(default_factory=list)
    """The first of them by name."""
    silent_since: Timestamp | None = None
    """When the first of them was last heard."""
    pods: Annotated[dict[str, PodDriftState], Field(max_length=64)] = Field(default_factory=dict)
    """What was accepted of each Pod when this state was written; newer reports are in memory."""
