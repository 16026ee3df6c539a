"""The limits of each column, and whether encoded rows keep them: for many cells at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hallmark.api.columns import FeatureType
from hallmark_predictor.encoding import Column, taken_range


class Limits:
    """What the cells of each column may be.

    Attributes:
        lows: The least number of each column, null apart.
        highs: The greatest one.
        whole: The columns that hold whole numbers alone.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        """Take them from the schema."""
        pairs = [_range_of(column) for column in columns]
        self.lows = [low for low, _ in pairs]
        self.highs = [high for _, high in pairs]
        self.whole = [
            position
            for position, column in enumerate(columns)
            if column.feature.type is not FeatureType.NUMBER
        ]
        self._nullable = np.array([[column.feature.nullable] for column in columns])
        low, high = np.array([self.lows]).T, np.array([self.highs]).T
        self._doubles = low, high
        # A float32 is within the limits where it is within their float32: they are made so.
        self._singles = low.astype(np.float32), high.astype(np.float32)

    def allow(self, columns: NDArray[Any]) -> bool:
        """Tell whether all cells are allowed; NaN stands for null.

        Args:
            columns: Shape (features, rows), float32 or float64, as they were sent: a number that
                is rounded may have become whole.
        """
        low, high = self._singles if columns.dtype.itemsize == 4 else self._doubles
        allowed = columns >= low
        allowed &= columns <= high
        if not allowed.all():
            allowed |= np.isnan(columns) & self._nullable
            if not allowed.all():
                return False
        if not self.whole:
            return True
        whole = columns[self.whole]
        return bool(((whole == np.floor(whole)) | np.isnan(whole)).all())


def _range_of(column: Column) -> tuple[float, float]:
    match column.feature.type:
        case FeatureType.BOOLEAN:
            return 0.0, 1.0
        case FeatureType.CATEGORY:
            return 0.0, len(column.feature.categories or ()) - 1.0
        case _:
            return taken_range(column.feature)
