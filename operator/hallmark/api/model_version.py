"""ModelVersion: the sealed result of a run. Only the operator creates it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hallmark.api.assessment import Assessment
from hallmark.api.common import (
    ApiModel,
    Clipped,
    Count,
    Digest,
    NamespacedResource,
    ObjectName,
    Ordinal,
    Timestamp,
    Uid,
    UserName,
)
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.rules import FROZEN, NAME, SET, cel, list_map
from hallmark.api.texts import parse_timestamp


class RunReference(ApiModel):
    """The run that a version came from."""

    name: ObjectName
    """The TrainingRun."""
    uid: Uid
    """Its ``metadata.uid``."""
    spec_digest: Digest
    """The digest of what it asked for."""


class Requester(ApiModel):
    """Who asked for the run; ``authenticated`` is false where a relay declared the name."""

    name: UserName
    """Who cannot approve this version."""
    authenticated: bool
    """Whether the API server vouches for the name."""
    relay: UserName | None = None
    """Who declared the name, as the API server authenticated him; cannot approve it either."""


class Artifact(ApiModel):
    """Where the sealed bundle is, and what it is."""

    uri: Annotated[str, Field(max_length=1024)]
    """The bundle's folder in the store."""
    manifest_digest: Digest
    """The digest of ``manifest.json``, which names the digest of every other file."""
    size: Count
    """Bytes of all files together."""


class ModelVersionSpec(ApiModel):
    """The sealed evidence; immutable."""

    model_config = ConfigDict(json_schema_extra=cel(FROZEN))

    model: ObjectName
    """The model's name."""
    version: Ordinal
    """Counts up within the model; numbers may be left out, never repeated."""
    training_run: RunReference
    requested_by: Requester
    artifact: Artifact
    dataset_fingerprint: Digest
    """The rows that it was trained on."""
    gate_report_digest: Digest
    """The digest of ``report.json``: quality, metrics, gates."""
    sbom_digest: Annotated[Digest, Field(alias="sbomDigest")]
    """The digest of the CycloneDX SBOM."""
    baseline_digest: Digest
    """The digest of ``baseline.json``, against which drift is measured."""
    bundle: Annotated[str, Field(min_length=1, max_length=16384)]
    """The Sigstore bundle (JSON text) of the OpenSSF model signature over the manifest's files."""


class ApprovalRecord(ApiModel):
    """What the operator decided about one ModelApproval, latched by its uid."""

    uid: Uid
    name: Annotated[str, Field(max_length=253)]
    decision: ReviewDecision
    approver: UserName
    accepted: bool
    withdrawn: bool = False
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Clipped(512)] = ""
    time: Timestamp
    not_after: Timestamp | None = None
    targets: Annotated[list[ObjectName], Field(max_length=16)] = Field(default_factory=list)
    attestation: Digest | None = None
    """The digest of what the approver signed; once withdrawn it never counts again."""
    key_id: Annotated[str, Field(max_length=64)] | None = None
    """The approver's key that signed it."""
    model_version: ObjectName | None = None
    """The ModelVersion that was decided on, where it is another one of the same bytes."""
    given: Timestamp | None = None
    """When the word was given: the object's making, or an earlier one of the same attestation."""
    assessment: Assessment | None = None
    """What was said of a vulnerability, where the decision is Assessed."""


class RolledBack(ApiModel):
    """The last time that some bytes had to give way in a ModelDeployment, whatever the cause."""

    time: Timestamp
    deployment: Annotated[str, Field(max_length=253)]
    """Where."""
    reason: Annotated[str, Field(max_length=64)]
    """Why, such as DriftRollback."""


class SBOMSummary(ApiModel):
    """The SBOM in short."""

    components: Count
    spec_version: Annotated[str, Clipped(256)]


class VersionCondition(StrEnum):
    """What holds of a ModelVersion, beside the summary."""

    VERIFIED = "Verified"
    """Its signature holds, by a key that the policy trusts."""
    SBOM_READY = "SBOMReady"
    """The sealed SBOM is stored."""
    POLICY_PASSED = "PolicyPassed"
    """It meets the policy of today."""
    APPROVED = "Approved"
    """Enough reviewers approved it, and nobody rejected it."""
    DENIED = "Denied"
    """A reviewer denied it. This is final."""
    REVOKED = "Revoked"
    """A reviewer revoked it. This is final."""


class ModelVersionStatus(ConditionedStatus):
    """Approvals, users and checks of today."""

    approvals: Annotated[
        list[ApprovalRecord], Field(max_length=64, json_schema_extra=list_map("uid"))
    ] = Field(default_factory=list)
    """The operator's verdict on each ModelApproval, kept when that is deleted."""
    used_by: Annotated[list[ObjectName], Field(max_length=64, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """ModelDeployments that serve this version or could roll back to it."""
    policy_digest: Digest | None = None
    """The ModelPolicy's content under which the conditions were found."""
    feed_digest: Digest | None = None
    """The snapshot of OSV by which they were found, where the policy asks for one."""
    vex_digest: Digest | None = None
    """The reviewers' words on vulnerabilities by which they were found, where the policy asks."""
    sbom: Annotated[SBOMSummary | None, Field(alias="sbom")] = None
    rolled_back: RolledBack | None = None
    """The last time that these bytes had to give way; approvals of before may not count since."""
    key_id: Annotated[str, Field(max_length=64)] | None = None


class ModelVersion(NamespacedResource):
    """The sealed result of a run, named like it."""

    model_config = ConfigDict(json_schema_extra=NAME)

    kind: Literal["ModelVersion"] = "ModelVersion"
    spec: ModelVersionSpec
    status: ModelVersionStatus = Field(default_factory=ModelVersionStatus)

    @property
    def made_at(self) -> datetime | None:
        """When the API server made it, right after the operator had verified the seal.

        Nobody else chooses that moment, so it is what a signer's validity is held against.
        """
        created = self.metadata.creation_timestamp
        return parse_timestamp(created) if created else None
