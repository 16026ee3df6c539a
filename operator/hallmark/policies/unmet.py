"""Everything that keeps a version from serving, at once: each a sentence with who can change it.

The dashboard and ``hallmark explain`` say the same of a version, because both say this. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import Approvals, ModelPolicySpec
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.reasons import DeploymentReason, VersionReason
from hallmark.policies.model_deployment.bounds import beyond_policy
from hallmark.policies.model_deployment.hold import told
from hallmark.policies.model_version.approvals import (
    Counted,
    approvals_in_force,
    counting,
    counts,
    needs,
)
from hallmark.policies.model_version.renewal import must_be_renewed
from hallmark.quorum import Tally


class Standing(StrEnum):
    """How a condition that does not hold stands."""

    WAITING = "waiting"
    """Somebody can still meet it."""
    STOPPED = "stopped"
    """It is final, or needs another version or another spec."""
    UNKNOWN = "unknown"
    """Nobody can tell."""


@dataclass(frozen=True)
class Unmet:
    """A condition that does not hold.

    Attributes:
        what: The condition.
        reason: The reason in a word, as conditions have it.
        state: How it stands.
        sentence: Why.
        who: Who can do something, and what.
    """

    what: str
    reason: str
    state: Standing
    sentence: str
    who: str


@dataclass(frozen=True)
class Votes:
    """The approvals of a version.

    Attributes:
        asked: What the policy asks for; None where no policy is known.
        approvers: Who approved it; some may have to wait before their word counts.
        counted: What counts today.
        excluded: Who cannot approve (again), and why.
    """

    asked: Approvals | None
    approvers: tuple[str, ...]
    counted: Counted
    excluded: tuple[str, ...]

    @property
    def tally(self) -> Tally:
        """What counts today adds up to."""
        return needs(self.asked, self.counted.approvers)

    @property
    def missing(self) -> int:
        """How many more people must approve."""
        return needs(self.asked, self.approvers).more

    def missing_after(self, approver: str) -> int:
        """How many more people must approve once this one has."""
        return needs(self.asked, {*self.approvers, approver}).more


def votes(version: ModelVersion, policy: ModelPolicySpec | None, now: datetime) -> Votes:
    """Return who approved a version, and who cannot."""
    records, asked = version.status.approvals, policy.approvals if policy else None
    rolled_back = version.status.rolled_back
    approvers = sorted(
        {
            record.approver
            for record in records
            if counts(record, now) and not must_be_renewed(record, asked, rolled_back)
        }
    )
    excluded = [f"{version.spec.requested_by.name} asked for it"]
    excluded += [f"{name} approved it already" for name in approvers]
    counted = counting(records, asked, now, rolled_back)
    return Votes(asked, tuple(approvers), counted, tuple(excluded))


_CHECKS = (
    (VersionCondition.VERIFIED, "Whoever seals it, with a key that the ModelPolicy trusts."),
    (VersionCondition.SBOM_READY, "Whoever runs the store: the sealed files must be readable."),
    (VersionCondition.POLICY_PASSED, "The model's author, with a new run that meets the policy."),
)
_FINAL = (VersionCondition.DENIED, VersionCondition.REVOKED)


def unmet(
    version: ModelVersion,
    policy: ModelPolicySpec | None,
    policy_name: str,
    deployments: Sequence[ModelDeployment],
    now: datetime,
) -> list[Unmet]:
    """Return every condition that keeps a version from serving, what is final first.

    Args:
        version: the version.
        policy: the policy of its namespace, where it may be read.
        policy_name: that policy's name.
        deployments: the ModelDeployments that ask for it.
        now: the time.
    """
    found = [*_rejections(version), *_failed_checks(version)]
    if not version.status.is_true(VersionCondition.APPROVED):
        if policy is None:
            found.append(_unknown_policy(policy_name))
        found.append(_awaits_approval(version, policy, now))
    for deployment in deployments:
        if not _serves_as_asked(deployment, version):
            found += _deployment(deployment, version, policy, now)
    return found


def _serves_as_asked(deployment: ModelDeployment, version: ModelVersion) -> bool:
    status, asked = deployment.status, deployment.status.unserved
    active = status.active_digest == version.spec.artifact.manifest_digest
    return active and (asked is None or asked.model_version != version.metadata.name)


def _rejections(version: ModelVersion) -> Iterator[Unmet]:
    for type_ in _FINAL:
        condition = version.status.condition(type_)
        if condition is not None and condition.status is ConditionStatus.TRUE:
            yield Unmet(
                type_.value,
                condition.reason,
                Standing.STOPPED,
                condition.message or f"A reviewer's decision is {type_.value}.",
                "Nobody: this is final. Train a new version.",
            )


def _failed_checks(version: ModelVersion) -> Iterator[Unmet]:
    for check, who in _CHECKS:
        condition = version.status.condition(check)
        if condition is None:
            sentence = "It was not checked yet."
            pending = VersionReason.PENDING
            yield Unmet(check.value, pending, Standing.WAITING, sentence, "The operator.")
        elif condition.status is not ConditionStatus.TRUE:
            yield _failed(check.value, condition, who)


def _failed(what: str, condition: Condition, who: str) -> Unmet:
    if condition.reason == VersionReason.POLICY_MISSING:
        who = "The platform team, with a ModelPolicy."
    elif condition.status is ConditionStatus.UNKNOWN:
        return Unmet(what, condition.reason, Standing.WAITING, condition.message, "The operator.")
    return Unmet(what, condition.reason, Standing.STOPPED, condition.message, who)


def _unknown_policy(name: str) -> Unmet:
    return Unmet(
        "Policy",
        VersionReason.POLICY_MISSING,
        Standing.UNKNOWN,
        f"The ModelPolicy '{name}' is not there, or you may not read it.",
        "The platform team.",
    )


def _awaits_approval(version: ModelVersion, policy: ModelPolicySpec | None, now: datetime) -> Unmet:
    voted = votes(version, policy, now)
    more = f"{voted.missing} more {'person' if voted.missing == 1 else 'people'} must approve it"
    of = voted.tally.sentence if policy else f"{voted.tally.people} of at least 1 approvals"
    condition = version.status.condition(VersionCondition.APPROVED)
    return Unmet(
        VersionCondition.APPROVED.value,
        condition.reason if condition else VersionReason.AWAITING_APPROVAL,
        Standing.WAITING,
        f"{more if voted.missing else 'Enough people have approved it'} ({of})."
        f"{voted.counted.sentence}",
        _who_approves(version, policy, voted),
    )


def _who_approves(version: ModelVersion, policy: ModelPolicySpec | None, voted: Votes) -> str:
    keys = sorted({key.approver for key in policy.approvers}) if policy else []
    more = f" and {len(keys) - _MOST_NAMES} more" if len(keys) > _MOST_NAMES else ""
    groups = "".join(
        f" For '{group.name}': {', '.join(group.members[:_MOST_NAMES])}."
        for group in (policy.approvals.groups if policy else [])
        if group.name in voted.tally.missing
    )
    attested = f" With an attestation: {', '.join(keys[:_MOST_NAMES])}{more}." if keys else ""
    metadata = version.metadata
    return (
        f"Anybody with the verb 'approve' on modelversions in namespace '{metadata.namespace}', "
        f"but not: {'; '.join(voted.excluded)}.{groups}{attested} "
        f"hallmark approve {metadata.name} -n {metadata.namespace} --reason ..."
    )


_MOST_NAMES = 5


def _deployment(
    deployment: ModelDeployment,
    version: ModelVersion,
    policy: ModelPolicySpec | None,
    now: datetime,
) -> Iterator[Unmet]:
    """Yield what keeps a version from serving in one ModelDeployment that asks for it."""
    yield from _approvals_here(deployment, version, policy, now)
    yield from kept_back(deployment, policy, now)
    yield from _refused_here(deployment, version)


def kept_back(
    deployment: ModelDeployment, policy: ModelPolicySpec | None, now: datetime
) -> Iterator[Unmet]:
    """Yield what keeps any version from being promoted in a ModelDeployment."""
    name, namespace = deployment.metadata.name, deployment.metadata.namespace
    spec, status, what = deployment.spec, deployment.status, f"Deployment {name}"
    if spec.suspend:
        who = f"Whoever writes its spec: set spec.suspend of {name} to false."
        if policy and policy.rollout and policy.rollout.manual:
            who = "Anybody with the verb 'promote' on modeldeployments, for each version: "
            who += f"hallmark promote {name} -n {namespace} --reason ..."
        how = "It promotes nothing: its spec says 'suspend' (spec.suspend is true)."
        yield Unmet(what, DeploymentReason.SUSPENDED, Standing.WAITING, how, who)
    if status.paused:
        who = "Anybody with the verb 'resume' on modeldeployments: "
        who += f"hallmark resume {name} -n {namespace} --reason ..."
        how = "It promotes nothing: somebody paused it."
        yield Unmet(what, DeploymentReason.SUSPENDED, Standing.WAITING, how, who)
    if held := told(deployment, now):
        who = "Its end, or anybody with the verb 'unhold' on modeldeployments: "
        who += f"hallmark unhold {name} -n {namespace} --reason ..."
        yield Unmet(what, DeploymentReason.ON_HOLD, Standing.WAITING, held, who)
    for beyond in beyond_policy(spec, policy) if policy else ():
        yield Unmet(what, DeploymentReason.INVALID_SPEC, Standing.STOPPED, beyond, _WHO_ASKS)


def _approvals_here(
    deployment: ModelDeployment,
    version: ModelVersion,
    policy: ModelPolicySpec | None,
    now: datetime,
) -> Iterator[Unmet]:
    """Yield that approvals are for other ModelDeployments, or have ended meanwhile."""
    if policy is None or not version.status.is_true(VersionCondition.APPROVED):
        return
    name = deployment.metadata.name
    rolled_back = version.status.rolled_back
    counted = approvals_in_force(version, name, policy.approvals, now, rolled_back)
    found = needs(policy.approvals, counted.approvers)
    if not found.enough:
        yield Unmet(
            f"Deployment {name}",
            DeploymentReason.AWAITING_APPROVAL,
            Standing.WAITING,
            f"{found.sentence} are for {name} and last still.{counted.sentence}",
            _who_approves(version, policy, votes(version, policy, now)),
        )


_SAID = frozenset({"AwaitingApproval", "OnHold", "Suspended", "Acknowledged"})
"""Reasons for which there is a condition of its own, or a person's word."""


def _refused_here(deployment: ModelDeployment, version: ModelVersion) -> Iterator[Unmet]:
    """Yield that what is asked for is this version, and was refused or is ignored."""
    status, name = deployment.status, deployment.metadata.name
    asked, digest = status.unserved, version.spec.artifact.manifest_digest
    if asked is None or asked.model_version != version.metadata.name or asked.reason in _SAID:
        return
    refusal = next((found for found in status.refused if found.manifest_digest == digest), None)
    ready = status.condition("Ready")
    why = ready.message if ready and ready.reason == asked.reason else ""
    if refusal is None or status.is_true("Reconciling"):
        standing = Standing.STOPPED if status.is_true("Stalled") else Standing.WAITING
        sentence = f"It has not served there since {asked.since}. {why}".strip()
        yield Unmet(f"Deployment {name}", asked.reason, standing, sentence, _WHO_ASKS)
        return
    sentence = (
        f"It refused these bytes at {refusal.time} ({refusal.reason}) and does not try again by "
        f"itself. {why}".strip()
    )
    yield Unmet(f"Deployment {name}", refusal.reason, Standing.STOPPED, sentence, _WHO_ASKS)


_WHO_ASKS = "Whoever writes its spec: a changed spec or a newer version is tried anew."
