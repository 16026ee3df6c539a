"""What is shown beside PSI and decides nothing: a second opinion, and the share of nulls.

The Jensen-Shannon distance (Lin, "Divergence measures based on the Shannon entropy", 1991; Endres
and Schindelin, 2003) is a metric from 0, the same shares, to 1, no bin in common. Unlike PSI it
needs nothing added to empty bins: where the two differ in their order, PSI rests on few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hallmark.api.drift_state import FeatureDrift
from hallmark.drift.psi import Counts, Reference


def jensen_shannon(counts: Sequence[int], training: Sequence[int]) -> float:
    """Return the distance of two sets of rows per bin, from 0 to 1.

    Args:
        counts: The traffic's.
        training: The baseline's, in the same bins.

    Raises:
        ValueError: there are not as many bins on both sides, or one side has no rows.
    """
    if len(counts) != len(training) or not sum(counts) or not sum(training):
        raise ValueError("The distance needs rows in the same bins on both sides.")
    p, q = (np.asarray(rows, dtype=np.float64) / sum(rows) for rows in (counts, training))
    middle = (p + q) / 2
    held = [part[part > 0] @ np.log2(part[part > 0] / middle[part > 0]) for part in (p, q)]
    return float(max(0.0, sum(held) / 2) ** 0.5)


def null_share(counts: Sequence[int]) -> float:
    """Return the share of rows without a value: they have the last bin."""
    return counts[-1] / sum(counts) if sum(counts) else 0.0


def with_opinions(
    top: Sequence[FeatureDrift], windows: Sequence[Counts], reference: Reference
) -> list[FeatureDrift]:
    """Return shown features with what stands beside their PSI: medians over the Pods.

    Args:
        top: The features.
        windows: The newest window of each Pod.
        reference: The training rows, of these features and others.
    """
    training: Mapping[str, Sequence[int]] = {one.name: one.counts for one in reference.features}
    return [_with_opinion(moved, windows, training[moved.feature]) for moved in top]


def _with_opinion(
    moved: FeatureDrift, windows: Sequence[Counts], training: Sequence[int]
) -> FeatureDrift:
    counts = [window[moved.feature] for window in windows]

    def middle(of: Callable[[Sequence[int]], float]) -> float:
        return float(np.median([of(one) for one in counts]))

    nulls, before = middle(null_share), null_share(training)
    return moved.replace(
        jensen_shannon=f"{middle(lambda one: jensen_shannon(one, training)):.4f}",
        nulls=f"{nulls:.4f}" if nulls or before else "",
        training_nulls=f"{before:.4f}" if nulls or before else "",
    )


def beside(moved: FeatureDrift) -> str:
    """Return the same as words that go on after a PSI; empty where nothing is known."""
    said = f", Jensen-Shannon distance {moved.jensen_shannon}" if moved.jensen_shannon else ""
    if moved.nulls:
        said += f", nulls {float(moved.nulls):.1%}, in training {float(moved.training_nulls):.1%}"
    return said
