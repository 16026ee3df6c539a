"""From checked rows to a fitted and gated model; needs scikit-learn and fairlearn."""

from __future__ import annotations

from functools import partial

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.api.findings import Finding
from hallmark.api.gates import evaluate_gates, failure
from hallmark.api.metrics import Evaluation
from hallmark.api.served_features import served_features
from hallmark.api.tasks import TrainStage, TrainTask
from hallmark.api.trainer import Trainer
from hallmark.api.training_run import TrainingRunSpec
from hallmark.training import estimators, gates, matrix, pipeline
from hallmark.training.bootstrap import Resampling, row_mean
from hallmark.training.data_checks import check_data
from hallmark.training.dataset import Announce, ValidatedDataset
from hallmark.training.evaluation import AnnounceStep, evaluate
from hallmark.training.metrics import Predictions
from hallmark.training.outcome import Artifacts, RefusedRun, refuse
from hallmark.training.precision import check_precision
from hallmark.training.robustness import MOST, Robustness, measure_robustness
from hallmark.training.split import split
from hallmark.training.trained import Measured, Trained


def train(task: TrainTask, data: ValidatedDataset, announce: Announce) -> RefusedRun | Artifacts:
    """Return the artifacts of a fitted, measured and gated model, or why there are none.

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
    measured = measure(data, trained, task.spec, partial(announce, TrainStage.TRAIN, 60))
    announce(TrainStage.GATES, 70, "Evaluating the gates.")
    values = gates.metric_values(measured.metrics)
    why = gates.inconclusive(measured.metrics)
    results = evaluate_gates(task.spec.gates, task.floors, values, why)
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


def fit(data: ValidatedDataset, trainer: Trainer) -> Trained | list[Finding]:
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
    blurred = check_precision(data.table, data.schema)
    if blurred:
        return blurred
    rows = matrix.encode(data.table, data.schema)
    features = served_features(data.schema)
    fitted = pipeline.fit(rows[parts.train], truth[parts.train], classes, features, trainer)
    if isinstance(fitted, Finding):
        return [fitted]
    name = data.schema.target.positive
    positive = classes.index(name) if name in classes else None
    return Trained(fitted, features, rows, truth, classes, positive, parts)


def measure(
    data: ValidatedDataset, trained: Trained, spec: TrainingRunSpec, announce: AnnounceStep
) -> Measured:
    """Return every metric that gates can name, measured on the test rows."""
    probabilities = trained.fitted.probabilities(trained.test_rows)
    predictions = Predictions(trained.test_truth, probabilities, trained.positive)
    seed, test = spec.trainer.seed, trained.split.test
    resampling = Resampling.of(spec.evaluation, seed)
    evaluated = evaluate(
        data, predictions, test, trained.rows, spec.evaluation, resampling, announce
    )
    announce("Looking at the rows together.")
    checked = check_data(data, trained.rows, trained.features, trained.split)
    announce("Measuring robustness.")
    robust = _robustness(trained, spec.evaluation, seed)
    return Measured(
        metrics={
            **evaluated.metrics,
            **{
                name: row_mean(values, resampling, name, MOST[name])
                for name, values in robust.by_row.items()
            },
            **checked.metrics,
        },
        data=checked,
        calibration=evaluated.calibration,
        fairness=evaluated.fairness,
        proxies=evaluated.proxies,
        robustness=robust.report,
    )


def _robustness(trained: Trained, evaluation: Evaluation, seed: int) -> Robustness:
    # Linear algebra in one thread: sums do not depend on the number of cores.
    with threadpool_limits(1):
        return measure_robustness(
            trained.fitted,
            trained.features,
            trained.train_rows,
            trained.test_rows,
            trained.test_truth,
            positive=trained.positive,
            epsilon=float(evaluation.epsilon),
            seed=seed,
        )
