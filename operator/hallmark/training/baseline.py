"""The training rows' distribution in frozen bins, against which drift is measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hallmark.api.artifacts import Baseline, BaselineFeature, ServedFeature
from hallmark.api.training_run import FeatureType
from hallmark.training.matrix import Matrix

BINS = 10


def build_baseline(rows: Matrix, features: Sequence[ServedFeature]) -> Baseline:
    """Return each feature's bins and counts.

    Args:
        rows: Shape (training rows, features).
        features: What each column is.
    """
    return Baseline(
        rows=len(rows),
        features=[
            _bin(rows[:, position].astype(np.float64), feature)
            for position, feature in enumerate(features)
        ],
    )


def _bin(values: npt.NDArray[np.float64], feature: ServedFeature) -> BaselineFeature:
    nulls = int(np.isnan(values).sum())
    present = values[~np.isnan(values)]
    if feature.type is FeatureType.CATEGORY:
        categories = list(feature.categories or ())
        counts = np.bincount(present.astype(np.int64), minlength=len(categories)).tolist()
        return BaselineFeature(
            name=feature.name,
            type=feature.type,
            categories=categories,
            counts=[*counts, 0, nulls],  # no training row has an undeclared category
        )
    edges = quantile_edges(present)
    counts = np.bincount(np.searchsorted(edges, present), minlength=len(edges) + 1).tolist()
    return BaselineFeature(
        name=feature.name, type=feature.type, edges=edges, counts=[*counts, nulls]
    )


def quantile_edges(values: npt.NDArray[np.float64]) -> list[float]:
    """Return at most 9 distinct edges that cut the values into bins of about a tenth each.

    An edge lies midway between two neighbouring distinct values. So no value of the training rows
    lies on an edge, and it does not matter whether a server bins a number as float32 or float64.

    Args:
        values: Without NaN, in any order.
    """
    distinct = np.unique(values)
    if len(distinct) < 2:
        return []
    shares = np.arange(1, BINS) / BINS
    below = np.searchsorted(distinct, np.quantile(values, shares, method="inverted_cdf"))
    below = np.unique(below[below < len(distinct) - 1])
    edges: list[float] = ((distinct[below] + distinct[below + 1]) / 2).tolist()
    return edges
