"""How well the model separates the classes, on the test rows: estimates and resampled ones.

Every metric is computed from weights of the rows, so that one code gives the estimate (each row
counts once) and any number of bootstrap resamples (each row counts as often as it was drawn). The
definitions are scikit-learn's, with its sample weights.

With three classes or more, ``rocAuc`` and ``prAuc`` are the mean of each class against the rest
(macro), ``balancedAccuracy`` is the mean recall and ``brier`` the sum over the classes (0 to 2).
``prAuc`` is the average precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hallmark.api.gates import PERFORMANCE
from hallmark.classification import predicted_classes

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

CALIBRATION_BINS = 15
"""Bins of equal width for the expected calibration error (Guo et al., ICML 2017): of the positive
class's probability with two classes, of the most probable class's with more."""

_SMALLEST = float(np.finfo(np.float64).eps)
"""No probability counts as less in ``logLoss``, as in scikit-learn."""


@dataclass(frozen=True)
class Predictions:
    """The model's probabilities for rows whose classes are known.

    Attributes:
        truth: Shape (rows,): class indices.
        probabilities: Shape (rows, classes).
        positive: The positive class's index, or None where the classes are peers.
    """

    truth: Indices
    probabilities: Floats
    positive: int | None

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.probabilities.shape[1])

    @property
    def headline(self) -> int | None:
        """The class that is looked at where one stands for both; None with three or more."""
        if self.classes > 2:
            return None
        return 1 if self.positive is None else self.positive

    @cached_property
    def decisions(self) -> Indices:
        """Shape (rows,): the class that is decided."""
        return predicted_classes(self.probabilities, self.positive)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Predictions:
        """Return those of some rows."""
        return Predictions(self.truth[rows], self.probabilities[rows], self.positive)


def calibration(predictions: Predictions) -> tuple[Floats, Floats, Indices]:
    """Return each row's probability, what came of it (0 or 1), and its calibration bin."""
    if predictions.headline is not None:
        predicted = predictions.probabilities[:, predictions.headline]
        observed = (predictions.truth == predictions.headline).astype(np.float64)
    else:
        predicted = predictions.probabilities.max(axis=1)
        observed = (predictions.truth == predictions.decisions).astype(np.float64)
    bins = np.minimum((predicted * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    return predicted, observed, bins


Weights = Floats
"""Shape (resamples, rows): how often each row counts."""


@dataclass(frozen=True)
class Ranked:
    """How well one class is ranked above the rest.

    Attributes:
        area: Under the ROC curve.
        precision: The average precision.
        positives: Rows of the class.
        others: All other rows.
    """

    area: float
    precision: float
    positives: int
    others: int


class Performance:
    """The metrics of predictions, for any weights of their rows."""

    def __init__(self, predictions: Predictions) -> None:
        """Sort once what every resample needs."""
        order = np.lexsort((predictions.probabilities[:, -1], predictions.truth))
        self._rows = predictions.take(order)
        self.truth = self._rows.truth
        """The rows' classes in the order in which weights are given: ascending."""
        self.classes = self._rows.classes
        """How many classes there are."""
        self._columns = _columns(self._rows)
        self._rankings = [
            _Ranking(self._rows.probabilities[:, class_], self.truth == class_)
            for class_ in self._ranked(predictions.positive)
        ]

    def _ranked(self, positive: int | None) -> Sequence[int]:
        if self.classes == 2 and positive is not None:
            return [positive]
        return range(self.classes)

    def compute(self, weights: Weights) -> dict[str, Floats]:
        """Return each metric by its name, shape (resamples,); NaN where it is not defined."""
        sums = weights @ self._columns
        total = weights.sum(axis=1)
        recalls, sums = np.split(sums, [2 * self.classes], axis=1)
        bins, sums = np.split(sums, [CALIBRATION_BINS], axis=1)
        ranked = [ranking.compute(weights) for ranking in self._rankings]
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = recalls[:, : self.classes] / recalls[:, self.classes :]
            values = (
                sums[:, 0] / total,
                recall.mean(axis=1),
                np.mean([area for area, _ in ranked], axis=0),
                np.mean([precision for _, precision in ranked], axis=0),
                sums[:, 1] / total,
                sums[:, 2] / total,
                np.abs(bins).sum(axis=1) / total,
            )
        return dict(zip(PERFORMANCE, values, strict=True))

    def estimate(self) -> dict[str, float]:
        """Return each metric where every row counts once."""
        ones = np.ones((1, len(self.truth)))
        return {name: float(values[0]) for name, values in self.compute(ones).items()}

    def recalled(self) -> tuple[Floats, Floats]:
        """Return how many rows of each class are decided rightly, and how many there are."""
        sums = self._columns[:, : 2 * self.classes].sum(axis=0)
        return sums[: self.classes], sums[self.classes :]

    def rankings(self) -> list[Ranked]:
        """Return how well each class is ranked that ``rocAuc`` and ``prAuc`` are the mean of."""
        ones = np.ones((1, len(self.truth)))
        return [
            Ranked(float(area[0]), float(precision[0]), *ranking.sizes)
            for ranking in self._rankings
            for area, precision in [ranking.compute(ones)]
        ]

    def worst_loss(self) -> float:
        """Return what the least probability that was given would cost if it came true."""
        return float(-np.log(max(self._rows.probabilities.min(initial=1.0), _SMALLEST)))


def _columns(rows: Predictions) -> Floats:
    """Return what is summed: shape (rows, 2 classes + bins + 3)."""
    classes = np.arange(rows.classes)
    of_class = (rows.truth[:, None] == classes).astype(np.float64)
    right = (rows.truth == rows.decisions).astype(np.float64)
    predicted, observed, bins = calibration(rows)
    in_bin = (bins[:, None] == np.arange(CALIBRATION_BINS)) * (predicted - observed)[:, None]
    if len(rows.truth):
        of_truth = rows.probabilities[np.arange(len(rows.truth)), rows.truth]
    else:
        of_truth = np.empty(0)
    loss = -np.log(np.clip(of_truth, _SMALLEST, 1 - _SMALLEST))
    if rows.headline is not None:
        brier = (predicted - observed) ** 2
    else:
        brier = ((rows.probabilities - of_class) ** 2).sum(axis=1)
    sums = np.column_stack([right, loss, brier])
    return np.hstack([of_class * right[:, None], of_class, in_bin, sums])


class _Ranking:
    """One class against the rest: area under the ROC curve and average precision."""

    def __init__(self, scores: Floats, positive: npt.NDArray[np.bool_]) -> None:
        yes, no = np.flatnonzero(positive), np.flatnonzero(~positive)
        self.sizes = len(yes), len(no)
        yes = yes[np.argsort(scores[yes], kind="stable")]
        no = no[np.argsort(scores[no], kind="stable")]
        self._yes, self._no = _slice(yes), _slice(no)
        self._below = np.searchsorted(scores[no], scores[yes], side="left")
        self._up_to = np.searchsorted(scores[no], scores[yes], side="right")
        self._ties = bool((self._below != self._up_to).any())
        self._first = np.searchsorted(scores[yes], scores[yes], side="left")

    def compute(self, weights: Weights) -> tuple[Floats, Floats]:
        yes, no = weights[:, self._yes], weights[:, self._no]
        passed, missed = _running_sums(no), _running_sums(yes)
        below = np.take(passed, self._below, axis=1)
        positives, negatives = missed[:, -1:], passed[:, -1:]
        beaten = below
        if self._ties:
            beaten = (below + np.take(passed, self._up_to, axis=1)) / 2
        hits = positives - np.take(missed, self._first, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = hits / (hits + negatives - below)
            precision[hits == 0] = 0.0
            area = np.einsum("ij,ij->i", yes, beaten) / (positives * negatives)[:, 0]
            average = np.einsum("ij,ij->i", yes, precision) / positives[:, 0]
        average[negatives[:, 0] == 0] = np.nan
        return area, average


def _slice(places: npt.NDArray[np.intp]) -> slice | npt.NDArray[np.intp]:
    """Return neighbouring places as a slice, which needs no copy."""
    if len(places) and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _running_sums(values: Floats) -> Floats:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def performance(predictions: Predictions) -> dict[str, float | None]:
    """Return each metric by the name that gates use; None where it is not defined."""
    estimates = Performance(predictions).estimate()
    return {name: value if np.isfinite(value) else None for name, value in estimates.items()}
