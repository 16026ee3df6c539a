"""The estimator: a scikit-learn pipeline over the float matrix of ``matrix``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.api.artifacts import Finding, ServedFeature
from hallmark.api.training_run import FeatureType, Parameter, Trainer
from hallmark.training.matrix import Labels, Matrix, Split, is_number
from hallmark.training.robustness import LinearModel

_OURS = frozenset({"random_state", "n_jobs", "verbose", "warm_start"})
"""Set by the trainer: they would break determinism or write to the log."""
_DEFAULTS: Mapping[str, Any] = {"max_iter": 1000}
_NO_CATEGORY = -1.0
"""What a null category becomes: no declared index, so no category's weight counts."""


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline and what was said while fitting."""

    pipeline: Pipeline
    parameters: dict[str, str]
    remarks: tuple[Finding, ...]


def split(classes: Labels, trainer: Trainer) -> Split:
    """Return a stratified split, the same for the same classes and seed."""
    train, test = train_test_split(
        np.arange(len(classes)),
        test_size=float(trainer.test_fraction),
        random_state=trainer.seed,
        stratify=classes,
    )
    return Split(np.sort(train), np.sort(test))


def check_trainer(trainer: Trainer) -> list[Finding]:
    """Return what the trainer's settings ask that cannot be."""
    findings = []
    if not 0.05 <= float(trainer.test_fraction) <= 0.5:
        findings.append(
            Finding(
                check="Trainer",
                expected="a testFraction from 0.05 to 0.5",
                found=trainer.test_fraction,
            )
        )
    known = sorted(set(LogisticRegression().get_params()) - _OURS)
    for parameter in trainer.parameters:
        if parameter.name not in known:
            findings.append(
                Finding(
                    check="Parameter",
                    expected=f"a parameter of {trainer.algorithm}: {', '.join(known)}"[:256],
                    found=f"'{parameter.name}'",
                )
            )
    if not findings:
        findings += _check_values(trainer)
    return findings


def _check_values(trainer: Trainer) -> list[Finding]:
    """Let the estimator judge the values on four rows."""
    estimator = LogisticRegression(**_arguments(trainer))
    rows, classes = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["a", "b", "a", "b"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(rows, classes)
    except (InvalidParameterError, ValueError, TypeError) as error:
        return [
            Finding(
                check="Parameter",
                expected=f"values that {trainer.algorithm} takes",
                found=" ".join(str(error).split())[:256],
            )
        ]
    return []


def _arguments(trainer: Trainer) -> dict[str, Any]:
    given = {parameter.name: parse_value(parameter) for parameter in trainer.parameters}
    return {**_DEFAULTS, **given, "random_state": trainer.seed}


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


def fit(
    rows: Matrix, classes: Labels, features: Sequence[ServedFeature], trainer: Trainer
) -> Fitted:
    """Return the pipeline fitted to the training rows.

    One thread: the order of sums, and so the last bits, must not depend on the number of cores.

    Args:
        rows: Shape (training rows, features).
        classes: Shape (training rows,).
        features: What each column is.
        trainer: Settings that ``check_trainer`` accepted.
    """
    arguments = _arguments(trainer)
    pipeline = Pipeline(
        [("features", _transformer(features)), ("classifier", LogisticRegression(**arguments))]
    )
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(rows.astype(np.float64), classes)
    remarks: tuple[Finding, ...] = ()
    if any(issubclass(each.category, ConvergenceWarning) for each in caught):
        steps = f"{arguments['max_iter']} iterations"
        remarks = (Finding(check="Convergence", expected="a fit that converges", found=steps),)
    return Fitted(pipeline, {k: str(v) for k, v in sorted(arguments.items())}, remarks)


def probabilities(pipeline: Pipeline, rows: Matrix) -> npt.NDArray[np.float64]:
    """Return the classes' probabilities in float64, shape (rows, classes)."""
    with threadpool_limits(1):
        found: npt.NDArray[np.float64] = pipeline.predict_proba(rows.astype(np.float64))
    return found


def linear_model(pipeline: Pipeline, positive: str) -> LinearModel:
    """Return the decision function towards the positive class over the encoded features."""
    classifier = pipeline.named_steps["classifier"]
    sign = 1.0 if classifier.classes_[1] == positive else -1.0
    slices = pipeline.named_steps["features"].output_indices_
    movable = np.zeros(classifier.coef_.shape[1], dtype=np.bool_)
    movable[slices.get("number", slice(0, 0))] = True
    return LinearModel(sign * classifier.coef_[0], sign * float(classifier.intercept_[0]), movable)


def encoded(pipeline: Pipeline, rows: Matrix) -> npt.NDArray[np.float64]:
    """Return the rows imputed, standardised and one-hot encoded, as the classifier sees them."""
    found: npt.NDArray[np.float64] = pipeline.named_steps["features"].transform(
        rows.astype(np.float64)
    )
    return found


def _transformer(features: Sequence[ServedFeature]) -> ColumnTransformer:
    """Return imputation, scaling and encoding by column.

    A column that is null in every training row is kept, so that its place does not shift others.
    """
    numbers = [i for i, feature in enumerate(features) if is_number(feature)]
    flags = [i for i, feature in enumerate(features) if feature.type is FeatureType.BOOLEAN]
    category = [i for i, feature in enumerate(features) if feature.type is FeatureType.CATEGORY]
    known = [np.arange(len(features[i].categories or ()), dtype=np.float64) for i in category]
    impute = partial(SimpleImputer, keep_empty_features=True)
    encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
    scaled = Pipeline([("impute", impute(strategy="median")), ("scale", StandardScaler())])
    encoded = Pipeline(
        [("impute", impute(strategy="constant", fill_value=_NO_CATEGORY)), ("encode", encoder)]
    )
    parts = [
        ("number", scaled, numbers),
        ("boolean", impute(strategy="most_frequent"), flags),
        ("category", encoded, category),
    ]
    return ColumnTransformer([part for part in parts if part[2]])
