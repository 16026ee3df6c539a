"""What a drift verdict was made from, packed into its audit record: anyone can make it again.

The counts stand in ``status.drift`` for minutes only. The record keeps those that decided, so that
the verdict follows from the log and the sealed baseline alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, ValidationError

from hallmark.api.common import Count, Digest, FileModel, Timestamp
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import FeatureDrift, PodDriftState
from hallmark.api.feedback import QualityState
from hallmark.api.packed import packed, unpacked
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_timestamp
from hallmark.drift.counts import watched
from hallmark.drift.opinion import with_opinions
from hallmark.drift.poll import most_moved, poll
from hallmark.drift.psi import Reference
from hallmark.drift.quality import quality_state
from hallmark.drift.reports import Expected, RefusedReport, Report, believe
from hallmark.drift.votes import Question, Spent, Vote, vote_of
from hallmark.drift.weights import one_vote

MAX_UNPACKED = 4 << 20
"""Bytes that evidence may become."""


class DriftEvidence(FileModel):
    """The reports that stood there when the traffic was found to have drifted."""

    manifest_digest: Digest
    drift: Drift
    """How the windows were counted."""
    since: Timestamp
    """Windows that began earlier decided nothing."""
    reports: Annotated[dict[str, DriftReport], Field(max_length=1024)]
    """By Pod."""
    windows_before: dict[str, Count] = Field(default_factory=dict)
    """By Pod: on how many windows the error budget had been spent before its first."""
    outcome_windows_before: dict[str, Count] | None = None
    """The same of windows of outcomes, where feedback is declared."""
    recent_rows: dict[str, Count] | None = None
    """By Pod: how much its vote weighed. Absent in records of a former release, by which all
    that had enough windows weighed alike."""


@dataclass(frozen=True)
class Recount:
    """What the counts say.

    Args:
        voters: how many Pods had enough windows.
        drifting: how many of them drift.
        drifts: their votes have more than half of the weight.
        top: the features that moved most, highest PSI first.
        quality: what became true of the answers; None where no feedback was declared.
    """

    voters: int
    drifting: int
    drifts: bool
    top: tuple[FeatureDrift, ...]
    quality: QualityState | None = None


def pack(
    digest: str,
    drift: Drift,
    since: str,
    reports: Mapping[str, Report],
    accepted: Mapping[str, PodDriftState],
) -> str:
    """Return the evidence as it stands in a record: base64 of zlib of canonical JSON."""
    return packed(drift_evidence_of(digest, drift, since, reports, accepted).to_wire())


def drift_evidence_of(
    digest: str,
    drift: Drift,
    since: str,
    reports: Mapping[str, Report],
    accepted: Mapping[str, PodDriftState],
) -> DriftEvidence:
    """Return the evidence; reports that decide nothing because of their form are left out."""
    readable = {pod: parsed for pod, report in reports.items() if (parsed := _parsed(report))}
    known = {pod: accepted[pod] for pod in readable if pod in accepted}
    return DriftEvidence(
        manifest_digest=digest,
        drift=drift,
        since=since,
        reports=readable,
        windows_before={pod: said.windows_before for pod, said in known.items()},
        outcome_windows_before={
            pod: said.outcome_windows_before or 0 for pod, said in known.items()
        }
        if drift.feedback
        else None,
        recent_rows={pod: said.recent_rows or 0 for pod, said in known.items()},
    )


def unpack(text: str) -> DriftEvidence | None:
    """Return the evidence in a record, or None where it is none."""
    data = unpacked(text, MAX_UNPACKED)
    try:
        return None if data is None else DriftEvidence.model_validate_json(data)
    except ValidationError:
        return None


def recount(evidence: DriftEvidence, baseline: Baseline) -> Recount:
    """Return what the counts say against the sealed baseline, as the operator judges them."""
    reference = Reference(watched(baseline, evidence.drift))
    question = Question(evidence.manifest_digest, evidence.drift, parse_timestamp(evidence.since))
    feedback = evidence.drift.feedback
    expected = Expected(evidence.manifest_digest, reference.bins, None, feedback=feedback)
    outcomes_before = evidence.outcome_windows_before or {}
    votes = {
        pod: vote_of(
            found,
            question,
            reference,
            1,
            Spent(evidence.windows_before.get(pod, 0), outcomes_before.get(pod, 0)),
        )
        for pod, report in evidence.reports.items()
        if not isinstance(found := believe(pod, report, expected), RefusedReport)
    }
    whole = one_vote(evidence.drift)
    counted = poll(votes, _weights(evidence, votes, whole), whole)
    return Recount(
        voters=counted.voters,
        drifting=counted.drifting,
        drifts=counted.drifts,
        top=tuple(
            with_opinions(
                most_moved(counted, reference),
                [vote.newest for vote, _ in counted.heard],
                reference,
            )
        ),
        quality=quality_state(feedback, [vote.quality for vote in votes.values()], 0, 0),
    )


def _weights(evidence: DriftEvidence, votes: Mapping[str, Vote], whole: int) -> dict[str, int]:
    """Return how much each Pod's vote weighed: no more than the rows that it reported."""
    known = evidence.recent_rows
    if known is None:
        return {pod: whole * vote.enough for pod, vote in votes.items()}
    return {pod: min(whole, known.get(pod, 0), evidence.reports[pod].rows) for pod in votes}


def _parsed(report: Report) -> DriftReport | None:
    if isinstance(report, DriftReport):
        return report
    try:
        return DriftReport.model_validate(report, strict=True)
    except ValidationError:
        return None
