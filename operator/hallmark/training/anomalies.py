"""Rows that are unlike the rest in several numbers together, though each may be usual by itself.

A row's Mahalanobis distance tells how far it is from the rest, given how the numbers go together.
Centre and covariance are those of the central three quarters of the rows, so that anomalies do not
hide each other: the concentration steps of Rousseeuw and Van Driessen (A fast algorithm for the
minimum covariance determinant estimator, 1999), from one start, the rows nearest to the medians. A
row is an anomaly if the cube root of its squared distance, which is close to normal where the
numbers are (Wilson and Hilferty, 1931), is beyond Tukey's upper outer fence of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.covariance import EmpiricalCovariance
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.api.findings import Finding
from hallmark.api.served import ServedFeature
from hallmark.data.anomalies import tukey_fences
from hallmark.data.duplicates import Rows, rows_finding
from hallmark.training.matrix import Matrix, is_number

_CENTRAL = 0.75
_STEPS = 5
_MAX_SAMPLE = 20_000
"""So many rows, evenly spaced, tell where the centre is."""
_STRIDE = 65_536

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Anomalies:
    """The rows that are unlike the rest.

    Attributes:
        rows: Their numbers from 0; None where fewer than two features are numbers.
        fraction: Their part of all rows.
    """

    rows: Rows | None
    fraction: float | None

    def findings(self) -> tuple[Finding, ...]:
        """Return a remark if there are any."""
        if self.rows is None or not len(self.rows):
            return ()
        expected, found = "rows like the rest", "numbers that are seldom together"
        return (rows_finding("Anomaly", self.rows, expected, found),)


def find_anomalies(rows: Matrix, features: Sequence[ServedFeature]) -> Anomalies:
    """Return the rows that are unlike the rest; the same for the same rows.

    Args:
        rows: Shape (rows, features).
        features: What each column is; only numbers are looked at.
    """
    numeric = [position for position, feature in enumerate(features) if is_number(feature)]
    if len(numeric) < 2:
        return Anomalies(None, None)
    # One thread: the order of sums, and so the last bits, must not depend on the number of cores.
    with threadpool_limits(1):
        distances = np.cbrt(_squared_distances(_scaled(rows[:, numeric])))
    fences = tukey_fences(pl.Series(distances))
    if fences is None:
        return Anomalies(np.empty(0, dtype=np.intp), 0.0)
    unlike: Rows = np.flatnonzero(distances > fences[1])
    return Anomalies(unlike, len(unlike) / len(rows))


def _scaled(rows: Matrix) -> Numbers:
    """Return the numbers from their median on, in standard deviations; a null is the median."""
    numbers = rows.astype(np.float64)
    for column in numbers.T:
        there = column[~np.isnan(column)]
        middle, spread = (np.median(there), there.std()) if len(there) else (0.0, 0.0)
        column[:] = np.nan_to_num((column - middle) / (spread or 1.0))
    return numbers


def _squared_distances(numbers: Numbers) -> Numbers:
    """Return each row's squared distance from the central rows, shape (rows,)."""
    sample = numbers[:: 1 + len(numbers) // _MAX_SAMPLE]
    central = int(len(sample) * _CENTRAL)
    distances: Numbers = (sample**2).sum(axis=1)
    for _ in range(_STEPS):
        nearest = np.argsort(distances, kind="stable")[:central]
        covariance = EmpiricalCovariance().fit(sample[nearest])
        distances = covariance.mahalanobis(sample)
    parts = [
        covariance.mahalanobis(numbers[start : start + _STRIDE])
        for start in range(0, len(numbers), _STRIDE)
    ]
    distances = np.concatenate(parts)
    return np.maximum(distances, 0.0, out=distances)
