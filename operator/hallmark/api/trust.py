"""Whom a predictor trusts: the policy's keys and groups of reviewers, and ``trust.json``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hallmark.api.common import ApiModel, Digest, FileModel, ObjectName, Timestamp, Uid, UserName
from hallmark.api.drift import Drift
from hallmark.api.rules import SET, cel, rule

KeyId = Annotated[str, Field(pattern=r"^[a-f0-9]{64}$", max_length=64)]


class TrustedKey(ApiModel):
    """A public key that is trusted for one purpose.

    ``keyId`` is the SHA-256 (hex) of the key's SubjectPublicKeyInfo in PEM, which is also the
    hint in an OpenSSF model signature.
    """

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.validFrom) || !has(self.validUntil) || self.validFrom < self.validUntil",
                "'validFrom' must be before 'validUntil'.",
                field="validFrom",
            )
        )
    )

    key_id: KeyId
    """SHA-256 (hex) of the public key in PEM."""
    public_key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            json_schema_extra=cel(
                rule(
                    "self.startsWith('-----BEGIN PUBLIC KEY-----') && !self.contains('PRIVATE')",
                    "Give the public key in PEM ('-----BEGIN PUBLIC KEY-----'), and no private "
                    "key.",
                )
            ),
        ),
    ]
    """The public key (ECDSA P-256) in PEM."""
    valid_from: Timestamp | None = None
    """From when on the key may sign."""
    valid_until: Timestamp | None = None
    """Until when the key may sign. What was accepted before that goes on counting."""
    revoked_at: Timestamp | None = None
    """From this moment nothing that the key signed counts, whenever it was signed. Leave a key
    that was stolen in the list with this moment: one that is only taken out starts nothing new,
    and what serves goes on."""


class ReviewerGroup(ApiModel):
    """People who look at one kind of risk, some of whom must approve.

    Who is a member is the policy's word: nobody says of himself what he stands for. A member of
    several groups stands for one of them alone.
    """

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.minimum) || self.minimum <= self.members.size()",
                "A group must have at least as many members as must approve.",
                field="minimum",
            )
        )
    )

    name: ObjectName
    members: Annotated[list[UserName], Field(min_length=1, max_length=64, json_schema_extra=SET)]
    """Their names, as the API server authenticates them."""
    minimum: Annotated[int, Field(ge=1, le=8)] = 1
    """How many of them must approve."""


class TrustApproval(FileModel):
    """An accepted approval, as the predictor checks it again."""

    uid: Uid
    approver: UserName
    manifest_digest: Digest
    sbom_digest: Annotated[Digest, Field(alias="sbomDigest")]
    gate_report_digest: Digest
    model_version_uid: Uid
    not_after: Timestamp | None = None


class Trust(FileModel):
    """``trust.json``: all that a predictor trusts, in an immutable ConfigMap named by its hash."""

    schema_version: Literal["hallmark.dev/trust/v1"] = "hallmark.dev/trust/v1"
    namespace: str
    deployment: ObjectName
    model_version: ObjectName
    model_version_uid: Uid
    version: int
    sealed_at: Timestamp | None = None
    """When the ModelVersion was made, at which the signer's key must have been valid."""
    manifest: str
    """The text of ``manifest.json``, byte for byte."""
    manifest_digest: Digest
    bundle: str
    """The text of ``model.sigstore.json``."""
    keys: list[TrustedKey]
    approvals: list[TrustApproval]
    minimum_approvals: int
    groups: list[ReviewerGroup] = Field(default_factory=list)
    """From which groups of people the approvals must come."""
    policy_digest: Digest
    drift: Drift
