"""One version: is it what it says, what keeps it from serving, who decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ApprovalRecord, ModelVersion, VersionCondition
from hallmark.api.training_run import TrainingRun
from hallmark.policies.model_version.approvals import counts, is_final, stands
from hallmark.policies.model_version.renewal import must_be_renewed
from hallmark.policies.model_version.shown import asks_for
from hallmark.policies.unmet import Unmet, Votes, unmet, votes
from hallmark_dashboard.views.chain import Link, chain
from hallmark_dashboard.views.rows import VersionRow, version_row
from hallmark_dashboard.views.standing import Known, State, conditions
from hallmark_dashboard.views.words import plural


@dataclass(frozen=True)
class Ballot:
    """A reviewer's decision as a page shows it."""

    approver: str
    decision: str
    state: State
    counts: bool
    reason: str
    sentence: str
    time: str
    not_after: str
    targets: tuple[str, ...]
    said: str
    """The reviewer's own words, where the object still exists and may be read."""


@dataclass(frozen=True)
class Digests:
    """What a decision binds."""

    uid: str
    manifest: str
    sbom: str
    gate_report: str


@dataclass(frozen=True)
class VersionDetail:
    """What is said of one version."""

    row: VersionRow
    headline: str
    conditions: tuple[Known, ...]
    chain: tuple[Link, ...]
    unmet: tuple[Unmet, ...]
    votes: Votes
    ballots: tuple[Ballot, ...]
    digests: Digests
    dataset_fingerprint: str
    baseline_digest: str
    uri: str
    size: int
    key_id: str
    run: str


@dataclass(frozen=True)
class VersionInputs:
    """What a version's page is made of.

    Attributes:
        version: The version.
        run: The run that it came from, where it still exists and may be seen.
        deployments: The ModelDeployments of its namespace.
        policy: The policy of its namespace, where it may be read.
        policy_name: That policy's name.
        said: Reviewers' reasons by the uid of their ModelApproval.
        now: The time.
    """

    version: ModelVersion
    run: TrainingRun | None
    deployments: Sequence[ModelDeployment]
    policy: ModelPolicySpec | None
    policy_name: str
    said: dict[str, str]
    now: datetime


def concerns(deployment: ModelDeployment, version: ModelVersion) -> bool:
    """Whether a ModelDeployment asks for a version, serves it or served it."""
    digest, status = version.spec.artifact.manifest_digest, deployment.status
    known = {status.active_digest, status.candidate_digest, status.stable_digest}
    known |= {entry.manifest_digest for entry in status.history}
    return asks_for(deployment, version) or digest in known


def version_detail(given: VersionInputs) -> VersionDetail:
    """Return what is said of one version."""
    version, spec = given.version, given.version.spec
    asking = [found for found in given.deployments if asks_for(found, version)]
    concerned = [found for found in given.deployments if concerns(found, version)]
    missing = unmet(version, given.policy, given.policy_name, asking, given.now)
    return VersionDetail(
        version_row(version),
        _headline(version, missing, concerned),
        tuple(conditions(version.status)),
        tuple(chain(version, given.run, concerned)),
        tuple(missing),
        votes(version, given.policy, given.now),
        tuple(_ballot(record, given) for record in version.status.approvals),
        Digests(
            version.metadata.uid,
            spec.artifact.manifest_digest,
            spec.sbom_digest,
            spec.gate_report_digest,
        ),
        spec.dataset_fingerprint,
        spec.baseline_digest,
        spec.artifact.uri,
        spec.artifact.size,
        version.status.key_id or "",
        spec.training_run.name,
    )


def _ballot(record: ApprovalRecord, given: VersionInputs) -> Ballot:
    asked = given.policy.approvals if given.policy else None
    rolled_back = given.version.status.rolled_back
    renewed = not must_be_renewed(record, asked, rolled_back)
    assessed = record.assessment if record.decision is ReviewDecision.ASSESSED else None
    is_for = stands(record, given.now) if assessed else counts(record, given.now) and renewed
    final = is_final(record)
    state = State.STOPPED if final else State.GOOD if is_for else State.UNKNOWN
    reason = "Withdrawn" if record.withdrawn else record.reason
    if record.accepted and not renewed and not assessed:
        reason = "BeforeRollback"
    said = given.said.get(record.uid, "")
    return Ballot(
        record.approver,
        record.decision,
        state,
        is_for or final,
        reason,
        record.message,
        record.time,
        record.not_after or "",
        tuple(record.targets),
        f"{assessed.sentence()}. {said}" if assessed else said,
    )


def _headline(
    version: ModelVersion, missing: Sequence[Unmet], deployments: Sequence[ModelDeployment]
) -> str:
    title = f"{version.spec.model} version {version.spec.version}"
    digest = version.spec.artifact.manifest_digest
    serving = [found.metadata.name for found in deployments if found.status.active_digest == digest]
    where = f" It serves in {', '.join(serving)}." if serving else ""
    for condition in (VersionCondition.REVOKED, VersionCondition.DENIED):
        if version.status.is_true(condition):
            return f"{title} was {condition.value.lower()}, for good.{where}"
    if missing:
        return f"{title} cannot be promoted: {plural(len(missing), 'condition')} unmet.{where}"
    return f"{title} is verified and approved.{where}"
