"""Measures where the training rows lie, and how near the test rows come to the boundary."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature, TrainingRegion
from hallmark.classification import predicted_classes, scores
from hallmark.drift.region import BLOCK, are_outside, margins, nearest, places, scaled
from hallmark.training.matrix import Matrix

NEAR_SHARE = 0.05
"""So many of the test rows are near the boundary, those of the smallest margins, and ties."""
LEAST_ROWS = 32
"""From fewer test rows no step is learned, and so no probing seen."""
FARTHEST_REACH = 10**6
_NUMBERS = (FeatureType.NUMBER, FeatureType.INTEGER)


def build_region(
    train_rows: Matrix,
    test_rows: Matrix,
    features: Sequence[ServedFeature],
    probabilities: npt.NDArray[np.floating[Any]],
    positive: int | None,
) -> TrainingRegion:
    """Return the region of a model.

    Args:
        train_rows: Shape (rows, features).
        test_rows: Shape (rows, features): those that the model has not seen.
        features: What each column is.
        probabilities: Shape (test rows, classes): what the model says of these.
        positive: The index of the positive class, if one is named.
    """
    columns = [
        _column(train_rows[:, at].astype(np.float64), feature.type in _NUMBERS)
        for at, feature in enumerate(features)
    ]
    centers, scales, reaches = (list(part) for part in zip(*columns, strict=True))
    region = TrainingRegion(
        centers=centers,
        scales=scales,
        reaches=reaches,
        margin=0.0,
        step=0.0,
        rows=len(test_rows),
        near=0,
        outside=0,
    )
    decided = predicted_classes(probabilities, positive)
    margin = margins(scores(probabilities, decided, positive), probabilities.shape[1])
    lie = scaled(test_rows, region)
    most = np.quantile(margin, NEAR_SHARE, method="inverted_cdf") if len(margin) else 0.0
    limit = ceil(float(most) * 1000) / 1000
    near = int((margin <= limit).sum())
    borderline = lie[np.argsort(margin, kind="stable")[:BLOCK]]
    return region.replace(
        margin=limit,
        near=near,
        outside=int(are_outside(lie, region).sum()),
        step=_step(places(borderline), near),
    )


def _column(values: npt.NDArray[np.float64], is_number: bool) -> tuple[float, float, int]:
    """Return a column's center, scale and reach."""
    present = values[~np.isnan(values)]
    if not is_number or not len(present):
        return 0.0, 1.0, 0
    center = _rounded(float(present.mean()))
    scale = _rounded(float(present.std())) or 1.0
    farthest = float(np.abs((present - center) / scale).max())
    return center, scale, min(FARTHEST_REACH, max(1, ceil(farthest)))


def _step(borderline: npt.NDArray[np.float64], near: int) -> float:
    """Return a distance that hardly any two honest rows of a block are nearer than.

    Half the least distance of two of the test rows with the smallest margins, as many as a block
    has: where rows lie densest, if all are borderline. So no two rows of whole numbers or
    categories are a step apart. What these rows lack to a block, and to being near the boundary,
    makes the least distance larger; by the root that the dimensions give it is taken back.

    Args:
        borderline: Shape (rows, dimensions): where they lie.
        near: How many test rows are near the boundary.
    """
    count, dimensions = borderline.shape
    if count < LEAST_ROWS:
        return 0.0
    least = float(nearest(borderline).min())
    denser = (count / BLOCK) ** 2 * min(1.0, near / BLOCK)
    return _rounded(least / 2 * denser ** (1 / dimensions), 4) if np.isfinite(least) else 0.0


def _rounded(number: float, digits: int = 6) -> float:
    """Return a number with few digits: equal runs on other machines give equal bytes."""
    return float(f"{number:.{digits}g}")
