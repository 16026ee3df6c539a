"""Confidence limits that hold for few rows, and where nothing or everything was a hit.

Drawing rows anew cannot show what no row has: three rows that are all right give an accuracy of 1
in each draw. These limits shrink with the rows alone, whatever the rows say:

* Shares: Clopper and Pearson (The use of confidence or fiducial limits, Biometrika, 1934), whose
  coverage is never below the confidence.
* Sums, differences and ratios of independent shares: square-and-add of the shares' own limits
  (Newcombe, Interval estimation for the difference between independent proportions, Statistics in
  Medicine, 1998; Zou and Donner, Construction of confidence limits about effect measures, 2008).
* The area under the ROC curve: Newcombe's method 5 (Confidence intervals for an effect size
  measure based on the Mann-Whitney statistic, Statistics in Medicine, 2006), which asks of each
  possible area whether the measured one is likely under it.
* Average precision: as a share of the positive rows (Boyd, Eng and Page, Area under the
  precision-recall curve, ECML 2013).
* Means of numbers that have a least and a most: what no row showed may still be so for a share of
  the cases, and as far off as it can be.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]
"""The lower and the upper end."""

MIN_ROWS = 10
"""With fewer rows nothing is measured: every metric is inconclusive."""
MIN_CLASS_ROWS = 5
"""With fewer rows of a class nothing that is measured by class is more than noise."""
_HALVINGS = 60


def too_few(rows: int, rarest: int | None = None) -> str | None:
    """Return why so few rows are no measurement, or nothing.

    Args:
        rows: How many there are.
        rarest: How many the rarest class has; None for what is not measured by class.
    """
    if rows < MIN_ROWS:
        return f"it is measured on {rows} row{'s' * (rows != 1)}, {MIN_ROWS} are needed"
    if rarest is not None and rarest < MIN_CLASS_ROWS:
        return (
            f"the rarest class has {rarest} row{'s' * (rarest != 1)} to measure on, "
            f"{MIN_CLASS_ROWS} are needed"
        )
    return None


def share_limits(
    hits: npt.ArrayLike, rows: npt.ArrayLike, confidence: float
) -> tuple[Floats, Floats]:
    """Return the lower and upper limits of shares; from 0 to 1 where there are no rows.

    Args:
        hits: How many rows count; need not be whole.
        rows: How many there are, of the same shape.
        confidence: Between 0 and 1.
    """
    tail = (1 - confidence) / 2
    yes = np.asarray(hits, dtype=np.float64)
    no = np.maximum(np.asarray(rows, dtype=np.float64) - yes, 0.0)
    low = np.where(yes > 0, betaincinv(np.where(yes > 0, yes, 1.0), no + 1, tail), 0.0)
    high = np.where(no > 0, betaincinv(yes + 1, np.where(no > 0, no, 1.0), 1 - tail), 1.0)
    return low, high


def unseen(rows: int, confidence: float) -> float:
    """Return the largest share of cases of which so many rows may well show none."""
    return float(1 - ((1 - confidence) / 2) ** (1 / rows)) if rows else 1.0


def mean_limits(mean: float, rows: int, least: float, most: float, confidence: float) -> Limits:
    """Return what a mean may be if the cases that no row showed are as far off as they can be."""
    share = unseen(rows, confidence)
    return (1 - share) * mean + share * least, (1 - share) * mean + share * most


def mean_of_shares_limits(hits: Floats, rows: Floats, confidence: float) -> Limits:
    """Return the limits of the mean of independent shares; all of shape (shares,)."""
    shares = hits / rows
    low, high = share_limits(hits, rows, confidence)
    mean, size = float(shares.mean()), len(shares)
    return (
        max(0.0, mean - math.sqrt(((shares - low) ** 2).sum()) / size),
        min(1.0, mean + math.sqrt(((high - shares) ** 2).sum()) / size),
    )


def area_limits(area: float, positives: int, negatives: int, confidence: float) -> Limits:
    """Return the limits of an area under the ROC curve.

    Args:
        area: From 0 to 1.
        positives: Rows of the class.
        negatives: Other rows.
        confidence: Between 0 and 1.
    """
    if not positives or not negatives:
        return 0.0, 1.0
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    size = (positives + negatives) / 2 - 1

    def likely(other: float) -> bool:
        spread = size * ((1 - other) / (2 - other) + other / (1 + other))
        variance = other * (1 - other) * (1 + spread) / (positives * negatives)
        return abs(other - area) <= quantile * math.sqrt(variance)

    def farthest(end: float) -> float:
        inside, outside = area, end
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if likely(middle) else (inside, middle)
        return inside

    return farthest(0.0), farthest(1.0)


def spread_limits(hits: Floats, rows: Floats, confidence: float, questions: int = 1) -> Limits:
    """Return the limits of the difference between the greatest and the smallest share.

    The upper one is the greatest of any two groups' difference. The lower one is by limits that
    hold for all groups together, for nobody knows beforehand which two will be farthest apart.

    Args:
        hits: Shape (groups,): rows that count.
        rows: Shape (groups,): all rows, above 0.
        confidence: Between 0 and 1.
        questions: Of how many such differences the greatest is taken.
    """
    shares = hits / rows
    low, high = share_limits(hits, rows, confidence)
    apart = shares[:, None] - shares
    reach = np.sqrt((high - shares)[:, None] ** 2 + (shares - low) ** 2)
    np.fill_diagonal(reach, 0.0)
    all_low, all_high = share_limits(hits, rows, _together(confidence, len(rows) * questions))
    least = max(0.0, float(all_low.max() - all_high.min()))
    return least, min(1.0, float((apart + reach).max()))


def ratio_limits(hits: Floats, rows: Floats, confidence: float) -> Limits:
    """Return the limits of the smallest share by the greatest.

    The lower one is the smallest of any two groups' ratio, square-and-add on logarithms.

    Args:
        hits: Shape (groups,): rows that count.
        rows: Shape (groups,): all rows, above 0.
        confidence: Between 0 and 1.
    """
    shares = hits / rows
    low, high = share_limits(hits, rows, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        below, above = np.log(shares / low)[:, None], np.log(high / shares)
        ratios = shares[:, None] / shares * np.exp(-np.sqrt(below**2 + above**2))
    # Of a group without a hit nothing is known but its limits.
    ratios = np.where((hits > 0) & (hits > 0)[:, None], ratios, low[:, None] / high)
    np.fill_diagonal(ratios, 1.0)
    all_low, all_high = share_limits(hits, rows, _together(confidence, len(rows)))
    greatest = float(all_low.max())
    most = min(1.0, float(all_high.min()) / greatest) if greatest > 0 else 1.0
    return float(ratios.min()), most


def _together(confidence: float, claims: int) -> float:
    """Return the confidence of each of so many claims, so that all hold together (Bonferroni)."""
    return 1 - (1 - confidence) / claims
