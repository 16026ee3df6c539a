"""How well the features predict a sensitive attribute that the model does not see.

Gradient-boosted trees, which find what a straight line does not, predict the attribute from every
other feature, in stratified five-fold cross-validation. ROC-AUC of the held-out predictions says
how much of the attribute is in the features, and shuffling one feature of the held-out rows by how
much it drops without that feature (permutation importance: Breiman, Random Forests, 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.api.report import Proxy, ProxyFeature
from hallmark.training.bootstrap import Resampling, measure_performance, stratified
from hallmark.training.fairness import MAX_GROUPS, Groups
from hallmark.training.gates import Measurement
from hallmark.training.matrix import Matrix
from hallmark.training.metrics import Floats, Indices, Performance, Predictions
from hallmark.training.preprocessing import without_empty_columns

MAX_ROWS = 20_000
"""With more rows, a fixed stratified sample of this size is looked at."""
_FOLDS = 5
_LISTED = 10
_ROUNDS = 50
_LEAVES = 15
_ROWS_TO_SHUFFLE = 1000
"""Held-out rows of a fold on which contributions are measured."""


@dataclass(frozen=True)
class ProxyResult:
    """The measurement of an attribute's proxies.

    Attributes:
        measurement: ROC-AUC with its interval.
        proxy: For the report.
    """

    measurement: Measurement
    proxy: Proxy


def find_proxies(
    groups: Groups,
    rows: Matrix,
    names: Sequence[str],
    minimum_rows: int,
    resampling: Resampling,
    max_rows: int = MAX_ROWS,
) -> ProxyResult:
    """Return how well the features predict an attribute, and which contribute most.

    Args:
        groups: Each row's group, of the whole dataset.
        rows: Shape (rows, features): as the model takes them.
        names: Of the features.
        minimum_rows: The rows that every group needs.
        resampling: How the interval is made; its seed is the folds' too.
        max_rows: Of more rows a sample of this size is looked at.
    """
    (attribute,) = groups.attributes
    others = np.flatnonzero([name != attribute for name in names])
    why = _too_little(groups, minimum_rows, len(others))
    if why:
        proxy = Proxy(attribute=attribute, inconclusive=why, rows=len(rows))
        return ProxyResult(Measurement(None, inconclusive=why), proxy)
    random = resampling.random(f"proxies.{attribute}")
    chosen = stratified(groups.codes, max_rows, random)
    _, truth = np.unique(groups.codes[chosen], return_inverse=True)
    features = rows[np.ix_(chosen, others)]
    with threadpool_limits(1):
        predicted, drops = _cross_validate(features, truth.astype(np.int64), random)
        measured = measure_performance(predicted, resampling)["rocAuc"]
    best = sorted(zip((-drops).tolist(), others.tolist(), strict=True))[:_LISTED]
    return ProxyResult(
        measured,
        Proxy(
            attribute=attribute,
            roc_auc=None if measured.value is None else round(measured.value, 6),
            rows=len(chosen),
            features=[
                ProxyFeature(feature=names[number], contribution=round(-drop, 6))
                for drop, number in best
                if drop < 0
            ],
        ),
    )


def _too_little(groups: Groups, minimum_rows: int, features: int) -> str | None:
    sizes = np.bincount(groups.codes, minlength=len(groups.labels))
    if not 1 < len(sizes) <= MAX_GROUPS:
        return f"'{groups.name}' has {len(sizes)} groups, 2 to {MAX_GROUPS} are needed"
    if not features:
        return f"there is no feature but '{groups.name}'"
    smallest, needed = int(sizes.argmin()), max(minimum_rows, 2 * _FOLDS)
    if sizes[smallest] < needed:
        return (
            f"group '{groups.labels[smallest]}' of '{groups.name}' has {sizes[smallest]} rows, "
            f"{needed} are needed"
        )
    return None


def _cross_validate(
    rows: Matrix, truth: Indices, random: np.random.Generator
) -> tuple[Predictions, Floats]:
    """Return the held-out predictions and each feature's contribution."""
    seed = int(random.integers(2**31))
    classes = int(truth.max()) + 1
    probabilities = np.empty((len(truth), classes))
    drops = np.zeros(rows.shape[1])
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(rows, truth):
        model = HistGradientBoostingClassifier(
            max_iter=_ROUNDS, max_leaf_nodes=_LEAVES, early_stopping=False, random_state=seed
        )
        model.fit(without_empty_columns(rows[train]), truth[train])
        probabilities[test] = model.predict_proba(rows[test])
        drops += _drops(model, rows[test], truth[test], random) / _FOLDS
    return Predictions(truth, probabilities, 1 if classes == 2 else None), drops


def _drops(
    model: HistGradientBoostingClassifier,
    rows: Matrix,
    truth: Indices,
    random: np.random.Generator,
) -> Floats:
    """Return by how much ROC-AUC drops when each feature is shuffled."""
    some = stratified(truth, _ROWS_TO_SHUFFLE, random)
    rows, truth = rows[some], truth[some]
    whole = _roc_auc(model, rows, truth)
    drops = np.zeros(rows.shape[1])
    for number in range(rows.shape[1]):
        shuffled = rows.copy()
        shuffled[:, number] = random.permutation(rows[:, number])
        drops[number] = whole - _roc_auc(model, shuffled, truth)
    return drops


def _roc_auc(
    model: HistGradientBoostingClassifier, rows: npt.NDArray[np.float32], truth: Indices
) -> float:
    probabilities = model.predict_proba(rows)
    positive = 1 if probabilities.shape[1] == 2 else None
    return Performance(Predictions(truth, probabilities, positive)).estimate()["rocAuc"]
