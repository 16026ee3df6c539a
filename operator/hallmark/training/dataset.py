"""The dataset as the checks of its rows hand it to training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hallmark.api.findings import Finding
from hallmark.api.report import ColumnDecision, QualityPart
from hallmark.api.schema import Schema
from hallmark.api.tasks import TrainStage
from hallmark.data.schema import Validation
from hallmark.data.table import Table

Announce = Callable[[TrainStage, int, str], None]
"""The callback that is told of each stage, with the percentage done and a few words."""


@dataclass(frozen=True)
class ValidatedDataset:
    """A dataset that passed: its rows and what is known about them.

    Attributes:
        metrics: What was counted, by the name that a gate can give.
        validation: What the schema's checks found.
    """

    schema: Schema
    table: Table
    fingerprint: str
    quality: float
    quality_parts: tuple[QualityPart, ...]
    remarks: tuple[Finding, ...]
    pii: tuple[ColumnDecision, ...]
    metrics: Mapping[str, float | None]
    validation: Validation
