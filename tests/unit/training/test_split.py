from __future__ import annotations

import numpy as np

from hallmark.api.findings import Finding
from hallmark.training.split import Split, split
from tests.unit.training.fits import trainer


def halves(classes: np.ndarray, **settings: object) -> Split:
    found = split(classes, trainer(**settings))
    assert isinstance(found, Split)
    return found


def test_the_split_is_stratified_and_the_same_for_the_same_seed() -> None:
    classes = np.array([0] * 160 + [1] * 40)
    found = halves(classes, testFraction="0.25", seed=4)
    assert (len(found.train), len(found.test)) == (150, 50)
    assert (classes[found.test] == 1).sum() == 10
    assert sorted([*found.train, *found.test]) == list(range(200))
    assert np.array_equal(found.test, halves(classes, seed=4).test)
    assert not np.array_equal(found.test, halves(classes, seed=5).test)


def test_every_class_is_in_both_parts_or_the_split_is_refused() -> None:
    for rare in range(1, 30):
        for fraction in ("0.05", "0.25", "0.5"):
            classes = np.array([0] * 100 + [1] * 80 + [2] * rare)
            found = split(classes, trainer(testFraction=fraction))
            if isinstance(found, Finding):
                assert f"found {rare} of one" in found.sentence()
                assert rare < 20
            else:
                assert np.bincount(classes[found.train], minlength=3).min() >= 2
                assert np.bincount(classes[found.test], minlength=3).min() >= 1
