"""Which rows are learned from and which are kept for measuring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from hallmark.api.findings import Finding
from hallmark.api.trainer import Trainer
from hallmark.training.matrix import Truth

MIN_TRAIN_ROWS = 2
"""Rows of each class that the training part needs."""


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to measure on.

    Attributes:
        train: Row numbers (from 0), ascending.
        test: Row numbers (from 0), ascending.
    """

    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]


def split(truth: Truth, trainer: Trainer) -> Split | Finding:
    """Return a stratified split, the same for the same classes and seed.

    Args:
        truth: Shape (rows,): each row's class.
        trainer: Says how many rows are kept, and the seed.
    """
    fraction = float(trainer.test_fraction)
    counts = np.bincount(truth)
    kept = max(MIN_TRAIN_ROWS / (1 - fraction), 1 / fraction)
    if counts.min() < kept:
        return Finding(
            check="Split",
            expected=f"at least {int(np.ceil(kept))} rows of each class, so that a testFraction of "
            f"{trainer.test_fraction} leaves some of each for training and for measuring",
            found=f"{counts.min()} of one",
        )
    train, test = train_test_split(
        np.arange(len(truth)), test_size=fraction, random_state=trainer.seed, stratify=truth
    )
    return Split(np.sort(train), np.sort(test))
