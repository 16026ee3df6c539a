"""A ModelDeployment's links, from the log: what served by whose approval, drift, rollbacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hallmark.api.model_approval import ModelApprovalSpec, ReviewDecision
from hallmark.api.model_policy import Approvals, ModelPolicySpec
from hallmark.api.model_version import ApprovalRecord
from hallmark.api.reasons import DeploymentReason
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.memory import DECIDED_AT
from hallmark.audit.record import AuditRecord, moment_in
from hallmark.drift.quality import groups_below
from hallmark.drift.recount import Recount, recount, unpack
from hallmark.policies.model_deployment.audit import GAVE_WAY
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_version.approvals import counting, is_for, needs
from hallmark.policies.model_version.audit import GIVEN
from hallmark.policies.model_version.demands import read_demands
from hallmark.verification.links import Link, broken, holds, open_
from hallmark.verification.recorded import Period, Recorded, standing_words
from hallmark.verification.registry import DeploymentEntry, plain_deployment
from hallmark.verification.stage_records import begins, candidate
from hallmark.verification.stages import stage_links
from hallmark.verification.versions import unrecorded

_INTENT_EVENTS = {AuditEvent.VERIFY, AuditEvent.PROMOTE}


@dataclass(frozen=True)
class Watched:
    """A deployment, with all that it is held against.

    Args:
        entry: the deployment.
        recorded: the audit log.
        baselines: sealed baselines by manifest digest, as far as they are here.
        versions: manifest digest by the name of each ModelVersion of the namespace that is here.
        decisions: what ModelApprovals say that are here, by uid.
        policies: ModelPolicies by their digest, as far as they are here.
    """

    entry: DeploymentEntry
    recorded: Recorded
    baselines: Mapping[str, Baseline]
    versions: Mapping[str, str]
    decisions: Mapping[str, ModelApprovalSpec] = field(default_factory=dict)
    policies: Mapping[str, ModelPolicySpec] = field(default_factory=dict)

    @property
    def records(self) -> Sequence[AuditRecord]:
        """Those about the deployment."""
        return self.recorded.of("Deployment", self.entry.uid)

    @cached_property
    def begun(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """The first record that a mirror or a canary of a candidate began, by its reason."""
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for record in self.records:
            if begins(record):
                found[candidate(record)].setdefault(record.reason, record.seq)
        return found


def deployment_links(watched: Watched) -> Iterator[Link]:
    """Yield a deployment's links, in the chain's order."""
    if not watched.records:
        yield unrecorded(watched.recorded, f"Deployment '{watched.entry.name}'")
        return
    yield _record(watched)
    yield _rollout(watched)
    yield from stage_links(
        watched.records,
        whole=watched.recorded.whole,
        baselines=watched.baselines,
        policies=watched.policies,
    )
    yield from _drift(watched)
    yield from _rollbacks(watched)


def names_intent(entry: DeploymentEntry, recorded: Recorded) -> bool:
    """Tell whether a record about a deployment names the intent that its spec is."""
    if entry.spec is None:
        return False
    for record in recorded.of("Deployment", entry.uid):
        details = record.details
        digest, intent = details.get("manifestDigest"), details.get("intent")
        if digest and intent == intent_hash(digest, entry.spec):
            return True
    return False


def _record(watched: Watched) -> Link:
    entry = watched.entry
    for record in watched.records:
        if (record.namespace, record.name) != (entry.namespace, entry.name):
            return broken("record", f"Record {record.seq} names the deployment otherwise.")
    if entry.spec is None:
        return open_("record", "No record names what it asks for now.")
    if entry.spec != plain_deployment(entry.spec) or not names_intent(entry, watched.recorded):
        return broken("record", "Expected a spec that a record's intent stands for, found another.")
    return holds("record", "a record names what it asks for")


def _rollout(watched: Watched) -> Link:
    """Each version that got the traffic was approved then, and the last one serves."""
    entry, periods = watched.entry, watched.recorded.periods(watched.entry.uid)
    for period in periods:
        if problem := _unapproved(watched, period) or _unwatched(watched, period):
            return broken("rollout", problem)
    serving = _expected_to_serve(periods)
    found = (entry.active_model_version or "", entry.active_digest or "")
    if found not in serving and watched.recorded.whole:
        expected = serving[0][0] or "nothing"
        return broken(
            "rollout",
            f"Expected '{expected}' to serve as the log says, found '{found[0] or 'nothing'}'.",
        )
    name, digest = found
    if name and watched.versions.get(name) != digest:
        return broken("rollout", f"Expected ModelVersion '{name}' with {digest}, found none.")
    if not watched.recorded.whole:
        return open_("rollout", f"'{name or 'nothing'}' serves; earlier records are gone.")
    asked = all(read_demands(period.record.evidence) for period in periods if period.digest)
    as_asked = " as the policy asked then" if asked else ""
    times = f"{len(periods)} times in service, each by bytes approved{as_asked}"
    return holds("rollout", f"'{name or 'nothing'}' serves; {times}")


def _expected_to_serve(periods: Sequence[Period]) -> list[tuple[str, str]]:
    if not periods:
        return [("", "")]
    last = periods[-1]
    found = [(last.version, last.digest)]
    if not last.digest:
        # What was stopped stays on record as the version that served.
        found += [(period.version, period.digest) for period in periods[-2:-1]]
    return found


def _unapproved(watched: Watched, period: Period) -> str | None:
    if not period.digest:
        return None
    words = watched.recorded.words_on(watched.entry.namespace, period.digest)
    approvals, rejected = standing_words(words, period.record.seq)
    gave = f"Record {period.record.seq} gave the traffic to bytes that"
    if rejected:
        return f"{gave} were rejected before."
    if not watched.recorded.whole:
        return None
    if not approvals:
        return f"{gave} nobody had approved."
    demands = read_demands(period.record.evidence)
    if demands is None:
        return None
    policy = watched.policies.get(demands.policy_digest)
    if policy is not None and policy.approvals != demands.approvals:
        return (
            f"Record {period.record.seq} names other demands than ModelPolicy '{demands.policy}' "
            f"makes with the digest {demands.policy_digest}."
        )
    lacking = lacked(watched, period, approvals, demands.approvals)
    return f"{gave} had not what the policy asked then: {lacking}" if lacking else None


def lacked(
    watched: Watched, period: Period, approvals: Sequence[AuditRecord], asked: Approvals
) -> str | None:
    """Return what approvals lacked when some bytes got the traffic, or None where nothing.

    It is the operator's own count: people, groups, cooling time, and what a rollback demands.

    Args:
        watched: the deployment.
        period: the time in service that began.
        approvals: those that stood before.
        asked: what the policy asked of them.
    """
    record = period.record
    try:
        heard = [_as_heard(word, watched.decisions) for word in approvals]
    except ValueError:
        numbers = ", ".join(str(word.seq) for word in approvals)
        return f"of its approvals (records {numbers}) one cannot be read."
    here = [found for found in heard if is_for(found, record.name)]
    gave_way = watched.recorded.rolled_back(record.namespace, period.digest, record.seq)
    counted = counting(here, asked, parse_timestamp(record.time), gave_way)
    found = needs(asked, counted.approvers)
    return None if found.enough else f"{found.sentence}.{counted.sentence}"


def _as_heard(word: AuditRecord, decisions: Mapping[str, ModelApprovalSpec]) -> ApprovalRecord:
    """Return an approval as the operator had it on record then.

    One that an earlier release heard does not say when exactly, and waits for nothing.

    Raises:
        ValueError: the record was changed to what no operator writes.
    """
    details, uid = word.details, word.details.get("approvalUid", "")
    said = decisions.get(uid)
    return ApprovalRecord(
        uid=uid,
        name=details.get("approval", ""),
        decision=ReviewDecision.APPROVED,
        approver=word.actor,
        accepted=True,
        reason=word.reason,
        time=moment_in(word, DECIDED_AT, _LONG_AGO),
        given=moment_in(word, GIVEN, word.time),
        not_after=said.not_after if said else None,
        targets=said.targets if said else [],
    )


def _unwatched(watched: Watched, period: Period) -> str | None:
    """Return that a version was not watched beside what served, as the policy asked, or None."""
    record, details = period.record, period.record.details
    demands = read_demands(record.evidence)
    before = details.get("fromDigest", "")
    if demands is None or demands.rollout is None or record.event != AuditEvent.PROMOTE:
        return None
    if before in {"", period.digest} or GAVE_WAY in details or not watched.recorded.whole:
        return None
    shown = watched.begun.get(candidate(record), {})
    asked = {
        DeploymentReason.MIRRORING: demands.rollout.mirror,
        DeploymentReason.CANARY: demands.rollout.canary,
    }
    lacking = [
        reason
        for reason, floors in asked.items()
        if floors and shown.get(reason, record.seq) >= record.seq
    ]
    if not lacking:
        return None
    return (
        f"Record {record.seq} gave the traffic to bytes that had not been watched beside what "
        f"served, as the policy asked then: expected a record of {' and '.join(lacking)} before."
    )


_LONG_AGO = "1970-01-01T00:00:00Z"


def _drift(watched: Watched) -> Iterator[Link]:
    """Yield each drift verdict, made again from the counts that its record keeps."""
    found = [
        record
        for record in watched.records
        if record.event == AuditEvent.DRIFT and record.reason == DeploymentReason.DRIFT_DETECTED
    ]
    if not found:
        yield holds("drift", "none was recorded")
    for record in found:
        yield _recounted(record, watched.baselines)
    for record in watched.records:
        if record.reason == DeploymentReason.QUALITY_BELOW_FLOOR:
            yield _told_again(record, watched.baselines)


def _counted(name: str, record: AuditRecord, baselines: Mapping[str, Baseline]) -> Recount | Link:
    """Return what the counts that a record keeps say, or the link that says why they do not."""
    details = record.details
    digest = details.get("manifestDigest", "")
    if record.evidence is None or "voters" not in details:
        return open_(name, "The record does not keep the counts.")
    evidence = unpack(record.evidence)
    if evidence is None or evidence.manifest_digest != digest:
        return broken(name, "Expected the counts of this version, found others.")
    baseline = baselines.get(digest)
    if baseline is None:
        return open_(name, "The sealed baseline of that version is not here.")
    try:
        return recount(evidence, baseline)
    except ValueError as error:
        return broken(name, f"The counts do not fit the baseline: {error}")


def _told_again(record: AuditRecord, baselines: Mapping[str, Baseline]) -> Link:
    """Return the link of a verdict about realised quality, made again from its outcomes."""
    name, details = f"quality (record {record.seq})", record.details
    counted = _counted(name, record, baselines)
    if isinstance(counted, Link):
        return counted
    quality = counted.quality
    if quality is None:
        return broken(name, "Expected outcomes among the counts, found none.")
    if str(quality.voters) != details["voters"]:
        return open_(
            name, f"The record keeps the outcomes of {quality.voters} of {details['voters']} Pods."
        )
    if str(quality.failing) != details.get("failing") or not quality.below_floor:
        return broken(
            name, f"The outcomes say that {quality.failing} of {quality.voters} are below a floor."
        )
    told = (details.get("accuracy"), details.get("calibrationError"))
    if told != (quality.accuracy, quality.calibration_error):
        return broken(name, "The outcomes give another accuracy or calibration error.")
    named = {key: value for key, value in details.items() if key.startswith("group.")}
    if named != {f"group.{one.group}": one.accuracy for one in groups_below(quality)}:
        return broken(name, "The outcomes say of other groups that they are below the floor.")
    return holds(name, f"made again from the outcomes: accuracy {quality.accuracy}")


def _recounted(record: AuditRecord, baselines: Mapping[str, Baseline]) -> Link:
    name, details = f"drift (record {record.seq})", record.details
    counted = _counted(name, record, baselines)
    if isinstance(counted, Link):
        return counted
    if str(counted.voters) != details["voters"]:
        return open_(
            name, f"The record keeps the counts of {counted.voters} of {details['voters']} Pods."
        )
    told = {key: value for key, value in details.items() if key.startswith("psi.")}
    again = {f"psi.{moved.feature}": moved.psi for moved in counted.top}
    if str(counted.drifting) != details["drifting"] or not counted.drifts:
        return broken(name, f"The counts say that {counted.drifting} of {counted.voters} drift.")
    if told != again:
        return broken(name, "The counts give other PSI values than the record names.")
    most = counted.top[0]
    return holds(name, f"made again from the counts: {most.feature} has PSI {most.psi}")


def _rollbacks(watched: Watched) -> Iterator[Link]:
    """Yield each rollback: its cause is on record, and its target had been stable."""
    begun = [record for record in watched.records if record.event == AuditEvent.ROLLBACK]
    if not begun:
        yield holds("rollback", "none was recorded")
    for record in begun:
        if record.outcome == AuditOutcome.STARTED:
            yield _caused(watched, record)
        elif record.outcome == AuditOutcome.COMPLETED:
            yield _targeted(watched, record)
        else:
            yield holds(f"rollback (record {record.seq})", f"{record.outcome}: {record.reason}")


_FOUND: Mapping[str, tuple[DeploymentReason, ...]] = {
    DeploymentReason.DRIFT_ROLLBACK: (
        DeploymentReason.DRIFT_DETECTED,
        DeploymentReason.INPUT_REJECTED,
        DeploymentReason.ODD_ROWS,
    ),
    DeploymentReason.ERROR_ROLLBACK: (DeploymentReason.REQUESTS_FAIL,),
    DeploymentReason.LATENCY_ROLLBACK: (DeploymentReason.ANSWERS_LATE,),
}
"""By the cause of a rollback that the traffic gave: what must have been found before."""


def _caused(watched: Watched, record: AuditRecord) -> Link:
    name = f"rollback (record {record.seq})"
    wanted = _FOUND.get(record.reason)
    if wanted is None:
        return holds(name, f"started: {record.reason}")
    drifted = any(
        other.event == AuditEvent.DRIFT
        and (other.reason in wanted)
        and other.details.get("manifestDigest") == record.details.get("fromDigest")
        for other in watched.records
    )
    if not drifted and watched.recorded.whole:
        found = ", ".join(wanted)
        return broken(name, f"Expected a record of what caused it ({found}), found none.")
    return holds(name, f"what '{record.details.get('from', '')}' was found to do is on record")


def _targeted(watched: Watched, record: AuditRecord) -> Link:
    name, digest = f"rollback (record {record.seq})", record.details.get("manifestDigest", "")
    stable = any(
        (other.event, other.outcome) == (AuditEvent.PROMOTE, AuditOutcome.STABLE)
        and other.details.get("manifestDigest") == digest
        and other.seq < record.seq
        for other in watched.records
    )
    if not stable and watched.recorded.whole:
        return broken(name, "It went to a version that had never been stable there.")
    return holds(name, f"to '{record.details.get('modelVersion', '')}', which had been stable")
