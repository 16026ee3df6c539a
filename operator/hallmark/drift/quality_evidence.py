"""How sure it is that answers come true less often than a floor, or than their scores say.

Accuracy: the null is that each answer, whatever came before it, is right with a probability of at
least the floor. A mixture of ways to be worse is held against it: for each the ratio of the
probabilities of what came is a supermartingale, and so is their mean.

Calibration: the null is that of each row the probability of the event, whatever came before, is at
most the limit away from its score. With ``D`` the events of a bin less its scores, ``n`` the rows
and ``c`` above zero, ``exp(-n (c limit + c^2 / 8))`` times the product over the bins of
``cosh(c D)`` is a supermartingale: the mean over all signs of the bins of what Hoeffding's lemma
(1963, lemma 1) bounds for each.

As for drift (``hallmark.drift.evidence``) a martingale begins at each window, with its share of
the error budget, so that a verdict holds whenever one looks, and a late loss is held against its
own outcomes alone. Neither null needs rows to be independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hallmark.api.bounds import SCORE_SCALE

WORSE_ODDS = (1.1, 1.25, 1.5, 2.0, 4.0, 16.0)
"""By so much the odds of a wrong answer are higher in the alternatives."""
SLOPES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""What ``c`` is in the alternatives: four times the calibration error beyond the limit is best."""


class BinnedScores(Protocol):
    """A window of outcomes, by the bins of their scores: see ``OutcomeWindow``."""

    @property
    def outcomes(self) -> int:
        """All of them."""

    @property
    def scored(self) -> Sequence[int]:
        """Outcomes."""

    @property
    def happened(self) -> Sequence[int]:
        """How many of these were what the score is the probability of."""

    @property
    def scores(self) -> Sequence[int]:
        """The sums of the scores."""


def accuracy_evidence(correct: int, outcomes: int, floor: float) -> float:
    """Return the natural logarithm of the e-value against an accuracy of at least the floor."""
    return float(excess_evidence(outcomes, outcomes - correct, np.array([floor]))[0])


def excess_evidence(outcomes: int, odd: int, floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithms of the e-values against that few outcomes are odd, by floor.

    The ratios of probabilities are written out, so that a floor of 0 or 1 divides by nothing.

    Args:
        outcomes: all of them.
        odd: those that are not as they should be.
        floors: shape (floors,): the least probability, between 0 and 1, that one is not odd.
    """
    odds = np.array(WORSE_ODDS)[:, None]
    found = odd * np.log(odds) - outcomes * np.log(odds - (odds - 1.0) * floors)
    most = found.max(axis=0)
    mixed: NDArray[np.float64] = most + np.log(np.exp(found - most).mean(axis=0))
    return mixed


def calibration_evidence(windows: Sequence[BinnedScores], limit: float) -> float:
    """Return the same against a calibration error of at most the limit."""
    gaps, rows = _gaps(windows)
    return _log_mean(
        [
            fsum(_log_cosh(slope * gap) for gap in gaps)
            - rows * (slope * limit + slope * slope / 8)
            for slope in SLOPES
        ]
    )


def calibration_error(windows: Sequence[BinnedScores]) -> float:
    """Return the expected calibration error: the mean gap of the bins, by their rows.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015.
    """
    gaps, rows = _gaps(windows)
    return fsum(map(abs, gaps)) / rows


def _gaps(windows: Sequence[BinnedScores]) -> tuple[list[float], int]:
    """Return the events of each bin less its scores, and how many outcomes there are."""
    happened = [sum(counts) for counts in zip(*(one.happened for one in windows), strict=True)]
    scores = [sum(counts) for counts in zip(*(one.scores for one in windows), strict=True)]
    gaps = [events - told / SCORE_SCALE for events, told in zip(happened, scores, strict=True)]
    return gaps, sum(one.outcomes for one in windows)


def _log_cosh(value: float) -> float:
    size = abs(value)
    return size + log((1 + exp(-2 * size)) / 2)


def _log_mean(values: Sequence[float]) -> float:
    most = max(values)
    return most + log(fsum(exp(value - most) for value in values) / len(values))
