"""What holds of a ModelVersion today: signature, SBOM, policy, and reviewers' decisions."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.common import ConditionStatus
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_version import ApprovalRecord, VersionCondition, VersionReason
from hallmark.policies.conditions import (
    ConditionUpdate,
    fails,
    holds,
    ready,
    stalled,
    unknown,
    waiting,
)
from hallmark.policies.decision import Decision
from hallmark.policies.model_version.approvals import counts, first_end, is_final, next_records
from hallmark.policies.model_version.audit import approval_records, verify_records
from hallmark.policies.model_version.checks import check_evidence, no_policy
from hallmark.policies.model_version.inputs import Evidence, VersionInputs

_C = VersionCondition


def decide_version(inputs: VersionInputs) -> Decision:
    """Return what holds of a version today."""
    version = inputs.version
    if version.metadata.deletion_timestamp:
        return Decision()
    evidence = inputs.known or check_evidence(inputs)
    records = _records(inputs)
    status = version.status.replace(
        approvals=list(records),
        used_by=sorted(inputs.used_by)[:64],
        sbom=evidence.sbom,
        key_id=evidence.key_id or version.status.key_id,
        policy_digest=inputs.policy.spec.digest if inputs.policy else None,
    )
    checks = _checks(evidence)
    moments = [
        moment
        for moment in (first_end(records, inputs.now), inputs.believed_until)
        if moment is not None and moment > inputs.now
    ]
    return Decision(
        conditions=(*checks, *_decisions(inputs, records), *_overall(checks, records)),
        status=status,
        records=(*verify_records(inputs, checks[0]), *approval_records(inputs, records)),
        requeue=(min(moments) - inputs.now).total_seconds() + 1 if moments else None,
    )


def _records(inputs: VersionInputs) -> tuple[ApprovalRecord, ...]:
    if inputs.policy is None:
        # Nothing can be decided without the policy's keys; what was latched stays.
        return tuple(inputs.version.status.approvals)
    return next_records(
        inputs.version,
        inputs.approvals,
        inputs.policy.spec.approvers,
        inputs.vouched_since,
        inputs.now,
    )


def _checks(evidence: Evidence) -> tuple[ConditionUpdate, ConditionUpdate, ConditionUpdate]:
    """Return Verified, SBOMReady and PolicyPassed."""
    refusal, policy = evidence.refusal, evidence.policy
    if refusal is not None:
        missing = refusal.reason == VersionReason.POLICY_MISSING
        claim = unknown if missing else fails
        reason = VersionReason.POLICY_MISSING if missing else VersionReason.PENDING
        return (
            claim(_C.VERIFIED, refusal.reason, refusal.message),
            unknown(_C.SBOM_READY, reason, "The signature does not hold."),
            unknown(_C.POLICY_PASSED, reason, "The signature does not hold."),
        )
    return (
        holds(_C.VERIFIED, VersionReason.SIGNATURE_VALID, f"Signed by the key {evidence.key_id}."),
        holds(_C.SBOM_READY, VersionReason.SBOM_RECORDED)
        if evidence.sbom
        else fails(
            _C.SBOM_READY, VersionReason.PENDING, "The sealed SBOM was not found in the store."
        ),
        fails(_C.POLICY_PASSED, policy.reason, policy.message)
        if policy
        else holds(_C.POLICY_PASSED, VersionReason.POLICY_PASSED),
    )


def _decisions(
    inputs: VersionInputs, records: Sequence[ApprovalRecord]
) -> tuple[ConditionUpdate, ...]:
    """Return Approved, Denied and Revoked."""
    denied = _final(records, ReviewDecision.DENIED)
    revoked = _final(records, ReviewDecision.REVOKED)
    return (
        _approved(inputs, records, revoked or denied),
        holds(_C.DENIED, VersionReason.DENIED, _who(denied))
        if denied
        else fails(_C.DENIED, VersionReason.NOT_DENIED),
        holds(_C.REVOKED, VersionReason.REVOKED, _who(revoked))
        if revoked
        else fails(_C.REVOKED, VersionReason.NOT_REVOKED),
    )


def _approved(
    inputs: VersionInputs, records: Sequence[ApprovalRecord], final: ApprovalRecord | None
) -> ConditionUpdate:
    if final is not None:
        return fails(_C.APPROVED, VersionReason(final.decision), _who(final))
    if inputs.policy is None:
        return fails(_C.APPROVED, VersionReason.POLICY_MISSING, no_policy(inputs))
    approvers = sorted({record.approver for record in records if counts(record, inputs.now)})
    minimum = inputs.policy.spec.approvals.minimum
    if len(approvers) >= minimum:
        return holds(_C.APPROVED, VersionReason.APPROVED, f"Approved by {', '.join(approvers)}.")
    return fails(
        _C.APPROVED,
        VersionReason.AWAITING_APPROVAL,
        f"{len(approvers)} of {minimum} approvals; a reviewer creates a ModelApproval with this "
        f"version's uid and digests.",
    )


def _overall(
    checks: Sequence[ConditionUpdate], records: Sequence[ApprovalRecord]
) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple: Ready means sealed, verified and not rejected."""
    final = _final(records, ReviewDecision.REVOKED) or _final(records, ReviewDecision.DENIED)
    if final is not None:
        return stalled(VersionReason(final.decision), _who(final))
    pending = None
    for check in checks:
        if check.reason == VersionReason.POLICY_MISSING:
            return stalled(VersionReason.POLICY_MISSING, check.message)
        if check.status is ConditionStatus.FALSE and check.reason != VersionReason.PENDING:
            return stalled(VersionReason.REFUSED, check.message)
        if check.reason == VersionReason.PENDING:
            pending = check
    if pending is not None:
        return waiting(VersionReason.PENDING, pending.message)
    return ready(VersionReason.SEALED, "Verified; usable where it is approved.")


def _final(records: Sequence[ApprovalRecord], decision: ReviewDecision) -> ApprovalRecord | None:
    return next(
        (record for record in records if is_final(record) and record.decision is decision), None
    )


def _who(record: ApprovalRecord | None) -> str:
    if record is None:
        return ""
    return f"{record.decision} by {record.approver} (ModelApproval '{record.name}'); this is final."
