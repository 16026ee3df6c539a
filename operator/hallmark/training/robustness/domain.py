"""What may change of a row: the recorded numbers, and how far each of them can go.

The unit is a number's standard deviation in the training rows, nulls left out. A Number moves
continuously, an Integer by whole steps, both within what a predictor takes: float32, and the
declared minimum and maximum unless the schema lets numbers beyond them pass. Booleans, categories
and nulls stay as they are: there is no small change of them. A number that is constant in the
training rows has no unit and stays too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.training.matrix import is_number

Floats = npt.NDArray[np.float64]

LARGEST = 10.0
"""Standard deviations: no radius is told apart beyond it."""
TIE = 2.5e-7
"""Scores this close can give probabilities that are equal in float32, as they are served; so much
of a margin does not count."""
SLACK = 1 + 1e-9
"""What is certified must hold so much farther: distances are computed with rounding."""
ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""What one term of a sum can lose, as a part of all terms' size."""
_WHOLE = 1e-9
"""A range that falls short of a whole step by no more than this is taken to reach it."""


@dataclass(frozen=True)
class Domain:
    """The features that can move, all attributes of shape (movable features,).

    Attributes:
        columns: Their places in the row.
        units: What one standard deviation is.
        steps: The length of a whole step in standard deviations; 0 for a continuous feature.
        low: The smallest value in standard deviations (from 0, not from the mean).
        high: The largest.
    """

    columns: npt.NDArray[np.intp]
    units: Floats
    steps: Floats
    low: Floats
    high: Floats

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The smallest and the largest value as the rows have them, by no rounding too narrow."""
        low, high = self.low * self.units, self.high * self.units
        return low - ROUNDING * np.abs(low), high + ROUNDING * np.abs(high)

    def unbounded(self) -> Domain:
        """Return the same without the declared minimum and maximum."""
        infinite = np.full(len(self.columns), np.inf)
        return replace(self, low=-infinite, high=infinite)

    def values(self, rows: npt.NDArray[np.floating]) -> Floats:
        """Return the movable values in standard deviations, (rows, movable features)."""
        values: Floats = rows[:, self.columns] / self.units
        return values

    def rooms(self, values: Floats, lowering: npt.NDArray[np.bool_]) -> Floats:
        """Return how far each value can go, in standard deviations, (rows, movable features).

        Args:
            values: What ``values`` returns.
            lowering: Shape (movable features,): whether the value goes down.
        """
        limit = np.where(lowering, self.low, self.high)
        rooms: Floats = np.where(lowering, 1.0, -1.0) * (values - limit)
        np.maximum(rooms, 0.0, out=rooms)
        if np.isnan(values).any():
            rooms[np.isnan(values)] = 0.0
        for column in np.flatnonzero(self.steps):
            step = self.steps[column]
            rooms[:, column] = np.floor(rooms[:, column] / step + _WHOLE) * step
        return rooms


def domain(features: Sequence[ServedFeature], train_rows: npt.NDArray[np.floating]) -> Domain:
    """Return what can move of rows with these features.

    Args:
        features: What each column is.
        train_rows: Shape (rows, features): what the standard deviations are taken from.
    """
    movable = []
    for column, feature in enumerate(features):
        if not is_number(feature):
            continue
        values = train_rows[:, column].astype(np.float64)
        known = values[~np.isnan(values)]
        unit = float(known.std()) if len(known) else 0.0
        if unit > 0:
            movable.append((column, unit, feature))
    units = np.array([unit for _, unit, _ in movable], dtype=np.float64)
    whole = np.array(
        [declared.type is FeatureType.INTEGER for *_, declared in movable], dtype=np.bool_
    )
    low = [declared.range[0] for *_, declared in movable]
    high = [declared.range[1] for *_, declared in movable]
    return Domain(
        columns=np.array([column for column, *_ in movable], dtype=np.intp),
        units=units,
        steps=np.where(whole, 1.0, 0.0) / units,
        low=np.array(low, dtype=np.float64) / units,
        high=np.array(high, dtype=np.float64) / units,
    )
