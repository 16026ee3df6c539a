"""ModelPolicy: what a platform engineer demands of every model; cluster-scoped."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hallmark.api.common import (
    ApiModel,
    ConditionedStatus,
    Resource,
    ShortText,
    Timestamp,
    UserName,
    canonical_json,
    sha256_digest,
)
from hallmark.api.rules import NAME, SET, cel, list_map, rule
from hallmark.api.training_run import Gates, PIIAction, PIIDetector


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

    key_id: Annotated[str, Field(pattern=r"^[a-f0-9]{64}$", max_length=64)]
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
    """Until when the key may sign."""
    revoked_at: Timestamp | None = None
    """From this moment nothing that the key signed counts, whenever it was signed."""


class ApproverKey(TrustedKey):
    """The key with which one approver attests."""

    approver: UserName
    """Whose key it is, as the API server authenticates him."""


class OnRevocation(StrEnum):
    """The effect of a revocation of the active version."""

    BLOCK = "Block"
    ROLLBACK = "Rollback"
    STOP = "Stop"


class OnNoTarget(StrEnum):
    """The effect of a rollback that has no target."""

    HOLD = "Hold"
    STOP = "Stop"


class Approvals(ApiModel):
    """The approvals that a version needs."""

    minimum: Annotated[int, Field(ge=1, le=8)] = 1
    """How many different people must approve."""
    on_revocation: OnRevocation = OnRevocation.ROLLBACK
    """What a revocation of the active version does."""
    on_no_target: OnNoTarget = OnNoTarget.HOLD
    """What happens where a rollback has no target."""


class Dependencies(ApiModel):
    """The packages that may be in a model's image."""

    denied: Annotated[
        list[ShortText],
        Field(
            max_length=256,
            json_schema_extra={
                **SET,
                **cel(
                    rule(
                        "self.all(name, name.matches('^[a-z0-9]+(-[a-z0-9]+)*$'))",
                        "Give names of packages in their normal form: lower case, with dashes.",
                    )
                ),
            },
        ),
    ] = Field(default_factory=list)
    """Names of Python packages, normalised (lower case, dashes)."""


class Store(ApiModel):
    """The store in which artifacts are kept."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az)://.+", max_length=512)]
    """The bucket, such as ``s3://hallmark``."""
    endpoint: Annotated[str, Field(pattern=r"^https?://.+", max_length=512)] | None = None
    """The URL of an S3 server that is not Amazon's."""
    region: Annotated[str, Field(max_length=64)] = "us-east-1"
    """The bucket's region."""


class ReadLimits(ApiModel):
    """The limits of a dataset; what is larger is refused before it fills the memory."""

    max_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = 4 << 30
    """Bytes of the file as it is stored; the training Job's ``/tmp`` holds as many."""
    max_decompressed_bytes: Annotated[int, Field(ge=1, le=1 << 42)] = 16 << 30
    """Bytes that a compressed file may become."""
    max_compression_ratio: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Bytes that may come from one compressed byte, in a file that becomes more than 64 MiB."""
    max_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000_000
    """Rows."""
    max_columns: Annotated[int, Field(ge=1, le=16_384)] = 1024
    """Columns, declared or not."""
    max_cell_bytes: Annotated[int, Field(ge=1, le=1 << 20)] = 1 << 16
    """Bytes of a cell's text in UTF-8."""


class Sources(ApiModel):
    """The URLs that a dataset may come from."""

    allowed: Annotated[
        list[ShortText],
        Field(
            max_length=64,
            json_schema_extra={
                **SET,
                **cel(
                    rule(
                        "self.all(prefix, prefix.matches('^(s3|gs|az|https)://[^/]+/'))",
                        "Give URL prefixes with a '/' after the host or bucket, such as "
                        "'https://data.example.org/': without it they would match longer names.",
                    )
                ),
            },
        ),
    ] = Field(default_factory=list)
    """URL prefixes, such as ``https://data.example.org/`` or ``s3://datasets/``."""
    allow_private_addresses: bool = False
    """Whether a URL may lead to a private or loopback address."""
    endpoint: Annotated[str, Field(pattern=r"^https?://.+", max_length=512)] | None = None
    """The S3 endpoint of ``s3://`` datasets, where it is not Amazon's."""
    limits: ReadLimits = Field(default_factory=ReadLimits)
    """What every dataset may be at most, wherever it comes from."""


class Images(ApiModel):
    """The images that Jobs and predictors run."""

    trainer: Annotated[str, Field(min_length=1, max_length=512)]
    """Trains; best by digest."""
    sealer: Annotated[str, Field(min_length=1, max_length=512)]
    """Seals: the operator's image; best by digest."""
    predictor: Annotated[str, Field(min_length=1, max_length=512)]
    """Serves; best by digest."""


CIDRs = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(
        max_length=16,
        json_schema_extra={
            **SET,
            **cel(
                rule(
                    "self.all(address, isCIDR(address))",
                    "Give addresses with the length of their prefix, such as '203.0.113.0/24'.",
                )
            ),
        },
    ),
]


class DNS(ApiModel):
    """The cluster's name servers: no other answers Jobs and predictors."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)] = "kube-system"
    """The namespace of their Pods."""
    pod_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]], Field(min_length=1, max_length=8)
    ] = Field(default_factory=lambda: {"k8s-app": "kube-dns"})
    """The labels of their Pods."""
    port: Annotated[int, Field(ge=1, le=65535)] = 53
    """Their Pods' port."""
    addresses: CIDRs = Field(default_factory=list)
    """Those that are no Pods, such as NodeLocal DNSCache's ``169.254.20.10/32``."""


class Network(ApiModel):
    """Where Jobs and predictors may connect to."""

    dns: DNS = Field(default_factory=DNS)
    store: CIDRs = Field(default_factory=list)
    """The store's addresses, where it is outside the cluster; empty: any, on its port."""
    sources: CIDRs = Field(default_factory=list)
    """The addresses of datasets' URLs; empty: any, on the URL's port."""


class PolicyPII(ApiModel):
    """The weakest personal-data action that a run may choose."""

    allowed_actions: Annotated[
        list[PIIAction], Field(min_length=1, max_length=3, json_schema_extra=SET)
    ] = Field(default_factory=lambda: [PIIAction.REFUSE, PIIAction.DROP, PIIAction.MASK])
    """The actions that a run may choose."""
    allowable: Annotated[list[PIIDetector], Field(max_length=16, json_schema_extra=SET)] = Field(
        default_factory=lambda: list(PIIDetector)
    )
    """The kinds of personal data that a run may let stay in a column, with a reason."""
    quote_numbers: bool = False
    """Whether remarks and refusals may name a number that was found, of columns in which no
    personal datum was; whoever may read the run then learns it."""


class ModelPolicySpec(ApiModel):
    """The demands. Objects in a namespace may only be stricter."""

    signers: Annotated[
        list[TrustedKey],
        Field(min_length=1, max_length=16, json_schema_extra=list_map("keyId")),
    ]
    """Keys that seal models."""
    approvers: Annotated[
        list[ApproverKey], Field(max_length=64, json_schema_extra=list_map("keyId"))
    ] = Field(default_factory=list)
    """Keys with which approvers attest."""
    auditors: Annotated[
        list[TrustedKey], Field(max_length=16, json_schema_extra=list_map("keyId"))
    ] = Field(default_factory=list)
    """Keys that sign the audit log."""
    approvals: Approvals = Field(default_factory=Approvals)
    gates: Gates = Field(default_factory=list)
    """Bars that every model must clear."""
    pii: PolicyPII = Field(default_factory=PolicyPII)
    dependencies: Dependencies = Field(default_factory=Dependencies)
    store: Store
    sources: Sources = Field(default_factory=Sources)
    network: Network = Field(default_factory=Network)
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
    """The demands on every model, written by the platform engineer."""

    model_config = ConfigDict(json_schema_extra=NAME)

    kind: Literal["ModelPolicy"] = "ModelPolicy"
    spec: ModelPolicySpec
    status: ModelPolicyStatus = Field(default_factory=ModelPolicyStatus)


def policy_digest(spec: ModelPolicySpec) -> str:
    """Return the digest of a policy's content."""
    return sha256_digest(canonical_json(spec.to_wire()))
