"""ModelApproval: an immutable decision of a reviewer on one ModelVersion and its digests."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import (
    ApiModel,
    ConditionedStatus,
    Digest,
    ObjectName,
    Resource,
    Timestamp,
    Uid,
    UserName,
)


class Decision(StrEnum):
    """What the reviewer decided."""

    APPROVED = "Approved"
    DENIED = "Denied"
    REVOKED = "Revoked"


class ModelVersionReference(ApiModel):
    """One ModelVersion, not another of the same name."""

    name: ObjectName
    uid: Uid


class ModelApprovalSpec(ApiModel):
    """The decision and exactly what it is about; immutable."""

    model_version: ModelVersionReference
    manifest_digest: Digest
    sbom_digest: Annotated[Digest, Field(alias="sbomDigest")]
    gate_report_digest: Digest
    decision: Decision
    approver: UserName
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    targets: Annotated[list[ObjectName], Field(max_length=16)] = Field(default_factory=list)
    """ModelDeployments that may serve it; empty: all in the namespace."""
    not_after: Timestamp | None = None
    attestation: Annotated[str, Field(max_length=8192)] | None = None
    """A DSSE envelope (JSON text) by the approver's key; needed where a relay applies it."""


class ApprovalReason(StrEnum):
    """Reasons in a ModelApproval's conditions and in ``ModelVersion.status.approvals``."""

    ACCEPTED = "Accepted"
    """The decision counts."""
    VERSION_MISSING = "VersionMissing"
    """There is no ModelVersion of that name (yet)."""
    UID_MISMATCH = "UidMismatch"
    """The ModelVersion of that name is another object than the one approved."""
    DIGEST_MISMATCH = "DigestMismatch"
    """A digest is not the ModelVersion's."""
    SELF_APPROVAL = "SelfApproval"
    """The approver is who asked for the run."""
    DUPLICATE_APPROVER = "DuplicateApprover"
    """An earlier approval of the same person already counts."""
    EXPIRED = "Expired"
    """The approval's end has passed."""
    WITHDRAWN = "Withdrawn"
    """The object was deleted."""
    ADMISSION_POLICY_MISSING = "AdmissionPolicyMissing"
    """The identity policy was not in force, so nobody vouches for the approver's name."""
    ATTESTATION_INVALID = "AttestationInvalid"
    """The attestation does not verify with a key of that approver."""


class ModelApprovalStatus(ConditionedStatus):
    """Whether the decision counts."""


class ModelApproval(Resource):
    """An immutable decision on one ModelVersion and its digests."""

    kind: Literal["ModelApproval"] = "ModelApproval"
    spec: ModelApprovalSpec
    status: ModelApprovalStatus = Field(default_factory=ModelApprovalStatus)
