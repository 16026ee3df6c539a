"""May this version serve here today? The same chain for a candidate and a rollback's target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hallmark.api.common import ConditionStatus
from hallmark.api.model_deployment import DeploymentReason
from hallmark.api.model_version import ApprovalRecord, ModelVersion, VersionReason
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, Verification, Wait
from hallmark.policies.model_version.approvals import counts
from hallmark.policies.refusals import Refusal, evaluate

FRESH = timedelta(seconds=10)
"""How old a verification of the bytes may be when traffic moves because of it."""
CONDITIONS = ("Verified", "PolicyPassed")
"""What a ModelVersion must say of itself."""
RETRY_SECONDS = 5.0
"""When the store or the version's own checks are looked at again."""


@dataclass(frozen=True)
class Examination:
    """One version, and what it is held against."""

    version: ModelVersion
    inputs: DeploymentInputs

    @property
    def called(self) -> str:
        """How messages name the version."""
        return f"ModelVersion '{self.version.metadata.name}'"


def is_rejected(version: ModelVersion) -> bool:
    """Tell whether a reviewer denied or revoked the version; both are final."""
    return version.status.is_true("Denied") or version.status.is_true("Revoked")


def approvals_in_force(
    version: ModelVersion, deployment: str, now: datetime
) -> tuple[ApprovalRecord, ...]:
    """Return the approvals that count for a ModelDeployment now, one for each approver."""
    counting: dict[str, ApprovalRecord] = {}
    for each in version.status.approvals:
        if counts(each, now) and (not each.targets or deployment in each.targets):
            counting.setdefault(each.approver, each)
    return tuple(counting.values())


def is_approved(version: ModelVersion, inputs: DeploymentInputs) -> bool:
    """Tell whether the version is approved for this ModelDeployment now."""
    return not_approved(Examination(version, inputs)) is None and not is_rejected(version)


def denied(asked: Examination) -> Refusal | None:
    """A reviewer has not denied the version."""
    if asked.version.status.is_true("Denied"):
        return Refusal(
            DeploymentReason.DENIED,
            f"{asked.called} was denied by a reviewer, which is final; ask for another version.",
        )
    return None


def revoked(asked: Examination) -> Refusal | None:
    """A reviewer has not revoked the version, and its signer's key was not revoked."""
    if asked.version.status.is_true("Revoked"):
        return Refusal(
            DeploymentReason.REVOKED,
            f"{asked.called} was revoked by a reviewer, which is final; ask for another version.",
        )
    signature = asked.version.status.condition("Verified")
    if signature is not None and signature.reason == VersionReason.SIGNER_REVOKED:
        return Refusal(DeploymentReason.REVOKED, f"{asked.called}: {signature.message}")
    return None


def bytes_refuted(asked: Examination) -> Refusal | None:
    """Hashing every byte today has not found one that differs."""
    verification = _verification(asked)
    if verification is None or verification.transient or verification.refusal is None:
        return None
    return Refusal(
        DeploymentReason.VERIFICATION_FAILED, f"{asked.called}: {verification.refusal.message}"
    )


def not_approved(asked: Examination) -> Refusal | None:
    """Enough reviewers have approved the version for this ModelDeployment."""
    policy = asked.inputs.policy
    minimum = policy.spec.approvals.minimum if policy else 1
    counting = approvals_in_force(asked.version, asked.inputs.name, asked.inputs.now)
    if len(counting) >= minimum:
        return None
    return Refusal(
        DeploymentReason.AWAITING_APPROVAL,
        f"{asked.called} has {len(counting)} of {minimum} approvals for Deployment "
        f"'{asked.inputs.name}'; a reviewer can approve it with "
        f"'kubectl hallmark approve {asked.version.metadata.name}'.",
    )


REJECTIONS = (denied, revoked, bytes_refuted)
"""Final: a version that fails one of them is never tried again for the same intent."""


def rejection(version: ModelVersion, inputs: DeploymentInputs) -> Refusal | None:
    """Return why the version is refused for good by what is known now, or None."""
    return evaluate(REJECTIONS, Examination(version, inputs))


def verified(version: ModelVersion, inputs: DeploymentInputs) -> Need | Wait | None:
    """Return what is missing before the version counts as verified, or None.

    The operator's own look at every byte decides. The version's conditions, which may lag, can
    only hold it up. It assumes that ``rejection`` found nothing.
    """
    asked = Examination(version, inputs)
    if inputs.policy is None:
        return Wait(
            DeploymentReason.POLICY_MISSING,
            "No ModelPolicy applies to this namespace, so nothing new runs; ask the platform "
            "engineer for a ModelPolicy named 'default', or label the namespace.",
            stalled=True,
        )
    verification = _verification(asked)
    if verification is None or inputs.now - verification.at > FRESH:
        return Need(version)
    if verification.refusal is not None:
        return Wait(
            DeploymentReason.VERIFYING,
            f"{asked.called} cannot be verified now: {verification.refusal.message}",
            again=RETRY_SECONDS,
        )
    return next(filter(None, (_held_up_by(asked, each) for each in CONDITIONS)), None)


def _held_up_by(asked: Examination, type_: str) -> Wait | None:
    """Return why one of the version's own conditions holds it up, or None."""
    found = asked.version.status.condition(type_)
    if found is None or found.status is ConditionStatus.UNKNOWN:
        return Wait(
            DeploymentReason.VERIFYING, f"{asked.called} is being checked ({type_} is not known)."
        )
    if found.status is ConditionStatus.TRUE:
        return None
    return Wait(
        DeploymentReason.VERIFICATION_FAILED,
        f"{asked.called} is not {type_} today: {found.message}",
        stalled=True,
    )


def _verification(asked: Examination) -> Verification | None:
    return asked.inputs.verifications.get(asked.version.spec.artifact.manifest_digest)
