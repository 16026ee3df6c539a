"""The population stability index (PSI) from raw counts, and what chance alone would show.

PSI = sum over bins of (p - q) * ln(p / q), p the traffic's share of a bin and q the baseline's:
the J-divergence of Jeffreys (1946), in credit scoring by Siddiqi, "Credit Risk Scorecards"
(2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hallmark.api.served import BaselineFeature


SMOOTHING = 0.5
"""Added to each occupied bin's count on both sides, so that an empty bin has a finite logarithm.

Half a row is Jeffreys' prior of a multinomial. Its weight falls with the sample, unlike a fixed
share such as 0.0001, which would be more than the bin's own share in a big sample and less than
a hundredth of a row in a small one. A bin that is empty on both sides says nothing and is left
out.
"""

FALSE_ALARM = 1e-4
"""How often chance alone may push any feature of an unchanged window above its limit."""


@dataclass(frozen=True)
class Stability:
    """The PSI of a window's features, and the most that chance alone would show."""

    psi: NDArray[np.float64]
    """Shape (features,), in the order of the ``Reference``."""
    limit: NDArray[np.float64]
    """Shape (features,)."""

    def moved(self, threshold: float) -> NDArray[np.bool_]:
        """Tell of each feature whether it is above the threshold and what chance would show."""
        return np.asarray(self.psi > np.maximum(self.limit, threshold))


class Reference:
    """The training rows per bin of the watched features, against which windows are measured."""

    def __init__(self, features: Sequence[BaselineFeature]) -> None:
        """Lay the features' bins side by side."""
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in features)
        self.bins = {feature.name: len(feature.counts) for feature in features}
        """How many bins each feature has."""
        self._widths = list(self.bins.values())
        self._starts = np.cumsum([0, *self._widths])[:-1]
        self._training = _flat([feature.counts for feature in features])
        self._training_rows = self._sums(self._training)

    def stability(self, counts: Mapping[str, Sequence[int]]) -> Stability:
        """Return the PSI of a window's counts, and the chance limits.

        An unchanged feature exceeds its limit with probability ``FALSE_ALARM / features``. Without
        drift, PSI is distributed as (1/n + 1/m) * chi-square(bins - 1): Yurdakul and Naranjo,
        "Statistical properties of the population stability index", Journal of Risk Model
        Validation 14(4), 2020. Dividing by the number of features is Bonferroni's bound for all.

        Args:
            counts: The window's rows per bin of each feature, in the baseline's order of bins.

        Raises:
            ValueError: a feature's bins are not the baseline's, or one side has no rows.
        """
        parts = [counts[name] for name in self.names]
        traffic = _flat(parts)
        if [len(part) for part in parts] != self._widths:
            raise ValueError("PSI needs as many counts on both sides.")
        rows = self._sums(traffic)
        if not rows.all() or not self._training_rows.all():
            raise ValueError("PSI needs rows on both sides.")
        occupied = (traffic + self._training) > 0
        p, q = self._shares(traffic, occupied), self._shares(self._training, occupied)
        bins = self._sums(occupied.astype(np.float64)).tolist()
        quantiles = [_chance_quantile(int(used) - 1, len(self.names)) for used in bins]
        limit = (1 / rows + 1 / self._training_rows) * np.asarray(quantiles)
        return Stability(self._sums((p - q) * np.log(p / q)), limit)

    def _shares(
        self, counts: NDArray[np.float64], occupied: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return each occupied bin's share of its feature; 1 in the others, which cancel out."""
        smoothed = np.where(occupied, counts + SMOOTHING, 0)
        shares = smoothed / np.repeat(self._sums(smoothed), self._widths)
        return np.where(occupied, shares, 1)

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over each feature's bins, shape (features,)."""
        return np.add.reduceat(values, self._starts) if len(values) else values


Counts = Mapping[str, Sequence[int]]
"""A window's rows per bin, by feature."""


def moved(windows: Sequence[Counts], reference: Reference, threshold: float) -> NDArray[np.bool_]:
    """Tell of each feature whether the newest window drifts.

    Its PSI is above the threshold, and so is that of the rows since one of the windows, which is
    above what chance would show in them, too: in a small window chance alone shows much.

    Args:
        windows: that follow each other, oldest first; at least one.
        reference: the training rows.
        threshold: of PSI.

    Returns:
        Shape (features,), in the order of the reference.
    """
    newest = reference.stability(windows[-1])
    above, rows = newest.psi > threshold, windows[-1]
    found = newest.moved(threshold)
    for window in reversed(windows[:-1]):
        if not np.any(above & ~found):
            break
        rows = {name: np.add(rows[name], window[name]).tolist() for name in reference.names}
        found = found | reference.stability(rows).moved(threshold)
    return np.asarray(above & found)


def _flat(parts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    return np.fromiter(chain.from_iterable(parts), dtype=np.float64)


@lru_cache(maxsize=4096)
def _chance_quantile(freedom: int, features: int) -> float:
    return chi_square_quantile(1 - FALSE_ALARM / features, freedom) if freedom > 0 else 0.0


def chi_square_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of the chi-square distribution.

    Wilson and Hilferty, "The distribution of chi-square", PNAS 17 (1931): the cube root of
    chi-square / k is nearly normal with mean 1 - 2/(9k) and variance 2/(9k). In the far upper
    tail it errs upwards (12 % at one degree of freedom, 2 % at nine), so on the careful side.
    """
    spread = 2 / (9 * freedom)
    root = 1 - spread + NormalDist().inv_cdf(probability) * spread**0.5
    return float(freedom * max(root, 0.0) ** 3)
