"""TrainingRun: one immutable run from a dataset to a sealed model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.common import (
    ApiModel,
    ColumnName,
    ConditionedStatus,
    DecimalString,
    Digest,
    ForeignName,
    LongText,
    NamespacedResource,
    ObjectName,
    PositiveDuration,
    Resources,
    ShortText,
    Timestamp,
    UserName,
    canonical_json,
    sha256_digest,
)
from hallmark.api.rules import NAME, SET, cel, immutable_but, list_map, rule


class DataFormat(StrEnum):
    """The format of a dataset's bytes."""

    CSV = "CSV"
    PARQUET = "Parquet"
    JSON_LINES = "JSONLines"


class CSVEncoding(StrEnum):
    """The encoding of a CSV file's text."""

    UTF8 = "UTF-8"
    UTF16 = "UTF-16"
    LATIN1 = "Latin1"
    WINDOWS_1252 = "Windows1252"


class CSVDialect(ApiModel):
    """The dialect of a CSV file. The first line is the header."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "self.delimiter != self.quote",
                "'delimiter' and 'quote' must not be the same character.",
                field="quote",
            )
        )
    )

    delimiter: Annotated[
        str, Field(pattern=r"^[\t !#$%&'*,/:;<=>?@^_`|~]$", min_length=1, max_length=1)
    ] = ","
    """What stands between two cells; a tab is written ``"\\t"``."""
    quote: Annotated[str, Field(pattern=r"""^["'`]?$""", max_length=1)] = '"'
    """What stands around a cell that holds a delimiter; empty where quotes are mere text."""
    encoding: CSVEncoding = CSVEncoding.UTF8
    """UTF-8 (with or without a byte-order mark), UTF-16 with its mark, or a one-byte set."""


class ConfigMapSource(ApiModel):
    """A key of a ConfigMap in the run's namespace."""

    name: ForeignName
    """The ConfigMap."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
    """The entry that holds the rows."""


class VolumeClaimSource(ApiModel):
    """A file on a PersistentVolumeClaim in the run's namespace."""

    claim_name: ForeignName
    """The PersistentVolumeClaim; it is mounted read-only."""
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            json_schema_extra=cel(
                rule(
                    "!self.startsWith('/') && !self.split('/').exists(part, part == '..')",
                    "The path must be relative to the volume's root and stay below it.",
                )
            ),
        ),
    ]
    """The file, relative to the volume's root."""


class Dataset(ApiModel):
    """The source of the rows: exactly one of the four."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "[has(self.uri), has(self.volumeClaim), has(self.configMap), has(self.records)]"
                ".filter(given, given).size() == 1",
                "Give exactly one of 'uri', 'volumeClaim', 'configMap' and 'records'.",
                found="(has(self.uri) ? ' uri' : '') + "
                "(has(self.volumeClaim) ? ' volumeClaim' : '') + "
                "(has(self.configMap) ? ' configMap' : '') + "
                "(has(self.records) ? ' records' : '')",
            ),
            rule(
                "!has(self.credentialsSecret) || has(self.uri)",
                "'credentialsSecret' goes with 'uri' alone; leave it out.",
                field="credentialsSecret",
            ),
            rule(
                "!has(self.records) || self.format != 'Parquet'",
                "Inline 'records' are text; set 'format' to CSV or JSONLines.",
                field="format",
            ),
            rule(
                "!has(self.csv) || self.format == 'CSV'",
                "'csv' goes with 'format' CSV alone; leave it out.",
                field="csv",
            ),
        )
    )

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az|https)://.+", max_length=1024)] | None = None
    """A URL that the ModelPolicy allows, such as ``s3://datasets/loans.parquet``."""
    credentials_secret: ForeignName | None = None
    """A Secret with the keys ``access-key-id`` and ``secret-access-key`` for ``uri``."""
    volume_claim: VolumeClaimSource | None = None
    config_map: ConfigMapSource | None = None
    records: Annotated[str, Field(min_length=1, max_length=131072)] | None = None
    """The rows themselves, as text."""
    format: DataFormat = DataFormat.CSV
    """How the bytes are to be read; gzip and zstd are recognised by themselves."""
    csv: CSVDialect | None = None
    """How a CSV file is written, where it is not comma-separated UTF-8."""
    fingerprint: Digest | None = None
    """The fingerprint that the rows must have; another one refuses the run."""


class SealedBundle(ApiModel):
    """A bundle of this model that a signer of the policy sealed elsewhere, to be adopted."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|az|https)://.+", max_length=1024)]
    """The bundle's folder: where the policy's store has the bundles of the model."""
    manifest_digest: Digest
    """The digest of its ``manifest.json``."""


class Feature(ApiModel):
    """A declared input column of the model."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "self.type == 'Category' ? has(self.categories) : !has(self.categories)",
                "A feature of type Category needs 'categories', and no other type has them.",
                field="categories",
            ),
            rule(
                "!has(self.minimum) && !has(self.maximum) || self.type in ['Number', 'Integer']",
                "Only a Number or an Integer has a 'minimum' and a 'maximum'.",
                field="type",
            ),
            rule(
                "!has(self.minimum) || !has(self.maximum) || "
                "double(self.minimum) <= double(self.maximum)",
                "'minimum' must not be above 'maximum'.",
                field="minimum",
            ),
        )
    )

    name: ColumnName
    """The column's name in the dataset and in requests."""
    type: FeatureType
    """What its values are."""
    nullable: bool = False
    """Whether a value may be missing."""
    minimum: DecimalString | None = None
    """The smallest value that is valid."""
    maximum: DecimalString | None = None
    """The largest value that is valid."""
    out_of_range: OutOfRange = OutOfRange.REFUSE
    """What a predictor does with a number beyond them. Rows to learn from must be within."""
    categories: (
        Annotated[list[ShortText], Field(min_length=1, max_length=256, json_schema_extra=SET)]
        | None
    ) = None
    """Every value that is valid."""


class Target(ApiModel):
    """The column to predict."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.positive) || !has(self.categories) || self.positive in self.categories",
                "'positive' must be one of 'categories'.",
                field="positive",
            )
        )
    )

    name: ColumnName
    """The column's name in the dataset."""
    positive: ShortText | None = None
    """The value that counts as positive; of three classes or more, all of them in ``categories``,
    the favourable outcome. Absent: the classes are peers. Two classes need it for fairness."""
    categories: (
        Annotated[list[ShortText], Field(min_length=2, max_length=64, json_schema_extra=SET)] | None
    ) = None
    """Every class; another value refuses the run. Absent: the values that occur, two of them if
    'positive' is given, and none that differs from another in case, spaces or a full stop alone."""


class SensitiveAttribute(ApiModel):
    """A protected attribute: measured for fairness; an input only if it is also a feature."""

    name: ColumnName
    """The column's name in the dataset."""
    categories: (
        Annotated[list[ShortText], Field(min_length=2, max_length=64, json_schema_extra=SET)] | None
    ) = None
    """The groups to compare; absent: every value that occurs."""


class Schema(ApiModel):
    """The columns that the dataset must have."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!self.features.exists(feature, feature.name == self.target.name)",
                "The target must not be a feature too: the model would read its own answer.",
                field="target",
            ),
            rule(
                "!has(self.sensitive) || "
                "!self.sensitive.exists(attribute, attribute.name == self.target.name)",
                "The target must not be a sensitive attribute too.",
                field="target",
            ),
            rule(
                "!has(self.identifiers) || !self.identifiers.exists(name, "
                "name == self.target.name || "
                "self.features.exists(feature, feature.name == name))",
                "An identifier must be neither a feature nor the target: a model that knows its "
                "rows by name has learned nothing. Leave it out of one of them.",
                field="identifiers",
            ),
            rule(
                "!has(self.identifiers) || !has(self.sensitive) || "
                "!self.identifiers.exists(name, "
                "self.sensitive.exists(attribute, attribute.name == name))",
                "An identifier must not be a sensitive attribute too: each group would be one row.",
                field="identifiers",
            ),
        )
    )

    features: Annotated[
        list[Feature],
        Field(min_length=1, max_length=256, json_schema_extra=list_map("name")),
    ]
    """The model's input columns."""
    target: Target
    sensitive: Annotated[
        list[SensitiveAttribute], Field(max_length=16, json_schema_extra=list_map("name"))
    ] = Field(default_factory=list)
    """Protected attributes, by which fairness is measured."""
    identifiers: Annotated[list[ColumnName], Field(max_length=16, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """Columns that name a row, such as a number of a loan: each value stands once. They are never
    features, and rows that differ in them alone are duplicates."""


class PIIDetector(StrEnum):
    """A kind of personal datum that is looked for."""

    EMAIL = "Email"
    PHONE = "Phone"
    PAYMENT_CARD = "PaymentCard"
    IBAN = "IBAN"
    IP_ADDRESS = "IPAddress"
    MAC_ADDRESS = "MACAddress"
    NATIONAL_ID = "NationalID"
    PERSON_NAME = "PersonName"
    DATE_OF_BIRTH = "DateOfBirth"
    POSTAL_ADDRESS = "PostalAddress"
    SECRET = "Secret"  # noqa: S105 - a kind of datum
    """A password, key or token."""


class PIIAction(StrEnum):
    """The action on a column in which a personal datum was found."""

    REFUSE = "Refuse"
    DROP = "Drop"
    MASK = "Mask"


class PIIRule(ApiModel):
    """An exception from the default action, for a detector and, if named, a column."""

    detector: PIIDetector
    """The kind of personal datum."""
    action: PIIAction
    """The action on a column in which it was found."""
    column: ColumnName | None = None
    """The column that the rule is for; absent: all."""


class PIIAllowance(ApiModel):
    """An exception for what looks like a personal datum and may stay, with its reason."""

    detector: PIIDetector
    """The kind of personal datum."""
    column: ColumnName
    """The column in which it may stay."""
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            json_schema_extra=cel(
                rule(
                    "self.trim().size() > 0",
                    "Give a reason why the datum may stay, for whoever reads the report.",
                )
            ),
        ),
    ]
    """Why; it is recorded in the report."""


class PII(ApiModel):
    """The rule about personal data."""

    default_action: PIIAction = PIIAction.REFUSE
    """What happens where no rule says otherwise."""
    rules: Annotated[
        list[PIIRule],
        Field(
            max_length=64,
            json_schema_extra=cel(
                rule(
                    "self.all(one, self.exists_one(other, one.detector == other.detector && "
                    "(has(one.column) ? one.column : '') == "
                    "(has(other.column) ? other.column : '')))",
                    "There must be one rule at most for a detector and a column.",
                )
            ),
        ),
    ] = Field(default_factory=list)
    """Exceptions from the default action."""
    allow: Annotated[
        list[PIIAllowance],
        Field(max_length=64, json_schema_extra=list_map("detector", "column")),
    ] = Field(default_factory=list)
    """What may stay, if the ModelPolicy lets a run allow it."""


class Algorithm(StrEnum):
    """An estimator that the trainer knows."""

    LOGISTIC_REGRESSION = "LogisticRegression"
    LINEAR_SVM = "LinearSVM"
    RANDOM_FOREST = "RandomForest"
    HIST_GRADIENT_BOOSTING = "HistGradientBoosting"


class Parameter(ApiModel):
    """A hyperparameter of the estimator: its scikit-learn name, and its value as text."""

    name: Annotated[str, Field(pattern=r"^[a-z_A-Z][a-z_A-Z0-9]*$", max_length=64)]
    value: ShortText


class Trainer(ApiModel):
    """The estimator and its settings."""

    algorithm: Algorithm = Algorithm.LOGISTIC_REGRESSION
    """The estimator."""
    parameters: Annotated[
        list[Parameter], Field(max_length=32, json_schema_extra=list_map("name"))
    ] = Field(default_factory=list)
    """The estimator's hyperparameters, where they differ from its defaults."""
    test_fraction: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) >= 0.05 && double(self) <= 0.5",
                    "The test split must be between 0.05 and 0.5 of the rows.",
                )
            )
        ),
    ] = "0.25"
    """The part of the rows that is kept for measuring."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """What the split and the fit derive their random numbers from."""


class Comparison(StrEnum):
    """The side of the threshold that passes."""

    AT_LEAST = "AtLeast"
    AT_MOST = "AtMost"


class Statistic(StrEnum):
    """The number of a metric that a gate looks at."""

    ESTIMATE = "Estimate"
    """The number that was measured on the test rows."""
    BOUND = "Bound"
    """The bound of the confidence interval on the unfavourable side: the lower for AtLeast, the
    upper for AtMost."""


MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_.\-]*$", max_length=160)]
"""A metric: ``accuracy``, ``rocAuc``, ``certifiedAccuracy``, ``dataQuality``,
``demographicParityDifference.<attribute>``, ..."""


class Gate(ApiModel):
    """A bar that the model must clear. A metric that is missing or not a number never passes."""

    metric: MetricName
    """Such as ``accuracy`` or ``demographicParityDifference.<attribute>``."""
    comparison: Comparison
    """The side of the threshold that passes."""
    threshold: DecimalString
    """The bar."""
    statistic: Statistic = Statistic.ESTIMATE
    """The number that must clear it: the estimate, or the unfavourable confidence bound."""


Gates = Annotated[
    list[Gate], Field(max_length=32, json_schema_extra=list_map("metric", "comparison"))
]
"""Gates, at most one for each side of a metric."""


class Evaluation(ApiModel):
    """The certainty that a measurement must have."""

    confidence: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) >= 0.5 && double(self) <= 0.999",
                    "The confidence of an interval must be between 0.5 and 0.999.",
                )
            )
        ),
    ] = "0.95"
    """The confidence of every interval."""
    resamples: Annotated[int, Field(ge=100, le=10000)] = 1000
    """How often the test rows are drawn anew for an interval."""
    epsilon: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) > 0.0 && double(self) <= 10.0",
                    "The radius must be above 0 and at most 10 standard deviations.",
                )
            )
        ),
    ] = "0.1"
    """The radius, in standard deviations, for which robustness is certified."""
    minimum_group_rows: Annotated[int, Field(ge=1, le=1000000)] = 30
    """With fewer test rows in a group, fairness is inconclusive and passes no gate."""
    intersections: bool = True
    """Whether pairs of sensitive attributes are measured too."""


CardText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=512,
        json_schema_extra=cel(
            rule("self.trim().size() > 0", "Say something, for whoever reads the model card.")
        ),
    ),
]
"""A sentence of a model card."""
CardTexts = Annotated[list[CardText], Field(max_length=16)]


class EthicalConsideration(ApiModel):
    """A risk to people, and what is done about it."""

    name: CardText
    """The risk."""
    mitigation_strategy: CardText | None = None
    """What is done about it."""


class ModelCard(ApiModel):
    """The words of its author on what a model is for; sealed in the bill of materials.

    The names are those of CycloneDX's model card.
    """

    users: CardTexts = Field(default_factory=list)
    """Who is meant to use the model."""
    use_cases: CardTexts = Field(default_factory=list)
    """What the model is meant for."""
    technical_limitations: CardTexts = Field(default_factory=list)
    """Where the model ends: what it must not be used for, or does not know."""
    performance_tradeoffs: CardTexts = Field(default_factory=list)
    """What was given up for what."""
    ethical_considerations: Annotated[list[EthicalConsideration], Field(max_length=16)] = Field(
        default_factory=list
    )
    """Risks to people, and what is done about them."""


class TrainingRunSpec(ApiModel):
    """The run that is asked for; immutable but for ``suspend``."""

    model_config = ConfigDict(
        json_schema_extra=immutable_but(
            "suspend",
            also=(
                rule(
                    "has(self.sealed) ? !has(self.dataset) && !has(self.schema) : "
                    "has(self.dataset) && has(self.schema)",
                    "Give both 'dataset' and 'schema', or 'sealed' alone.",
                ),
            ),
        )
    )

    model: ObjectName
    """The model's name; its versions count up within the namespace."""
    dataset: Dataset | None = None
    sealed: SealedBundle | None = None
    """A sealed bundle to adopt instead of training."""
    schema_: Annotated[Schema | None, Field(alias="schema")] = None
    pii: PII = Field(default_factory=PII)
    trainer: Trainer = Field(default_factory=Trainer)
    gates: Gates = Field(default_factory=list)
    """Bars that the model must clear, beside those of the ModelPolicy."""
    evaluation: Evaluation = Field(default_factory=Evaluation)
    model_card: ModelCard | None = None
    """What the model is for, and where it ends."""
    resources: Resources | None = None
    active_deadline: PositiveDuration = "1h"
    """How long the run may take."""
    job_ttl: Annotated[PositiveDuration | None, Field(alias="jobTTL")] = None
    """How long the finished Jobs are kept; absent: as long as the run."""
    suspend: bool = False
    """Whether the run waits; what has started ends."""
    requested_by: UserName
    """Who asks for it: the user who creates the object. He cannot approve the result."""


class GateResult(ApiModel):
    """A gate's verdict. ``value`` is absent where the metric was missing or not a number."""

    metric: MetricName
    comparison: Comparison
    threshold: DecimalString
    statistic: Statistic = Statistic.ESTIMATE
    value: Annotated[str, Field(max_length=32)] | None = None
    """What was compared: the estimate or the bound."""
    inconclusive: ShortText | None = None
    """Why there is no value."""
    passed: bool
    source: Literal["Run", "Policy"] = "Run"


class MetricValue(ApiModel):
    """A measured number, as text with six digits after the point."""

    name: MetricName
    value: Annotated[str, Field(max_length=32)]
    lower: Annotated[str, Field(max_length=32)] | None = None
    """The lower end of the confidence interval; absent where a number is exact."""
    upper: Annotated[str, Field(max_length=32)] | None = None
    """The upper end of the confidence interval; absent where a number is exact."""


class Progress(ApiModel):
    """The progress of a training Job."""

    stage: Annotated[str, Field(max_length=32)]
    percent: Annotated[int, Field(ge=0, le=100)]
    message: ShortText = ""


class RunCondition(StrEnum):
    """The steps of a TrainingRun, beside the summary."""

    DATA_VALIDATED = "DataValidated"
    """The rows are those that the schema describes."""
    PII_CLEAR = "PIIClear"
    """No personal data but those that the rule lets through."""
    TRAINED = "Trained"
    """A model was fitted and measured."""
    GATES_PASSED = "GatesPassed"
    """Every gate of the run and the policy passed."""
    SEALED = "Sealed"
    """The model is sealed as a ModelVersion."""


class TrainingRunStatus(ConditionedStatus):
    """The outcome of the run."""

    spec_digest: Digest | None = None
    dataset_fingerprint: Digest | None = None
    quality: Annotated[str, Field(max_length=16)] | None = None
    metrics: Annotated[list[MetricValue], Field(max_length=64)] = Field(default_factory=list)
    gates: Annotated[list[GateResult], Field(max_length=64)] = Field(default_factory=list)
    manifest_digest: Digest | None = None
    """What training uploaded; sealing must find exactly these bytes."""
    progress: Progress | None = None
    model_version: Annotated[str, Field(max_length=63)] | None = None
    message: LongText | None = None
    start_time: Timestamp | None = None
    completion_time: Timestamp | None = None


class TrainingRun(NamespacedResource):
    """One immutable run: dataset, schema, personal-data rule, trainer, gates."""

    model_config = ConfigDict(json_schema_extra=NAME)

    kind: Literal["TrainingRun"] = "TrainingRun"
    spec: TrainingRunSpec
    status: TrainingRunStatus = Field(default_factory=TrainingRunStatus)


def asked_spec(spec: TrainingRunSpec) -> dict[str, Any]:
    """Return what a run asks for: its spec without ``suspend`` and requester.

    A field that has its default counts as left out, so that a later release that knows more
    fields finds the same for the same manifest.
    """
    return spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        exclude={"suspend", "requested_by", "job_ttl"},
    )


def spec_digest(spec: TrainingRunSpec) -> str:
    """Return the digest of what a run asks for."""
    return sha256_digest(canonical_json(asked_spec(spec)))


RECORDS_FINGERPRINT = "recordsFingerprint"
"""In a spec that is told to others: what stands for inline records."""


def told_spec(spec: TrainingRunSpec, fingerprint: str) -> dict[str, Any]:
    """Return what a run asks for, as others may read it: inline records by fingerprint alone.

    Args:
        spec: The run's spec.
        fingerprint: The digest of its rows.
    """
    asked = asked_spec(spec)
    dataset = asked.get("dataset", {})
    if dataset.pop("records", None) is not None:
        dataset[RECORDS_FINGERPRINT] = fingerprint
    return asked
