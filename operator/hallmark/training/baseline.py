"""The distribution of rows and of answers in frozen bins, against which drift is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hallmark.api.columns import FeatureType
from hallmark.api.served import Baseline, BaselineFeature, ServedFeature
from hallmark.api.texts import LABEL, SCORE
from hallmark.classification import predicted_classes, scores
from hallmark.training.matrix import Matrix

BINS = 10
SCORE_DIGITS = 6
"""Scores are rounded so before they are binned: the last bits of a probability differ between
machines, and equal runs must give equal bytes."""


def build_baseline(
    rows: Matrix,
    features: Sequence[ServedFeature],
    predictions: Sequence[BaselineFeature] = (),
) -> Baseline:
    """Return each feature's bins and counts.

    Args:
        rows: Shape (training rows, features).
        features: What each column is.
        predictions: What the model says of other rows; see ``bin_predictions``.
    """
    return Baseline(
        rows=len(rows),
        features=[
            _bin(rows[:, position].astype(np.float64), feature)
            for position, feature in enumerate(features)
        ],
        predictions=list(predictions),
    )


def bin_predictions(
    probabilities: npt.NDArray[np.floating[Any]], classes: Sequence[str], positive: int | None
) -> list[BaselineFeature]:
    """Return the bins and counts of what the model says: its score and its label.

    Args:
        probabilities: Shape (rows, classes), of rows that the model has not seen: of those that it
            has seen it is surer than of any others.
        classes: Their names.
        positive: The index of the positive class, if one is named.
    """
    decided = predicted_classes(probabilities, positive)
    score = scores(probabilities.astype(np.float64), decided, positive).round(SCORE_DIGITS)
    edges = quantile_edges(score)
    above = np.bincount(np.searchsorted(edges, score), minlength=len(edges) + 1).tolist()
    labels = np.bincount(decided, minlength=len(classes)).tolist()
    return [
        BaselineFeature(name=SCORE, type=FeatureType.NUMBER, edges=edges, counts=[*above, 0]),
        BaselineFeature(
            name=LABEL,
            type=FeatureType.CATEGORY,
            categories=list(classes),
            counts=[*labels, 0, 0],
        ),
    ]


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
