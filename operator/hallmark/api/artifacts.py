"""The documents in a sealed bundle and between the components, as frozen models.

A training Job uploads its outputs to *slots* (fixed names, so that their URLs can be presigned
before anything is known); the manifest gives each its final name, and sealing copies it there::

    runs/<run uid>/model.joblib        -> models/<namespace>.<model>/<digest>/model_<run id>.joblib
    runs/<run uid>/sbom.cdx.json       -> ...                               /sbom_<run id>.cdx.json
    every other file                   -> its own name

The manifest digest is the SHA-256 of ``manifest.json``. The OpenSSF model signature
(``model.sigstore.json``) covers every file of the manifest and ``manifest.json`` itself.
"""

from __future__ import annotations

import hashlib
import struct
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from hallmark.api.common import (
    ColumnName,
    Digest,
    FileModel,
    ObjectName,
    Timestamp,
    Uid,
    UserName,
    WatchedName,
    canonical_json,
    sha256_digest,
)
from hallmark.api.dependencies import Dependencies
from hallmark.api.model_deployment import Drift
from hallmark.api.model_policy import ReadLimits, ReviewerGroup, TrustedKey
from hallmark.api.training_run import (
    FeatureType,
    Gate,
    GateResult,
    MetricValue,
    OutOfRange,
    PIIAction,
    PIIDetector,
    TrainingRunSpec,
)

MANIFEST = "manifest.json"
BUNDLE = "model.sigstore.json"
MODEL_ONNX = "model.onnx"
SCHEMA = "schema.json"
BASELINE = "baseline.json"
REPORT = "report.json"
REPORT_PAGE = "report.html"
GOLDEN = "golden.json"
DOCKERFILE = "Dockerfile"
SLOT_JOBLIB = "model.joblib"
SLOT_SBOM = "sbom.cdx.json"
PROGRESS = "progress.json"

UPLOAD_SLOTS = (
    SLOT_JOBLIB,
    MODEL_ONNX,
    SCHEMA,
    BASELINE,
    REPORT,
    REPORT_PAGE,
    GOLDEN,
    SLOT_SBOM,
    DOCKERFILE,
    MANIFEST,
    PROGRESS,
)
"""Everything a training Job may upload, below ``runs/<run uid>/``."""

SERVED_FILES = (MODEL_ONNX, SCHEMA, BASELINE)
"""What a predictor downloads; it gets URLs for these alone."""


FLOAT32_MAX = (2 - 2**-23) * 2.0**127
"""The greatest number that the served form takes."""


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


def run_id(spec: str, fingerprint: str, image: str) -> str:
    """Return the first 12 hex digits of SHA-256(spec digest, fingerprint, image digest)."""
    return hashlib.sha256("\n".join((spec, fingerprint, image)).encode()).hexdigest()[:12]


def final_name(slot: str, run_identity: str) -> str:
    """Return the name in the bundle of what was uploaded to ``slot``."""
    return {
        SLOT_JOBLIB: f"model_{run_identity}.joblib",
        SLOT_SBOM: f"sbom_{run_identity}.cdx.json",
    }.get(slot, slot)


class ManifestFile(FileModel):
    """A file of the bundle."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", max_length=128)]
    digest: Digest
    size: Annotated[int, Field(ge=0, le=2**53 - 1)]
    """In bytes; canonical JSON expresses no greater integer."""


class Manifest(FileModel):
    """``manifest.json``: every file but itself and the signature, in name order."""

    schema_version: Literal["hallmark.dev/manifest/v1"] = "hallmark.dev/manifest/v1"
    namespace: Annotated[str, Field(max_length=63)]
    model: ObjectName
    run_id: Annotated[str, Field(pattern=r"^[a-f0-9]{12}$")]
    spec_digest: Digest
    dataset_fingerprint: Digest
    image_digest: Digest
    """Digest of the trainer's image, or of its reference where no digest is known."""
    files: Annotated[list[ManifestFile], Field(min_length=1, max_length=32)]

    def file(self, name: str) -> ManifestFile | None:
        """Return the entry of that name, or None."""
        return next((entry for entry in self.files if entry.name == name), None)


class ServedFeature(FileModel):
    """An input column of the served form.

    The served form takes one float32 matrix: a Number, Integer or Boolean (0, 1) is one column;
    a Category is its index in ``categories``; null is NaN. ``model.onnx`` does the rest.
    """

    name: ColumnName
    type: FeatureType
    nullable: bool
    minimum: float | None = None
    maximum: float | None = None
    out_of_range: OutOfRange = OutOfRange.REFUSE
    categories: list[str] | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest number that a predictor takes, as float32 holds them.

        A request's number is rounded to float32 before it is compared, and so are the bounds: a
        bound itself is always taken, however it is written.
        """
        low, high = self.minimum, self.maximum
        if self.out_of_range is OutOfRange.ALLOW:
            low = high = None
        return (
            -FLOAT32_MAX if low is None else _as_float32(low),
            FLOAT32_MAX if high is None else _as_float32(high),
        )


def _as_float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


class ServedSchema(FileModel):
    """``schema.json``: what the predictor takes and answers."""

    schema_version: Literal["hallmark.dev/schema/v1"] = "hallmark.dev/schema/v1"
    model: ObjectName
    features: Annotated[list[ServedFeature], Field(min_length=1, max_length=256)]
    target: ColumnName
    classes: Annotated[list[str], Field(min_length=2, max_length=64)]
    """Class labels in the order of the probabilities."""
    positive: str | None = None
    """Of two classes, the one that is decided from a probability of 0.5 on. Otherwise the most
    probable class is decided, the first of those that are equally probable."""
    input_name: str
    """ONNX input: float32, shape (rows, features)."""
    probabilities_name: str
    """ONNX output: float32, shape (rows, classes)."""


class BaselineFeature(FileModel):
    """A feature's bins and how many training rows fell into each.

    Numbers: bin i holds values with ``edges[i-1] < value <= edges[i]``; the first and the last
    bin are open, so there are ``len(edges) + 1`` of them. Categories: one bin for each, in the
    schema's order, then one for anything else. In both cases a last bin counts nulls.
    """

    name: WatchedName
    type: FeatureType
    edges: list[float] | None = None
    categories: list[str] | None = None
    counts: Annotated[list[int], Field(min_length=2, max_length=259)]


class TrainingRegion(FileModel):
    """Where the rows lie that a model knows, and how near they come to its decision boundary.

    For each served feature, in order: means, standard deviations and multiples of these alone, to
    six digits, so that it holds no value of a single row.
    """

    centers: list[float]
    scales: list[float]
    """What is no number has the center 0 and the scale 1."""
    reaches: list[int]
    """So many scales from the center lies every training row; 0 for what is no number."""
    margin: float
    """A row whose margin is at most this is near the boundary: see ``hallmark.drift.region``."""
    step: float
    """Two different rows that are nearer to each other, in scales, are a small step apart."""
    rows: Annotated[int, Field(ge=0)]
    """Test rows."""
    near: Annotated[int, Field(ge=0)]
    """How many of them are near the boundary."""
    outside: Annotated[int, Field(ge=0)]
    """How many of them lie beyond the reach of a feature."""


class Baseline(FileModel):
    """``baseline.json``: the training data's distribution, with frozen bin edges."""

    schema_version: Literal["hallmark.dev/baseline/v1"] = "hallmark.dev/baseline/v1"
    rows: Annotated[int, Field(ge=1)]
    features: Annotated[list[BaselineFeature], Field(min_length=1, max_length=256)]
    predictions: Annotated[list[BaselineFeature], Field(max_length=2)] = Field(default_factory=list)
    """What the model said of the test rows, which it had not seen: its score and its label. Empty
    in bundles of before they were watched."""
    region: TrainingRegion | None = None
    """Against which rows are held that look made to find the boundary."""

    @property
    def counted(self) -> list[BaselineFeature]:
        """All that is counted of a row: its features, then what the model says of it."""
        return [*self.features, *self.predictions]

    def feature(self, name: str) -> BaselineFeature | None:
        """Return what is counted under that name, or None."""
        return next((feature for feature in self.counted if feature.name == name), None)


class Golden(FileModel):
    """``golden.json``: rows made from the schema, not from data, and the estimator's answers."""

    schema_version: Literal["hallmark.dev/golden/v1"] = "hallmark.dev/golden/v1"
    rows: Annotated[list[list[float | None]], Field(min_length=1, max_length=256)]
    """Encoded as the served form takes them; null stands for NaN."""
    probabilities: list[list[float]]
    tolerance: float


MAX_ROWS_LISTED = 20
"""So many rows a finding names; its count tells of all."""


class Finding(FileModel):
    """A refusal or remark: which check, where, what was expected and found. Never a value."""

    check: Annotated[str, Field(max_length=64)]
    column: ColumnName | None = None
    row: int | None = None
    """1-based data row of the first case."""
    rows: Annotated[list[int], Field(max_length=MAX_ROWS_LISTED)] = Field(default_factory=list)
    """The first cases' rows, where the check knows them."""
    count: int = 1
    file: Annotated[str, Field(max_length=256)] | None = None
    """The file or URL, without query, where the check knows it."""
    expected: Annotated[str, Field(max_length=256)]
    found: Annotated[str, Field(max_length=256)]

    def sentence(self) -> str:
        """Return the finding as a sentence a person can act on."""
        where = f" of {self.file}" if self.file else ""
        where += f" in column '{self.column}'" if self.column else ""
        row = f", first in row {self.row}" if self.row is not None else ""
        if len(self.rows) > 1:
            more = " and more" if self.count > len(self.rows) else ""
            row = f", in rows {', '.join(map(str, self.rows))}{more}"
        times = f" ({self.count} times{row})" if self.count > 1 else row
        return f"{self.check}{where}{times}: expected {self.expected}, found {self.found}."


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
    denied_packages: list[str] = Field(default_factory=list)
    image: str
    """The trainer's image reference; where it ends in ``@sha256:...`` that is its digest."""


class UploadURLs(FileModel):
    """Presigned PUT URLs by slot: ``/var/run/hallmark/urls/urls.json`` (a Secret)."""

    urls: dict[str, str]


class DownloadURLs(FileModel):
    """Presigned GET URLs by file name: ``/var/run/hallmark/urls/urls.json`` (a Secret)."""

    urls: dict[str, str]


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


REFUSED_EXIT_CODE = 10
"""How a Job or a predictor ends when it refuses: final, never retried."""


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
