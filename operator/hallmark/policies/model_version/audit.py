"""What is recorded in the audit log of a reconcile: transitions only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hallmark.api.conditions import ConditionStatus
from hallmark.api.model_approval import ApprovalReason, ReviewDecision
from hallmark.api.model_version import ApprovalRecord, VersionCondition
from hallmark.api.names import OPERATOR_NAME
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.memory import DECIDED_AT
from hallmark.audit.record import Record
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.model_version.inputs import VersionInputs

GIVEN = "given"
"""The detail that says when a word was given."""
_EVENTS = {
    ReviewDecision.APPROVED: AuditEvent.APPROVE,
    ReviewDecision.DENIED: AuditEvent.DENY,
    ReviewDecision.REVOKED: AuditEvent.REVOKE,
    ReviewDecision.ASSESSED: AuditEvent.ASSESS,
}


def verify_records(inputs: VersionInputs, verified: ConditionUpdate) -> Iterator[Record]:
    """Return that Verified has changed; nothing where it stayed as it was, or is not known."""
    before = inputs.version.status.condition(VersionCondition.VERIFIED)
    if verified.status is ConditionStatus.UNKNOWN or (
        before is not None and before.status is verified.status
    ):
        return
    since = before.last_transition_time if before else ""
    holds = verified.status is ConditionStatus.TRUE
    outcome = AuditOutcome.VERIFIED if holds else AuditOutcome.REFUSED
    yield _record(
        inputs,
        f"verify:{inputs.version.metadata.uid}:{outcome}:{since}",
        AuditEvent.VERIFY,
        outcome,
        verified.reason,
        message=verified.message,
    )


def approval_records(inputs: VersionInputs, records: Sequence[ApprovalRecord]) -> Iterator[Record]:
    """Return each reviewer's decision that is new, withdrawn or fallen."""
    before = {record.uid: record for record in inputs.version.status.approvals}
    for record in records:
        old = before.get(record.uid)
        if old is None or old.accepted != record.accepted:
            yield _decided(inputs, record)
        if record.withdrawn and not (old and old.withdrawn) and record.model_version is None:
            yield _record(
                inputs,
                f"withdraw:{record.uid}",
                AuditEvent.WITHDRAW,
                AuditOutcome.WITHDRAWN,
                ApprovalReason.WITHDRAWN,
                approval=record,
            )


def _decided(inputs: VersionInputs, record: ApprovalRecord) -> Record:
    event = _EVENTS[record.decision]
    outcome = AuditOutcome.ACCEPTED if record.accepted else AuditOutcome.REFUSED
    # A twin records the same decision, each of the versions for itself.
    twin = f":{inputs.version.metadata.uid}" if record.model_version else ""
    return _record(
        inputs,
        f"{event}:{record.uid}:{outcome}{twin}",
        event,
        outcome,
        record.reason,
        actor=record.approver,
        message=record.message,
        approval=record,
    )


def _record(
    inputs: VersionInputs,
    decision_id: str,
    event: AuditEvent,
    outcome: AuditOutcome,
    reason: str,
    *,
    actor: str = OPERATOR_NAME,
    message: str = "",
    approval: ApprovalRecord | None = None,
) -> Record:
    metadata, spec = inputs.version.metadata, inputs.version.spec
    by_whom = {"approvalUid": approval.uid, "approval": approval.name} if approval else {}
    decided = next(
        (found for found in inputs.approvals if approval and found.metadata.uid == approval.uid),
        None,
    )
    asked = {"approvalDigest": decided.spec.content_digest()} if decided else {}
    if approval and approval.given:
        asked[GIVEN] = approval.given
        asked[DECIDED_AT] = approval.time
    if decided and decided.spec.shown_digest:
        asked["shownDigest"] = decided.spec.shown_digest
    policy = inputs.policy
    under = {"policy": policy.metadata.name, "policyDigest": policy.spec.digest} if policy else {}
    return Record(
        decision_id=decision_id,
        event=event,
        kind="ModelVersion",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=outcome,
        reason=reason,
        message=message,
        actor=actor,
        details={
            "model": spec.model,
            "manifestDigest": spec.artifact.manifest_digest,
            "versionDigest": spec.content_digest(),
            **under,
            **by_whom,
            **asked,
        },
    )
