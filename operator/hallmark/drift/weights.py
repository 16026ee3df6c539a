"""How much each Pod's word weighs: as much as it was asked lately, one vote at most.

A vote without an age would be heard for ever: where all requests come to go to one Pod, the others
still say what they saw before. What came in the last ``SPAN`` counts, by the operator's clock and
the totals of believed reports: a Pod that lies about its rows has one vote, as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.texts import parse_timestamp
from hallmark.drift.budget import MAJORITY

SPAN = timedelta(minutes=30)
"""For so long it counts: 30 reports of a busy Pod, five of an idle one."""
STEP = timedelta(minutes=3)
"""Totals between two others that are nearer to each other in time are not remembered."""


class Totals(NamedTuple):
    """What a Pod was asked since its start, or in a time."""

    rows: int = 0
    """That were answered: they are in the windows."""
    refused: int = 0
    """Rows."""
    requests: int = 0


class _Mark(NamedTuple):
    at: datetime
    totals: Totals


@dataclass(frozen=True)
class Asked:
    """A Pod's totals: what its reports said, and when the operator took them."""

    boot_id: str
    marks: tuple[_Mark, ...]
    """In order of time; the first is from before the span, if the Pod is that old."""

    def lately(self, now: datetime) -> Totals:
        """Return what came in the span before a moment."""
        before = Totals()
        for mark in self.marks:
            if mark.at > now - SPAN:
                break
            before = mark.totals
        pairs = zip(self.marks[-1].totals, before, strict=True)
        return Totals(*(max(0, told - known) for told, known in pairs))


def one_vote(drift: Drift) -> int:
    """Return how many rows make a whole vote: those of the windows that decide."""
    return drift.consecutive * drift.window


def asked(
    report: DriftReport, former: Asked | None, drift: Drift, since: datetime, now: datetime
) -> Asked:
    """Return a Pod's totals with what a believed report says.

    Of a Pod that nothing is remembered of, the report's windows say when its rows came.

    Args:
        report: of the Pod.
        former: what is remembered of it.
        drift: how it counts.
        since: rows of windows that began before do not count.
        now: the time.
    """
    requests = report.requests.count if report.requests else 0
    told = _Mark(now, Totals(report.rows, report.refused_rows, requests))
    if former is None or former.boot_id != report.boot_id:
        return Asked(report.boot_id, (*_by_windows(report, drift, since, now), told))
    *kept, newest = former.marks
    if not kept or now - kept[-1].at >= STEP:
        kept.append(newest)
    old = [place for place, mark in enumerate(kept) if mark.at <= now - SPAN]
    return replace(former, marks=(*kept[old[-1] if old else 0 :], told))


def _by_windows(report: DriftReport, drift: Drift, since: datetime, now: datetime) -> list[_Mark]:
    """Return the totals that a report's windows tell of, in order of time; at least one.

    Those that it does not hold any more had ``window`` rows each.
    """
    held = sum(window.rows for window in report.windows)
    earlier = report.windows[0].number - 1 if report.windows else 0
    rows = min(earlier * drift.window, report.rows - held)
    marks = [_Mark(now - SPAN, Totals(rows))]
    for window in report.windows:
        rows += window.rows
        counts = parse_timestamp(window.start) >= since
        ended = parse_timestamp(window.end) if counts else now - SPAN
        marks.append(_Mark(min(max(ended, marks[-1].at), now), Totals(rows)))
    return marks


# -- what the Pods say together ---------------------------------------------------------------


def most(said: Iterable[tuple[bool, int]]) -> bool:
    """Tell whether more than half of what is said, by its weight, is yes.

    Where nobody was asked anything lately, all that they said before weighs alike.
    """
    told = [*said]
    if not any(weight for _, weight in told):
        told = [(yes, 1) for yes, _ in told]
    return 2 * sum(weight for yes, weight in told if yes) > sum(weight for _, weight in told)


def least_of_half(said: Iterable[tuple[int, int]]) -> int:
    """Return the lower median of numbers by their weights; where none weighs anything, of all."""
    told = sorted(said)
    if not any(weight for _, weight in told):
        told = [(number, 1) for number, _ in told]
    whole, below = sum(weight for _, weight in told), 0
    for number, weight in told:
        below += weight
        if 2 * below >= whole:
            return number
    return 0


def surely(proofs: Sequence[float], pods: int) -> list[bool]:
    """Return which Pods have enough evidence, given how many have it with them.

    Where more than half of the Pods agree, each needs what the budget asks. Fewer, who decide
    alone while others are idle, must each be surer: ``k`` of ``n`` by ``n / 2k``. So the mean of
    the evidence over all Pods is at least what one Pod alone would need, however many there are
    and whichever of them the requests come to one after the other: the mean of e-processes is one.
    Compare Wang and Ramdas, "False discovery rate control with e-values", JRSS B 84 (2022).

    Args:
        proofs: of each Pod that moved, by how much its evidence is above what the budget asks:
            a difference of natural logarithms.
        pods: how many there are, with or without a vote.
    """
    best = sorted(proofs, reverse=True)
    enough = [
        many
        for many, proof in enumerate(best, start=1)
        if proof >= 0 and exp(min(proof, 700.0)) * MAJORITY * many >= pods
    ]
    if not enough:
        return [False] * len(proofs)
    least = best[enough[-1] - 1]
    return [proof >= least for proof in proofs]


def middle(values: Iterable[NDArray[np.float64]], weights: Sequence[int]) -> NDArray[np.float64]:
    """Return the weighted median over the Pods: where all weigh alike, the median.

    Args:
        values: of each Pod, shape (features,).
        weights: of each Pod, at least one above zero.
    """
    table = np.asarray(list(values))
    order = np.argsort(table, axis=0, kind="stable")
    ranked = np.take_along_axis(table, order, axis=0)
    below = np.cumsum(np.asarray(weights)[order], axis=0)
    half = below[-1] / 2
    ends = [np.argmax(reached, axis=0)[None] for reached in (below >= half, below > half)]
    low, high = (np.take_along_axis(ranked, end, axis=0)[0] for end in ends)
    return np.asarray((low + high) / 2)
