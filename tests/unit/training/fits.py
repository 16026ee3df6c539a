"""Features, rows and fits for the tests of the algorithms and their served forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Algorithm, Trainer
from hallmark.training.matrix import Matrix, Truth
from hallmark.training.pipeline import Fitted, fit

NUMBER = ServedFeature(name="x", type=FeatureType.NUMBER, nullable=True, minimum=0, maximum=20)
INTEGER = ServedFeature(name="k", type=FeatureType.INTEGER, nullable=True)
FLAG = ServedFeature(name="b", type=FeatureType.BOOLEAN, nullable=True)
CATEGORY = ServedFeature(
    name="c", type=FeatureType.CATEGORY, nullable=True, categories=["p", "q", "r"]
)
WIDE = CATEGORY.model_copy(update={"categories": [f"c{i}" for i in range(200)]})
MIXES = {
    "numbers alone": [NUMBER, INTEGER],
    "booleans alone": [FLAG],
    "categories alone": [CATEGORY],
    "a category before a number": [CATEGORY, NUMBER],
    "all types": [NUMBER, CATEGORY, FLAG, INTEGER],
    "many categories": [NUMBER, WIDE],
}


def trainer(algorithm: str = "LogisticRegression", **settings: Any) -> Trainer:  # noqa: ANN401
    parameters = settings.pop("parameters", {})
    named = [{"name": name, "value": value} for name, value in parameters.items()]
    return Trainer.model_validate({"algorithm": algorithm, **settings, "parameters": named})


SMALL = {
    Algorithm.LOGISTIC_REGRESSION: {},
    Algorithm.LINEAR_SVM: {},
    Algorithm.RANDOM_FOREST: {"n_estimators": "12", "max_leaf_nodes": "24"},
    Algorithm.HIST_GRADIENT_BOOSTING: {"max_iter": "8", "max_leaf_nodes": "15"},
}
"""Parameters by which each algorithm is fitted at once."""


def small(algorithm: Algorithm) -> Trainer:
    return trainer(algorithm, parameters=SMALL[algorithm])


def column(feature: ServedFeature, random: np.random.Generator, count: int) -> np.ndarray:
    if feature.type is FeatureType.NUMBER:
        return random.normal(10, 3, count)
    if feature.type is FeatureType.INTEGER:
        return random.integers(1, 9, count).astype(float)
    high = 2 if feature.type is FeatureType.BOOLEAN else len(feature.categories or ())
    return random.integers(0, high, count).astype(float)


def made(
    features: list[ServedFeature], count: int = 300, classes: int = 2, nulls: float = 0.05
) -> tuple[Matrix, Truth]:
    """Return rows, and classes that follow from them with noise."""
    random = np.random.default_rng(5)
    rows = np.column_stack([column(feature, random, count) for feature in features])
    score = rows @ np.linspace(1, 0.2, rows.shape[1]) + random.normal(0, 1, count)
    truth = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    rows[random.random(rows.shape) < nulls] = np.nan
    return rows.astype(np.float32), truth.astype(np.int64)


def fitted(
    rows: Matrix, truth: Truth, features: list[ServedFeature], settings: Trainer | None = None
) -> Fitted:
    names = [f"class {i}" for i in range(int(truth.max()) + 1)]
    found = fit(rows, truth, names, features, settings or trainer())
    assert isinstance(found, Fitted), found.sentence()
    return found
