"""A candidate beside what serves: how many Pods each has, and what its own traffic says. Pure.

The Service leads to the Pods of both versions, so that their numbers are the weights.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.canary import CanaryAnalysis, CanaryRecord, CanaryStep
from hallmark.api.common import parse_duration, parse_timestamp, timestamp
from hallmark.api.model_deployment import (
    LATENCY_BOUNDS,
    DeploymentReason,
    DriftReport,
    DriftState,
    HistoryEntry,
    ModelDeploymentStatus,
    Outcome,
    RequestCounts,
    Rollout,
    RolloutState,
    StrategyType,
    Verdict,
)
from hallmark.policies.model_deployment.drift import judge_drift
from hallmark.policies.model_deployment.inputs import DeploymentInputs, PodState, View
from hallmark.policies.model_deployment.withdrawal import must_give_way, withdrawn
from hallmark.policies.refusals import Refusal

LATE = Decimal("0.05")
"""The share of requests that may take longer than ``maxLatency``."""


@dataclass(frozen=True)
class Split:
    """How many Pods each version has, in a step of a canary."""

    candidate: int
    active: int

    @property
    def share(self) -> Fraction:
        """The candidate's share of the traffic, between 0 and 1."""
        return Fraction(self.candidate, max(1, self.candidate + self.active))


def split(weight: int, replicas: int) -> Split:
    """Return the Pods with which the candidate's share is nearest to a weight (in per cent).

    Each version has at least one Pod and at most ``replicas``, and one of them has all: what
    serves up to a half, the candidate above. Of two that are as near, the smaller share is taken.
    """
    if replicas < 1:
        return Split(0, 0)
    smaller = min(weight, 100 - weight)
    # The share grows with the number, so the nearest is beside the exact one.
    below = smaller * replicas // (100 - smaller)
    numbers = {min(max(1, number), replicas) for number in (below, below + 1)}
    found = [Split(n, replicas) if weight <= 50 else Split(replicas, n) for n in numbers]
    return min(found, key=lambda pods: (abs(100 * pods.share - weight), pods.share))


def is_stepwise(view: View) -> bool:
    """Tell whether the candidate on record takes over step by step.

    Only beside another version that may serve, and not after a person promoted it.
    """
    head, spec = view.head, view.inputs.deployment.spec
    return (
        spec.strategy.type is StrategyType.CANARY
        and head is not None
        and head.manifest_digest != view.rollout.manifest_digest
        and not view.stopped
        and not view.rollout.released
        and must_give_way(view) is None
    )


def step_of(view: View) -> CanaryStep | None:
    """Return the step that is under way, or comes first; None where all Pods are to start."""
    canary, record = view.inputs.deployment.spec.strategy.canary_or_default, view.rollout.canary
    number = record.step if record else 0
    return canary.steps[number] if is_stepwise(view) and number < len(canary.steps) else None


def candidate_replicas(view: View) -> int:
    """Return how many Pods the candidate (or the target) on record needs now."""
    replicas = view.inputs.deployment.spec.replicas
    if view.rollout.state not in {RolloutState.STARTING, RolloutState.CANARY}:
        return replicas
    step = step_of(view)
    return split(step.weight, replicas).candidate if step else replicas


def active_replicas(view: View) -> int:
    """Return how many Pods what serves has beside the candidate: fewer once that has its own."""
    replicas = view.inputs.deployment.spec.replicas
    step = step_of(view) if shares_traffic(view) else None
    if step is None or not has_its_pods(view):
        return replicas
    return split(step.weight, replicas).active


def has_its_pods(view: View) -> bool:
    """Tell whether as many of the candidate's Pods are ready as it needs now."""
    rollout, needed = view.rollout, candidate_replicas(view)
    digest = rollout.manifest_digest
    return digest is not None and view.inputs.ready_pods(digest, rollout.trust_sha256) >= needed


def shares_traffic(view: View) -> bool:
    """Tell whether the Service leads to both versions.

    Never while a Pod of a third one is there: it would be led to that, too. Nor to bytes that
    were withdrawn, whatever the record says.
    """
    candidate, active = view.rollout.manifest_digest, view.status.active_digest
    in_canary = view.rollout.state is RolloutState.CANARY and not view.stopped
    if not in_canary or candidate is None or active is None or must_give_way(view) is not None:
        return False
    if withdrawn(candidate, view.inputs) is not None:
        return False
    both = {names.manifest_label(digest) for digest in (active, candidate)}
    third = view.inputs.workloads.keys() - both
    return not third and all(pod.manifest in both for pod in view.inputs.pods if pod.ready)


def observed(view: View) -> Rollout | None:
    """Return the rollout that says since when the candidate lacks Pods."""
    rollout, record = view.status.rollout, view.rollout.canary
    if rollout is None or record is None or rollout.state is not RolloutState.CANARY:
        return rollout
    short = None if has_its_pods(view) else record.short_since or timestamp(view.inputs.now)
    return rollout.replace(canary=record.replace(short_since=short))


# -- what its traffic says --------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """What is known of the candidate's own traffic since its first."""

    rows: int = 0
    """Rows that it was asked for, answered or not."""
    rejected: int = 0
    requests: int = 0
    failed: int = 0
    """Requests that were answered with 5xx."""
    late: int = 0
    """Requests that took longer than they may."""
    drift: Verdict = Verdict.INCONCLUSIVE
    crashed: PodState | None = None
    """A Pod whose container ended."""

    def since(self, record: CanaryRecord) -> Evidence:
        """Return the evidence of the step on record alone.

        A Pod that is gone took its rows along: then there are too few, never too many.
        """
        rows, requests = max(0, self.rows - record.rows), max(0, self.requests - record.requests)
        return replace(
            self,
            rows=rows,
            rejected=min(rows, max(0, self.rejected - record.rejected)),
            requests=requests,
            failed=min(requests, max(0, self.failed - record.failed)),
            late=min(requests, max(0, self.late - record.late)),
        )


def evidence(view: View) -> Evidence:
    """Return what the candidate's Pods and their reports say."""
    digest = view.rollout.manifest_digest or ""
    pods = [
        pod
        for pod in view.inputs.pods
        if pod.manifest == names.manifest_label(digest)
        and pod.trust_sha256 == view.rollout.trust_sha256
    ]
    reports = [found for pod in pods if (found := _report(view.inputs, pod, digest)) is not None]
    rejected = sum(report.refused_rows for report in reports)
    counts = [report.requests for report in reports if report.requests is not None]
    return Evidence(
        rows=sum(report.rows for report in reports) + rejected,
        rejected=rejected,
        requests=sum(count.count for count in counts),
        failed=sum(count.failed for count in counts),
        late=sum(_late(count, _analysis(view)) for count in counts),
        drift=_drift(view),
        crashed=next((pod for pod in pods if _crashed(view, pod)), None),
    )


def _late(counts: RequestCounts, analysis: CanaryAnalysis) -> int:
    """Return how many requests took longer than the first bound that ``maxLatency`` fits in."""
    if analysis.max_latency is None:
        return 0
    most = parse_duration(analysis.max_latency).total_seconds() * 1000
    within = bisect_left(LATENCY_BOUNDS, most) + 1
    return sum(counts.latency[within:])


def _crashed(view: View, pod: PodState) -> bool:
    """Tell whether a Pod's container ended since the candidate had its first traffic."""
    record = view.rollout.canary
    if record is None or pod.exit_code is None or pod.ended_at is None:
        return False
    return parse_timestamp(pod.ended_at) > parse_timestamp(record.started)


def _report(inputs: DeploymentInputs, pod: PodState, digest: str) -> DriftReport | None:
    """Return what a Pod says of this version; what cannot be read says nothing."""
    try:
        report = DriftReport.model_validate(inputs.reports.get(pod.name))
    except ValidationError:
        return None
    return report if report.manifest_digest == digest else None


def _drift(view: View) -> Verdict:
    """Return what the candidate's windows say, judged like those of what serves."""
    rollout, record = view.rollout, view.rollout.canary
    if record is None or rollout.model_version is None or rollout.manifest_digest is None:
        return Verdict.INCONCLUSIVE
    entry = HistoryEntry(
        version=rollout.model_version,
        manifest_digest=rollout.manifest_digest,
        from_=record.started,
        outcome=Outcome.SERVING,
        trust_sha256=rollout.trust_sha256,
    )
    alone = ModelDeploymentStatus(
        active_model_version=entry.version,
        active_digest=entry.manifest_digest,
        history=[entry],
        # It draws on the same error budget as what serves.
        drift_state=DriftState(
            manifest_digest=entry.manifest_digest,
            windows=view.status.drift_state.windows if view.status.drift_state else 0,
        ),
    )
    inputs = view.inputs
    found = judge_drift(
        inputs.deployment.replace(status=alone),
        inputs.trusts,
        inputs.pods,
        inputs.reports,
        inputs.candidate_baseline,
        None,
        inputs.now,
    )
    return found.state.verdict if found else Verdict.INCONCLUSIVE


def refusal(view: View, found: Evidence) -> Refusal | None:
    """Return why the candidate must not go on, or None.

    Args:
        view: the inputs, and a record in Canary.
        found: what is known of its traffic.
    """
    record, analysis = view.rollout.canary, _analysis(view)
    name = f"'{view.rollout.model_version}'"
    if found.crashed is not None:
        pod = found.crashed
        said = f": {pod.message}" if pod.message else ""
        return _failed(
            f"Pod '{pod.name}' of {name} ended with exit code {pod.exit_code} while it had "
            f"traffic{said}."
        )
    if analysis.drift and found.drift is Verdict.DRIFT:
        return _failed(f"The rows that {name} was asked for have drifted from its training data.")
    spans = [found, *([found.since(record)] if record else [])]
    limit = Decimal(analysis.max_rejections)
    for span in spans:
        slow = _slow(name, span, analysis)
        if slow is not None:
            return _failed(slow)
        if span.rows >= analysis.minimum_rows and span.rejected > limit * span.rows:
            return _failed(
                f"Expected {name} to reject at most {analysis.max_rejections} of its rows, found "
                f"{span.rejected} of {span.rows} rejected."
            )
    return None


def _slow(name: str, span: Evidence, analysis: CanaryAnalysis) -> str | None:
    """Return why the requests of a span speak against the candidate, or None."""
    if span.requests < analysis.minimum_requests:
        return None
    if span.failed > Decimal(analysis.max_errors) * span.requests:
        return (
            f"Expected {name} to fail at most {analysis.max_errors} of its requests, found "
            f"{span.failed} of {span.requests} failed."
        )
    if span.late > LATE * span.requests:
        return (
            f"Expected {name} to end 95 % of its requests within {analysis.max_latency}, found "
            f"{span.late} of {span.requests} slower."
        )
    return None


def _failed(why: str) -> Refusal:
    return Refusal(
        DeploymentReason.CANARY_FAILED,
        f"{why} All traffic went back; see its log and reports, then change what is asked for.",
    )


def lacking(view: View, found: Evidence) -> str:
    """Return what must be seen in this step before it counts as passed, or nothing."""
    record, analysis = view.rollout.canary, _analysis(view)
    seen = found.since(record) if record else Evidence()
    if seen.rows < analysis.minimum_rows:
        return f"it was asked for {seen.rows} of {analysis.minimum_rows} rows in this step"
    if seen.requests < analysis.minimum_requests:
        least = analysis.minimum_requests
        return f"it ended {seen.requests} of {least} requests in this step"
    return ""


def _analysis(view: View) -> CanaryAnalysis:
    return view.inputs.deployment.spec.strategy.canary_or_default.analysis


# -- what is said -----------------------------------------------------------------------------


def said(view: View) -> str:
    """Return which share the candidate has, and where whole Pods cannot give what is asked for."""
    name, replicas = f"'{view.rollout.model_version}'", view.inputs.deployment.spec.replicas
    record, step = view.rollout.canary, step_of(view)
    steps = len(view.inputs.deployment.spec.strategy.canary_or_default.steps)
    if record is None or step is None:
        return f"All Pods of {name} start; then it has all traffic."
    pods = split(step.weight, replicas)
    total = pods.candidate + pods.active
    text = (
        f"{name} has {pods.candidate} of {total} Pods, {round(100 * pods.share)} % of the traffic "
        f"(step {record.step + 1} of {steps})"
    )
    if abs(100 * pods.share - step.weight) >= 1:
        text += (
            f"; {step.weight} % are asked for, which {replicas} replicas cannot give: "
            f"{fitting(step.weight)} can"
        )
    return f"{text}."


def fitting(weight: int) -> int:
    """Return the smallest number of replicas that gives a weight within one per cent."""
    return next(
        replicas
        for replicas in range(1, 101)
        if abs(100 * split(weight, replicas).share - weight) < 1
    )
