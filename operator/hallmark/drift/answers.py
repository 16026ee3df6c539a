"""Whether what serves fails too many of its requests, or takes too long for too many answers.

Requests are counted in blocks as refused rows are: without the busiest clients (``clients``), so
that few of them can neither cause a verdict nor hide one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hallmark.api.drift import Drift, RequestLimits
from hallmark.api.drift_report import AnswerBlock, DriftReport
from hallmark.api.drift_state import AnswerState
from hallmark.drift.blocks import last_blocks, problem_of_blocks
from hallmark.drift.weights import most

LATE = Decimal("0.05")
"""The share of answers that may take longer than ``maxLatency``."""


@dataclass(frozen=True)
class AnswerVote:
    """What a Pod's last blocks say; None where nothing is declared, or nothing can be said."""

    fails: bool | None = None
    late: bool | None = None


NO_ANSWER_VOTE = AnswerVote()


def answer_vote(report: DriftReport, drift: Drift, since: datetime) -> AnswerVote:
    """Return whether a Pod's last blocks are all above the limits.

    Args:
        report: of the Pod, believed.
        drift: the limits, and how many blocks in a row must be above them.
        since: when the version got the traffic; a block that began before does not count.
    """
    limits = drift.requests
    last = last_blocks(report.answers, drift.consecutive, since)
    if limits is None or not last:
        return NO_ANSWER_VOTE
    fails = late = None
    if limits.max_errors is not None:
        most = Decimal(limits.max_errors)
        fails = all(block.failed > most * block.requests for block in last)
    if limits.max_latency is not None and all(block.timed for block in last):
        late = all(block.late > LATE * block.timed for block in last)
    return AnswerVote(fails, late)


def answer_state(votes: Sequence[tuple[AnswerVote, int]], drift: Drift) -> AnswerState | None:
    """Return what the Pods say together; None where none of them can tell anything.

    Args:
        votes: of each Pod, and how much it weighs.
        drift: the limits.
    """
    fails = [(vote.fails, weight) for vote, weight in votes if vote.fails is not None]
    late = [(vote.late, weight) for vote, weight in votes if vote.late is not None]
    limit = drift.requests.max_latency or "" if drift.requests else ""
    if not fails and not late:
        return None
    return AnswerState(
        failing=sum(failing for failing, _ in fails),
        fails=most(fails),
        late_pods=sum(slow for slow, _ in late),
        late=most(late),
        within=limit if most((not slow, weight) for slow, weight in late) else "",
    )


def problem_of(blocks: Sequence[AnswerBlock], minimum: int) -> str | None:
    """Return why blocks are not to be believed; it goes on from the report's subject."""

    def claim(block: AnswerBlock) -> str | None:
        if block.requests < minimum or block.failed > block.requests or block.late > block.timed:
            return f"claims what cannot be of its requests in block {block.number}."
        return None

    return problem_of_blocks(blocks, "requests", claim)


def failing_sentence(state: AnswerState, limits: RequestLimits) -> str:
    """Return that too many requests fail, where and what to do."""
    return (
        f"Expected at most {limits.max_errors} of the requests to fail, found more in the last "
        f"blocks of {state.failing} Pods; the predictors' logs say where."
    )


def late_sentence(state: AnswerState, limits: RequestLimits) -> str:
    """Return that too many answers are late, where and what to do."""
    return (
        f"Expected 95 % of the answers to take at most {limits.max_latency} of the processor's "
        f"time, found more late ones in the last blocks of {state.late_pods} Pods; see what the "
        f"clients send, or ask for a version that computes less."
    )


def answer_sentences(state: AnswerState | None, drift: Drift) -> list[str]:
    """Return the sentences about requests, where something is wrong with them."""
    if state is None or drift.requests is None:
        return []
    failing = [failing_sentence(state, drift.requests)] if state.fails else []
    return [*failing, *([late_sentence(state, drift.requests)] if state.late else [])]
