"""``report.json``: everything that the assay measured, as frozen models.

Nothing in it varies between equal runs, and nothing is a value of a personal datum.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hallmark.api.common import ColumnName, Digest, FileModel, LongList, ObjectName
from hallmark.api.findings import Finding
from hallmark.api.metrics import Evaluation, GateResult, MetricValue
from hallmark.api.pii import PIIAction


class QualityPart(FileModel):
    """One dimension of the quality score, 0 to 100."""

    dimension: str
    score: float
    weight: float


class FeatureLeakage(FileModel):
    """The part of the target that a feature tells by itself: Theil's uncertainty coefficient."""

    feature: ColumnName
    coefficient: float
    """From 0, nothing, to 1, everything."""


class DataReport(FileModel):
    """The counts of the rows; ``remarks`` say where."""

    duplicate_rows: int
    """Rows equal to an earlier one in every declared column but identifiers."""
    contradictory_rows: int
    """Rows with a twin of equal features and another class."""
    shared_rows: int
    """Test rows whose features a training row has too."""
    anomalous_rows: int | None = None
    """Rows unlike the rest; absent where fewer than two features are numbers."""
    class_rows: LongList[int]
    """How many rows each class has, ascending."""
    smallest_group_rows: int | None = None
    """Rows of the smallest sensitive group; absent without sensitive attributes."""
    leakage: LongList[FeatureLeakage]
    """In the schema's order."""


class GroupMetrics(FileModel):
    """The metrics of one group of a sensitive attribute, or of two together."""

    group: str
    """Its name if the schema declares it; otherwise a number, for it is a personal datum."""
    without_value: bool = False
    """Whether its rows are those that have no value of the attribute, or of one of the two."""
    rows: int
    """In the test split."""
    positives: int | None = None
    """Rows of the positive class."""
    selection_rate: float | None = None
    """The share that is decided as positive."""
    selection_rate_lower: float | None = None
    selection_rate_upper: float | None = None
    true_positive_rate: float | None = None
    false_positive_rate: float | None = None
    accuracy: float | None = None
    """Absent where the group has no row."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Further ones by the name that a gate would use for all rows."""


class AttributeFairness(FileModel):
    """Fairness by one sensitive attribute, or by two together (``<one> x <other>``)."""

    attribute: str
    demographic_parity_difference: float | None = None
    demographic_parity_ratio: float | None = None
    equalized_odds_difference: float | None = None
    equal_opportunity_difference: float | None = None
    inconclusive: str | None = None
    """Why a number is absent: which group has how many rows, and what is needed."""
    groups: LongList[GroupMetrics]
    groups_left_out: int = 0
    """Groups that are measured but not listed, because the report has an end."""


class ProxyFeature(FileModel):
    """The contribution of a feature to predicting a sensitive attribute."""

    feature: ColumnName
    contribution: float
    """By how much ROC-AUC drops when the feature's values are shuffled."""


class Proxy(FileModel):
    """The prediction of a sensitive attribute from the other features."""

    attribute: ColumnName
    roc_auc: float | None = None
    """Cross-validated; 0.5 is chance, 1 gives the attribute away. Of three groups or more, the
    mean of each against the rest."""
    inconclusive: str | None = None
    """Why there is no number."""
    rows: int
    features: LongList[ProxyFeature] = Field(default_factory=list)
    """Those that contribute most, the first of them first."""


class CalibrationBin(FileModel):
    """A bin of predicted probabilities, and what came of its rows."""

    rows: int
    predicted: float
    """The mean probability."""
    observed: float
    """The share for which it came true."""


class ColumnDecision(FileModel):
    """The personal-data guard's decision on a column."""

    column: str
    detector: str
    action: PIIAction | None = None
    """Absent where the run allows it to stay."""
    reason: str | None = None
    """Why the run allows it to stay."""
    count: int


class CertifiedAt(FileModel):
    """The share of rows decided rightly and certified to stay so within a radius."""

    radius: float
    certified_accuracy: float
    """In the maximum norm: every number may move so far at once."""
    certified_accuracy_l2: float
    """In the Euclidean norm."""


class NoiseLevel(FileModel):
    """The share of decisions that stay under Gaussian noise."""

    deviations: float
    stability: float


class RobustnessReport(FileModel):
    """The change that a row may bear before its decision changes; radii in standard deviations."""

    epsilon: float
    """The radius that ``certifiedAccuracy`` and ``attackedAccuracy`` are about."""
    moving: LongList[ColumnName]
    """The features that can move; all others stay as they are."""
    rows: int
    """How many test rows were looked at: all, or a seeded sample."""
    test_rows: int
    bound: Literal["Exact", "Lower"]
    """Whether radii in the maximum norm are exact or a sound lower bound."""
    bound_l2: Literal["Exact", "Lower"]
    certified_without_range: float | None = None
    """``certifiedAccuracy`` if values could leave the declared range; linear models alone."""
    certified_without_range_l2: float | None = None
    unmovable: float
    """The share of rows whose decision no change of what can move was found to turn."""
    attack: Literal["WorstCase", "CoordinateSearch"]
    """How changes within epsilon were searched that turn a decision: ``attackedAccuracy`` is an
    upper bound of what is robust, ``certifiedAccuracy`` a lower one."""
    curve: LongList[CertifiedAt]
    noise_rows: int
    noise_draws: int
    noise: LongList[NoiseLevel]


class Report(FileModel):
    """``report.json``: everything that was measured; nothing that varies between equal runs."""

    schema_version: Literal["hallmark.dev/report/v1"] = "hallmark.dev/report/v1"
    model: ObjectName
    run_id: str | None = None
    spec_digest: Digest | None = None
    dataset_fingerprint: Digest | None = None
    image_digest: Digest | None = None
    target: ColumnName | None = None
    classes: LongList[str] = Field(default_factory=list)
    """In the order of the probabilities."""
    positive: str | None = None
    evaluation: Evaluation | None = None
    """How sure the measurements are."""
    rows: int
    train_rows: int
    test_rows: int
    quality: float
    quality_parts: LongList[QualityPart]
    data: DataReport | None = None
    remarks: LongList[Finding]
    pii: LongList[ColumnDecision]
    metrics: LongList[MetricValue]
    inconclusive: dict[str, str] = Field(default_factory=dict)
    """Why a metric has no number, by its name."""
    calibration: LongList[CalibrationBin] = Field(default_factory=list)
    """Of the positive class; with three classes or more, of the most probable one."""
    fairness: LongList[AttributeFairness]
    proxies: LongList[Proxy] = Field(default_factory=list)
    robustness: RobustnessReport | None = None
    gates: LongList[GateResult]
    algorithm: str
    parameters: dict[str, str]
    seed: int
    packages: dict[str, str]
    served_form_max_difference: float
    """The largest difference between the estimator's and the served form's probabilities."""
