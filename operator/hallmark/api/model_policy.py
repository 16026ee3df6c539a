"""ModelPolicy: what a platform engineer demands of every model; cluster-scoped."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hallmark.api.common import (
    ApiModel,
    DurationString,
    ForeignName,
    PositiveDuration,
    Resource,
    ShortText,
    UserName,
)
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.dependencies import Dependencies
from hallmark.api.drift_floors import DriftFloors
from hallmark.api.metrics import Gates
from hallmark.api.pii import PIIAction, PIIDetector
from hallmark.api.rollout_floors import RolloutFloors
from hallmark.api.rules import NAME, SET, cel, list_map, rule
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.api.trust import KeyId, ReviewerGroup, TrustedKey


class ApproverKey(TrustedKey):
    """The key with which one approver attests."""

    approver: UserName
    """Whose key it is, as the API server authenticates him."""


class OnRevocation(StrEnum):
    """The effect on a version that serves."""

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
    groups: Annotated[
        list[ReviewerGroup], Field(max_length=8, json_schema_extra=list_map("name"))
    ] = Field(default_factory=list)
    """From which groups they must come, for example one from ``risk`` and one from
    ``engineering``; they count for ``minimum`` as well."""
    cooling_time: DurationString = "0s"
    """How long an approval waits before it counts, so that others can object. A denial or a
    revocation never waits."""
    require_shown: bool = False
    """Whether an approval counts only where it names what its approver was shown
    (``shownDigest``)."""
    renew_after_rollback: bool = False
    """Whether a version that was rolled back, by drift or anything else, is rolled out anew on
    approvals alone that were given after that."""
    on_revocation: OnRevocation = OnRevocation.ROLLBACK
    """What a denial or revocation of the active version does."""
    on_key_revocation: OnRevocation = OnRevocation.STOP
    """What happens to the active version where its signer's key was revoked, or the key of an
    approver without whom it has too few approvals. A key in a thief's hands signs anything, so
    that by default nothing that hangs on it serves."""
    on_no_target: OnNoTarget = OnNoTarget.HOLD
    """What happens where a rollback that drift, a person or a refused package asked for has no
    target."""
    revocation_deadline: Annotated[
        str,
        Field(
            pattern=r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$",
            max_length=32,
            json_schema_extra=cel(
                rule(
                    "duration(self) > duration('0s') && duration(self) <= duration('1h')",
                    "The duration must be longer than zero and at most '1h'.",
                )
            ),
        ),
    ] = "2m"
    """How long a version that was withdrawn may serve on, with ``onRevocation: Rollback``, while
    another one takes over."""
    on_revocation_without_target: OnNoTarget = OnNoTarget.STOP
    """What happens to a version that was withdrawn where no other one can take over, or none did
    within ``revocationDeadline``. With Stop its Pods end; whatever passes later takes over."""


Endpoint = Annotated[
    str,
    Field(
        pattern=r"^https?://.+",
        max_length=512,
        # Stricter at admission than where it is read: what came in before is read all the same.
        json_schema_extra={
            "pattern": r"^https?://([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])"
            r"(:[0-9]{1,5})?(/[!-~]*)?$"
        },
    ),
]
"""The URL of a server: a host name or an address, perhaps a port and a path."""


class Store(ApiModel):
    """The store in which artifacts are kept."""

    uri: Annotated[
        str,
        Field(
            pattern=r"^(s3|gs|az)://.+",
            max_length=512,
            json_schema_extra={"pattern": r"^(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]*(/[!-~]*)?$"},
        ),
    ]
    """The bucket, such as ``s3://hallmark``."""
    endpoint: Endpoint | None = None
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
    endpoint: Endpoint | None = None
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


class LargestPod(ApiModel):
    """The most that a Pod may request and be limited to."""

    cpu: Annotated[str, Field(pattern=r"^[0-9]+m?$", max_length=12)] = "64"
    """Cores (``"2"``) or thousandths of one (``"500m"``)."""
    memory: Annotated[str, Field(pattern=r"^[0-9]+(Ki|Mi|Gi)?$", max_length=16)] = "256Gi"
    """Bytes (``"512Mi"``)."""


class DeploymentBounds(ApiModel):
    """What a ModelDeployment may ask for at most; what asks for more runs with the maximum."""

    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Pods of a version."""
    max_resources: LargestPod = Field(default_factory=LargestPod)
    """CPU and memory of a Pod."""
    max_progress_deadline: PositiveDuration = "1h"
    """How long a candidate or the target of a rollback may take to become Ready."""
    priority_classes: Annotated[list[ForeignName], Field(max_length=16, json_schema_extra=SET)] = (
        Field(default_factory=list)
    )
    """PriorityClasses that a ModelDeployment may name; empty: none."""
    max_hold: PositiveDuration = "168h"
    """How long a person may hold a ModelDeployment; a hold that lasts longer ends then."""


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
    """Whether remarks and refusals may name a number or a class that was found, of columns in
    which no personal datum was; whoever may read the run then learns it."""


class ModelPolicySpec(ApiModel):
    """The demands. Objects in a namespace may only be stricter."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.sealWith) || self.signers.exists(key, key.keyId == self.sealWith)",
                "'sealWith' must be the id of one of 'signers', or nothing could be sealed.",
                field="sealWith",
            )
        )
    )

    signers: Annotated[
        list[TrustedKey],
        Field(min_length=1, max_length=16, json_schema_extra=list_map("keyId")),
    ]
    """Keys that seal models."""
    seal_with: KeyId | None = None
    """The key that seals from now on: the one in the Secret ``hallmark-sealing-key-`` with the
    first 12 digits of its id; without it the one in ``hallmark-sealing-key``."""
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
    deployments: DeploymentBounds = Field(default_factory=DeploymentBounds)
    drift: DriftFloors | None = None
    rollout: RolloutFloors | None = None

    @cached_property
    def digest(self) -> str:
        """The digest of the content; computed once, for every decision names it."""
        return sha256_digest(canonical_json(self.to_wire()))


class PolicyCondition(StrEnum):
    """What holds beside the summary. It is about the operator, whose owner reads policies."""

    AUDIT_BROKEN = "AuditBroken"
    """The audit log was changed, or takes no record; promotions wait."""


class ModelPolicyStatus(ConditionedStatus):
    """Whether the policy can be used."""


class ModelPolicy(Resource):
    """The demands on every model, written by the platform engineer."""

    model_config = ConfigDict(json_schema_extra=NAME)

    kind: Literal["ModelPolicy"] = "ModelPolicy"
    spec: ModelPolicySpec
    status: ModelPolicyStatus = Field(default_factory=ModelPolicyStatus)
