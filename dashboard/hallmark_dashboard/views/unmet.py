"""Everything that keeps a version from serving, at once: each a sentence with who can change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.common import ConditionStatus
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import ModelDeployment, RolloutState
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.policies.model_version.approvals import counts
from hallmark_dashboard.views.rows import hold_sentence
from hallmark_dashboard.views.standing import State
from hallmark_dashboard.views.words import listed, plural


@dataclass(frozen=True)
class Unmet:
    """A condition that does not hold.

    Attributes:
        what: The condition.
        state: Waiting where somebody can still meet it; stopped where it is final.
        sentence: Why.
        who: Who can do something, and what.
    """

    what: str
    state: State
    sentence: str
    who: str


@dataclass(frozen=True)
class Votes:
    """The approvals of a version.

    Attributes:
        needed: How many different people must approve; None where no policy is known.
        approvers: Who approved it, and counts today.
        excluded: Who cannot (again), and why.
    """

    needed: int | None
    approvers: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many more people must approve."""
        return max(0, (self.needed or 1) - len(self.approvers))


def votes(version: ModelVersion, policy: ModelPolicySpec | None, now: datetime) -> Votes:
    """Return who approved a version, and who cannot."""
    approvers = sorted(
        {record.approver for record in version.status.approvals if counts(record, now)}
    )
    requester = version.spec.requested_by.name
    excluded = [f"{requester} asked for it"]
    excluded += [f"{name} approved it already" for name in approvers]
    return Votes(policy.approvals.minimum if policy else None, tuple(approvers), tuple(excluded))


_CHECKS = (
    (VersionCondition.VERIFIED, "Whoever seals it, with a key that the ModelPolicy trusts."),
    (VersionCondition.SBOM_READY, "Whoever runs the store: the sealed files must be readable."),
    (VersionCondition.POLICY_PASSED, "The model's author, with a new run that meets the policy."),
)
_FINAL = (
    (VersionCondition.DENIED, ReviewDecision.DENIED),
    (VersionCondition.REVOKED, ReviewDecision.REVOKED),
)


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
    status = version.status
    found: list[Unmet] = []
    for type_, decision in _FINAL:
        condition = status.condition(type_)
        if condition is not None and condition.status is ConditionStatus.TRUE:
            found.append(
                Unmet(
                    type_.value,
                    State.STOPPED,
                    condition.message or f"A reviewer's decision is {decision}.",
                    "Nobody: this is final. Train a new version.",
                )
            )
    if policy is None:
        found.append(
            Unmet(
                "Policy",
                State.UNKNOWN,
                f"The ModelPolicy '{policy_name}' is not there, or you may not read it.",
                "The platform team.",
            )
        )
    for check, who in _CHECKS:
        condition = status.condition(check)
        if condition is None or condition.status is not ConditionStatus.TRUE:
            waits = condition is None or condition.status is ConditionStatus.UNKNOWN
            sentence = condition.message if condition else "It was not checked yet."
            state = State.WAITING if waits else State.STOPPED
            found.append(Unmet(check.value, state, sentence, "The operator." if waits else who))
    found += _approvals(version, policy, now)
    for deployment in deployments:
        found += _deployment(deployment, version, now)
    return found


def _approvals(version: ModelVersion, policy: ModelPolicySpec | None, now: datetime) -> list[Unmet]:
    if version.status.is_true(VersionCondition.APPROVED):
        return []
    voted = votes(version, policy, now)
    keys = sorted({key.approver for key in policy.approvers}) if policy else []
    attested = f" With an attestation: {listed(keys)}." if keys else ""
    return [
        Unmet(
            VersionCondition.APPROVED.value,
            State.WAITING,
            f"{plural(voted.missing, 'more person', 'more people')} must approve it"
            f" ({len(voted.approvers)} of {voted.needed or 'at least 1'} did).",
            "Anybody with the verb 'approve' on modelversions in namespace "
            f"'{version.metadata.namespace}', but not: {'; '.join(voted.excluded)}.{attested}",
        )
    ]


def _deployment(deployment: ModelDeployment, version: ModelVersion, now: datetime) -> list[Unmet]:
    name, spec, status = deployment.metadata.name, deployment.spec, deployment.status
    found = []
    if spec.suspend or status.paused:
        how = "its spec says 'suspend'" if spec.suspend else "somebody paused it"
        who = (
            f"Whoever writes its spec: set spec.suspend of {name} to false."
            if spec.suspend
            else f"Anybody with the verb 'resume' on modeldeployments: hallmark resume {name}"
        )
        found.append(
            Unmet(f"Deployment {name}", State.WAITING, f"It promotes nothing: {how}.", who)
        )
    if held := hold_sentence(deployment, now):
        who = f"Anybody with the verb 'unhold' on modeldeployments: hallmark unhold {name}"
        found.append(Unmet(f"Deployment {name}", State.WAITING, held, f"{who}; or its end."))
    digest = version.spec.artifact.manifest_digest
    rollout = status.rollout
    refused_now = rollout is not None and rollout.state is RolloutState.REFUSED
    for refusal in status.refused:
        if refusal.manifest_digest == digest and refusal.reason and refused_now:
            found.append(
                Unmet(
                    f"Deployment {name}",
                    State.STOPPED,
                    f"It refused these bytes at {refusal.time} ({refusal.reason}) and does not "
                    "try again by itself.",
                    "Whoever writes its spec: a changed spec or a newer version is tried anew.",
                )
            )
            break
    return found
