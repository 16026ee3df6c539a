"""Confidence intervals by the percentile bootstrap, stratified by class.

The test rows are drawn anew with replacement, as many of each class as there are, because the
split that made them is stratified too; so every metric is defined in every resample. The interval
is from the (1 - c) / 2 to the (1 + c) / 2 quantile of the resampled metrics, for the confidence c
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), widened to hold the
estimate where a metric is biased upwards in resamples, as calibration error and differences are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hallmark.api.training_run import Evaluation
from hallmark.training.gates import Measurement
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

    def interval(self, estimate: float, resampled: Floats) -> tuple[float, float]:
        """Return the ends of the interval around an estimate; NaN where it is not defined.

        Args:
            estimate: Measured on the rows themselves.
            resampled: Shape (resamples,).
        """
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(resampled, [tail, 1 - tail])
        return min(float(low), estimate), max(float(high), estimate)

    def measurement(self, estimate: float, resampled: Floats) -> Measurement:
        """Return an estimate with its interval; without a value if one is not defined."""
        defined = len(resampled) > 0 and np.isfinite(resampled).all()
        if not math.isfinite(estimate) or not defined:
            return Measurement(None)
        return Measurement(estimate, *self.interval(estimate, resampled))


def measure_performance(
    predictions: Predictions, resampling: Resampling
) -> Mapping[str, Measurement]:
    """Return every metric of ``metrics`` with its interval, by the name that gates use."""
    whole = Performance(predictions).estimate()
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
    return {
        name: resampling.measurement(
            value,
            value + scale * (np.concatenate([block[name] for block in blocks]) - estimate[name]),
        )
        for name, value in whole.items()
    }


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


def row_mean(values: Floats, resampling: Resampling, name: str) -> Measurement:
    """Return the mean of a number per row with its interval.

    Args:
        values: Shape (rows,).
        resampling: How the interval is made.
        name: Of the metric.
    """
    estimate = float(values.mean())
    if not np.isfinite(values).all():
        return Measurement(estimate)
    random = resampling.random(name)
    kept = values[stratified(np.zeros(len(values), dtype=np.int64), resampling.max_rows, random)]
    strata = np.zeros(len(kept), dtype=np.int64)
    means = [weights @ kept / len(kept) for weights in draws(strata, resampling.resamples, random)]
    deviations = np.concatenate(means) - kept.mean()
    scale = math.sqrt(len(kept) / len(values))
    return resampling.measurement(estimate, estimate + scale * deviations)


def cells(counts: Indices, resampling: Resampling, random: np.random.Generator) -> Floats:
    """Return resampled counts, shape (resamples, groups, 2, 2), from those of the rows.

    Drawing rows with replacement within a class is drawing the counts of its cells from a
    multinomial distribution, whatever the number of rows.

    Args:
        counts: Shape (groups, 2, 2): rows by group, class and decision.
        resampling: How many.
        random: The draws.
    """
    resampled = np.zeros((resampling.resamples, *counts.shape))
    for truth in range(2):
        of_class = counts[:, truth, :]
        total = int(of_class.sum())
        if total:
            shares = of_class.ravel() / total
            drawn = random.multinomial(total, shares, size=resampling.resamples)
            resampled[:, :, truth, :] = drawn.reshape(-1, *of_class.shape)
    return resampled


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
