"""The population stability index (PSI) from raw counts, and what chance alone would show.

PSI = sum over bins of (p - q) * ln(p / q), p the traffic's share of a bin and q the baseline's:
the J-divergence of Jeffreys (1946), in credit scoring by Siddiqi, "Credit Risk Scorecards"
(2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

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
    """A feature's PSI in a window, and the most that chance alone would show."""

    psi: float
    limit: float


def stability(observed: Sequence[int], baseline: Sequence[int], features: int) -> Stability:
    """Return the PSI of a window's counts against the baseline's, and its chance limit.

    Args:
        observed: The window's rows per bin.
        baseline: The training rows per bin, in the same order.
        features: How many features are looked at in the window: the more, the higher the limit.

    Raises:
        ValueError: the lengths differ, or one side has no rows.
    """
    if len(observed) != len(baseline) or not sum(observed) or not sum(baseline):
        raise ValueError("PSI needs as many counts on both sides, and rows on both.")
    traffic = np.asarray(observed, dtype=np.float64)
    training = np.asarray(baseline, dtype=np.float64)
    occupied = (traffic + training) > 0
    p, q = _shares(traffic[occupied]), _shares(training[occupied])
    psi = float(np.sum((p - q) * np.log(p / q)))
    freedom = int(occupied.sum()) - 1
    limit = chance_limit(float(traffic.sum()), float(training.sum()), freedom, features)
    return Stability(psi, limit)


def chance_limit(
    rows: float, baseline_rows: float, freedom: int, features: int, alarm: float = FALSE_ALARM
) -> float:
    """Return the PSI that an unchanged feature exceeds with probability ``alarm / features``.

    Without drift, PSI is distributed as (1/n + 1/m) * chi-square(bins - 1): Yurdakul and Naranjo,
    "Statistical properties of the population stability index", Journal of Risk Model Validation
    14(4), 2020. Dividing by the number of features is Bonferroni's bound for all of them.
    """
    if freedom < 1:
        return 0.0
    scale = 1 / rows + 1 / baseline_rows
    return scale * chi_square_quantile(1 - alarm / features, freedom)


def chi_square_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of the chi-square distribution.

    Wilson and Hilferty, "The distribution of chi-square", PNAS 17 (1931): the cube root of
    chi-square / k is nearly normal with mean 1 - 2/(9k) and variance 2/(9k). In the far upper
    tail it errs upwards (12 % at one degree of freedom, 2 % at nine), so on the careful side.
    """
    spread = 2 / (9 * freedom)
    root = 1 - spread + NormalDist().inv_cdf(probability) * spread**0.5
    return float(freedom * max(root, 0.0) ** 3)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    smoothed = counts + SMOOTHING
    return np.asarray(smoothed / smoothed.sum())
