"""Whether a fitted model's scores are numbers, whatever row is asked for.

A sum that overflows is infinite, and a difference of two such sums is not a number. Every
comparison with it is false: such a model decides by accident, and passes what asks whether it is
too bad.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hallmark.api.findings import Finding
from hallmark.api.served import ServedFeature
from hallmark.training.plain import LinearScores, PlainModel
from hallmark.training.preprocessing import Encoding

Floats = npt.NDArray[np.float64]

LARGEST_SCORE = 1e100
"""Beyond it a score says nothing that a smaller one does not, and its square nears overflow."""


def check_scores(model: PlainModel, features: Sequence[ServedFeature]) -> Finding | None:
    """Return why some row has a score that is no number or out of all bounds, or nothing.

    Args:
        model: The fitted model.
        features: What each column of a row is, and its range.
    """
    with np.errstate(all="ignore"):
        largest = _largest_score(model, features)
    if largest <= LARGEST_SCORE:  # false for NaN
        return None
    return Finding(
        check="Scores",
        expected=f"scores of at most {LARGEST_SCORE:g} for every row that is in range; change the "
        "trainer's parameters, or give numbers a 'minimum' and a 'maximum'",
        found=f"up to {largest:.3g}" if np.isfinite(largest) else "some that overflow",
    )


def _largest_score(model: PlainModel, features: Sequence[ServedFeature]) -> float:
    """Return the most that a score's terms can add up to; NaN or infinite if one of them is."""
    scores = model.scores
    if isinstance(scores, LinearScores):
        terms = np.abs(scores.weights) @ _reach(model.encoding, features)
        return float(np.max(terms + np.abs(scores.biases)))
    thresholds = np.concatenate([tree.threshold for tree in scores.trees])
    if np.isnan(thresholds).any():
        return np.nan
    leaves = sum(np.abs(tree.value).max(axis=0) for tree in scores.trees)
    return float(np.max(np.abs(scores.base) + leaves))


def _reach(encoding: Encoding, features: Sequence[ServedFeature]) -> Floats:
    """Return how large each encoded column can be, (encoded columns,)."""
    reach = np.ones(encoding.width)
    for place, position in enumerate(encoding.numbers):
        mean, scale = encoding.mean[place], encoding.scale[place]
        far = np.array([*features[position].range, encoding.fill[place]]) - mean
        reach[place] = np.abs(far / scale).max()
    return reach
