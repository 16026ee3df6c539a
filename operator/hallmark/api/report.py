"""``report.json``: everything that the assay measured, as frozen models.

Nothing in it varies between equal runs, and nothing is a value of a personal datum.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hallmark.api.artifacts import Finding
from hallmark.api.common import FileModel, ObjectName
from hallmark.api.training_run import GateResult, MetricValue, PIIAction


class QualityPart(FileModel):
    """One dimension of the quality score, 0 to 100."""

    dimension: str
    score: float
    weight: float


class GroupMetrics(FileModel):
    """The metrics of one group of a sensitive attribute."""

    group: str
    rows: int
    selection_rate: float
    accuracy: float


class AttributeFairness(FileModel):
    """Fairness by one sensitive attribute."""

    attribute: str
    demographic_parity_difference: float | None = None
    equalized_odds_difference: float | None = None
    groups: list[GroupMetrics]


class ColumnDecision(FileModel):
    """What the personal-data guard did with a column."""

    column: str
    detector: str
    action: PIIAction | None = None
    """Absent where the run allows it to stay."""
    reason: str | None = None
    """Why the run allows it to stay."""
    count: int


class Report(FileModel):
    """``report.json``: everything that was measured; nothing that varies between equal runs."""

    schema_version: Literal["hallmark.dev/report/v1"] = "hallmark.dev/report/v1"
    model: ObjectName
    rows: int
    train_rows: int
    test_rows: int
    quality: float
    quality_parts: list[QualityPart]
    remarks: list[Finding]
    pii: list[ColumnDecision]
    metrics: list[MetricValue]
    inconclusive: dict[str, str] = Field(default_factory=dict)
    """Why a metric has no number, by its name."""
    fairness: list[AttributeFairness]
    gates: list[GateResult]
    algorithm: str
    parameters: dict[str, str]
    seed: int
    packages: dict[str, str]
    served_form_max_difference: float
    """The largest difference between the estimator's and the served form's probabilities."""
