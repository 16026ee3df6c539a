"""The fit: rows and classes in, a scikit-learn pipeline and its arithmetic out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.api.findings import Finding
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Trainer
from hallmark.training import estimators, preprocessing
from hallmark.training.finite import check_scores
from hallmark.training.matrix import Matrix, Truth
from hallmark.training.plain import PlainModel, plain_model
from hallmark.training.preprocessing import Encoded


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what was said while fitting.

    Attributes:
        pipeline: Takes the float matrix; scikit-learn's own parts alone.
        plain: What it computes, as arrays.
        parameters: What the estimator was made with.
        remarks: Such as a fit that did not converge.
    """

    pipeline: Pipeline
    plain: PlainModel
    parameters: dict[str, str]
    remarks: tuple[Finding, ...]

    def encoded(self, rows: Matrix) -> Encoded:
        """Return the rows as the classifier sees them, shape (rows, encoded columns)."""
        return self.plain.encoding.apply(rows)

    def probabilities(self, rows: Matrix) -> npt.NDArray[np.float64]:
        """Return the classes' probabilities, shape (rows, classes).

        They are rounded to float32, as they are served: so two that differ by the order of a sum
        alone are equal here and there, and decide alike.
        """
        # scikit-learn looks for infinity by a sum first, which huge numbers overflow to no harm.
        with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
            predicted = self.pipeline.predict_proba(rows.astype(self.plain.encoding.dtype))
        return np.asarray(predicted, dtype=np.float32).astype(np.float64)


def fit(
    rows: Matrix,
    truth: Truth,
    classes: Sequence[str],
    features: Sequence[ServedFeature],
    trainer: Trainer,
) -> Fitted | Finding:
    """Return the pipeline fitted to the training rows, or why there is none.

    One thread: the order of sums, and so the last bits, must not depend on the number of cores.

    Args:
        rows: Shape (training rows, features).
        truth: Shape (training rows,): each row's class.
        classes: The classes' names, in order.
        features: What each column is.
        trainer: Settings that ``estimators.check`` accepted.
    """
    recipe = estimators.RECIPES[trainer.algorithm]
    classifier = estimators.make(trainer, len(classes), int(np.bincount(truth).min()))
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoding = preprocessing.learn(rows, features, scaled=recipe.scaled)
        try:
            classifier.fit(preprocessing.without_empty_columns(encoding.apply(rows)), truth)
        except (ValueError, ArithmeticError) as error:
            return estimators.values_refused(trainer, error)
    plain = plain_model(encoding, classifier)
    endless = check_scores(plain, features)
    if endless:
        return endless
    estimators.settle(classifier, list(classes))
    steps = preprocessing.transformers(encoding, len(features))
    arguments = estimators.arguments(trainer, len(classes))
    return Fitted(
        Pipeline([*steps, ("classifier", classifier)]),
        plain,
        {name: str(value) for name, value in sorted(arguments.items())},
        _remarks(caught, arguments),
    )


def _remarks(
    caught: Sequence[warnings.WarningMessage], arguments: estimators.Arguments
) -> tuple[Finding, ...]:
    if not any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        return ()
    steps = f"{arguments.get('max_iter', 'the default number of')} iterations"
    return (Finding(check="Convergence", expected="a fit that converges", found=steps),)
