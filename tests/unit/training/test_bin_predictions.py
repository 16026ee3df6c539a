"""The bins of what a model says: its score and its label."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from hallmark.api.common import ColumnName, WatchedName
from hallmark.api.texts import LABEL, SCORE
from hallmark.classification import predicted_classes, scores
from hallmark.training.baseline import SCORE_DIGITS, bin_predictions
from tests.examples import examples

COLUMN, WATCHED = TypeAdapter[str](ColumnName), TypeAdapter[str](WatchedName)


@examples(200)
@given(
    rows=st.integers(1, 80),
    classes=st.integers(2, 5),
    sureness=st.sampled_from([0.01, 1.0, 30.0]),
    named=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_row_is_in_one_bin_of_the_score_and_in_its_label(
    rows: int, classes: int, sureness: float, named: bool, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(0, sureness, (rows, classes))
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    positive = 0 if named and classes == 2 else None
    names = [f"class {at}" for at in range(classes)]
    score, label = bin_predictions(probabilities, names, positive)
    assert (score.name, label.name, label.categories) == (SCORE, LABEL, names)
    assert sum(score.counts) == sum(label.counts) == rows
    assert label.counts[-2:] == [0, 0], "no row has another class, or none"
    decided = predicted_classes(probabilities, positive)
    assert label.counts[:-2] == np.bincount(decided, minlength=classes).tolist()
    found = scores(probabilities, decided, positive)
    assert score.edges is not None
    assert not set(score.edges) & set(found.round(SCORE_DIGITS).tolist())
    if classes > 2:
        assert np.array_equal(found, probabilities.max(axis=1))
    else:
        assert np.array_equal(found, probabilities[:, 1 if positive is None else positive])


def test_the_last_bits_of_a_probability_change_no_byte() -> None:
    positive = np.random.default_rng(1).uniform(0, 1, 500).round(5)
    one, other = (
        bin_predictions(np.column_stack([1 - p, p]), ["no", "yes"], 1)
        for p in (positive, np.nextafter(positive.astype(np.float32), np.float32(1)))
    )
    assert one == other


@pytest.mark.parametrize("name", [SCORE, LABEL])
def test_no_column_of_a_dataset_has_the_name_of_a_prediction(name: str) -> None:
    assert WATCHED.validate_python(name) == name
    with pytest.raises(ValidationError):
        COLUMN.validate_python(name)


@pytest.mark.parametrize("name", ["prediction/other", "prediction/", "/score", "a/b", ""])
def test_nothing_else_with_a_slash_can_be_watched(name: str) -> None:
    with pytest.raises(ValidationError):
        WATCHED.validate_python(name)
