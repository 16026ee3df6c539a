"""Golden rows: made from a model's schema alone, never from data.

Training records the estimator's answers to them, sealing compares the served form's, and a
predictor the answers of its own arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hallmark.api.bounds import FLOAT32_MAX
from hallmark.api.columns import FeatureType

if TYPE_CHECKING:
    from hallmark.api.served import ServedFeature

MAX_GOLDEN_ROWS = 128
_UNBOUNDED = (-1e3, 1e3)
"""The range of golden numbers where the schema declares none."""

Rows = npt.NDArray[np.float32]
"""Encoded rows, shape (rows, features)."""


def golden_rows(features: Sequence[ServedFeature]) -> Rows:
    """Return rows made from the schema alone: each feature's edge cases, one at a time.

    The first row has every feature in the middle, the second is null throughout, and the others
    change one feature of the first. With many features each gets its first cases before any gets
    its second.
    """
    middle = np.array([_middle(feature) for feature in features], dtype=np.float32)
    null = np.full_like(middle, np.nan)
    rows = [middle, null, *islice(_variations(features, middle), MAX_GOLDEN_ROWS - 2)]
    return np.stack(rows)


def _variations(features: Sequence[ServedFeature], middle: Rows) -> Iterator[Rows]:
    cases = [_edge_cases(feature) for feature in features]
    for turn in range(max(map(len, cases))):
        for position, values in enumerate(cases):
            if turn < len(values):
                row = middle.copy()
                row[position] = values[turn]
                yield row


def _bounds(feature: ServedFeature) -> tuple[float, float]:
    low = _UNBOUNDED[0] if feature.minimum is None else feature.minimum
    high = _UNBOUNDED[1] if feature.maximum is None else feature.maximum
    return min(low, high), max(low, high)


def _middle(feature: ServedFeature) -> float:
    if feature.type in (FeatureType.CATEGORY, FeatureType.BOOLEAN):
        return 0.0
    low, high = _bounds(feature)
    middle = (low + high) / 2
    return float(round(middle)) if feature.type is FeatureType.INTEGER else middle


def _edge_cases(feature: ServedFeature) -> list[float]:
    if feature.type is FeatureType.BOOLEAN:
        return [1.0, np.nan]
    if feature.type is FeatureType.CATEGORY:
        known = len(feature.categories or ())
        return [np.nan, float(known), -1.0, *map(float, range(known))]
    low, high = _bounds(feature)
    return [
        low,
        high,
        np.nan,
        low - (high - low),
        high + (high - low),
        0.0,
        FLOAT32_MAX,
        -FLOAT32_MAX,
    ]
