"""How far a row must move before a linear model decides otherwise: exact, in closed form.

For f(z) = w.z + b on standardised features the smallest change in the maximum norm that reaches
the decision boundary is |f(z)| / ||w||_1 (Hölder's inequality; the bound is met by moving every
feature by the same amount against its weight's sign). Only measured features (Number, Integer)
move, each in units of its standard deviation in the training rows; categories and booleans stay.
Integers move like numbers and values may leave the declared range, so that the radius is a lower
bound where an attacker is bound to whole numbers or the range. A null is taken at its imputed
value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hallmark.training.metrics import Positives

EPSILON = 0.1
"""Standard deviations: the radius at which accuracy is certified."""


@dataclass(frozen=True)
class LinearModel:
    """A decision function w.z + b, positive for the positive class.

    Attributes:
        weights: Shape (encoded features,).
        bias: A number.
        movable: Shape (encoded features,): which of them an attacker may change.
    """

    weights: npt.NDArray[np.float64]
    bias: float
    movable: npt.NDArray[np.bool_]

    def margins(self, encoded: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return w.z + b for each row of shape (rows, encoded features)."""
        margins: npt.NDArray[np.float64] = encoded @ self.weights + self.bias
        return margins


def radii(model: LinearModel, encoded: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return each row's distance to the decision boundary in the maximum norm.

    Infinite where no movable feature has a weight.

    Args:
        model: The decision function.
        encoded: Shape (rows, encoded features), standardised.
    """
    norm = np.abs(model.weights[model.movable]).sum()
    margins = np.abs(model.margins(encoded))
    if norm == 0:
        return np.full(len(margins), np.inf)
    distances: npt.NDArray[np.float64] = margins / norm
    return distances


def robustness(
    model: LinearModel, encoded: npt.NDArray[np.float64], truth: Positives
) -> dict[str, float | None]:
    """Return ``certifiedAccuracy`` and ``meanRobustRadius``.

    The first is the share of rows that are decided rightly and stay so within ``EPSILON``; the
    second the mean radius, where a row decided wrongly counts 0 (the average certified radius of
    Zhai et al., MACER, ICLR 2020), or None where nothing can change a decision.

    Args:
        model: The decision function.
        encoded: Shape (rows, encoded features), standardised.
        truth: Shape (rows,): 1 for the positive class.
    """
    right = (model.margins(encoded) >= 0) == (truth == 1)
    distances = radii(model, encoded)
    mean = float(np.where(right, distances, 0.0).mean())
    return {
        "certifiedAccuracy": float((right & (distances > EPSILON)).mean()),
        "meanRobustRadius": mean if np.isfinite(mean) else None,
    }
