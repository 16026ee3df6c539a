"""What is recorded of an object that is gone: which one, its content, and how that was seen. Pure.

Who deleted it the API server does not store; its own audit log knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.audit.events import LOG_KIND, AuditEvent, AuditOutcome, LogReason
from hallmark.audit.memory import Known
from hallmark.audit.record import Record

Recorded = TrainingRun | ModelVersion | ModelApproval | ModelDeployment
"""What records are about, and may be deleted."""


class DeletionReason(StrEnum):
    """How the operator learned that an object is gone."""

    DELETED = "Deleted"
    """It saw the object go."""
    FOUND_GONE = "FoundGone"
    """It was not there any more when the operator looked after an absence."""
    LEFT_OUT = "LeftOut"
    """A chain without a cluster keeps its newest runs alone."""


def deletion_record(
    gone: Known, reason: DeletionReason, last: Recorded | None = None, seen: str = ""
) -> Record:
    """Return the record that an object is gone; one for each uid, however often it is noticed.

    Args:
        gone: which object.
        reason: how that is known.
        last: the object as it was last seen, where it was.
        seen: when it was seen to be gone (RFC 3339), where that was a moment.
    """
    title = f"{gone.kind} '{gone.name}'"
    message = {
        DeletionReason.DELETED: f"{title} was deleted.",
        DeletionReason.FOUND_GONE: (
            f"{title} was not there any more when the operator looked, which had not seen it go."
        ),
        DeletionReason.LEFT_OUT: f"{title} is not kept any longer.",
    }[reason]
    return Record(
        decision_id=f"delete:{gone.kind}:{gone.uid}",
        event=AuditEvent.DELETE,
        kind=gone.kind,
        namespace=gone.namespace,
        name=gone.name,
        uid=gone.uid,
        outcome=AuditOutcome.DELETED,
        reason=reason,
        message=message,
        actor="unknown",
        details={
            "lastRecord": str(gone.seq),
            **({"seen": seen} if seen else {}),
            **(_content(last) if last is not None else {}),
        },
    )


def deletions_are_recorded() -> Record:
    """Return the record from which on whatever is gone is on record."""
    return Record(
        decision_id="deletions-recorded",
        event=AuditEvent.DELETE,
        kind=LOG_KIND,
        namespace="",
        name=LOG_KIND,
        uid="",
        outcome=AuditOutcome.DONE,
        reason=LogReason.DELETIONS_RECORDED,
        message="Whatever records are about is there, or a record says that it was deleted.",
    )


def _content(last: Recorded) -> Mapping[str, str]:
    """Return digests of what is gone, as other records name them."""
    asked = last.metadata.deletion_timestamp
    told = {"deletionTimestamp": asked} if asked else {}
    match last:
        case TrainingRun():
            return {**told, "model": last.spec.model, "specDigest": last.spec.content_digest()}
        case ModelVersion():
            digest = last.spec.artifact.manifest_digest
            named = {"manifestDigest": digest, "versionDigest": last.spec.content_digest()}
            return {**told, "model": last.spec.model, **named}
        case ModelApproval():
            return {
                **told,
                "decision": last.spec.decision,
                "approver": last.spec.approver,
                "manifestDigest": last.spec.manifest_digest,
                "approvalDigest": last.spec.content_digest(),
            }
        case ModelDeployment():
            status = last.status
            served = {"modelVersion": status.active_model_version or ""}
            return {**told, **served, "manifestDigest": status.active_digest or ""}
