"""What one Pod's believed report says: whether it has a vote, and whether that is for drift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf

import numpy as np
from numpy.typing import NDArray

from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport, DriftWindow, OddBlock, RefusedFeature
from hallmark.api.drift_state import PodDriftState
from hallmark.api.feedback import EarlierOutcomes
from hallmark.api.texts import parse_timestamp
from hallmark.drift.answers import NO_ANSWER_VOTE, AnswerVote, answer_vote
from hallmark.drift.budget import MOST_WINDOWS, kept_windows, needed
from hallmark.drift.evidence import Evidence
from hallmark.drift.odd import odd_since
from hallmark.drift.psi import Counts, Reference, moved
from hallmark.drift.quality import QualityVote, quality_vote
from hallmark.drift.rejections import rejects
from hallmark.drift.reports import Key, newest_number, newest_outcomes, report_hash


@dataclass(frozen=True)
class Question:
    """What the reports are asked. A vote on another question is void."""

    active_digest: str
    drift: Drift
    since: datetime
    """When the active version got the traffic, or drift was acknowledged."""


@dataclass(frozen=True)
class Vote:
    """What a Pod's newest believed report says."""

    state: PodDriftState
    enough: bool
    """There are ``consecutive`` full windows since the promotion: the Pod has a vote."""
    moved: bool
    """And all of them drift."""
    proof: float
    """Natural logarithm of by how much the evidence for it is above what the error budget asks
    for; below zero where it does not suffice."""
    psi: NDArray[np.float64] = field(compare=False, repr=False)
    """Of the newest window that counts, shape (features,); empty without one."""
    evidence: NDArray[np.float64] = field(compare=False, repr=False)
    """Natural logarithms of e-values, of the same shape; NaN where the PSI is too low."""
    newest: Counts = field(default_factory=dict, compare=False, repr=False)
    """The rows per bin of that window."""
    rejects: bool | None = None
    """Whether too many rows were refused; None where the Pod cannot tell."""
    refused: Sequence[RefusedFeature] = field(default=(), compare=False, repr=False)
    """What for."""
    answers: AnswerVote = NO_ANSWER_VOTE
    """What it says of errors and late answers."""
    odd: tuple[OddBlock, ...] = field(default=(), compare=False, repr=False)
    """Odd blocks of clients since the promotion."""
    quality: QualityVote | None = field(default=None, compare=False, repr=False)
    """What became true of its answers; None where too little is known."""
    earlier: tuple[EarlierOutcomes, ...] = ()
    """Outcomes of versions that served before; they decide nothing."""
    turn: int = 0
    """The call of ``judge`` in which it was given: the lower, the older."""

    @property
    def key(self) -> Key:
        """The report's boot id and sequence."""
        return self.state.boot_id, self.state.sequence

    @property
    def window(self) -> int:
        """Which window in the life of the ModelDeployment the newest one is; at least 1."""
        return min(MOST_WINDOWS, max(1, self.state.windows_before + self.state.window))


@dataclass(frozen=True)
class Spent:
    """On how many windows the error budgets were spent before a Pod's first."""

    windows: int = 0
    outcomes: int = 0


def vote_of(
    report: DriftReport, question: Question, reference: Reference, turn: int, before: Spent
) -> Vote:
    """Return what a believed report says.

    Args:
        report: of a Pod.
        question: what is asked.
        reference: of the watched features.
        turn: the call in which it is asked.
        before: what was spent of the error budgets before the Pod's first window.
    """
    drift, feedback = question.drift, question.drift.feedback
    counting = [window for window in report.windows if _counts(window, question)]
    counting = counting[-kept_windows(drift) :] if reference.names else []
    counts, threshold = [window.counts for window in counting], float(drift.threshold)
    ends = range(max(1, len(counts) - drift.consecutive + 1), len(counts) + 1)
    moves = [moved(counts[:end], reference, threshold) for end in ends]
    drifting = [bool(np.any(found)) for found in moves]
    enough = len(moves) == drift.consecutive
    vote = Vote(
        state=PodDriftState(
            boot_id=report.boot_id,
            sequence=report.sequence,
            manifest_digest=report.manifest_digest,
            window=newest_number(report),
            drifted_windows=_trailing(drifting),
            windows_before=before.windows,
            outcome_window=newest_outcomes(report) if feedback else None,
            outcome_windows_before=before.outcomes if feedback else None,
            report_hash=report_hash(report),
        ),
        enough=enough,
        moved=enough and all(drifting),
        proof=-inf,
        psi=reference.stability(counts[-1]).psi if counts else np.zeros(0),
        evidence=np.zeros(0),
        newest=counts[-1] if counts else {},
        rejects=rejects(report, drift, question.since),
        refused=tuple(report.refused),
        answers=answer_vote(report, drift, question.since),
        odd=odd_since(report, question.since),
        quality=quality_vote(report.outcomes, feedback, question.since, before.outcomes),
        earlier=tuple(report.outcomes.earlier) if report.outcomes and feedback else (),
        turn=turn,
    )
    if not counts:
        return vote
    evidence = _evidence(counts, reference, moves[-1])
    limit = needed(drift, len(reference.names), vote.window)
    proof = float(np.max(evidence[moves[-1]])) - limit if vote.moved else -inf
    return replace(vote, evidence=evidence, proof=proof)


def _evidence(
    windows: Sequence[Counts], reference: Reference, moves: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the evidence for those features that moved; NaN for the others, whatever it is.

    Most reports are calm, and weighing their evidence would take more time than all else.
    """
    found = np.full(len(moves), np.nan)
    for place in np.flatnonzero(moves):
        feature = reference.features[place]
        found[place] = Evidence(feature).since_any([counts[feature.name] for counts in windows])
    return found


def _counts(window: DriftWindow, question: Question) -> bool:
    """Tell whether a window counts: full, and begun after the promotion.

    Predictors count from their start. What a version saw before it got the traffic (probes, or
    its former time in service before a rollback came back to it) says nothing about now, and a
    window that began before holds some of that.
    """
    full = window.rows >= question.drift.window
    return full and parse_timestamp(window.start) >= question.since


def _trailing(drifting: Iterable[bool]) -> int:
    run = 0
    for drifts in drifting:
        run = run + 1 if drifts else 0
    return run
