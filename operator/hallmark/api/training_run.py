"""TrainingRun: one immutable run from a dataset to a sealed model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from hallmark.api.common import (
    ApiModel,
    Digest,
    LongText,
    NamespacedResource,
    ObjectName,
    PositiveDuration,
    ShortText,
    Timestamp,
    UserName,
)
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.dataset import Dataset, SealedBundle
from hallmark.api.metrics import Evaluation, GateResult, Gates, MetricValue
from hallmark.api.model_card import ModelCard
from hallmark.api.pii import PII
from hallmark.api.resources import Resources
from hallmark.api.rules import NAME, immutable_but, rule
from hallmark.api.schema import Schema
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.api.trainer import Trainer


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
