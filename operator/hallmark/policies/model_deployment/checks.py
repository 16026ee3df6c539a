"""May this version serve here today? The same chain for a candidate and a rollback's target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hallmark.api import names
from hallmark.api.conditions import ConditionStatus
from hallmark.api.model_policy import Approvals
from hallmark.api.model_version import ModelVersion, RolledBack, VersionCondition
from hallmark.api.reasons import DeploymentReason, VersionReason
from hallmark.drift.counts import unwatchable
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, Verification, Wait
from hallmark.policies.model_version.approvals import Counted, approvals_in_force, is_for, needs
from hallmark.policies.model_version.records import fell_with_its_key
from hallmark.policies.model_version.renewal import last_of
from hallmark.policies.refusals import evaluate
from hallmark.refusal import Refusal

FRESH = timedelta(seconds=10)
"""How old a verification of the bytes may be when traffic moves because of it."""
CONDITIONS = (VersionCondition.VERIFIED, VersionCondition.POLICY_PASSED)
"""What a ModelVersion must say of itself."""
RETRY_SECONDS = 5.0
"""When the store or the version's own checks are looked at again."""


@dataclass(frozen=True)
class Proposal:
    """A version that is to serve here, and what it is held against."""

    version: ModelVersion
    inputs: DeploymentInputs

    @property
    def title(self) -> str:
        """How messages name the version."""
        return f"ModelVersion '{self.version.metadata.name}'"


def is_rejected(version: ModelVersion) -> bool:
    """Tell whether a reviewer denied or revoked the version; both are final."""
    return version.status.is_true(VersionCondition.DENIED) or version.status.is_true(
        VersionCondition.REVOKED
    )


def is_approved(version: ModelVersion, inputs: DeploymentInputs) -> bool:
    """Tell whether the version is approved for this ModelDeployment now."""
    return is_approved_here(Proposal(version, inputs)) is None and not is_rejected(version)


def would_be_approved(version: ModelVersion, inputs: DeploymentInputs) -> bool:
    """Tell whether the version would be approved here now if it had not been rolled back."""
    proposal = Proposal(version, inputs)
    enough = needs(_asked(proposal), _counted(proposal, None).approvers).enough
    return enough and not is_rejected(version)


def is_not_denied(proposal: Proposal) -> Refusal | None:
    """A reviewer has not denied the version."""
    if proposal.version.status.is_true(VersionCondition.DENIED):
        return Refusal(
            DeploymentReason.DENIED,
            f"{proposal.title} was denied by a reviewer, which is final; ask for another version.",
        )
    return None


def is_not_revoked(proposal: Proposal) -> Refusal | None:
    """A reviewer has not revoked the version, and its signer's key has not ended."""
    if proposal.version.status.is_true(VersionCondition.REVOKED):
        return Refusal(
            DeploymentReason.REVOKED,
            f"{proposal.title} was revoked by a reviewer, which is final; ask for another version.",
        )
    return _signature_fell(proposal, VersionReason.SIGNER_EXPIRED, DeploymentReason.REVOKED)


def signer_is_not_revoked(proposal: Proposal) -> Refusal | None:
    """The key that signed the version was not revoked."""
    return _signature_fell(proposal, VersionReason.SIGNER_REVOKED, DeploymentReason.KEY_REVOKED)


def _signature_fell(
    proposal: Proposal, why: VersionReason, reason: DeploymentReason
) -> Refusal | None:
    signature = proposal.version.status.condition(VersionCondition.VERIFIED)
    if signature is None or signature.reason != why:
        return None
    return Refusal(reason, f"{proposal.title}: {signature.message}")


def approvers_are_not_revoked(proposal: Proposal) -> Refusal | None:
    """No approver's key was revoked without whose approval too few are left."""
    left = is_approved_here(proposal)
    if left is None:
        return None
    fallen = [
        record
        for record in proposal.version.status.approvals
        if fell_with_its_key(record) and is_for(record, proposal.inputs.name)
    ]
    # What serves is not asked for approvals of after a rollback.
    counted = _counted(proposal, None)
    approvers = {*counted.approvers, *(record.approver for record in fallen)}
    if needs(_asked(proposal), counted.approvers).enough:
        return None
    if not fallen or not needs(_asked(proposal), approvers).enough:
        return None
    return Refusal(
        DeploymentReason.KEY_REVOKED,
        f"{proposal.title} was approved with a key that was revoked since, by "
        f"{', '.join(sorted({record.approver for record in fallen}))}. {left.message}",
    )


def bytes_are_not_refuted(proposal: Proposal) -> Refusal | None:
    """Hashing every byte today has not found one that differs."""
    verification = _verification(proposal)
    if verification is None or verification.transient or verification.refusal is None:
        return None
    return Refusal(
        DeploymentReason.VERIFICATION_FAILED, f"{proposal.title}: {verification.refusal.message}"
    )


def has_a_label_of_its_own(proposal: Proposal) -> Refusal | None:
    """No other bytes that served here have its label: their Pods would be one workload."""
    status = proposal.inputs.deployment.status
    digest = proposal.version.spec.artifact.manifest_digest
    served = (status.active_digest, *(entry.manifest_digest for entry in status.history))
    label = names.manifest_label(digest)
    for other in served:
        if other and other != digest and names.manifest_label(other) == label:
            return Refusal(
                DeploymentReason.VERIFICATION_FAILED,
                f"{proposal.title}: expected a manifest digest whose first {len(label)} hex "
                f"digits, by which Pods and the Service are named, are its own, found those of "
                f"{other}, which served here. That is no chance; ask who made it, and train anew "
                f"with another seed.",
            )
    return None


def is_approved_here(proposal: Proposal) -> Refusal | None:
    """Enough reviewers have approved the version for this ModelDeployment."""
    version, known = proposal.version, proposal.inputs.rolled_back
    digest = version.spec.artifact.manifest_digest
    counted = _counted(proposal, last_of(version.status.rolled_back, known.get(digest)))
    found = needs(_asked(proposal), counted.approvers)
    if found.enough:
        return None
    return Refusal(
        DeploymentReason.AWAITING_APPROVAL,
        f"{proposal.title} has {found.sentence} for Deployment '{proposal.inputs.name}'; a "
        f"reviewer can approve it with 'kubectl hallmark approve "
        f"{proposal.version.metadata.name}'.{counted.sentence}",
    )


def _counted(proposal: Proposal, rolled_back: RolledBack | None) -> Counted:
    inputs, asked = proposal.inputs, _asked(proposal)
    return approvals_in_force(proposal.version, inputs.name, asked, inputs.now, rolled_back)


def _asked(proposal: Proposal) -> Approvals | None:
    policy = proposal.inputs.policy
    return policy.spec.approvals if policy else None


APPROVAL = (is_approved_here,)
"""May pass later, when a reviewer decides."""
REJECTIONS = (
    is_not_denied,
    is_not_revoked,
    signer_is_not_revoked,
    bytes_are_not_refuted,
    has_a_label_of_its_own,
)
"""Final: a version that fails one of them is never tried again for the same intent."""


WITHDRAWALS = (
    is_not_denied,
    is_not_revoked,
    signer_is_not_revoked,
    approvers_are_not_revoked,
)
"""What people decided: what fails one of them may not serve on, as the policy says."""


def rejection(version: ModelVersion, inputs: DeploymentInputs) -> Refusal | None:
    """Return why the version is refused for good by what is known now, or None."""
    return evaluate(REJECTIONS, Proposal(version, inputs))


def policy_applies(proposal: Proposal) -> Wait | None:
    """A ModelPolicy applies to the namespace."""
    if proposal.inputs.policy is not None:
        return None
    return Wait(
        DeploymentReason.POLICY_MISSING,
        "No ModelPolicy applies to this namespace, so nothing new runs; ask the platform "
        "engineer for a ModelPolicy named 'default', or label the namespace.",
        stalled=True,
    )


def bytes_were_hashed_just_now(proposal: Proposal) -> Need | Wait | None:
    """The operator itself has hashed every byte and checked the signature just now."""
    verification = _verification(proposal)
    if verification is None or proposal.inputs.now - verification.at > FRESH:
        return Need(proposal.version)
    if verification.refusal is None:
        return None
    return Wait(
        DeploymentReason.VERIFYING,
        f"{proposal.title} cannot be verified now: {verification.refusal.message}",
        again=RETRY_SECONDS,
    )


def version_says_so_itself(proposal: Proposal) -> Wait | None:
    """The version's own conditions, which may lag, do not hold it up."""
    for type_ in CONDITIONS:
        found = proposal.version.status.condition(type_)
        if found is None or found.status is ConditionStatus.UNKNOWN:
            return Wait(
                DeploymentReason.VERIFYING,
                f"{proposal.title} is being checked ({type_} is not known).",
            )
        if found.status is ConditionStatus.FALSE:
            return Wait(
                DeploymentReason.VERIFICATION_FAILED,
                f"{proposal.title} is not {type_} today: {found.message}",
                stalled=True,
            )
    return None


VERIFICATION = (policy_applies, bytes_were_hashed_just_now, version_says_so_itself)
"""May pass later: what fails one of them is waited for."""


def verified(version: ModelVersion, inputs: DeploymentInputs) -> Need | Wait | None:
    """Return what is missing before the version counts as verified, or None.

    It assumes that ``rejection`` found nothing.
    """
    proposal = Proposal(version, inputs)
    for check in VERIFICATION:
        missing = check(proposal)
        if missing is not None:
            return missing
    return None


def drift_can_be_watched(proposal: Proposal) -> Refusal | None:
    """Drift can be watched as the spec asks, by the signed baseline of the verified version.

    It is asked of what is to serve by the spec alone: a rollback's target is better than what it
    replaces, and where it has none of the named features all of its own are watched.
    """
    verification = _verification(proposal)
    if verification is None or verification.baseline is None:
        return None
    wrong = unwatchable(verification.baseline, proposal.inputs.deployment.spec.drift)
    return Refusal(DeploymentReason.INVALID_SPEC, f"{proposal.title}: {wrong}") if wrong else None


def _verification(proposal: Proposal) -> Verification | None:
    return proposal.inputs.verifications.get(proposal.version.spec.artifact.manifest_digest)
