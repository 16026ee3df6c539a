"""How strongly a feature's rows speak for a shift: an e-value that holds whenever one looks.

At each window a test martingale begins. It is the ratio of two probabilities of the rows since
then, by bin: numerator, a mixture of ways in which the feature may have shifted; denominator, what
the training rows predict for rows like themselves. If nothing has shifted, its mean over training
and traffic is at most one, so that it exceeds ``k`` at any time with a probability of at most
``1/k`` (Ville 1939). The martingale that begins at window ``s`` gets the share ``weight(s)`` of the
budget; the shares add up to one, so that all of them together are wrong in the whole life of a
ModelDeployment with a probability of at most the budget. Nothing is remembered but the number of
the window, and a late shift is held against its own rows alone.

The denominator is Polya's urn, begun with the training counts: the law of further rows of a
continuous feature whose edges are order statistics, and so corrected for the finite baseline. What
is in the urn for values never seen matters for rare bins alone; it is the mean of two answers,
Jeffreys' half a row in each bin and half a row in all. Only rows of the martingale itself enter the
urn, never the traffic before it: compare Shaer, Bar, Prinster and Romano, "Testing for distribution
shifts with conditional conformal test martingales", arXiv 2602.13848 (2026). What is assumed, and
how well it holds for categories: docs/decisions/0037-error-budget.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hallmark.api.served import BaselineFeature


Floats = NDArray[np.float64]

SPREADS = (0.1, 0.3, 1.0, 3.0)
"""Mean PSI of the alternatives that move each bin on its own."""
SHIFTS = (0.25, 0.5, 1.0, 2.0)
"""Standard deviations by which the alternatives of an ordered feature move it, up and down."""
LOOSE_ROWS = 150.0
"""An alternative is a guess: each shift stands there as sure as the baseline, and as if it had
been measured on so many rows."""
KEPT_LAWS = 2048
"""Features whose laws are kept, the last used ones: every report of a version asks for the same."""


@dataclass(frozen=True)
class _Mixture:
    """Dirichlet-multinomial laws of a feature's rows, and how likely each is beforehand."""

    rows: Floats
    """Shape (laws, bins): training rows that would make the law the urn's."""
    log_weights: Floats
    """Shape (laws,)."""

    def log_probability(self, counts: Floats) -> Floats:
        """Return the logarithm of the probability of rows in their order.

        Args:
            counts: Shape (..., bins).
        """
        found = log_urn(counts[..., None, :], self.rows) + self.log_weights
        most = found.max(axis=-1)
        return np.asarray(most + np.log(np.exp(found - most[..., None]).sum(axis=-1)))


class Evidence:
    """What speaks for a shift of one feature."""

    def __init__(self, feature: BaselineFeature) -> None:
        """Prepare the alternatives of a feature of the signed baseline."""
        self._same, self._shifted = _laws(tuple(feature.counts), bool(feature.edges))

    def log_values(self, counts: Floats) -> Floats:
        """Return the natural logarithms of e-values, shape (...), of counts, shape (..., bins)."""
        return self._shifted.log_probability(counts) - self._same.log_probability(counts)

    def since_any(self, windows: Sequence[Sequence[int]]) -> float:
        """Return the greatest logarithm of the martingales that began at one of the windows.

        Args:
            windows: The rows per bin of windows that follow each other, oldest first.
        """
        newest_first = np.asarray(windows[::-1], dtype=np.float64)
        return float(self.log_values(np.cumsum(newest_first, axis=0)).max())


@lru_cache(maxsize=KEPT_LAWS)
def _laws(counts: tuple[int, ...], ordered: bool) -> tuple[_Mixture, _Mixture]:
    """Return how rows come that are like the training rows, and how if they have shifted."""
    training = np.asarray(counts, dtype=np.float64)
    urns = [training + unseen for unseen in (0.5 / len(training), 0.5)]
    same = _Mixture(np.asarray(urns), np.log([0.5, 0.5]))
    return same, _alternatives(training + 1 / len(training), ordered)


def _alternatives(urn: Floats, ordered: bool) -> _Mixture:
    """Return how the feature may have shifted: bin by bin, and up or down where it has an order."""
    total, freedom = urn.sum(), len(urn) - 1
    laws = [urn * min(1.0, max(1.0, freedom / spread) / total) for spread in SPREADS]
    weights = [1 / len(laws)] * len(laws)
    if ordered:
        shifted = [
            _tilted(urn, size * sign) * sure
            for size in SHIFTS
            for sign in (1, -1)
            for sure in (1.0, min(1.0, LOOSE_ROWS / total))
        ]
        weights = [share / 2 for share in weights] + [0.5 / len(shifted)] * len(shifted)
        laws += shifted
    return _Mixture(np.asarray(laws), np.log(weights))


def _tilted(urn: Floats, size: float) -> Floats:
    """Return the urn of a feature that moved by ``size`` standard deviations; nulls stay.

    Exponential tilting by the normal scores of the bins: exact for a normal feature but for what
    moves within a bin, and a shift of the ranks for any other.
    """
    values = urn[:-1]
    shares = values / values.sum()
    middles = np.cumsum(shares) - shares / 2
    scores = np.asarray([NormalDist().inv_cdf(middle) for middle in middles])
    scores = scores - shares @ scores
    deviation = (shares @ scores**2) ** 0.5
    moved = shares * np.exp(np.clip(size * scores / deviation, -_STEEP, _STEEP))
    return np.append(moved * (values.sum() / moved.sum()), urn[-1])


_STEEP = 30.0


def log_urn(counts: Floats, urn: Floats) -> Floats:
    """Return the logarithm of the probability with which Polya's urn gives rows in their order.

    Args:
        counts: Rows per bin, shape (..., bins).
        urn: What is in the urn at first, shape (..., bins), all above zero.
    """
    rising = (log_gamma(urn + counts) - log_gamma(urn)).sum(axis=-1)
    total = urn.sum(axis=-1)
    return np.asarray(rising - log_gamma(total + counts.sum(axis=-1)) + log_gamma(total))


def log_gamma(values: Floats) -> Floats:
    """Return the logarithm of the gamma function of values above zero, to 1e-10 of one at least.

    Stirling's series after eight steps of the recurrence (Abramowitz and Stegun 6.1.15, 6.1.41).
    ``math.lgamma`` takes no arrays, and SciPy would double the operator's image.
    """
    far = values + 8
    steps = np.log(values * (values + 1) * (values + 2) * (values + 3))
    steps = steps + np.log((values + 4) * (values + 5) * (values + 6) * (values + 7))
    square = 1 / (far * far)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / far
    return np.asarray((far - 0.5) * np.log(far) - far + 0.5 * log(2 * np.pi) + series - steps)
