"""What one Pod's believed report says: whether it has a vote, and whether that is for drift."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hallmark.api.common import parse_timestamp
from hallmark.api.model_deployment import Drift, DriftReport, DriftWindow, PodDriftState
from hallmark.drift.psi import Reference
from hallmark.drift.reports import Key, newest_number, report_hash


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
    drifts: bool
    """And all of them drift."""
    psi: NDArray[np.float64] = field(compare=False, repr=False)
    """Of the newest window that counts, shape (features,); empty without one."""
    turn: int = 0
    """The call of ``judge`` in which it was given: the lower, the older."""

    @property
    def key(self) -> Key:
        """The report's boot id and sequence."""
        return self.state.boot_id, self.state.sequence


def vote_of(report: DriftReport, question: Question, reference: Reference, turn: int) -> Vote:
    """Return what a believed report says."""
    drift = question.drift
    last = [window for window in report.windows if _counts(window, question)][-drift.consecutive :]
    measured = [reference.stability(window.counts) for window in last]
    drifting = [stability.drifts(float(drift.threshold)) for stability in measured]
    enough = bool(reference.names) and len(last) == drift.consecutive
    return Vote(
        state=PodDriftState(
            boot_id=report.boot_id,
            sequence=report.sequence,
            manifest_digest=report.manifest_digest,
            window=newest_number(report),
            drifted_windows=_trailing(drifting),
            report_hash=report_hash(report),
        ),
        enough=enough,
        drifts=enough and all(drifting),
        psi=measured[-1].psi if measured else np.zeros(0),
        turn=turn,
    )


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
