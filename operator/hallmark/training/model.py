"""From checked rows to a fitted and judged model; needs scikit-learn and fairlearn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from hallmark.api.artifacts import Finding, ServedFeature, TrainStage, TrainTask
from hallmark.api.gates import failure, judge
from hallmark.api.report import AttributeFairness
from hallmark.api.training_run import SensitiveAttribute, Trainer
from hallmark.data.table import ColumnType
from hallmark.training import estimators, fairness, gates, matrix, metrics, pipeline, robustness
from hallmark.training.assay import Announce, Examined
from hallmark.training.outcome import Artifacts, Refusal, refuse
from hallmark.training.pipeline import Fitted
from hallmark.training.plain import LinearScores, Link
from hallmark.training.split import Split, split


@dataclass(frozen=True)
class Trained:
    """A fitted model with the rows it was fitted to and those it is judged by.

    Attributes:
        fitted: The pipeline and its arithmetic.
        features: What each column of the rows is.
        rows: Shape (rows, features).
        truth: Shape (rows,): each row's class, as its index in ``classes``.
        classes: The classes' names, in the order of the probabilities.
        positive: The index of the positive class, if the schema names one.
        split: Which rows were learned from.
    """

    fitted: Fitted
    features: list[ServedFeature]
    rows: matrix.Matrix
    truth: matrix.Truth
    classes: list[str]
    positive: int | None
    split: Split

    @property
    def train_rows(self) -> matrix.Matrix:
        """Shape (training rows, features)."""
        rows: matrix.Matrix = self.rows[self.split.train]
        return rows

    @property
    def test_rows(self) -> matrix.Matrix:
        """Shape (test rows, features)."""
        rows: matrix.Matrix = self.rows[self.split.test]
        return rows

    @property
    def test_truth(self) -> matrix.Truth:
        """Shape (test rows,)."""
        truth: matrix.Truth = self.truth[self.split.test]
        return truth


@dataclass(frozen=True)
class Measured:
    """What was found on the test rows."""

    metrics: Mapping[str, gates.Measurement]
    fairness: list[AttributeFairness]


def train(task: TrainTask, data: Examined, announce: Announce) -> Refusal | Artifacts:
    """Fit, measure, gate, and make the artifacts.

    Args:
        task: What to do.
        data: The checked rows.
        announce: Told of each stage.
    """
    refuse_data = partial(refuse, fingerprint=data.fingerprint, quality=f"{data.quality:.2f}")
    announce(TrainStage.TRAIN, 50, "Fitting.")
    trained = fit(data, task.spec.trainer)
    if isinstance(trained, list):
        return refuse_data(TrainStage.TRAIN, trained)
    announce(TrainStage.TRAIN, 60, "Measuring.")
    measured = measure(data, trained)
    announce(TrainStage.GATES, 70, "Judging the gates.")
    values = gates.metric_values(measured.metrics)
    why = gates.inconclusive(measured.metrics)
    results = judge(task.spec.gates, task.floors, values, why)
    failed = failure(results)
    if failed:
        return refuse_data(TrainStage.GATES, failed, metrics=values, gates=results)
    announce(TrainStage.GATES, 75, "Proving the served form.")
    from hallmark.training import bundle, served  # more imports that only a passed model needs

    fitted, positive = trained.fitted, trained.positive
    form = served.prove(task.spec.model, fitted, trained.features, trained.test_rows, positive)
    if isinstance(form, Finding):
        return refuse_data(TrainStage.TRAIN, [form], metrics=values, gates=results)
    announce(TrainStage.GATES, 85, "Writing the artifacts.")
    return bundle.make(task, data, trained, measured, results, form)


def fit(data: Examined, trainer: Trainer) -> Trained | list[Finding]:
    """Return the model fitted to the rows of the training split, or why there is none."""
    classes = matrix.class_names(data.table, data.schema)
    if isinstance(classes, Finding):
        return [classes]
    wrong = estimators.check(trainer, len(classes))
    if wrong:
        return wrong
    truth = matrix.truth(data.table, data.schema, classes)
    parts = split(truth, trainer)
    if isinstance(parts, Finding):
        return [parts]
    rows = matrix.encode(data.table, data.schema)
    blurred = matrix.check_precision(data.table, data.schema, rows)
    if blurred:
        return blurred
    features = matrix.served_features(data.schema)
    fitted = pipeline.fit(rows[parts.train], truth[parts.train], classes, features, trainer)
    if isinstance(fitted, Finding):
        return [fitted]
    name = data.schema.target.positive
    positive = classes.index(name) if name in classes else None
    return Trained(fitted, features, rows, truth, classes, positive, parts)


def measure(data: Examined, trained: Trained) -> Measured:
    """Return every metric that gates can name, measured on the test rows."""
    positive = 1 if trained.positive is None else trained.positive
    truth = (trained.test_truth == positive).astype(np.int64)
    probabilities = trained.fitted.probabilities(trained.test_rows)[:, positive]
    decisions = metrics.decide(probabilities)
    groups = [
        fairness.attribute_fairness(
            attribute.name,
            _groups(data, trained, attribute.name),
            truth,
            decisions,
            _declared_groups(data, attribute),
        )
        for attribute in data.schema.sensitive
    ]
    return Measured(
        metrics={
            name: gates.Measurement(value)
            for name, value in {
                **metrics.performance(truth, probabilities),
                **_robustness(trained, positive, truth),
                **fairness.fairness_metrics(groups),
                "dataQuality": data.quality,
            }.items()
        },
        fairness=groups,
    )


def _robustness(
    trained: Trained, positive: int, truth: metrics.Positives
) -> dict[str, float | None]:
    plain = trained.fitted.plain
    if plain.link is not Link.SIGMOID or not isinstance(plain.scores, LinearScores):
        return {}
    sign = 1.0 if positive == 1 else -1.0
    linear = robustness.LinearModel(
        sign * plain.scores.weights[0], sign * float(plain.scores.biases[0]), plain.encoding.movable
    )
    encoded = trained.fitted.encoded(trained.test_rows).astype(np.float64)
    return robustness.robustness(linear, encoded, truth)


def _groups(data: Examined, trained: Trained, attribute: str) -> npt.NDArray[np.str_]:
    values = data.table.column(attribute).values.gather(trained.split.test)
    return np.asarray([str(value) for value in values], dtype=np.str_)


def _declared_groups(data: Examined, attribute: SensitiveAttribute) -> Sequence[str]:
    spec = data.table.column(attribute.name).spec
    booleans = ("False", "True") if spec.type is ColumnType.BOOLEAN else ()
    return attribute.categories or spec.categories or booleans
