"""Which class is predicted: one rule for training, the proof of the served form, and serving."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DECISION_THRESHOLD = 0.5
"""Of two classes, the positive one is predicted from this probability on."""


def predicted_classes(
    probabilities: npt.NDArray[np.floating[Any]], positive: int | None
) -> npt.NDArray[np.int64]:
    """Return the predicted class of each row.

    Args:
        probabilities: Shape (rows, classes).
        positive: Of two classes, the one that is predicted from the threshold on; without it, or
            with more classes, the most probable is, the first of equals.
    """
    decided: npt.NDArray[np.int64] = probabilities.argmax(axis=1)
    if positive is not None and probabilities.shape[1] == 2:
        chosen = probabilities[:, positive] >= DECISION_THRESHOLD
        decided = np.where(chosen, positive, 1 - positive)
    return decided
