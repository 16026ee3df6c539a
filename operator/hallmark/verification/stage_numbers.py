"""What the numbers of a stage say: the decision that was made from them, made again.

Numbers that speak for a candidate let it go on; a stage that failed has some that speak against it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from hallmark.api.canary import CanaryRecord
from hallmark.api.drift_state import Verdict
from hallmark.api.reasons import DeploymentReason
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.audit.record import AuditRecord
from hallmark.drift.recount import recount
from hallmark.policies.model_deployment import analysis, mirror
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.crashes import crashed_since
from hallmark.policies.model_deployment.inputs import PodState
from hallmark.policies.model_deployment.stage import CopiesSeen, CrashedPod, Stage, StepSeen
from hallmark.verification.links import Link, State, broken, holds, open_
from hallmark.verification.stage_records import fails

_UNPROVED = (
    "Whether the candidate's rows had drifted cannot be made again: the counts or the sealed "
    "baseline are not here."
)


@dataclass(frozen=True)
class Kept:
    """A record that ends a stage, and what its numbers are held against.

    Args:
        name: of its link.
        record: it.
        stage: what it keeps.
        baseline: the candidate's sealed one, if it is here.
    """

    name: str
    record: AuditRecord
    stage: Stage
    baseline: Baseline | None

    @property
    def version(self) -> str:
        """The candidate as a sentence names it."""
        return f"'{self.record.details.get('modelVersion', '')}'"


def numbers_link(kept: Kept) -> Link | None:
    """Return whether the numbers bear out what was decided, or None where no stage ended."""
    stage = kept.stage
    if stage.copies is not None:
        return _copies_link(kept, stage.copies)
    return _step_link(kept, stage.step) if stage.step else None


def _copies_link(kept: Kept, seen: CopiesSeen) -> Link:
    asked, stage = kept.stage.spec.strategy.mirror, kept.stage
    if asked is None:
        return broken(kept.name, "Expected a mirror among what was asked for, found none.")
    served = kept.record.details.get("from", "")
    crashed = _crashed(seen.crashed, seen.record.started)
    why = f"a Pod of {kept.version} ended" if crashed else ""
    why = why or mirror.against(kept.version, served, asked, seen.record) or ""
    if fails(kept.record):
        return _failed(kept, why, DeploymentReason.MIRROR_FAILED)
    lacking = mirror.lacks(asked, seen.record)
    return _passed(kept, why or lacking or too_short(stage.since, asked.pause, stage))


def _step_link(kept: Kept, seen: StepSeen) -> Link:
    asked, record = kept.stage.spec.strategy.canary_or_default.analysis, seen.record
    drift = _drift(kept, seen)
    if isinstance(drift, str):
        return broken(kept.name, drift)
    found = Evidence(
        all=seen.all,
        fair=seen.fair,
        drift=seen.drift,
        crashed=_crashed(seen.crashed, record.started),
    )
    why = analysis.against(kept.version, found, record, asked) or ""
    if fails(kept.record):
        calm = replace(found, drift=Verdict.NO_DRIFT)
        others = analysis.against(kept.version, calm, record, asked)
        if why and others is None and not drift:
            return open_(kept.name, f"{why} {_UNPROVED}")
        return _failed(kept, why, DeploymentReason.CANARY_FAILED)
    link = _passed(kept, why or _lacking(kept.stage, found, record))
    if asked.drift and not drift and link.state is State.HOLDS:
        return open_(kept.name, f"{sentence(kept.stage)}. {_UNPROVED}")
    return link


def _lacking(stage: Stage, found: Evidence, record: CanaryRecord) -> str:
    """Return what a step must have seen and has not; after the last one that is nothing."""
    canary = stage.spec.strategy.canary_or_default
    if record.step >= len(canary.steps):
        return ""
    since = record.routed_since if canary.route else stage.since
    lacking = analysis.lacks(found, record, canary.analysis)
    return lacking or too_short(since, canary.steps[record.step].pause, stage)


def _passed(kept: Kept, problem: str) -> Link:
    if problem:
        return broken(kept.name, f"The numbers do not let {kept.version} go on: {problem}")
    return holds(kept.name, f"counted again: {sentence(kept.stage)}")


def sentence(stage: Stage) -> str:
    """Return what was counted in the stage that ended, as a part of a sentence."""
    if stage.copies is not None:
        seen, copied = stage.copies.record, stage.copies.record.all
        return (
            f"{copied.requests} copies, {copied.failed} failed, {copied.refused} refused, "
            f"{seen.dropped} dropped; {copied.rows} rows, {copied.other} with another label"
        )
    if stage.step is None:
        return "nothing"
    record, steps = stage.step.record, stage.spec.strategy.canary_or_default.steps
    counted = stage.step.all.since(record)
    place = "all its Pods started"
    if record.step < len(steps):
        place = f"step {record.step + 1} of {len(steps)} ({steps[record.step].weight} %)"
    return (
        f"{place}: {counted.requests} requests, {counted.failed} failed, {counted.late} late; "
        f"{counted.rows} rows, {counted.rejected} rejected; {stage.step.drift} of drift"
    )


def too_short(since: str | None, pause: str, stage: Stage) -> str:
    """Return that a stage ended before its time, as a part of a sentence; else nothing."""
    if since is None:
        return "its share was not in force."
    lasted = parse_timestamp(stage.until) - parse_timestamp(since)
    least: timedelta = parse_duration(pause)
    return "" if lasted >= least else f"expected it to last {pause}, found {lasted}."


def _crashed(pod: CrashedPod | None, since: str) -> PodState | None:
    """Return the Pod that a record names, where it ended by its own fault meanwhile."""
    if pod is None:
        return None
    state = PodState(pod.name, "", "", False, exit_code=pod.exit_code, ended_at=pod.ended_at)
    return state if crashed_since(state, since) else None


def _failed(kept: Kept, why: str, reason: DeploymentReason) -> Link:
    if not why or kept.record.reason != reason:
        return broken(kept.name, "Expected numbers that speak against the version, found none.")
    return holds(kept.name, f"counted again: {why}")


def _drift(kept: Kept, seen: StepSeen) -> bool | str:
    """Tell whether the verdict on drift was made again, or say why it is another one."""
    if not seen.voters:
        nothing = seen.drift is Verdict.INCONCLUSIVE and seen.counts is None
        return nothing or "Expected no verdict on drift where no Pod had enough windows."
    stage, baseline = kept.stage, kept.baseline
    if seen.counts is None or baseline is None:
        return False
    asked = (seen.counts.manifest_digest, seen.counts.since, seen.counts.drift)
    if asked != (stage.manifest_digest, seen.record.started, stage.spec.drift):
        return "Expected counts of drift of this version since its first traffic, found others."
    try:
        counted = recount(seen.counts, baseline)
    except ValueError as error:
        return f"The counts do not fit the baseline: {error}"
    if counted.voters != seen.voters:
        return False
    if counted.drifts is not (seen.drift is Verdict.DRIFT):
        return f"The counts say that {counted.drifting} of {counted.voters} Pods drift."
    return True
