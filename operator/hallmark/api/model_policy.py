"""ModelPolicy: what a platform engineer demands of every model; cluster-scoped."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import (
    ApiModel,
    ConditionedStatus,
    Resource,
    ShortText,
    Timestamp,
    UserName,
)
from hallmark.api.training_run import Gate, PIIAction


class TrustedKey(ApiModel):
    """A public key that is trusted for one purpose.

    ``keyId`` is the SHA-256 (hex) of the key's SubjectPublicKeyInfo in PEM, which is also the
    hint in an OpenSSF model signature.
    """

    key_id: Annotated[str, Field(pattern=r"^[a-f0-9]{64}$", max_length=64)]
    public_key: Annotated[str, Field(min_length=1, max_length=1024)]
    valid_from: Timestamp | None = None
    valid_until: Timestamp | None = None
    revoked_at: Timestamp | None = None
    """From this moment nothing that the key signed counts, whenever it was signed."""


class ApproverKey(TrustedKey):
    """The key with which one approver attests."""

    approver: UserName


class OnRevocation(StrEnum):
    """What a revocation of the active version does."""

    BLOCK = "Block"
    ROLLBACK = "Rollback"
    STOP = "Stop"


class OnNoTarget(StrEnum):
    """What happens where a rollback has no target."""

    HOLD = "Hold"
    STOP = "Stop"


class Approvals(ApiModel):
    """How a version is approved."""

    minimum: Annotated[int, Field(ge=1, le=8)] = 1
    on_revocation: OnRevocation = OnRevocation.ROLLBACK
    on_no_target: OnNoTarget = OnNoTarget.HOLD


class Dependencies(ApiModel):
    """What may be in a model's image."""

    denied: Annotated[list[ShortText], Field(max_length=256)] = Field(default_factory=list)
    """Names of Python packages, normalised (lower case, dashes)."""


class Store(ApiModel):
    """Where artifacts are kept."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az)://.+", max_length=512)]
    endpoint: Annotated[str, Field(pattern=r"^https?://.+", max_length=512)] | None = None
    region: Annotated[str, Field(max_length=64)] = "us-east-1"


class Sources(ApiModel):
    """Which URLs a dataset may come from."""

    allowed: Annotated[list[ShortText], Field(max_length=64)] = Field(default_factory=list)
    """URL prefixes, such as ``https://data.example.org/`` or ``s3://datasets/``."""
    allow_private_addresses: bool = False
    endpoint: Annotated[str, Field(pattern=r"^https?://.+", max_length=512)] | None = None
    """The S3 endpoint of ``s3://`` datasets, where it is not Amazon's."""


class Images(ApiModel):
    """The images that Jobs and predictors run."""

    trainer: Annotated[str, Field(min_length=1, max_length=512)]
    sealer: Annotated[str, Field(min_length=1, max_length=512)]
    predictor: Annotated[str, Field(min_length=1, max_length=512)]


class PolicyPII(ApiModel):
    """The weakest personal-data action that a run may choose."""

    allowed_actions: Annotated[list[PIIAction], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: [PIIAction.REFUSE, PIIAction.DROP, PIIAction.MASK]
    )


class ModelPolicySpec(ApiModel):
    """The demands. Objects in a namespace may only be stricter."""

    signers: Annotated[list[TrustedKey], Field(min_length=1, max_length=16)]
    approvers: Annotated[list[ApproverKey], Field(max_length=64)] = Field(default_factory=list)
    auditors: Annotated[list[TrustedKey], Field(max_length=16)] = Field(default_factory=list)
    approvals: Approvals = Field(default_factory=Approvals)
    gates: Annotated[list[Gate], Field(max_length=32)] = Field(default_factory=list)
    pii: PolicyPII = Field(default_factory=PolicyPII)
    dependencies: Dependencies = Field(default_factory=Dependencies)
    store: Store
    sources: Sources = Field(default_factory=Sources)
    images: Images


class PolicyReason(StrEnum):
    """Reasons in a ModelPolicy's conditions."""

    VALID = "Valid"
    """The policy can be used."""
    INVALID_KEY = "InvalidKey"
    """A public key cannot be read, or its id is not the digest of the key."""


class ModelPolicyStatus(ConditionedStatus):
    """Whether the policy can be used."""


class ModelPolicy(Resource):
    """What must hold for every model; written by the platform engineer."""

    kind: Literal["ModelPolicy"] = "ModelPolicy"
    spec: ModelPolicySpec
    status: ModelPolicyStatus = Field(default_factory=ModelPolicyStatus)
