"""A fitted model with its rows, and what was measured on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hallmark.api.report import (
    AttributeFairness,
    CalibrationBin,
    Proxy,
    RobustnessReport,
)
from hallmark.api.served import ServedFeature
from hallmark.training import gates, matrix
from hallmark.training.data_checks import DataChecks
from hallmark.training.pipeline import Fitted
from hallmark.training.split import Split


@dataclass(frozen=True)
class Trained:
    """A fitted model with the rows it was fitted to and those it is measured on.

    Attributes:
        fitted: The pipeline and its arithmetic.
        features: What each column of the rows is.
        rows: Shape (rows, features).
        truth: Shape (rows,): each row's class, as its index in ``classes``.
        classes: The classes' names, in the order of the probabilities.
        positive: The index of the positive class, if the schema names one.
        split: Which rows were learned from.
    """

    fitted: Fitted
    features: list[ServedFeature]
    rows: matrix.Matrix
    truth: matrix.Truth
    classes: list[str]
    positive: int | None
    split: Split

    @property
    def train_rows(self) -> matrix.Matrix:
        """Shape (training rows, features)."""
        rows: matrix.Matrix = self.rows[self.split.train]
        return rows

    @property
    def test_rows(self) -> matrix.Matrix:
        """Shape (test rows, features)."""
        rows: matrix.Matrix = self.rows[self.split.test]
        return rows

    @property
    def test_truth(self) -> matrix.Truth:
        """Shape (test rows,)."""
        truth: matrix.Truth = self.truth[self.split.test]
        return truth


@dataclass(frozen=True)
class Measured:
    """The measurements on the test rows."""

    metrics: Mapping[str, gates.Measurement]
    data: DataChecks
    calibration: list[CalibrationBin]
    fairness: list[AttributeFairness]
    proxies: list[Proxy]
    robustness: RobustnessReport
