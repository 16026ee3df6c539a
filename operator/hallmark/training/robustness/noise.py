"""How many decisions stay when every recorded number is a little off.

Seeded Gaussian noise is added to what can move, in standard deviations; Integers are rounded to
whole numbers, and values are brought back into the declared range. Unlike a radius, which is about
the worst change, this is about a usual one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hallmark.training.matrix import Matrix
from hallmark.training.robustness.domain import Domain, Floats

Decide = Callable[[Matrix], npt.NDArray[np.int64]]
"""From rows as the served form takes them to the classes that they are decided as."""

DRAWS = 10
"""How often each row is disturbed."""


def stability(
    decide: Decide,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    deviations: float,
    random: np.random.Generator,
) -> Floats:
    """Return for each row the share of disturbed copies that are decided as the row itself.

    Args:
        decide: The model.
        rows: Shape (rows, features).
        decided: Shape (rows,): what the rows are decided as.
        space: What can move.
        deviations: The noise's standard deviation, in those of the features.
        random: Where the noise comes from.
    """
    stays = np.zeros(len(rows))
    for _ in range(DRAWS):
        noise = deviations * random.standard_normal((len(rows), len(space.columns)))
        stays += decide(moved(rows, space, noise)) == decided
    return stays / DRAWS


def moved(rows: Matrix, space: Domain, by: Floats) -> Matrix:
    """Return the rows with what can move moved, whole where it must be, and within the range.

    Args:
        rows: Shape (rows, features).
        space: What can move.
        by: Shape (rows, movable features), in standard deviations.
    """
    values = rows[:, space.columns].astype(np.float64)
    steps = by * space.units
    whole = space.steps > 0
    steps[:, whole] = np.rint(steps[:, whole])
    low, high = space.ends
    # A value that is outside the range already is not brought in by standing still.
    low, high = np.minimum(low, values), np.maximum(high, values)
    changed = rows.copy()
    changed[:, space.columns] = within(np.clip(values + steps, low, high), rows[:, space.columns])
    return changed


def within(targets: Floats, values: Matrix) -> Matrix:
    """Return targets as float32, none of them farther from its value than it was.

    Args:
        targets: Where the values go.
        values: Where they come from, of the same shape.
    """
    rounded = targets.astype(np.float32)
    start = values.astype(np.float64)
    farther = np.abs(rounded.astype(np.float64) - start) > np.abs(targets - start)
    return np.where(farther, np.nextafter(rounded, values), rounded)
