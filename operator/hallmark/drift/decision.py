"""Decides from the predictors' reports whether the active version's traffic has drifted.

No report is trusted: it must fit the signed baseline and go on from the Pod's former one
(``reports``), and PSI is computed from its counts. One Pod cannot decide for the others: more
than half of what was asked of the Pods lately must be asked of such as drift (``poll``). Only a
report that is new is looked at; what the others said is remembered, also while their entries make
room for other Pods', and weighs the less the longer they are not asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState, PodDriftState, Verdict
from hallmark.api.served import Baseline
from hallmark.drift.answers import answer_state
from hallmark.drift.budget import as_text, needed, rounded_up
from hallmark.drift.counts import watched
from hallmark.drift.odd import kinds, probing_clients
from hallmark.drift.opinion import with_opinions
from hallmark.drift.poll import Poll, most_moved, poll
from hallmark.drift.psi import Reference
from hallmark.drift.quality import quality_state, spent_on
from hallmark.drift.rejections import most_refused
from hallmark.drift.reports import (
    Expected,
    Key,
    RefusedReport,
    Report,
    ReportFault,
    believe,
    key_of,
    refused,
)
from hallmark.drift.room import MAX_ENTRIES, make_room, places_for, take_turns
from hallmark.drift.sentences import drift_sentences
from hallmark.drift.shown import shown_differs
from hallmark.drift.silence import Heard, heard_now, listen, shown
from hallmark.drift.votes import Question, Spent, Vote, vote_of
from hallmark.drift.weights import Asked, Totals, asked, least_of_half, most, one_vote

T = TypeVar("T")


@dataclass(frozen=True)
class Memory:
    """What was judged: the caller keeps it, for each ModelDeployment, from call to call.

    Without it (after a restart) the reports that stand in the object are judged anew. Pods whose
    entry had made room are heard when they report again; until then their number is known.
    """

    question: Question
    reference: Reference = field(compare=False, repr=False)
    """Of the watched features."""
    places: int
    """How many entries of ``status.drift`` stand at once."""
    expected: int
    """How many Pods had a vote on this question before this memory began."""
    accepted: Mapping[str, PodDriftState]
    """By Pod: the newest report that was believed, whatever the question was."""
    votes: Mapping[str, Vote] = field(default_factory=dict)
    """By Pod."""
    refused: Mapping[str, tuple[Key | None, RefusedReport]] = field(default_factory=dict)
    """By Pod: the report that stands in the object, where it decides nothing."""
    heard: Mapping[str, Heard] = field(default_factory=dict)
    """By Pod: when a report of it was last believed, or since when it serves."""
    asked: Mapping[str, Asked] = field(default_factory=dict)
    """By Pod that has a vote: when it was asked how much."""
    windows: int = 0
    """On how many windows of a Pod the error budget is spent; a Pod that starts goes on there."""
    outcome_windows: int = 0
    """The same of windows of outcomes."""
    turn: int = 1
    """How many calls there were."""


@dataclass(frozen=True)
class DriftInputs:
    """All that the decision depends on."""

    reports: Mapping[str, Report]
    """By Pod, as they stand in ``status.drift``."""
    baseline: Baseline
    """Of the active version, from its sealed bundle."""
    active_digest: str
    drift: Drift
    live_pods: frozenset[str]
    """The Pods of this Deployment that exist, of whichever version."""
    active_pods: frozenset[str]
    """Those of the active version."""
    serving_pods: frozenset[str]
    """Those of the active version that are ready: what they do not tell nobody knows."""
    now: datetime
    former: DriftState
    """What is shown now: ``status.driftState``."""
    since: datetime
    """When the active version got the traffic, or drift was acknowledged."""
    memory: Memory | None = None
    """Of the former call."""


@dataclass(frozen=True)
class DriftVerdict:
    """What the reports say."""

    state: DriftState
    """For ``status.driftState``: the very one that is shown, unless there is something to show."""
    message: str
    """A sentence for the condition; it changes with ``state`` alone."""
    changed: bool
    """``state`` is not the one that is shown."""
    refused: tuple[RefusedReport, ...]
    """Reports that decide nothing, by Pod."""
    gone: tuple[str, ...]
    """Entries of ``status.drift`` whose Pod no longer exists: the operator removes them."""
    room: tuple[str, ...]
    """Entries that were judged and whose place other Pods need.

    To be removed only by who keeps ``memory``, and only from the very object that was judged (by
    its resourceVersion): an entry that was replaced meanwhile has not been judged.
    """
    memory: Memory
    """For the next call."""
    again: datetime | None = None
    """When to judge again even if no report comes."""


def judge(inputs: DriftInputs) -> DriftVerdict:
    """Return whether the traffic has drifted; without enough windows the answer is Inconclusive.

    Inconclusive is neither drift nor a pass: nothing may be rolled back or counted as stable
    because of it.
    """
    memory = _examine(inputs, _carried_over(inputs))
    # Kept while a Pod is not ready for a while: coming and going is no way to be silent.
    heard = _of(inputs.live_pods, memory.heard)
    silence = listen(inputs.serving_pods, heard, inputs.former, inputs.now)
    lately = {pod: memory.asked[pod].lately(inputs.now) for pod in memory.votes}
    weights = {pod: min(one_vote(inputs.drift), came.rows) for pod, came in lately.items()}
    memory = replace(
        memory,
        heard={**heard, **silence.heard},
        windows=max(memory.windows, _spent(memory.votes, weights)),
    )
    counted = _counted(inputs, memory, weights)
    found = _state(inputs, memory, counted, lately).replace(**shown(silence))
    changed = shown_differs(inputs.former, found, float(inputs.drift.threshold))
    changed = changed or living(inputs.former, inputs.live_pods) is not inputs.former
    state = _completed(found, counted, memory, weights) if changed else inputs.former
    gone = sorted(inputs.reports.keys() - inputs.live_pods)
    return DriftVerdict(
        state=state,
        message=drift_sentences(state, inputs.drift, inputs.baseline),
        changed=changed,
        refused=_refused(memory, gone),
        gone=tuple(gone),
        room=make_room(
            inputs.reports.keys() & inputs.live_pods,
            memory.refused,
            memory.votes,
            live=len(inputs.live_pods),
            places=memory.places,
        ),
        memory=memory,
        again=silence.again,
    )


def living(state: DriftState, live_pods: Set[str]) -> DriftState:
    """Return the state without Pods that no longer exist: the very same where all do."""
    if state.pods.keys() <= live_pods:
        return state
    return state.replace(pods={pod: said for pod, said in state.pods.items() if pod in live_pods})


# -- what is known of each Pod ----------------------------------------------------------------


def _carried_over(inputs: DriftInputs) -> Memory:
    """Return what still holds of the memory: living Pods' votes, if the question is the same."""
    before, former = inputs.memory, inputs.former
    accepted = {**former.pods, **(before.accepted if before else {})}
    question = Question(inputs.active_digest, inputs.drift, inputs.since)
    if before and before.question == question:
        return replace(
            before,
            accepted=_of(inputs.live_pods, accepted),
            votes=_of(inputs.live_pods, before.votes),
            refused=_of(inputs.live_pods & inputs.reports.keys(), before.refused),
            asked=_of(inputs.live_pods, before.asked),
            turn=before.turn + 1,
        )
    features = watched(inputs.baseline, inputs.drift)
    return Memory(
        question=question,
        reference=Reference(features),
        places=places_for(features, inputs.drift),
        expected=former.voters if former.manifest_digest == inputs.active_digest else 0,
        accepted=_of(inputs.live_pods, accepted),
        heard=before.heard if before else {},
        # What is on record is ahead of what was spent: only who remembers nothing goes on there.
        windows=before.windows if before else former.windows,
        outcome_windows=before.outcome_windows if before else _recorded(former),
    )


def _recorded(former: DriftState) -> int:
    return former.quality.windows if former.quality else 0


def _of(pods: frozenset[str], found: Mapping[str, T]) -> dict[str, T]:
    return {pod: value for pod, value in found.items() if pod in pods}


def _examine(inputs: DriftInputs, memory: Memory) -> Memory:
    """Return the memory with the reports that are new."""
    accepted, votes, rejected = dict(memory.accepted), dict(memory.votes), dict(memory.refused)
    heard, totals = dict(memory.heard), dict(memory.asked)
    declared, limits = inputs.drift.rejections, inputs.drift.requests
    block, requests = declared.minimum if declared else 1, limits.minimum if limits else 1
    for pod in sorted(inputs.reports.keys() & inputs.live_pods):
        report = inputs.reports[pod]
        key = key_of(report)
        if key is not None and key == _known(pod, memory):
            continue
        rejected.pop(pod, None)
        former = accepted.get(pod)
        expected = Expected(
            inputs.active_digest,
            memory.reference.bins,
            former,
            block,
            requests,
            inputs.drift.feedback,
        )
        found = believe(pod, report, expected)
        if isinstance(found, RefusedReport):
            rejected[pod] = (key, found)
            if found.reason is not ReportFault.OLD_SEQUENCE:  # What is old takes nothing back.
                votes.pop(pod, None)
            continue
        same_boot = former is not None and former.boot_id == found.boot_id
        before = _spent_before(memory, former if same_boot else None)
        votes[pod] = vote_of(found, memory.question, memory.reference, memory.turn, before)
        accepted[pod] = votes[pod].state
        totals[pod] = asked(found, totals.get(pod), inputs.drift, memory.question.since, inputs.now)
        # One that stood there before a restart, or before another question, is no news.
        if former is None or key != (former.boot_id, former.sequence):
            heard[pod] = heard_now(found, inputs.now)
    return replace(
        memory,
        accepted=accepted,
        votes=votes,
        refused=rejected,
        heard=heard,
        asked=totals,
        outcome_windows=max(
            memory.outcome_windows, spent_on(vote.quality for vote in votes.values())
        ),
    )


def _spent_before(memory: Memory, former: PodDriftState | None) -> Spent:
    """Return what was spent before a Pod's first window; it goes on as it was accepted."""
    if former is None:
        return Spent(memory.windows, memory.outcome_windows)
    outcomes = former.outcome_windows_before
    return Spent(former.windows_before, memory.outcome_windows if outcomes is None else outcomes)


def _spent(votes: Mapping[str, Vote], weights: Mapping[str, int]) -> int:
    """Return on how many windows the error budget is spent.

    The median over the Pods by weight: what a few claim moves it little, and those that are idle
    do not hold back what the others spend.
    """
    return least_of_half((vote.window, weights[pod]) for pod, vote in votes.items() if vote.enough)


def _known(pod: str, memory: Memory) -> Key | None:
    """Return the report of the Pod that was looked at last."""
    if pod in memory.refused:
        return memory.refused[pod][0]
    return memory.votes[pod].key if pod in memory.votes else None


def _refused(memory: Memory, gone: Sequence[str]) -> tuple[RefusedReport, ...]:
    why = "is ignored: no such Pod of this Deployment exists."
    strangers = [refused(pod, ReportFault.UNKNOWN_POD, why) for pod in gone]
    found = [report for _, report in memory.refused.values()]
    return tuple(sorted(found + strangers, key=lambda report: report.pod))


# -- what do they say together? ---------------------------------------------------------------


def _counted(inputs: DriftInputs, memory: Memory, weights: Mapping[str, int]) -> Poll:
    """Return what the Pods say of drift, each by the rows that it answered lately."""
    unheard = _unheard(inputs, memory, sum(vote.enough for vote in memory.votes.values()))
    return poll(memory.votes, weights, one_vote(inputs.drift), unheard)


def _state(
    inputs: DriftInputs, memory: Memory, counted: Poll, lately: Mapping[str, Totals]
) -> DriftState:
    former = inputs.former
    same = former.manifest_digest == inputs.active_digest
    requests = (
        inputs.drift.requests.minimum * inputs.drift.consecutive if inputs.drift.requests else 1
    )
    # Those with an entry first: a restarted operator looks at these again.
    order = sorted(memory.accepted, key=lambda pod: (pod not in inputs.reports, pod))
    return DriftState(
        verdict=counted.verdict(former.verdict if same else Verdict.INCONCLUSIVE),
        manifest_digest=inputs.active_digest,
        voters=counted.voters + counted.unheard,
        drifting=counted.drifting,
        unsure=counted.unsure,
        idle=counted.idle,
        **_rejections(inputs, memory, lately),
        answers=answer_state(
            [
                (vote.answers, min(requests, lately[pod].requests))
                for pod, vote in memory.votes.items()
            ],
            inputs.drift,
        ),
        odd=kinds(block for vote in memory.votes.values() for block in vote.odd),
        probing_clients=probing_clients(vote.odd for vote in memory.votes.values()),
        quality=quality_state(
            inputs.drift.feedback,
            [vote.quality for vote in memory.votes.values()],
            memory.outcome_windows,
            _recorded(former),
            (vote.earlier for vote in memory.votes.values()),
        ),
        needed=_needed(inputs.drift, memory),
        windows=max(former.windows, rounded_up(memory.windows)),
        top=most_moved(counted, memory.reference),
        pods={pod: memory.accepted[pod] for pod in sorted(order[:MAX_ENTRIES])},
    )


def _unheard(inputs: DriftInputs, memory: Memory, heard: int) -> int:
    """Return how many Pods that had a vote before a restart have not been heard since.

    Only where Pods take turns: elsewhere each has its entry. Without this a few Pods, and rather
    those that drift (their entries go last), would decide for all after each restart.
    """
    if not take_turns(len(inputs.live_pods), memory.places):
        return 0
    return max(0, min(memory.expected, len(inputs.active_pods)) - heard)


def _rejections(
    inputs: DriftInputs, memory: Memory, lately: Mapping[str, Totals]
) -> dict[str, Any]:
    """Return what the state says of refused rows, by the fields' Python names."""
    declared = inputs.drift.rejections
    whole = declared.minimum * inputs.drift.consecutive if declared else 1
    voters = {pod: vote for pod, vote in memory.votes.items() if vote.rejects is not None}
    rejecting = [vote for vote in voters.values() if vote.rejects]
    rejected = most(
        (bool(vote.rejects), min(whole, lately[pod].rows + lately[pod].refused))
        for pod, vote in voters.items()
    )
    names = {feature.name for feature in inputs.baseline.features}
    faults = [fault for vote in rejecting for fault in vote.refused]
    return {
        "rejecting": len(rejecting),
        "input_rejected": rejected,
        "rejected_for": most_refused(faults, names) if rejected else "",
    }


def _needed(drift: Drift, memory: Memory) -> str:
    """Return what the evidence must reach in the next window, for who looks at it."""
    features = len(memory.reference.names)
    return as_text(needed(drift, features, max(1, memory.windows))) if features else ""


def _completed(
    state: DriftState, counted: Poll, memory: Memory, weights: Mapping[str, int]
) -> DriftState:
    """Return the state with what only one that is written needs.

    That is what is shown beside PSI, and how much each Pod's vote weighs.
    """
    windows = [vote.newest for vote, _ in counted.heard]
    pods = {
        pod: said.replace(recent_rows=weights[pod]) if pod in weights else said
        for pod, said in state.pods.items()
    }
    return state.replace(top=with_opinions(state.top, windows, memory.reference), pods=pods)
