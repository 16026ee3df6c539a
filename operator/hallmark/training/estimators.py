"""The algorithms: their scikit-learn estimators, what may be set, and how large they may grow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC
from sklearn.utils._param_validation import InvalidParameterError

from hallmark.api.findings import Finding
from hallmark.api.trainer import Algorithm, Parameter, Trainer

Arguments = Mapping[str, Any]

MAX_TREES = 4096
"""More trees take long to serve; one row passes through all of them."""
MAX_LEAF_VALUES = 1 << 18
"""Leaves of all trees, each counted once for every class that it votes on: about 12 MiB of ONNX
and 50 MiB of joblib at most, which the store takes and a predictor holds in its memory."""
MAX_FOREST_LEAVES = 1024
"""Leaves of a forest's tree where nothing else is asked for."""
CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class Recipe:
    """The estimator of an algorithm, and its settings.

    Attributes:
        estimator: The class whose parameters may be set.
        ours: Parameters that the trainer sets itself: they would break determinism, write to the
            log, or ask for what a text cannot say.
        defaults: Where ours differ from scikit-learn's.
        scaled: Whether it needs numbers without nulls that are standardised.
        trees: The parameter that says how many trees (or rounds) there are.
    """

    estimator: type[BaseEstimator]
    ours: frozenset[str]
    defaults: Arguments = field(default_factory=dict)
    scaled: bool = False
    trees: str | None = None

    @property
    def known(self) -> list[str]:
        """The parameters that may be set."""
        return sorted(set(self.estimator().get_params()) - self.ours)


_COMMON = frozenset({"random_state", "verbose", "warm_start", "n_jobs"})
RECIPES: Mapping[Algorithm, Recipe] = {
    Algorithm.LOGISTIC_REGRESSION: Recipe(
        LogisticRegression, _COMMON, {"max_iter": 1000}, scaled=True
    ),
    Algorithm.LINEAR_SVM: Recipe(LinearSVC, _COMMON | {"multi_class"}, scaled=True),
    Algorithm.RANDOM_FOREST: Recipe(
        RandomForestClassifier, _COMMON | {"oob_score", "monotonic_cst"}, trees="n_estimators"
    ),
    Algorithm.HIST_GRADIENT_BOOSTING: Recipe(
        HistGradientBoostingClassifier,
        _COMMON | {"categorical_features", "interaction_cst", "monotonic_cst", "loss"},
        trees="max_iter",
    ),
}


def parse_value(parameter: Parameter) -> object:
    """Return a parameter's text as null, boolean, whole number, decimal or text."""
    text = parameter.value
    constants = {"null": None, "None": None, "true": True, "false": False}
    if text in constants:
        return constants[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def arguments(trainer: Trainer, classes: int) -> dict[str, Any]:
    """Return what the estimator is made with.

    Args:
        trainer: What is asked for.
        classes: How many classes there are.
    """
    recipe = RECIPES[trainer.algorithm]
    given = {parameter.name: parse_value(parameter) for parameter in trainer.parameters}
    settings = {**recipe.defaults, **given, "random_state": trainer.seed}
    if recipe.estimator is RandomForestClassifier and "max_leaf_nodes" not in given:
        trees = settings.get("n_estimators", 100)
        if isinstance(trees, int) and trees > 0:
            room = MAX_LEAF_VALUES // (trees * _values_per_leaf(recipe, classes))
            settings["max_leaf_nodes"] = max(2, min(MAX_FOREST_LEAVES, room))
    return settings


def make(trainer: Trainer, classes: int, rarest: int) -> Any:  # noqa: ANN401 - an estimator of scikit-learn
    """Return the classifier, not fitted.

    A linear SVM is calibrated by Platt's sigmoid on predictions for rows that it was not fitted
    to; one SVM, fitted to all rows, is kept.

    Args:
        trainer: Settings that ``check`` accepted.
        classes: How many classes there are.
        rarest: How many training rows the rarest class has.
    """
    estimator = RECIPES[trainer.algorithm].estimator(**arguments(trainer, classes))
    if isinstance(estimator, RandomForestClassifier):
        return estimator.set_params(n_jobs=-1)  # each tree has its own seed: cores do not matter
    if isinstance(estimator, LinearSVC):
        folds = StratifiedKFold(
            min(CALIBRATION_FOLDS, rarest), shuffle=True, random_state=trainer.seed
        )
        return CalibratedClassifierCV(estimator, cv=folds, ensemble=False)
    return estimator


def check(trainer: Trainer, classes: int) -> list[Finding]:
    """Return what the trainer's settings ask that cannot be.

    Args:
        trainer: What is asked for.
        classes: How many classes there are.
    """
    findings = []
    if not 0.05 <= float(trainer.test_fraction) <= 0.5:
        expected = "a testFraction from 0.05 to 0.5"
        findings.append(Finding(check="Trainer", expected=expected, found=trainer.test_fraction))
    known = RECIPES[trainer.algorithm].known
    findings += [
        Finding(
            check="Parameter",
            expected=f"a parameter of {trainer.algorithm}: {', '.join(known)}"[:256],
            found=f"'{parameter.name}'",
        )
        for parameter in trainer.parameters
        if parameter.name not in known
    ]
    return (
        findings
        or _check_ranges(trainer)
        or _check_values(trainer, classes)
        or _check_size(trainer, classes)
    )


_RANGES = {
    Algorithm.LINEAR_SVM: {"C": (1e-6, 1e6), "tol": (1e-12, 1.0), "intercept_scaling": (1e-3, 1e3)}
}
"""Values at which liblinear is known to end: far outside it goes on for ever."""


def _check_ranges(trainer: Trainer) -> list[Finding]:
    ranges, findings = _RANGES.get(trainer.algorithm, {}), []
    for parameter in trainer.parameters:
        value = parse_value(parameter)
        if parameter.name in ranges and isinstance(value, int | float):
            least, most = ranges[parameter.name]
            if not least <= value <= most:
                expected = f"'{parameter.name}' from {least:g} to {most:g} for {trainer.algorithm}"
                findings.append(
                    Finding(check="Parameter", expected=expected, found=parameter.value)
                )
    return findings


def _check_values(trainer: Trainer, classes: int) -> list[Finding]:
    """Return what the estimator refuses: its values, then those of a linear one on a few rows."""
    recipe = RECIPES[trainer.algorithm]
    try:
        estimator = recipe.estimator(**arguments(trainer, classes))
        estimator._validate_params()
        if recipe.scaled:
            some = np.repeat(np.arange(min(classes, 3)), 4)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                estimator.fit(np.arange(float(len(some)))[:, None], some)
    except (InvalidParameterError, ValueError, TypeError, ArithmeticError) as error:
        return [values_refused(trainer, error)]
    return []


def values_refused(trainer: Trainer, error: Exception) -> Finding:
    """Return the refusal of values that the estimator does not take."""
    return Finding(
        check="Parameter",
        expected=f"values that {trainer.algorithm} takes for these rows",
        found=" ".join(str(error).split())[:256],
    )


def _check_size(trainer: Trainer, classes: int) -> list[Finding]:
    recipe = RECIPES[trainer.algorithm]
    if recipe.trees is None:
        return []
    settings = recipe.estimator(**arguments(trainer, classes)).get_params()
    trees = settings[recipe.trees] * _trees_per_round(recipe, classes)
    if trees > MAX_TREES:
        expected = f"at most {MAX_TREES} trees; lower '{recipe.trees}'"
        return [Finding(check="Parameter", expected=expected, found=f"{trees} trees")]
    most = MAX_LEAF_VALUES // (trees * _values_per_leaf(recipe, classes))
    leaves = settings["max_leaf_nodes"]
    if leaves is not None and leaves <= most:
        return []
    return [
        Finding(
            check="Parameter",
            expected=f"'max_leaf_nodes' of at most {most} with {trees} trees and {classes} "
            "classes, so that the served form stays small",
            found="no limit" if leaves is None else str(leaves),
        )
    ]


def _trees_per_round(recipe: Recipe, classes: int) -> int:
    boosted = recipe.estimator is HistGradientBoostingClassifier
    return classes if boosted and classes > 2 else 1


def _values_per_leaf(recipe: Recipe, classes: int) -> int:
    forest = recipe.estimator is RandomForestClassifier
    return classes if forest and classes > 2 else 1


def settle(classifier: Any, names: list[str]) -> None:  # noqa: ANN401 - an estimator of scikit-learn
    """Name the classes of a fitted classifier, and leave nothing in it that varies by process.

    Args:
        classifier: Fitted to the classes' numbers.
        names: The classes, in the order of their numbers.
    """
    classifier.classes_ = np.array(names)
    if isinstance(classifier, RandomForestClassifier):
        classifier.set_params(n_jobs=None)  # a prediction's sum must have one order
        for estimator in classifier.estimators_:
            estimator.tree_.__setstate__(_without_padding(estimator.tree_.__getstate__()))


def _without_padding(state: dict[str, Any]) -> dict[str, Any]:
    """Return a tree's state with zeros where scikit-learn leaves memory as it was.

    These are the bytes between a node's fields, and a leaf's side for nulls.
    """
    nodes = state["nodes"]
    clean = np.zeros(nodes.shape, nodes.dtype)  # zeros_like would leave the padding unset
    for name in nodes.dtype.names:
        clean[name] = nodes[name]
    clean["missing_go_to_left"][nodes["left_child"] < 0] = 0
    return {**state, "nodes": clean}
