"""What the operator tells a Job, and what the Job answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from hallmark.api.common import Digest, FileModel, ObjectName, Uid
from hallmark.api.dependencies import Dependencies
from hallmark.api.metrics import Gate, GateResult, MetricValue
from hallmark.api.model_policy import ReadLimits
from hallmark.api.pii import PIIAction, PIIDetector
from hallmark.api.training_run import TrainingRunSpec


class TrainTask(FileModel):
    """The operator's task for a training Job: ``/etc/hallmark/task.json`` (a ConfigMap)."""

    namespace: str
    run_name: str
    run_uid: Uid
    spec: TrainingRunSpec
    spec_digest: Digest
    floors: list[Gate]
    allowed_pii_actions: list[PIIAction]
    allowable_pii: list[PIIDetector] = Field(default_factory=lambda: list(PIIDetector))
    quote_numbers: bool = False
    allowed_sources: list[str]
    allow_private_addresses: bool
    source_endpoint: str | None = None
    read_limits: ReadLimits = Field(default_factory=ReadLimits)
    image: str
    """The trainer's image reference; where it ends in ``@sha256:...`` that is its digest."""


class TrainStage(StrEnum):
    """A stage of a training Job; the outcome names the one that refused.

    The personal-data guard sees the rows first: a refusal at PII says nothing on the schema.
    """

    SOURCE = "Source"
    FINGERPRINT = "Fingerprint"
    DATA = "Data"
    PII = "PII"
    TRAIN = "Train"
    GATES = "Gates"
    DONE = "Done"


class TrainOutcome(FileModel):
    """A training Job's termination message, at most 4,096 bytes: digests and verdicts.

    Exit code 0: ``stage`` is Done. Exit code 10: a refusal, ``stage`` and ``findings`` say why.
    Any other exit code: an unexpected failure.
    """

    stage: TrainStage
    message: Annotated[str, Field(max_length=1024)] = ""
    """A sentence: the refusal."""
    fingerprint: Digest | None = None
    quality: Annotated[str, Field(max_length=16)] | None = None
    metrics: Annotated[list[MetricValue], Field(max_length=24)] = Field(default_factory=list)
    gates: Annotated[list[GateResult], Field(max_length=24)] = Field(default_factory=list)
    manifest_digest: Digest | None = None


class SealTask(FileModel):
    """The operator's task for a sealing Job: ``/etc/hallmark/task.json`` (a ConfigMap)."""

    namespace: str
    model: ObjectName
    run_name: str
    run_uid: Uid
    manifest_digest: Digest
    """As the training Job reported it."""
    spec_digest: Digest
    dataset_fingerprint: Digest
    dependencies: Dependencies = Field(default_factory=Dependencies)
    spec: dict[str, Any] | None = None
    """What the run asks for (``told_spec``), for the provenance; absent: by its digest alone."""
    image: str = ""
    """The reference of the image that seals."""
    store_uri: str
    store_endpoint: str | None = None
    store_region: str


class SealOutcome(FileModel):
    """A sealing Job's termination message. Exit code 0: sealed; 10: refused, see ``message``."""

    sealed: bool
    message: Annotated[str, Field(max_length=1024)] = ""
    key_id: str | None = None
    uri: str | None = None
    size: int | None = None
    manifest_digest: Digest | None = None
    gate_report_digest: Digest | None = None
    sbom_digest: Annotated[Digest | None, Field(alias="sbomDigest")] = None
    baseline_digest: Digest | None = None
    sbom_components: int | None = None
    sbom_spec_version: str | None = None
