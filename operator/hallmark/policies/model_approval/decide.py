"""What a ModelApproval's own status says: what its ModelVersion's records say of it."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.model_approval import ApprovalReason, ModelApproval, ReviewDecision
from hallmark.api.model_version import ApprovalRecord
from hallmark.api.texts import parse_timestamp
from hallmark.policies.conditions import ready, stalled, waiting
from hallmark.policies.decision import Decision
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_version.records import MAX_RECORDS, final_word, who_decided


def decide_approval(inputs: ApprovalInputs) -> Decision:
    """Return whether the decision counts, as it was latched; the version's reconcile latches."""
    approval, version = inputs.approval, inputs.version
    if version is None:
        return Decision(
            conditions=waiting(
                ApprovalReason.VERSION_MISSING,
                f"There is no ModelVersion '{approval.spec.model_version.name}' (yet).",
            )
        )
    records = version.status.approvals
    record = next((found for found in records if found.uid == approval.metadata.uid), None)
    if record is None:
        return _not_looked_at(records)
    if not record.accepted:
        return Decision(conditions=stalled(record.reason, record.message))
    if record.not_after is None:
        return _accepted(approval, records)
    left = (parse_timestamp(record.not_after) - inputs.now).total_seconds()
    if left <= 0:
        message = f"The approval ended at {record.not_after}; create a new one."
        return Decision(conditions=stalled(ApprovalReason.EXPIRED, message))
    return _accepted(approval, records, requeue=left + 1)


def _not_looked_at(records: Sequence[ApprovalRecord]) -> Decision:
    if len(records) < MAX_RECORDS:
        return Decision()
    return Decision(
        conditions=stalled(
            ApprovalReason.TOO_MANY_DECISIONS,
            f"Expected at most {MAX_RECORDS} decisions on a ModelVersion, found more; delete "
            f"those that do not count.",
        )
    )


def _accepted(
    approval: ModelApproval, records: Sequence[ApprovalRecord], requeue: float | None = None
) -> Decision:
    message = f"{approval.spec.decision} by {approval.spec.approver}."
    final = final_word(records)
    if final is not None and approval.spec.decision is ReviewDecision.APPROVED:
        message += f" It changes nothing: {who_decided(final)}"
    return Decision(conditions=ready(ApprovalReason.ACCEPTED, message), requeue=requeue)
