"""From checked rows to a judged model and its artifacts; needs scikit-learn from the start."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import joblib
import numpy as np

from hallmark.api import artifacts as api
from hallmark.api.artifacts import (
    AttributeFairness,
    Finding,
    Manifest,
    ManifestFile,
    Report,
    ServedFeature,
    ServedSchema,
    TrainOutcome,
    TrainStage,
    TrainTask,
)
from hallmark.api.common import sha256_digest
from hallmark.api.training_run import GateResult
from hallmark.supply_chain.dockerfile import render_dockerfile
from hallmark.supply_chain.sbom import build_sbom, installed_packages
from hallmark.training import fairness, gates, matrix, metrics, pipeline, robustness, served
from hallmark.training.assay import Announce, Examined
from hallmark.training.baseline import build_baseline
from hallmark.training.outcome import Artifacts, Refusal, refuse
from hallmark.training.pipeline import Fitted

_SERVING_PACKAGES = ("numpy", "onnxruntime")


@dataclass(frozen=True)
class _Trained:
    """A fitted pipeline with the rows it was fitted to and those it is judged by."""

    fitted: Fitted
    features: list[ServedFeature]
    rows: matrix.Matrix
    classes: matrix.Labels
    split: matrix.Split

    @property
    def test_rows(self) -> matrix.Matrix:
        """Shape (test rows, features)."""
        test_rows: matrix.Matrix = self.rows[self.split.test]
        return test_rows


@dataclass(frozen=True)
class _Measured:
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
    trained = _fit(task, data)
    announce(TrainStage.TRAIN, 60, "Measuring.")
    measured = _measure(data, trained)
    announce(TrainStage.GATES, 75, "Judging the gates.")
    results = gates.judge(task.spec.gates, task.floors, measured.metrics)
    values = gates.metric_values(measured.metrics)
    failed = gates.failure(results)
    if failed:
        return refuse_data(TrainStage.GATES, failed, metrics=values, gates=results)
    announce(TrainStage.GATES, 80, "Proving the served form.")
    form = _serve(task, trained)
    if isinstance(form, Finding):
        return refuse_data(TrainStage.TRAIN, [form], metrics=values, gates=results)
    announce(TrainStage.GATES, 90, "Writing the artifacts.")
    report = _report(task, data, trained, measured, results, form.difference)
    return _artifacts(task, data, trained, form, report)


def _fit(task: TrainTask, data: Examined) -> _Trained:
    rows = matrix.encode(data.table, data.schema)
    classes = matrix.labels(data.table, data.schema)
    split = pipeline.split(classes, task.spec.trainer)
    features = matrix.served_features(data.schema)
    fitted = pipeline.fit(rows[split.train], classes[split.train], features, task.spec.trainer)
    return _Trained(fitted, features, rows, classes, split)


def _measure(data: Examined, trained: _Trained) -> _Measured:
    estimator, positive = trained.fitted.pipeline, data.schema.target.positive
    test = trained.split.test
    truth = (trained.classes[test] == positive).astype(np.int64)
    column = estimator.classes_.tolist().index(positive)
    probabilities = pipeline.probabilities(estimator, trained.test_rows)[:, column]
    groups = [
        fairness.attribute_fairness(
            attribute.name,
            np.asarray(
                data.table.column(attribute.name).values.cast(str).gather(test).to_list(),
                dtype=np.str_,
            ),
            truth,
            metrics.decide(probabilities),
        )
        for attribute in data.schema.sensitive
    ]
    linear = pipeline.linear_model(estimator, positive)
    return _Measured(
        metrics={
            **metrics.performance(truth, probabilities),
            **robustness.robustness(linear, pipeline.encoded(estimator, trained.test_rows), truth),
            **fairness.fairness_metrics(groups),
            "dataQuality": data.quality,
        },
        fairness=groups,
    )


@dataclass(frozen=True)
class _ServedForm:
    """The ONNX graph, the golden rows, and how far the graph is from the estimator at most."""

    graph: bytes
    golden: matrix.Matrix
    difference: float


def _serve(task: TrainTask, trained: _Trained) -> _ServedForm | Finding:
    """Return the served form, or why its answers are not the estimator's."""
    estimator = trained.fitted.pipeline
    graph = served.to_served_form(estimator, task.spec.model)
    golden = served.golden_rows(trained.features)
    difference = served.max_difference(graph, estimator, np.vstack([trained.test_rows, golden]))
    if difference > served.TOLERANCE:
        return Finding(
            check="ServedForm",
            expected=f"probabilities that differ by at most {served.TOLERANCE:g} from the"
            " estimator's; numbers that are large against their spread lose it in float32",
            found=f"a difference of {difference:.2g}",
        )
    return _ServedForm(graph, golden, difference)


def _report(
    task: TrainTask,
    data: Examined,
    trained: _Trained,
    measured: _Measured,
    results: list[GateResult],
    difference: float,
) -> Report:
    return Report(
        model=task.spec.model,
        rows=data.table.rows,
        train_rows=len(trained.split.train),
        test_rows=len(trained.split.test),
        quality=data.quality,
        quality_parts=list(data.quality_parts),
        remarks=[*data.remarks, *trained.fitted.remarks],
        pii=list(data.pii),
        metrics=gates.metric_values(measured.metrics),
        fairness=measured.fairness,
        gates=results,
        algorithm=task.spec.trainer.algorithm,
        parameters=trained.fitted.parameters,
        seed=task.spec.trainer.seed,
        packages=installed_packages(),
        served_form_max_difference=difference,
    )


def _artifacts(
    task: TrainTask, data: Examined, trained: _Trained, form: _ServedForm, report: Report
) -> Artifacts:
    estimator = trained.fitted.pipeline
    image = image_digest(task.image)
    run_id = api.run_id(task.spec_digest, data.fingerprint, image)
    files = {
        api.SLOT_JOBLIB: _dump(estimator),
        api.MODEL_ONNX: form.graph,
        api.SCHEMA: _served_schema(task, data, trained).to_bytes(),
        api.BASELINE: build_baseline(
            trained.rows[trained.split.train], trained.features
        ).to_bytes(),
        api.REPORT: report.to_bytes(),
        api.GOLDEN: served.build_golden(form.golden, estimator).to_bytes(),
    }
    files[api.SLOT_SBOM] = build_sbom(
        model=task.spec.model,
        run_id=run_id,
        packages=report.packages,
        fingerprint=data.fingerprint,
        report=report,
        files={api.final_name(slot, run_id): sha256_digest(each) for slot, each in files.items()},
    )
    files[api.DOCKERFILE] = render_dockerfile(
        run_id=run_id,
        packages={name: report.packages[name] for name in _SERVING_PACKAGES},
        files=api.SERVED_FILES,
    )
    manifest = _manifest(task, data.fingerprint, image, run_id, files).to_bytes()
    outcome = TrainOutcome(
        stage=TrainStage.DONE,
        fingerprint=data.fingerprint,
        quality=f"{data.quality:.2f}",
        metrics=report.metrics[:24],
        gates=report.gates[:24],
        manifest_digest=sha256_digest(manifest),
    )
    return Artifacts(outcome, {**files, api.MANIFEST: manifest})


def _dump(estimator: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer, protocol=5)
    return buffer.getvalue()


def _served_schema(task: TrainTask, data: Examined, trained: _Trained) -> ServedSchema:
    return ServedSchema(
        model=task.spec.model,
        features=trained.features,
        target=data.schema.target.name,
        classes=trained.fitted.pipeline.classes_.tolist(),
        positive=data.schema.target.positive,
        input_name=served.INPUT,
        probabilities_name=served.PROBABILITIES,
    )


def _manifest(
    task: TrainTask, fingerprint: str, image: str, run_id: str, files: Mapping[str, bytes]
) -> Manifest:
    entries = [
        ManifestFile(name=api.final_name(slot, run_id), digest=sha256_digest(each), size=len(each))
        for slot, each in files.items()
    ]
    return Manifest(
        namespace=task.namespace,
        model=task.spec.model,
        run_id=run_id,
        spec_digest=task.spec_digest,
        dataset_fingerprint=fingerprint,
        image_digest=image,
        files=sorted(entries, key=lambda entry: entry.name),
    )


def image_digest(reference: str) -> str:
    """Return the digest in an image's reference, or that of the reference where it has none."""
    _, at, digest = reference.rpartition("@")
    return digest if at and digest.startswith("sha256:") else sha256_digest(reference.encode())
