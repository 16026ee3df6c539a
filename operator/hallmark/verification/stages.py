"""The stages of rollouts: each decision made again from the numbers that its record keeps.

A stage is a mirror, or a step of a canary. Each record says what it ends and what begins, so that
a promotion rests on its last stage, and each stage on the one before: what is missing, of another
candidate, or of an earlier attempt does not fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hallmark.api.canary import CanaryCounts, CanaryRecord
from hallmark.api.drift_state import Verdict
from hallmark.api.model_deployment import ActionName, StrategyType
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.reasons import DeploymentReason
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord
from hallmark.drift.recount import recount
from hallmark.policies.model_deployment import analysis, mirror
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.audit import GAVE_WAY
from hallmark.policies.model_deployment.crashes import crashed_since
from hallmark.policies.model_deployment.inputs import PodState
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_deployment.rollout_floors import faster_than_demanded, needed_bake
from hallmark.policies.model_deployment.stage import (
    FAILED,
    CopiesSeen,
    CrashedPod,
    Stage,
    StepSeen,
)
from hallmark.policies.model_version.demands import Demands, read_demands
from hallmark.verification.links import Link, broken, holds, open_

_BEGINS = (DeploymentReason.MIRRORING, DeploymentReason.CANARY)


@dataclass(frozen=True)
class Told:
    """A record of a stage, of a promotion or of a failure, with all that it is held against.

    Args:
        record: it.
        before: the records that came before it, about the same bytes and intent.
        first: the record that first gave all traffic to these bytes.
        whole: the log begins with the first record there ever was.
        baselines: sealed baselines by manifest digest, as far as they are here.
        policies: ModelPolicies by their digest, as far as they are here.
    """

    record: AuditRecord
    before: Sequence[AuditRecord]
    first: AuditRecord | None
    whole: bool
    baselines: Mapping[str, Baseline]
    policies: Mapping[str, ModelPolicySpec]

    @property
    def gives(self) -> bool:
        """Whether it gives the candidate all traffic."""
        return self.record.outcome == AuditOutcome.PROMOTED

    @property
    def fails(self) -> bool:
        """Whether it says that the candidate's own numbers speak against it."""
        return self.record.outcome == AuditOutcome.REFUSED

    @property
    def begun(self) -> Iterator[AuditRecord]:
        """The records that began something for the candidate since it last got all traffic.

        Newest first. What failed may have been recorded as passed first: the operator was ended
        before it happened, and saw more when it looked again.
        """
        for other in reversed(self.before):
            if _begins(other):
                yield other
            if _gives(other) and not self.fails:
                return

    @property
    def is_excused(self) -> bool:
        """Whether there was nothing that the candidate could be watched beside."""
        details = self.record.details
        same = details.get("fromDigest", "") in {"", details.get("manifestDigest", "")}
        return self.gives and (same or GAVE_WAY in details)

    def was_let_through(self, demands: Demands, stage: Stage) -> bool:
        """Tell whether a person may, and did, promote the candidate before it was watched."""
        demanded = demands.rollout is not None and demands.rollout.watched_first
        return self.gives and stage.released and not demanded

    @property
    def was_promoted_by_a_person(self) -> bool:
        """Whether a record says that somebody asked for it."""
        return any(
            (other.event, other.outcome, other.details.get("action"))
            == (AuditEvent.ACTION, AuditOutcome.DONE, ActionName.PROMOTE)
            for other in self.before
        )


def stage_links(
    records: Sequence[AuditRecord],
    *,
    whole: bool,
    baselines: Mapping[str, Baseline],
    policies: Mapping[str, ModelPolicySpec],
) -> Iterator[Link]:
    """Yield a link for each stage that ended, and for each promotion that is not borne out.

    Args:
        records: all about a ModelDeployment, in their order.
        whole: the log begins with the first record there ever was.
        baselines: sealed baselines by manifest digest, as far as they are here.
        policies: ModelPolicies by their digest, as far as they are here.
    """
    found: list[Link] = []
    same: dict[tuple[str, str], list[AuditRecord]] = defaultdict(list)
    first: dict[str, AuditRecord] = {}
    for record in records:
        candidate = _candidate(record)
        if _is_told(record):
            gave = first.get(candidate[0])
            told = Told(record, same[candidate], gave, whole, baselines, policies)
            found += filter(None, [_link_or_trouble(told)])
        same[candidate].append(record)
        if _gives(record):
            first.setdefault(candidate[0], record)
    yield from found or [holds("stage", "none has ended")]


def stages_before(
    records: Sequence[AuditRecord], promotion: AuditRecord
) -> Iterator[tuple[AuditRecord, Stage]]:
    """Yield the stages that a promotion rests on, oldest first, as far as their numbers are kept.

    Args:
        records: all about the ModelDeployment, in their order.
        promotion: the one that gave the traffic.
    """
    if promotion.event != AuditEvent.PROMOTE:
        return
    before = [
        record
        for record in records
        if record.seq < promotion.seq and _candidate(record) == _candidate(promotion)
    ]
    told = Told(promotion, before, None, whole=False, baselines={}, policies={})
    found: list[tuple[AuditRecord, Stage]] = []
    for record in (promotion, *told.begun):
        stage = _stage_in(record)
        if stage is None:
            continue
        if stage.copies or stage.step:
            found.append((record, stage))
        elif record is not promotion:
            break  # Before it there was another attempt.
    yield from reversed(found)


def keeps_drift_counts(record: AuditRecord) -> bool:
    """Tell whether a record may keep what a candidate's rows were found to be."""
    told = record.event == AuditEvent.PROMOTE and record.evidence is not None
    return told and record.outcome != AuditOutcome.PROMOTED


def _is_told(record: AuditRecord) -> bool:
    if record.event != AuditEvent.PROMOTE:
        return False
    fails = record.outcome == AuditOutcome.REFUSED and record.reason in FAILED
    gives = record.outcome in {AuditOutcome.PROMOTED, AuditOutcome.STABLE}
    return fails or gives or _begins(record)


def _candidate(record: AuditRecord) -> tuple[str, str]:
    """Return of which bytes and intent a record is."""
    return record.details.get("manifestDigest", ""), record.details.get("intent", "")


def _gives(record: AuditRecord) -> bool:
    return (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.PROMOTED)


def _begins(record: AuditRecord) -> bool:
    started = (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.STARTED)
    return started and record.reason in _BEGINS


def _link_or_trouble(told: Told) -> Link | None:
    """Return the link; a record that somebody changed may hold what no function takes."""
    try:
        return _link(told)
    except (ValueError, IndexError, ArithmeticError) as error:
        name = f"stage (record {told.record.seq})"
        return broken(name, f"Its numbers cannot be counted: {error}")


def _link(told: Told) -> Link | None:
    name = f"stage (record {told.record.seq})"
    demands = read_demands(told.record.evidence)
    stage = demands.stage if demands else None
    if demands is None or stage is None:
        ended = told.fails or (any(told.begun) and not told.is_excused)
        return open_(name, "The record does not keep the numbers.") if ended else None
    if problem := _by_other_rules(told, demands):
        return broken(name, problem)
    if told.record.outcome == AuditOutcome.STABLE:
        return _too_early(name, told, demands, stage)
    problem = (
        _of_another(told, stage)
        or _not_demanded(told, demands, stage)
        or _out_of_order(told, demands, stage)
    )
    if problem:
        return broken(name, problem)
    if told.is_excused or told.was_let_through(demands, stage):
        return None
    if stage.copies is not None:
        return _copies_link(name, told, stage, stage.copies)
    return _step_link(name, told, stage, stage.step) if stage.step else None


# -- whose numbers they are, and in which order ------------------------------------------------


def _of_another(told: Told, stage: Stage) -> str | None:
    details = told.record.details
    digest = details.get("manifestDigest", "")
    asked = (stage.manifest_digest, intent_hash(stage.manifest_digest, stage.spec))
    if asked != (digest, details.get("intent")):
        return "Expected the numbers of this version and of what was asked for, found others."
    if parse_timestamp(stage.until) < parse_timestamp(stage.since):
        return "Expected numbers of a stage that ended after it began, found the contrary."
    return None


def _by_other_rules(told: Told, demands: Demands) -> str | None:
    """Return that a record names other rules than the policy's, or None."""
    policy = told.policies.get(demands.policy_digest)
    if policy is not None and policy.rollout != demands.rollout:
        return (
            f"It names other demands on rollouts than ModelPolicy '{demands.policy}' makes with "
            f"the digest {demands.policy_digest}."
        )
    return None


def _not_demanded(told: Told, demands: Demands, stage: Stage) -> str | None:
    """Return that the candidate got traffic faster than was demanded, or None."""
    if told.fails:
        return None
    beyond = faster_than_demanded(stage.spec, demands.rollout, stage.spec.replicas)
    return next(iter(beyond), None)


def _out_of_order(told: Told, demands: Demands, stage: Stage) -> str | None:
    """Return that the record does not follow from the one that it must rest on, or None."""
    record = told.record
    let_through = told.was_let_through(demands, stage)
    by_hand = let_through or (demands.rollout is not None and demands.rollout.manual)
    by_somebody = stage.released and (told.was_promoted_by_a_person or not told.whole)
    if told.gives and by_hand and not by_somebody:
        return "Expected a record that a person promoted this version, found none."
    step = stage.step.record.step if stage.step else None
    if not (told.is_excused or let_through) and not told.fails:
        expected = _following(stage, step)
        found = _Place(record.reason if _begins(record) else "", stage.begins)
        if found != expected:
            return f"Expected {expected.said} to follow, found {found.said}."
    if stage.step is None and stage.copies is None:
        return None
    place = _Place(DeploymentReason.CANARY if stage.step else DeploymentReason.MIRRORING, step)
    former = next(told.begun, None)
    if told.fails:
        former = next((one for one in told.begun if _may_begin(one, place)), None)
    if former is None:
        lost = f"Expected a record that {place.said} began, which ended; found none."
        return lost if told.whole else None
    if not _may_begin(former, place):
        return f"Expected record {former.seq} to begin {place.said}, which ended; it does not."
    if stage.step is None and stage.spec.strategy.mirror is None:
        return "Expected a mirror among what was asked for, found none."
    known = _stage_in(former)
    return _not_since(stage, known, former) if known else None


@dataclass(frozen=True)
class _Place:
    """What a record begins."""

    reason: str = ""
    step: int | None = None

    @property
    def said(self) -> str:
        """It as a part of a sentence."""
        if self.reason == DeploymentReason.MIRRORING:
            return "copies of requests"
        return "all traffic" if self.step is None else f"step {self.step + 1}"


def _may_begin(record: AuditRecord, place: _Place) -> bool:
    """Tell whether a record begins something; one of a former release does not say which step."""
    stage = _stage_in(record)
    return record.reason == place.reason and (stage is None or stage.begins == place.step)


def _stage_in(record: AuditRecord) -> Stage | None:
    demands = read_demands(record.evidence)
    return demands.stage if demands else None


def _following(stage: Stage, step: int | None) -> _Place:
    """Return what must come after a stage that was passed, or where there was none yet."""
    strategy = stage.spec.strategy
    if strategy.mirror is not None and stage.copies is None and step is None:
        return _Place(DeploymentReason.MIRRORING)
    if strategy.type is not StrategyType.CANARY:
        return _Place()
    steps = len(strategy.canary_or_default.steps)
    following = 0 if step is None else step + 1
    return _Place() if following > steps else _Place(DeploymentReason.CANARY, following)


def _not_since(stage: Stage, former: Stage, record: AuditRecord) -> str | None:
    """Return that a stage is not the one that the record before it began, or None."""
    if parse_timestamp(stage.since) < parse_timestamp(former.until):
        return f"Expected a stage since record {record.seq}, found numbers of an earlier one."
    step = stage.step
    # A decision that is made again after a crash may have seen more than its record says.
    if step is None or stage.since != former.until or step.record.routed_since is not None:
        return None
    seen = former.step
    all_, fair = (seen.all, seen.fair) if seen else (CanaryCounts(), CanaryCounts())
    if (_counts(step.record), step.record.fair) != (all_, fair):
        return f"Expected counts that go on where record {record.seq} ends, found others."
    return None


def _counts(record: CanaryRecord) -> CanaryCounts:
    return CanaryCounts(**{name: getattr(record, name) for name in CanaryCounts.model_fields})


def _too_early(name: str, told: Told, demands: Demands, stage: Stage) -> Link | None:
    """Return that a version became stable before its time, or None."""
    digest = told.record.details.get("manifestDigest", "")
    bake = needed_bake(stage.spec, demands.rollout)
    gave = _stage_in(told.first) if told.first else None
    if stage.manifest_digest != digest:
        return broken(name, "Expected since when this version was healthy, found another's.")
    # A later promotion of the same bytes may be on record without having happened.
    if gave and parse_timestamp(stage.since) < parse_timestamp(gave.until):
        return broken(name, "Expected it to be healthy since it got the traffic, found earlier.")
    why = _too_short(stage.since, bake, stage)
    return broken(name, f"It became stable too early: {why}") if why else None


# -- what the numbers say -----------------------------------------------------------------------


def _copies_link(name: str, told: Told, stage: Stage, seen: CopiesSeen) -> Link:
    asked = stage.spec.strategy.mirror
    if asked is None:
        return broken(name, "Expected a mirror among what was asked for, found none.")
    version = f"'{told.record.details.get('modelVersion', '')}'"
    served = told.record.details.get("from", "")
    crashed = _crashed(seen.crashed, seen.record.started)
    why = f"a Pod of {version} ended" if crashed else ""
    why = why or mirror.against(version, served, asked, seen.record) or ""
    if told.fails:
        return _failed(name, why, DeploymentReason.MIRROR_FAILED, told)
    lacking = mirror.lacks(asked, seen.record)
    problem = why or lacking or _too_short(stage.since, asked.pause, stage)
    if problem:
        return broken(name, f"The numbers do not let {version} go on: {problem}")
    return holds(name, f"counted again: {sentence(stage)}")


def _step_link(name: str, told: Told, stage: Stage, seen: StepSeen) -> Link:
    canary = stage.spec.strategy.canary_or_default
    asked, record = canary.analysis, seen.record
    version = f"'{told.record.details.get('modelVersion', '')}'"
    drift = _drift(told, stage, seen)
    if isinstance(drift, str):
        return broken(name, drift)
    found = Evidence(
        all=seen.all,
        fair=seen.fair,
        drift=seen.drift,
        crashed=_crashed(seen.crashed, record.started),
    )
    why = analysis.against(version, found, record, asked) or ""
    if told.fails:
        others = analysis.against(version, replace(found, drift=Verdict.NO_DRIFT), record, asked)
        if why and others is None and not drift:
            return open_(name, f"{why} {_UNPROVED}")
        return _failed(name, why, DeploymentReason.CANARY_FAILED, told)
    lacking = ""
    if record.step < len(canary.steps):
        since = record.routed_since if canary.route else stage.since
        lacking = analysis.lacks(found, record, asked)
        lacking = lacking or _too_short(since, canary.steps[record.step].pause, stage)
    if why or lacking:
        return broken(name, f"The numbers do not let {version} go on: {why or lacking}")
    if asked.drift and not drift:
        return open_(name, f"{sentence(stage)}. {_UNPROVED}")
    return holds(name, f"counted again: {sentence(stage)}")


_UNPROVED = (
    "Whether the candidate's rows had drifted cannot be made again: the counts or the sealed "
    "baseline are not here."
)


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


def _failed(name: str, why: str, reason: DeploymentReason, told: Told) -> Link:
    if not why or told.record.reason != reason:
        return broken(name, "Expected numbers that speak against the version, found none.")
    return holds(name, f"counted again: {why}")


def _too_short(since: str | None, pause: str, stage: Stage) -> str:
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


def _drift(told: Told, stage: Stage, seen: StepSeen) -> bool | str:
    """Tell whether the verdict on drift was made again, or say why it is another one."""
    if not seen.voters:
        nothing = seen.drift is Verdict.INCONCLUSIVE and seen.counts is None
        return nothing or "Expected no verdict on drift where no Pod had enough windows."
    baseline = told.baselines.get(stage.manifest_digest)
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
