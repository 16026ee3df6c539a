"""ModelApproval: an immutable decision of a reviewer on one ModelVersion and its digests."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hallmark.api.assessment import Assessment
from hallmark.api.common import (
    ApiModel,
    Digest,
    NamespacedResource,
    ObjectName,
    Timestamp,
    Uid,
    UserName,
)
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.rules import FROZEN, SET, cel, rule


class ReviewDecision(StrEnum):
    """The reviewer's decision."""

    APPROVED = "Approved"
    DENIED = "Denied"
    REVOKED = "Revoked"
    ASSESSED = "Assessed"
    """One vulnerability was looked at; this says nothing for or against the version."""

    @property
    def is_final(self) -> bool:
        """Whether it holds for the bytes for good."""
        return self in {ReviewDecision.DENIED, ReviewDecision.REVOKED}


class ModelVersionReference(ApiModel):
    """One ModelVersion, not another of the same name."""

    name: ObjectName
    """The ModelVersion."""
    uid: Uid
    """Its ``metadata.uid``: an object that is created again under the name is another one."""


class ModelApprovalSpec(ApiModel):
    """The decision and exactly what it is about; immutable."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "self.decision in ['Approved', 'Assessed'] || !has(self.notAfter)",
                "Approvals and assessments end; leave 'notAfter' out of a denial or revocation.",
                field="notAfter",
            ),
            rule(
                "self.decision == 'Approved' || !has(self.targets) || self.targets.size() == 0",
                "Whatever is no approval holds everywhere; leave 'targets' out.",
                field="targets",
            ),
            rule(
                "(self.decision == 'Assessed') == has(self.assessment)",
                "What is Assessed has an 'assessment' of one vulnerability, and nothing else has.",
                field="assessment",
            ),
            rule(
                "self.decision != 'Assessed' || has(self.attestation)",
                "What is Assessed is signed by its approver: make it with 'hallmark vex'.",
                field="attestation",
            ),
            FROZEN,
        )
    )

    model_version: ModelVersionReference
    manifest_digest: Digest
    """The ModelVersion's ``artifact.manifestDigest``."""
    sbom_digest: Annotated[Digest, Field(alias="sbomDigest")]
    """The ModelVersion's ``sbomDigest``."""
    gate_report_digest: Digest
    """The ModelVersion's ``gateReportDigest``."""
    shown_digest: Digest | None = None
    """The digest of what the approver was shown: the version's evidence, and that of the version
    which served then. If something else serves by the time the decision is heard, an approval
    counts for nothing. ``hallmark review`` and the review page say it."""
    decision: ReviewDecision
    """What was decided. Denied and Revoked are final. Assessed is about one vulnerability."""
    assessment: Assessment | None = None
    """What is said of a vulnerability, where that is what was decided."""
    approver: UserName
    """Who decides: the user who creates the object."""
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            json_schema_extra=cel(
                rule("self.trim().size() > 0", "Give a reason that a reader can understand.")
            ),
        ),
    ]
    """Why, for whoever reads the audit log."""
    targets: Annotated[list[ObjectName], Field(max_length=16, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """ModelDeployments that may serve it; empty: all in the namespace."""
    not_after: Timestamp | None = None
    """When it ends: from then on nothing is promoted or rolled back to on it."""
    attestation: Annotated[str, Field(max_length=16384)] | None = None
    """A DSSE envelope (JSON text) by the approver's key; needed where a relay applies it, and for
    an assessment."""


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
    SHOWN_OTHERWISE = "ShownOtherwise"
    """What the approver was shown is not what is shown of the version now."""
    SHOWN_MISSING = "ShownMissing"
    """The policy demands ``shownDigest``, and there is none."""
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
    ATTESTATION_WITHDRAWN = "AttestationWithdrawn"
    """The approval with this attestation was deleted; it does not count a second time."""
    ASSESSMENT_INCOMPLETE = "AssessmentIncomplete"
    """The assessment names no vulnerability, no reason, or is not signed."""
    KEY_REVOKED = "KeyRevoked"
    """The approver's key that made the attestation was revoked."""
    TOO_MANY_DECISIONS = "TooManyDecisions"
    """The ModelVersion holds as many decisions as it can; this one was not looked at."""


class ModelApprovalStatus(ConditionedStatus):
    """Whether the decision counts."""


class ModelApproval(NamespacedResource):
    """An immutable decision on one ModelVersion and its digests."""

    kind: Literal["ModelApproval"] = "ModelApproval"
    spec: ModelApprovalSpec
    status: ModelApprovalStatus = Field(default_factory=ModelApprovalStatus)
