"""Bytes that must not serve any longer: whether, why and by when. A revocation always wins.

Asked before anything else is, and of what is in memory: it needs no store, and nothing that the
object's author writes decides about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeploymentStatus, Rollout
from hallmark.api.model_policy import Approvals, OnNoTarget, OnRevocation
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.checks import Proposal
from hallmark.policies.model_deployment.inputs import DeploymentInputs, View
from hallmark.refusal import Refusal

STRICTNESS = (OnRevocation.BLOCK, OnRevocation.ROLLBACK, OnRevocation.STOP)
"""Where several reasons hold, the strictest of what follows from them counts."""


def approvals_of(inputs: DeploymentInputs) -> Approvals:
    """Return what the policy says of approvals; a policy that is gone lets nothing serve on."""
    return inputs.policy.spec.approvals if inputs.policy else Approvals()


def withdrawal(version: ModelVersion, inputs: DeploymentInputs) -> Refusal | None:
    """Return why the version must not serve any longer, or None where it may.

    None also where the policy says that a withdrawal only blocks what is new.
    """
    found = (check(Proposal(version, inputs)) for check in checks.WITHDRAWALS)
    refusal = _strictest(found, inputs)
    return None if refusal is None or mode_of(refusal, inputs) is OnRevocation.BLOCK else refusal


def _strictest(found: Iterable[Refusal | None], inputs: DeploymentInputs) -> Refusal | None:
    refusals = [refusal for refusal in found if refusal is not None]
    return max(refusals, key=lambda found: STRICTNESS.index(mode_of(found, inputs)), default=None)


def mode_of(refusal: Refusal, inputs: DeploymentInputs) -> OnRevocation:
    """Return what the policy says is to be done with bytes that were withdrawn for that reason."""
    by_key = refusal.reason == DeploymentReason.KEY_REVOKED
    approvals = approvals_of(inputs)
    return approvals.on_key_revocation if by_key else approvals.on_revocation


def must_give_way(view: View) -> Refusal | None:
    """Return why what serves must give way, or None; whichever version has its bytes tells."""
    digest = view.status.active_digest
    return withdrawn(digest, view.inputs) if digest else None


def must_stop(view: View) -> bool:
    """Tell whether what serves must stop at once, whatever could serve instead."""
    refusal = must_give_way(view)
    if refusal is None:
        return False
    return view.ending or mode_of(refusal, view.inputs) is OnRevocation.STOP


def withdrawn(digest: str, inputs: DeploymentInputs) -> Refusal | None:
    """Return why bytes must not serve any longer, or None where they may."""
    found = (
        withdrawal(version, inputs)
        for version in inputs.versions
        if version.spec.artifact.manifest_digest == digest
    )
    return _strictest(found, inputs)


def withdrawn_labels(inputs: DeploymentInputs) -> set[str]:
    """Return the manifest labels of workloads whose bytes must not serve any longer."""
    return {
        label
        for version in inputs.versions
        if (label := names.manifest_label(version.spec.artifact.manifest_digest))
        in inputs.workloads
        and withdrawal(version, inputs) is not None
    }


def noted(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> Rollout | None:
    """Return the rollout that says since when what serves must give way."""
    rollout = status.rollout
    if must_give_way(View(inputs, status)) is None:
        return rollout and rollout.replace(withdrawn_since=None)
    rollout = rollout or Rollout()
    since = rollout.withdrawn_since or inputs.withdrawn_since or timestamp(inputs.now)
    return rollout.replace(withdrawn_since=since)


def deadline(view: View) -> datetime:
    """Return until when what serves may serve on, while another version takes over."""
    return view.until(view.rollout.withdrawn_since, approvals_of(view.inputs).revocation_deadline)


def ends_without_target(view: View) -> bool:
    """Tell whether what was withdrawn stops where nothing takes over in time."""
    return approvals_of(view.inputs).on_revocation_without_target is OnNoTarget.STOP
