"""What is to be said of the data once the rows are numbers and split: metrics, report, remarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hallmark.api.findings import Finding
from hallmark.api.report import DataReport, FeatureLeakage
from hallmark.api.served import ServedFeature
from hallmark.data.duplicates import Rows, rows_finding, shared_with_training
from hallmark.training.anomalies import find_anomalies
from hallmark.training.dataset import ValidatedDataset
from hallmark.training.gates import Measurement
from hallmark.training.matrix import Matrix
from hallmark.training.split import Split


@dataclass(frozen=True)
class DataChecks:
    """The counts of the data.

    Attributes:
        metrics: By the name that a gate can give.
        report: For ``report.json``.
        remarks: What a person should know.
    """

    metrics: Mapping[str, Measurement]
    report: DataReport
    remarks: tuple[Finding, ...]


def check_data(
    data: ValidatedDataset, rows: Matrix, features: list[ServedFeature], split: Split
) -> DataChecks:
    """Return what was counted before, and what shows only now.

    Args:
        data: The checked rows.
        rows: Shape (rows, features): the same as numbers.
        features: What each column of ``rows`` is.
        split: Which rows are learned from.
    """
    anomalies = find_anomalies(rows, features)
    shared = shared_with_training(data.validation.repeated, split.train, split.test)
    values = {
        **data.metrics,
        "anomalyFraction": anomalies.fraction,
        "sharedRowFraction": len(shared) / len(split.test),
    }
    return DataChecks(
        metrics={name: Measurement(value) for name, value in values.items()},
        report=_report(data, anomalies.rows, shared),
        remarks=(*anomalies.findings(), *_shared_rows(shared)),
    )


def _report(data: ValidatedDataset, anomalies: Rows | None, shared: Rows) -> DataReport:
    validation = data.validation
    return DataReport(
        duplicate_rows=len(validation.repeated.repeats),
        contradictory_rows=len(validation.repeated.contradictory),
        shared_rows=len(shared),
        anomalous_rows=None if anomalies is None else len(anomalies),
        class_rows=list(validation.class_rows),
        smallest_group_rows=validation.smallest_group,
        leakage=[
            FeatureLeakage(feature=leak.column, coefficient=leak.coefficient)
            for leak in validation.leaks
        ],
    )


def _shared_rows(shared: Rows) -> tuple[Finding, ...]:
    if not len(shared):
        return ()
    expected = "test rows whose features no training row has"
    return (rows_finding("SharedRow", shared, expected, "one that was learned from"),)
