"""What a candidate's own traffic says in a canary, and what of it refuses the candidate. Pure.

Errors, times and rejections are judged without the busiest clients (ADR 0038): few of them can
neither refuse a candidate nor carry one through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.canary import CanaryAnalysis, CanaryCounts, CanaryRecord
from hallmark.api.drift_report import DriftReport, RequestCounts
from hallmark.api.drift_state import DriftState, Verdict
from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeployment,
    ModelDeploymentStatus,
    Outcome,
)
from hallmark.api.reasons import DeploymentReason
from hallmark.drift.answers import LATE
from hallmark.drift.clients import Share, judged
from hallmark.drift.decision import DriftVerdict
from hallmark.drift.latency import bound_of
from hallmark.drift.recount import DriftEvidence, drift_evidence_of
from hallmark.policies.model_deployment.crashes import crashed_since
from hallmark.policies.model_deployment.drift import counted_since, judge_drift
from hallmark.policies.model_deployment.inputs import DeploymentInputs, PodState, View
from hallmark.refusal import Refusal

MOST_COUNTED = 2**53 - 1
NOTHING = CanaryCounts()


@dataclass(frozen=True)
class Evidence:
    """What is known of the candidate's own traffic since its first."""

    all: CanaryCounts = NOTHING
    """What its Pods told."""
    fair: CanaryCounts = NOTHING
    """The same without the busiest clients."""
    drift: Verdict = Verdict.INCONCLUSIVE
    crashed: PodState | None = None
    """A Pod whose container ended."""

    def since(self, record: CanaryRecord) -> Evidence:
        """Return the evidence of the step on record alone."""
        return replace(self, all=self.all.since(record), fair=self.fair.since(record.fair))

    def rows(self, analysis: CanaryAnalysis) -> Share | None:
        """Return the rows that it rejected; None where too few clients' rows are known."""
        fair, told = (Share(counts.rows, counts.rejected) for counts in (self.fair, self.all))
        return judged(fair, told, analysis.minimum_rows)

    def requests(self, analysis: CanaryAnalysis) -> Share | None:
        """Return the requests that failed, likewise."""
        fair, told = (Share(counts.requests, counts.failed) for counts in (self.fair, self.all))
        return judged(fair, told, analysis.minimum_requests)

    def times(self, analysis: CanaryAnalysis) -> Share | None:
        """Return the answers that took longer than they may, likewise."""
        fair, told = (Share(counts.timed, counts.late) for counts in (self.fair, self.all))
        return judged(fair, told, analysis.minimum_requests)


def evidence(view: View) -> Evidence:
    """Return what the candidate's Pods and their reports say."""
    digest, record = view.rollout.manifest_digest or "", view.rollout.canary
    pods = [
        pod
        for pod in view.inputs.pods
        if pod.manifest == names.manifest_label(digest)
        and pod.trust_sha256 == view.rollout.trust_sha256
    ]
    reports = [found for pod in pods if (found := report_of(view.inputs, pod, digest)) is not None]
    limit = _analysis(view).max_latency
    bound = None if limit is None else bound_of(limit)
    return Evidence(
        all=_sum(_all(report, bound) for report in reports),
        fair=_sum(_fair(report, bound) for report in reports),
        drift=_drift(view),
        crashed=next((pod for pod in pods if record and crashed_since(pod, record.started)), None),
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> CanaryCounts:
    totals = Counter[str]()
    for counted in counts:
        totals.update(counted)
    return CanaryCounts(**{name: bounded(total) for name, total in totals.items()})


def bounded(total: int) -> int:
    """Return a sum of what Pods claim, which may be anything, as a status can hold it."""
    return min(MOST_COUNTED, total)


def _all(report: DriftReport, bound: int | None) -> dict[str, int]:
    told = report.requests or RequestCounts(uptime=0, count=0)
    answered, rows = sum(told.work), report.rows + report.refused_rows
    return {
        "rows": rows,
        "rejected": report.refused_rows,
        "requests": answered + told.failed,
        "failed": told.failed,
        "timed": 0 if bound is None else answered,
        "late": 0 if bound is None else sum(told.work[bound + 1 :]),
    }


def _fair(report: DriftReport, bound: int | None) -> dict[str, int]:
    told = report.requests and report.requests.fair
    if not told:
        return {}
    timed = late = 0
    if bound is not None and bound < min(len(told.timed), len(told.late)):
        timed, late = told.timed[bound], told.late[bound]
    return {
        "rows": told.rows,
        "rejected": told.refused,
        "requests": told.requests,
        "failed": told.failed,
        "timed": timed,
        "late": late,
    }


def report_of(inputs: DeploymentInputs, pod: PodState, digest: str) -> DriftReport | None:
    """Return what a Pod says of this version; what cannot be read says nothing."""
    try:
        report = DriftReport.model_validate(inputs.reports.get(pod.name))
    except ValidationError:
        return None
    return report if report.manifest_digest == digest else None


def _drift(view: View) -> Verdict:
    """Return what the candidate's windows say, judged like those of what serves."""
    judged = _judged_alone(view)
    return judged[1].state.verdict if judged else Verdict.INCONCLUSIVE


def drift_counts(view: View) -> tuple[int, DriftEvidence | None]:
    """Return how many Pods had enough windows for a verdict, and what they counted."""
    digest, judged = view.rollout.manifest_digest, _judged_alone(view)
    if digest is None or judged is None or not judged[1].state.voters:
        return 0, None
    deployment, found = judged
    drift, since = counted_since(deployment, view.inputs.trusts)
    reports = {
        pod.name: report
        for pod in view.inputs.pods
        if (report := report_of(view.inputs, pod, digest)) is not None
    }
    state = found.state
    return state.voters, drift_evidence_of(digest, drift, since, reports, state.pods)


def _judged_alone(view: View) -> tuple[ModelDeployment, DriftVerdict] | None:
    """Return the candidate as if it were what serves, and what its windows say."""
    rollout, record = view.rollout, view.rollout.canary
    if record is None or rollout.model_version is None or rollout.manifest_digest is None:
        return None
    entry = HistoryEntry(
        version=rollout.model_version,
        manifest_digest=rollout.manifest_digest,
        from_=record.started,
        outcome=Outcome.SERVING,
        trust_sha256=rollout.trust_sha256,
    )
    status = ModelDeploymentStatus(
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
    alone = inputs.deployment.replace(status=status)
    found = judge_drift(
        alone,
        inputs.trusts,
        inputs.pods,
        inputs.reports,
        inputs.candidate_baseline,
        None,
        inputs.now,
    )
    return (alone, found) if found else None


def refusal(view: View, found: Evidence) -> Refusal | None:
    """Return why the candidate must not go on, or None.

    Args:
        view: the inputs, and a record in Canary.
        found: what is known of its traffic.
    """
    name = f"'{view.rollout.model_version}'"
    why = against(name, found, view.rollout.canary, _analysis(view))
    return None if why is None else Refusal(DeploymentReason.CANARY_FAILED, f"{why} {_ADVICE}")


def against(
    name: str, found: Evidence, record: CanaryRecord | None, analysis: CanaryAnalysis
) -> str | None:
    """Return why traffic speaks against a candidate, as a sentence, or None.

    Args:
        name: the candidate's.
        found: what is known of its traffic.
        record: when the step began; what came since counts for itself, too.
        analysis: what it is held to.
    """
    if found.crashed is not None:
        pod = found.crashed
        said = f": {pod.message}" if pod.message else ""
        return (
            f"Pod '{pod.name}' of {name} ended with exit code {pod.exit_code} while it had "
            f"traffic{said}."
        )
    if analysis.drift and found.drift is Verdict.DRIFT:
        return f"The rows that {name} was asked for have drifted from its training data."
    spans = (found, *([found.since(record)] if record else []))
    return next(filter(None, (_against(name, span, analysis) for span in spans)), None)


def _against(name: str, span: Evidence, analysis: CanaryAnalysis) -> str | None:
    """Return why the traffic of a span speaks against the candidate, or None."""
    failed, late, rejected = span.requests(analysis), span.times(analysis), span.rows(analysis)
    if failed and failed.found > Decimal(analysis.max_errors) * failed.of:
        return (
            f"Expected {name} to fail at most {analysis.max_errors} of its requests, found "
            f"{failed.found} of {failed.of} failed."
        )
    if late and late.found > LATE * late.of:
        return (
            f"Expected {name} to answer 95 % of its requests in {analysis.max_latency} of the "
            f"processor's time, found {late.found} of {late.of} slower."
        )
    if rejected and rejected.found > Decimal(analysis.max_rejections) * rejected.of:
        return (
            f"Expected {name} to reject at most {analysis.max_rejections} of its rows, found "
            f"{rejected.found} of {rejected.of} rejected."
        )
    return None


_ADVICE = "All traffic went back; see its log and reports, then change what is asked for."


def lacking(view: View, found: Evidence) -> str:
    """Return what must be seen in this step before it counts as passed, or nothing."""
    return lacks(found, view.rollout.canary, _analysis(view))


def lacks(found: Evidence, record: CanaryRecord | None, analysis: CanaryAnalysis) -> str:
    """Return what traffic lacks for a step to count as passed, or nothing; see ``against``."""
    seen = found.since(record) if record else Evidence()
    least, requests = analysis.minimum_rows, analysis.minimum_requests
    beside = "in this step, without those of the busiest clients"
    if seen.rows(analysis) is None:
        return f"it was asked for {seen.fair.rows} of {least} rows {beside}"
    if seen.requests(analysis) is None:
        return f"it answered {seen.fair.requests} of {requests} requests {beside}"
    if analysis.max_latency and seen.times(analysis) is None:
        return f"it was timed in {seen.fair.timed} of {requests} requests {beside}"
    return ""


def _analysis(view: View) -> CanaryAnalysis:
    return view.inputs.deployment.spec.strategy.canary_or_default.analysis
