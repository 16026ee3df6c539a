"""Confidence intervals: of shares by formula, of the rest by the percentile bootstrap by class.

The test rows are drawn anew with replacement, as many of each class as there are, because the
split that made them is stratified too; so every metric is defined in every resample. The interval
is from the (1 - c) / 2 to the (1 + c) / 2 quantile of the resampled metrics, for the confidence c
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), widened to hold the
estimate where a metric is biased upwards in resamples, as calibration error is. It is never
narrower than so few rows allow (``intervals``); a share has its own limits alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hallmark.api.gates import PERFORMANCE
from hallmark.api.metrics import Evaluation
from hallmark.training import intervals
from hallmark.training.gates import Measurement
from hallmark.training.intervals import Limits
from hallmark.training.metrics import Floats, Indices, Performance, Predictions, Weights

MAX_ROWS = 20_000
"""With more rows, as many are drawn of a fixed stratified sample of this size, and the deviations
from its own metrics are scaled by sqrt(sample / rows) (Politis, Romano & Wolf, Subsampling, 1999):
the time does not grow with the rows, and the intervals shrink as they should."""

_BLOCK = 1_000_000
"""Weights that are held at a time."""


@dataclass(frozen=True)
class Resampling:
    """The way in which intervals are made.

    Attributes:
        confidence: Between 0 and 1.
        resamples: How many.
        seed: What the draws derive from, with the name of what is measured.
        max_rows: Of more rows a sample of this size is resampled.
    """

    confidence: float
    resamples: int
    seed: int
    max_rows: int = MAX_ROWS

    @classmethod
    def of(cls, evaluation: Evaluation, seed: int) -> Resampling:
        """Return what a run asks for."""
        return cls(float(evaluation.confidence), evaluation.resamples, seed)

    def random(self, name: str) -> np.random.Generator:
        """Return the draws for what has this name: the same for the same seed and name."""
        key = hashlib.sha256(name.encode()).digest()[:8]
        return np.random.default_rng([self.seed, int.from_bytes(key, "big")])

    def measurement(self, estimate: float, resampled: Floats, few: Limits) -> Measurement:
        """Return an estimate with its interval; without a value if one is not defined.

        Args:
            estimate: Measured on the rows themselves.
            resampled: Shape (resamples,).
            few: The limits that the number of rows sets: the interval is at least as wide.
        """
        if not math.isfinite(estimate) or not np.isfinite(resampled).all():
            return Measurement(None)
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(resampled, [tail, 1 - tail]).tolist()
        return Measurement(estimate, min(low, estimate, few[0]), max(high, estimate, few[1]))


_BY_CLASS = frozenset({"balancedAccuracy", "rocAuc", "prAuc"})
"""What needs some rows of each class."""


def measure_performance(
    predictions: Predictions, resampling: Resampling
) -> Mapping[str, Measurement]:
    """Return every metric of ``metrics`` with its interval, by the name that gates use.

    A metric is inconclusive where there are too few rows, or too few of a class.
    """
    rows = np.bincount(predictions.truth, minlength=predictions.classes)
    of_all = intervals.too_few(len(predictions.truth))
    of_class = intervals.too_few(len(predictions.truth), int(rows.min()))
    why = {name: of_class if name in _BY_CLASS else of_all for name in PERFORMANCE}
    if all(why.values()):
        return {name: Measurement(None, inconclusive=reason) for name, reason in why.items()}
    measured = _measure(predictions, resampling)
    return {
        name: Measurement(None, inconclusive=reason) if reason else measured[name]
        for name, reason in why.items()
    }


def _measure(predictions: Predictions, resampling: Resampling) -> Mapping[str, Measurement]:
    everything = Performance(predictions)
    whole = everything.estimate()
    with np.errstate(invalid="ignore", divide="ignore"):  # a class without rows
        few = _limits(everything, whole, resampling.confidence)
    random = resampling.random("performance")
    sample, scale = predictions, 1.0
    if len(predictions.truth) > resampling.max_rows:
        rows = stratified(predictions.truth, resampling.max_rows, random)
        sample, scale = predictions.take(rows), math.sqrt(len(rows) / len(predictions.truth))
    prepared = Performance(sample)
    estimate = prepared.estimate()
    blocks = [
        prepared.compute(weights) for weights in draws(prepared.truth, resampling.resamples, random)
    ]
    resampled = {
        name: value + scale * (np.concatenate([block[name] for block in blocks]) - estimate[name])
        for name, value in whole.items()
    }
    return {
        # What is a share, or a mean of shares, has its limits from these alone.
        name: Measurement(value, *few[name])
        if name in ("accuracy", "balancedAccuracy") and math.isfinite(value)
        else resampling.measurement(value, resampled[name], few[name])
        for name, value in whole.items()
    }


def _limits(
    performance: Performance, estimates: Mapping[str, float], confidence: float
) -> Mapping[str, Limits]:
    """Return the limits that the number of rows sets to each metric, by name."""
    rows = len(performance.truth)
    hits, of_class = performance.recalled()
    rankings = performance.rankings()
    areas = [
        intervals.area_limits(found.area, found.positives, found.others, confidence)
        for found in rankings
    ]
    precisions = [
        intervals.share_limits(found.precision * found.positives, found.positives, confidence)
        for found in rankings
    ]
    right = intervals.share_limits(hits.sum(), rows, confidence)
    worst_brier = 1.0 if performance.classes == 2 else 2.0

    def of_mean(name: str, most: float, least: float = 0.0) -> Limits:
        low, high = intervals.mean_limits(estimates[name], rows, least, most, confidence)
        return max(0.0, low), high

    return {
        "accuracy": (float(right[0]), float(right[1])),
        "balancedAccuracy": intervals.mean_of_shares_limits(hits, of_class, confidence),
        "rocAuc": _mean_of_limits(areas),
        "prAuc": _mean_of_limits([(float(low), float(high)) for low, high in precisions]),
        "logLoss": of_mean("logLoss", performance.worst_loss()),
        "brier": of_mean("brier", worst_brier),
        # Cases that no row showed may be all wrong, or make up for the error of those it did.
        "expectedCalibrationError": of_mean("expectedCalibrationError", 1.0, -1.0),
    }


def _mean_of_limits(limits: Sequence[Limits]) -> Limits:
    """Return limits of the mean of what is measured on the same rows: as if all err alike."""
    low, high = np.mean(limits, axis=0)
    return float(low), float(high)


def draws(strata: Indices, resamples: int, random: np.random.Generator) -> Iterator[Weights]:
    """Yield blocks of resamples: how often each row was drawn, shape (resamples, rows).

    Args:
        strata: Shape (rows,), ascending: rows are drawn within each.
        resamples: How many in all.
        random: The draws.
    """
    sizes = np.bincount(strata)
    ends = np.cumsum(sizes)
    block = max(1, _BLOCK // max(1, len(strata)))
    for start in range(0, resamples, block):
        weights = np.empty((min(block, resamples - start), len(strata)))
        for row in weights:
            for size, end in zip(sizes, ends, strict=True):
                drawn = random.integers(0, size, size) if size else np.empty(0, dtype=np.int64)
                row[end - size : end] = np.bincount(drawn, minlength=size)
        yield weights


def row_mean(values: Floats, resampling: Resampling, name: str, most: float = 1.0) -> Measurement:
    """Return the mean of a number per row with its interval.

    Args:
        values: Shape (rows,), from 0 to ``most``.
        resampling: How the interval is made.
        name: Of the metric.
        most: The greatest number that a row may have; with 1, rows of 0 and 1 alone are a share.
    """
    rows = len(values)
    why = intervals.too_few(rows)
    if why or not np.isfinite(values).all():
        return Measurement(None, inconclusive=why)
    estimate = float(values.mean())
    if most == 1 and np.isin(values, (0.0, 1.0)).all():
        low, high = intervals.share_limits(values.sum(), rows, resampling.confidence)
        return Measurement(estimate, float(low), float(high))
    random = resampling.random(name)
    kept = values[stratified(np.zeros(rows, dtype=np.int64), resampling.max_rows, random)]
    strata = np.zeros(len(kept), dtype=np.int64)
    means = [weights @ kept / len(kept) for weights in draws(strata, resampling.resamples, random)]
    deviations = np.concatenate(means) - kept.mean()
    scale = math.sqrt(len(kept) / rows)
    few = intervals.mean_limits(estimate, rows, 0.0, most, resampling.confidence)
    return resampling.measurement(estimate, estimate + scale * deviations, few)


def stratified(truth: Indices, size: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return a sample of row numbers, ascending, in which the classes have their shares."""
    if len(truth) <= size:
        return np.arange(len(truth))
    chosen = [
        random.permutation(rows)[: max(1, round(size * len(rows) / len(truth)))]
        for class_ in np.unique(truth)
        for rows in [np.flatnonzero(truth == class_)]
    ]
    return np.sort(np.concatenate(chosen))
