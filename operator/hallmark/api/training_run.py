"""TrainingRun: one immutable run from a dataset to a sealed model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import (
    ApiModel,
    ColumnName,
    ConditionedStatus,
    DecimalString,
    Digest,
    DurationString,
    LongText,
    ObjectName,
    Resource,
    Resources,
    ShortText,
    Timestamp,
    UserName,
)


class DataFormat(StrEnum):
    """How a dataset's bytes are to be read."""

    CSV = "CSV"
    PARQUET = "Parquet"
    JSON_LINES = "JSONLines"


class ConfigMapSource(ApiModel):
    """A key of a ConfigMap in the run's namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


class VolumeClaimSource(ApiModel):
    """A file on a PersistentVolumeClaim in the run's namespace."""

    claim_name: Annotated[str, Field(min_length=1, max_length=253)]
    path: Annotated[str, Field(min_length=1, max_length=512)]


class Dataset(ApiModel):
    """Where the rows are: exactly one of the four sources."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az|https)://.+", max_length=1024)] | None = None
    credentials_secret: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    volume_claim: VolumeClaimSource | None = None
    config_map: ConfigMapSource | None = None
    records: Annotated[str, Field(min_length=1, max_length=131072)] | None = None
    format: DataFormat = DataFormat.CSV
    fingerprint: Digest | None = None


class SealedBundle(ApiModel):
    """A bundle that was sealed elsewhere and is to be adopted."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az|https)://.+", max_length=1024)]
    manifest_digest: Digest


class FeatureType(StrEnum):
    """What a column's values are."""

    NUMBER = "Number"
    INTEGER = "Integer"
    BOOLEAN = "Boolean"
    CATEGORY = "Category"


class Feature(ApiModel):
    """A declared input column of the model."""

    name: ColumnName
    type: FeatureType
    nullable: bool = False
    minimum: DecimalString | None = None
    maximum: DecimalString | None = None
    categories: Annotated[list[ShortText], Field(max_length=256)] | None = None


class Target(ApiModel):
    """The column to predict."""

    name: ColumnName
    positive: ShortText


class SensitiveAttribute(ApiModel):
    """A protected attribute: measured for fairness; an input only if it is also a feature."""

    name: ColumnName
    categories: Annotated[list[ShortText], Field(min_length=2, max_length=64)] | None = None


class Schema(ApiModel):
    """What the dataset must look like."""

    features: Annotated[list[Feature], Field(min_length=1, max_length=256)]
    target: Target
    sensitive: Annotated[list[SensitiveAttribute], Field(max_length=16)] = Field(
        default_factory=list
    )


class PIIDetector(StrEnum):
    """A kind of personal datum that is looked for."""

    EMAIL = "Email"
    PHONE = "Phone"
    PAYMENT_CARD = "PaymentCard"
    IBAN = "IBAN"
    IP_ADDRESS = "IPAddress"
    NATIONAL_ID = "NationalID"
    PERSON_NAME = "PersonName"
    DATE_OF_BIRTH = "DateOfBirth"


class PIIAction(StrEnum):
    """What happens to a column in which a personal datum was found."""

    REFUSE = "Refuse"
    DROP = "Drop"
    MASK = "Mask"


class PIIRule(ApiModel):
    """An exception from the default action, for a detector and, if named, a column."""

    detector: PIIDetector
    action: PIIAction
    column: ColumnName | None = None


class PII(ApiModel):
    """What to do about personal data."""

    default_action: PIIAction = PIIAction.REFUSE
    rules: Annotated[list[PIIRule], Field(max_length=64)] = Field(default_factory=list)


class Algorithm(StrEnum):
    """An estimator that the trainer knows."""

    LOGISTIC_REGRESSION = "LogisticRegression"


class Parameter(ApiModel):
    """A hyperparameter of the estimator: its scikit-learn name, and its value as text."""

    name: Annotated[str, Field(pattern=r"^[a-z_A-Z][a-z_A-Z0-9]*$", max_length=64)]
    value: ShortText


class Trainer(ApiModel):
    """How to fit."""

    algorithm: Algorithm = Algorithm.LOGISTIC_REGRESSION
    parameters: Annotated[list[Parameter], Field(max_length=32)] = Field(default_factory=list)
    test_fraction: DecimalString = "0.25"
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0


class Comparison(StrEnum):
    """Which side of the threshold passes."""

    AT_LEAST = "AtLeast"
    AT_MOST = "AtMost"


MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_.\-]*$", max_length=96)]
"""A metric: ``accuracy``, ``rocAuc``, ``certifiedAccuracy``, ``dataQuality``,
``demographicParityDifference.<attribute>``, ..."""


class Gate(ApiModel):
    """A bar that the model must clear. A metric that is missing or not a number never passes."""

    metric: MetricName
    comparison: Comparison
    threshold: DecimalString


class TrainingRunSpec(ApiModel):
    """What is asked for; immutable but for ``suspend``."""

    model: ObjectName
    dataset: Dataset | None = None
    sealed: SealedBundle | None = None
    schema_: Annotated[Schema | None, Field(alias="schema")] = None
    pii: PII = Field(default_factory=PII)
    trainer: Trainer = Field(default_factory=Trainer)
    gates: Annotated[list[Gate], Field(max_length=32)] = Field(default_factory=list)
    resources: Resources | None = None
    active_deadline: DurationString = "1h"
    job_ttl: Annotated[DurationString | None, Field(alias="jobTTL")] = None
    suspend: bool = False
    requested_by: UserName


class GateResult(ApiModel):
    """A gate's verdict. ``value`` is absent where the metric was missing or not a number."""

    metric: MetricName
    comparison: Comparison
    threshold: DecimalString
    value: Annotated[str, Field(max_length=32)] | None = None
    passed: bool
    source: Literal["Run", "Policy"] = "Run"


class MetricValue(ApiModel):
    """A measured number, as text with six digits after the point."""

    name: MetricName
    value: Annotated[str, Field(max_length=32)]


class Progress(ApiModel):
    """How far a training Job is."""

    stage: Annotated[str, Field(max_length=32)]
    percent: Annotated[int, Field(ge=0, le=100)]
    message: ShortText = ""


class RunReason(StrEnum):
    """Reasons in a TrainingRun's conditions."""

    PENDING = "Pending"
    """The run was seen and waits for its turn."""
    SUSPENDED = "Suspended"
    """The run is suspended by its spec."""
    POLICY_MISSING = "PolicyMissing"
    """No ModelPolicy applies to the namespace."""
    TRAINING = "Training"
    """The training Job runs."""
    SEALING = "Sealing"
    """The sealing Job runs."""
    SEALED = "Sealed"
    """A ModelVersion was created."""
    ALREADY_SEALED = "AlreadySealed"
    """A ModelVersion of the same name and spec digest exists; nothing was trained."""
    VALID = "Valid"
    """The data passed."""
    CLEAR = "Clear"
    """No personal datum was found, or each was dropped or masked as declared."""
    FITTED = "Fitted"
    """The model was fitted and measured."""
    PASSED = "Passed"
    """All gates passed."""
    SPEC_CONFLICT = "SpecConflict"
    """A ModelVersion of this name comes from another spec."""
    INVALID_SPEC = "InvalidSpec"
    """The spec asks for something that cannot be done."""
    SOURCE_REFUSED = "SourceRefused"
    """The policy does not allow the dataset's source, or it could not be read."""
    FINGERPRINT_MISMATCH = "FingerprintMismatch"
    """The dataset is not the one whose fingerprint the spec names."""
    DATA_INVALID = "DataInvalid"
    """Rows break the declared schema."""
    PII_FOUND = "PIIFound"
    """Personal data were found where the rule says Refuse."""
    TRAINING_FAILED = "TrainingFailed"
    """The training Job ended without an outcome."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The run took longer than its deadline."""
    GATE_FAILED = "GateFailed"
    """At least one gate did not pass."""
    SEAL_REFUSED = "SealRefused"
    """The sealing Job refused the artifacts."""
    SEALING_FAILED = "SealingFailed"
    """The sealing Job ended without an outcome."""


class TrainingRunStatus(ConditionedStatus):
    """What became of the run."""

    spec_digest: Digest | None = None
    dataset_fingerprint: Digest | None = None
    quality: Annotated[str, Field(max_length=16)] | None = None
    metrics: Annotated[list[MetricValue], Field(max_length=64)] = Field(default_factory=list)
    gates: Annotated[list[GateResult], Field(max_length=64)] = Field(default_factory=list)
    progress: Progress | None = None
    model_version: Annotated[str, Field(max_length=63)] | None = None
    message: LongText | None = None
    start_time: Timestamp | None = None
    completion_time: Timestamp | None = None


class TrainingRun(Resource):
    """One immutable run: dataset, schema, personal-data rule, trainer, gates."""

    kind: Literal["TrainingRun"] = "TrainingRun"
    spec: TrainingRunSpec
    status: TrainingRunStatus = Field(default_factory=TrainingRunStatus)
