"""Which class is predicted: one rule for training, the proof of the served form, and serving."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floating = TypeVar("Floating", bound=np.floating[Any])

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
    if positive is not None and probabilities.shape[1] == 2:
        chosen = probabilities[:, positive] >= DECISION_THRESHOLD
        return np.where(chosen, positive, 1 - positive)
    decided: npt.NDArray[np.int64] = probabilities.argmax(axis=1)
    return decided


def scored_class(classes: int, positive: int | None) -> int | None:
    """Return the class whose probability is a model's score, or None where it is the decided one's.

    Of two classes it is the positive one, the second where none is named.

    Args:
        classes: How many there are.
        positive: The index of the positive class, if one is named.
    """
    if classes != 2:
        return None
    return 1 if positive is None else positive


def scores(
    probabilities: npt.NDArray[Floating], decided: npt.NDArray[np.int64], positive: int | None
) -> npt.NDArray[Floating]:
    """Return the score of each row: one number of what the model says, watched for drift.

    Args:
        probabilities: Shape (rows, classes).
        decided: Shape (rows,): the predicted classes.
        positive: The index of the positive class, if one is named.
    """
    scored = scored_class(probabilities.shape[1], positive)
    if scored is None:
        return probabilities[np.arange(len(probabilities)), decided]
    return probabilities[:, scored]
