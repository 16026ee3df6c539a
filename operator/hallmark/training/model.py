"""From checked rows to a fitted and judged model; needs scikit-learn and fairlearn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from hallmark.api.artifacts import ServedFeature, TrainStage, TrainTask
from hallmark.api.report import AttributeFairness
from hallmark.api.training_run import SensitiveAttribute, Trainer
from hallmark.data.table import ColumnType
from hallmark.training import fairness, gates, matrix, metrics, pipeline, robustness
from hallmark.training.assay import Announce, Examined
from hallmark.training.outcome import Artifacts, Refusal, refuse
from hallmark.training.pipeline import Fitted


@dataclass(frozen=True)
class Trained:
    """A fitted pipeline with the rows it was fitted to and those it is judged by."""

    fitted: Fitted
    features: list[ServedFeature]
    rows: matrix.Matrix
    classes: matrix.Labels
    split: matrix.Split

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


@dataclass(frozen=True)
class Measured:
    """What was found on the test rows."""

    metrics: Mapping[str, float | None]
    fairness: list[AttributeFairness]


def train(task: TrainTask, data: Examined, announce: Announce) -> Refusal | Artifacts:
    """Fit, measure, gate, and make the artifacts.

    Args:
        task: What to do.
        data: The checked rows.
        announce: Told of each stage.
    """
    refuse_data = partial(refuse, fingerprint=data.fingerprint, quality=f"{data.quality:.2f}")
    wrong = pipeline.check_trainer(task.spec.trainer)
    if wrong:
        return refuse_data(TrainStage.TRAIN, wrong)
    announce(TrainStage.TRAIN, 50, "Fitting.")
    trained = fit(data, task.spec.trainer)
    announce(TrainStage.TRAIN, 60, "Measuring.")
    measured = measure(data, trained)
    announce(TrainStage.GATES, 70, "Judging the gates.")
    results = gates.judge(task.spec.gates, task.floors, measured.metrics)
    values = gates.metric_values(measured.metrics)
    failed = gates.failure(results)
    if failed:
        return refuse_data(TrainStage.GATES, failed, metrics=values, gates=results)
    announce(TrainStage.GATES, 75, "Proving the served form.")
    from hallmark.training.bundle import make, prove  # more imports that only a passed model needs

    form = prove(task.spec.model, trained)
    if isinstance(form, Refusal):
        return refuse_data(TrainStage.TRAIN, form.outcome.message, metrics=values, gates=results)
    announce(TrainStage.GATES, 85, "Writing the artifacts.")
    return make(task, data, trained, measured, results, form)


def fit(data: Examined, trainer: Trainer) -> Trained:
    """Return the pipeline fitted to the rows of the training split."""
    rows = matrix.encode(data.table, data.schema)
    classes = matrix.labels(data.table, data.schema)
    split = pipeline.split(classes, trainer)
    features = matrix.served_features(data.schema)
    fitted = pipeline.fit(rows[split.train], classes[split.train], features, trainer)
    return Trained(fitted, features, rows, classes, split)


def measure(data: Examined, trained: Trained) -> Measured:
    """Return every metric that gates can name, measured on the test rows."""
    estimator, positive = trained.fitted.pipeline, data.schema.target.positive
    truth = (trained.classes[trained.split.test] == positive).astype(np.int64)
    column = estimator.classes_.tolist().index(positive)
    probabilities = pipeline.probabilities(estimator, trained.test_rows)[:, column]
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
    linear = pipeline.linear_model(estimator, positive)
    encoded = pipeline.encoded(estimator, trained.test_rows)
    return Measured(
        metrics={
            **metrics.performance(truth, probabilities),
            **robustness.robustness(linear, encoded, truth),
            **fairness.fairness_metrics(groups),
            "dataQuality": data.quality,
        },
        fairness=groups,
    )


def _groups(data: Examined, trained: Trained, attribute: str) -> npt.NDArray[np.str_]:
    values = data.table.column(attribute).values.gather(trained.split.test)
    return np.asarray([str(value) for value in values], dtype=np.str_)


def _declared_groups(data: Examined, attribute: SensitiveAttribute) -> Sequence[str]:
    spec = data.table.column(attribute.name).spec
    booleans = ("False", "True") if spec.type is ColumnType.BOOLEAN else ()
    return attribute.categories or spec.categories or booleans
