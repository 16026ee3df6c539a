"""Where rows lie: near the decision boundary, outside the training region, a small step apart.

The margin of a row is how far its answer is from another one: of two classes ``|2 p - 1|``, ``p``
the probability of either; of more, the probability of the decided class.

Distances are Euclidean, in the training rows' standard deviations. Of more than eight features they
are kept by random projections onto eight: Achlioptas, "Database-friendly random projections", 2003.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hallmark.drift.counts import CountedRows, Rows

if TYPE_CHECKING:
    from hallmark.api.served import TrainingRegion

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLOCK = 64
"""So many rows of one client are looked at together."""
DIMENSIONS = 8
NULL = -8.0
"""Where a null lies, in scales: far from any number."""
FARTHEST = 1e6
"""No row lies farther out, in scales, so that no distance is infinite."""


def margins(scores: NDArray[np.floating[Any]], classes: int) -> Floats:
    """Return how far each answer is from another one, from 0 to 1; see the module."""
    exact = scores.astype(np.float64)
    return np.asarray(np.abs(2 * exact - 1)) if classes == 2 else exact


def scaled(rows: Rows, region: TrainingRegion) -> Floats:
    """Return rows in standard deviations from the mean, shape (rows, features); null stays NaN."""
    with np.errstate(over="ignore"):
        found = (rows.astype(np.float64) - np.asarray(region.centers)) / np.asarray(region.scales)
    return np.asarray(np.clip(found, -FARTHEST, FARTHEST))


def are_outside(of: Floats, region: TrainingRegion) -> Flags:
    """Tell of each scaled row whether a number in it lies beyond all training rows."""
    reaches = np.asarray(region.reaches, dtype=np.float64)
    reaches[reaches == 0] = np.inf
    return np.asarray((np.abs(of) > reaches).any(axis=1))


def places(of: Floats) -> Floats:
    """Return where scaled rows lie, shape (rows, at most 8), for distances between them."""
    values = np.where(np.isnan(of), NULL, of)
    width = values.shape[1]
    if width <= DIMENSIONS:
        return values
    signs = np.random.default_rng(0).integers(0, 2, (width, DIMENSIONS)) * 2.0 - 1
    return np.asarray(values @ signs / DIMENSIONS**0.5)


def nearest(of: Floats) -> Floats:
    """Return the distance of each place to the nearest other one, infinite where there is none.

    Places that are the same are one: to ask the same again is no step.

    Args:
        of: Shape (places, dimensions).
    """
    apart = np.sqrt(((of[:, None, :] - of[None, :, :]) ** 2).sum(axis=2))
    apart[apart == 0] = np.inf
    return np.asarray(apart.min(axis=1)) if len(of) else np.zeros(0)


class Region:
    """The region of a version, ready to be asked."""

    def __init__(self, region: TrainingRegion, classes: int) -> None:
        """Take the sealed region.

        Args:
            region: Of the signed baseline.
            classes: Of the model.

        Raises:
            ValueError: its lists are not as long as each other, or a scale is not above zero.
        """
        widths = {len(region.centers), len(region.scales), len(region.reaches)}
        if len(widths) != 1 or min(region.scales, default=0) <= 0:
            raise ValueError("The baseline's region needs a center, a scale and a reach for each.")
        self.sealed = region
        self.width = len(region.centers)
        self._classes = classes

    def look(self, rows: CountedRows) -> tuple[Floats, Flags, Flags]:
        """Return the rows in scales, which are near the boundary, and which are outside.

        Args:
            rows: Shape (rows, features + 2): the last two are the score and the label.
        """
        found = scaled(rows[:, : self.width], self.sealed)
        near = margins(rows[:, self.width], self._classes) <= self.sealed.margin
        return found, near, are_outside(found, self.sealed)
