"""The encoding that is learned in blocks against scikit-learn's, fitted to all rows at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.training import preprocessing
from hallmark.training.preprocessing import learn
from tests.examples import examples
from tests.unit.training.fits import MIXES, made


def reference(features: list[ServedFeature]) -> ColumnTransformer:
    """Return what a data scientist would write."""

    def of(*types: FeatureType) -> list[int]:
        return [i for i, feature in enumerate(features) if feature.type in types]

    category = of(FeatureType.CATEGORY)
    known = [np.arange(len(features[i].categories or ()), dtype=float) for i in category]
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    frequent = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    nothing = SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True)
    encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
    parts = [
        ("n", make_pipeline(median, StandardScaler()), of(FeatureType.NUMBER, FeatureType.INTEGER)),
        ("b", frequent, of(FeatureType.BOOLEAN)),
        ("c", make_pipeline(nothing, encoder), category),
    ]
    return ColumnTransformer([part for part in parts if part[2]])


@pytest.mark.parametrize("features", MIXES.values(), ids=MIXES)
def test_the_encoding_is_scikit_learns(features: list[ServedFeature]) -> None:
    rows, _ = made(features)
    encoding = learn(rows, features, scaled=True, block_rows=37)
    expected = reference(features).fit_transform(rows.astype(np.float64))
    assert encoding.apply(rows, block_rows=37) == pytest.approx(expected, abs=1e-12)
    assert encoding.width == expected.shape[1] == len(encoding.movable)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("features", MIXES.values(), ids=MIXES)
def test_the_pipelines_steps_do_the_same_to_the_last_bit(
    features: list[ServedFeature], scaled: bool
) -> None:
    rows, _ = made(features)
    rows = np.vstack([rows, np.full((1, len(features)), np.nan), np.full((1, len(features)), -7)])
    rows = rows.astype(np.float32)
    encoding = learn(rows[:200], features, scaled=scaled)
    found = rows.astype(encoding.dtype)
    for _, step in preprocessing.transformers(encoding, len(features)):
        found = step.transform(found)
    assert found.dtype == encoding.dtype
    assert np.array_equal(found, encoding.apply(rows), equal_nan=True)
    assert np.isnan(found).any() == (not scaled and len(encoding.fill) > 0)


def test_a_column_of_nulls_keeps_its_place() -> None:
    features = MIXES["all types"]
    rows, _ = made(features)
    for position in range(4):
        blank = rows.copy()
        blank[:, position] = np.nan
        encoding = learn(blank, features, scaled=True)
        assert encoding.apply(rows).shape == (len(rows), 6)
        assert np.isfinite(encoding.apply(rows)).all()


def test_every_encoded_column_knows_its_feature() -> None:
    encoding = learn(made(MIXES["all types"])[0], MIXES["all types"], scaled=False)
    assert encoding.sources.tolist() == [0, 3, 2, 1, 1, 1]
    assert encoding.movable.tolist() == [True, True, False, False, False, False]


@examples(200)
@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.just(math.nan), min_size=1, max_size=40))
def test_a_null_becomes_the_median(values: list[float]) -> None:
    column = np.array(values, dtype=np.float32)[:, None]
    encoding = learn(column, MIXES["numbers alone"][:1], scaled=True)
    present = column[~np.isnan(column)].astype(np.float64)
    assert encoding.fill.tolist() == [np.median(present) if len(present) else 0]
