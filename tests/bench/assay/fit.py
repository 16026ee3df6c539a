"""Fitting the default algorithm on one thread against scikit-learn's own pipeline on all.

The peer is what a data scientist writes: median, StandardScaler, LogisticRegression, on float64.
Both get the same rows, alternate, and must find the same weights.
"""

from __future__ import annotations

import os

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Trainer
from hallmark.training.matrix import Matrix, Truth
from hallmark.training.pipeline import Fitted, fit
from tests.bench.figures import Figure, figure
from tests.bench.measuring import seconds

ROWS = int(os.environ.get("HALLMARK_BENCH_ROWS", "1000000"))
COLUMNS = 20
ROUNDS = 5
MAX_WEIGHT_DIFFERENCE = 1e-9


def run() -> list[Figure]:
    """Return how long the peer takes for each second of ours, with and without nulls."""
    return [_compare("fit", nulls=0.0), _compare("fit with nulls", nulls=0.01)]


def _compare(name: str, nulls: float) -> Figure:
    rows, truth = _made(nulls)
    features = [
        ServedFeature(name=f"f{i}", type=FeatureType.NUMBER, nullable=True) for i in range(COLUMNS)
    ]
    exact = rows.astype(np.float64)  # the peer's own type, which costs it no time here

    def ours() -> Fitted:
        fitted = fit(rows, truth, ["no", "yes"], features, Trainer())
        assert isinstance(fitted, Fitted), fitted.sentence()
        return fitted

    def theirs() -> Pipeline:
        median = SimpleImputer(strategy="median")
        regression = LogisticRegression(max_iter=1000, random_state=0)
        return make_pipeline(median, StandardScaler(), regression).fit(exact, truth)

    _assert_equal(ours(), theirs(), exact)
    ratios = []
    for _ in range(ROUNDS):
        mine, peers = seconds(ours), seconds(theirs)
        ratios.append(peers / mine)
    return figure(f"{name}: scikit-learn's time by ours", ratios, "times", at_least=1)


def _made(nulls: float) -> tuple[Matrix, Truth]:
    random = np.random.default_rng(0)
    rows = random.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    weights = random.normal(size=COLUMNS).astype(np.float32)
    truth = (rows @ weights + 2 * random.standard_normal(ROWS) > 0.3).astype(np.int64)
    rows *= np.linspace(0.1, 100, COLUMNS, dtype=np.float32)
    rows += np.linspace(-5, 50, COLUMNS, dtype=np.float32)
    if nulls:
        rows[random.random(rows.shape, dtype=np.float32) < nulls] = np.nan
    return rows, truth


def _assert_equal(ours: Fitted, theirs: Pipeline, rows: np.ndarray) -> None:
    """See that both found the same weights, and answer the same."""
    mine, peers = ours.pipeline[-1], theirs[-1]
    assert np.abs(mine.coef_ - peers.coef_).max() <= MAX_WEIGHT_DIFFERENCE
    assert np.abs(mine.intercept_ - peers.intercept_).max() <= MAX_WEIGHT_DIFFERENCE
    some = rows[:1000]
    answers = ours.pipeline.predict_proba(some)
    assert np.abs(answers - theirs.predict_proba(some)).max() <= MAX_WEIGHT_DIFFERENCE
