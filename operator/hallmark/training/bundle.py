"""A model that passed its gates becomes a bundle: served form, report, SBOM, manifest."""

from __future__ import annotations

import io

import joblib

from hallmark.api import files as api
from hallmark.api.common import Digest
from hallmark.api.gates import most_telling_first
from hallmark.api.metrics import GateResult
from hallmark.api.model_card import ModelCard
from hallmark.api.report import Report
from hallmark.api.served import Baseline, ServedSchema
from hallmark.api.tasks import TrainOutcome, TrainStage, TrainTask
from hallmark.api.texts import sha256_digest
from hallmark.reporting.page import page
from hallmark.supply_chain.dockerfile import render_dockerfile
from hallmark.supply_chain.installed import installed_packages
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.sbom_making import build_sbom, parts_here
from hallmark.training import gates, graph, served
from hallmark.training.baseline import bin_predictions, build_baseline
from hallmark.training.dataset import ValidatedDataset
from hallmark.training.outcome import Artifacts, listed
from hallmark.training.region import build_region
from hallmark.training.trained import Measured, Trained


def make(
    task: TrainTask,
    data: ValidatedDataset,
    trained: Trained,
    measured: Measured,
    results: list[GateResult],
    form: served.ServedForm,
) -> Artifacts:
    """Return every file of the bundle, the manifest last."""
    image = image_digest(task.image)
    run_id = api.run_id(task.spec_digest, data.fingerprint, image)
    report = _report(task, data, trained, measured, results, form.difference, image, run_id)
    files = {
        api.SLOT_JOBLIB: _dump(trained.fitted.pipeline),
        api.MODEL_ONNX: form.graph,
        api.SCHEMA: _served_schema(task, data, trained).to_bytes(),
        api.BASELINE: _baseline(trained, form).to_bytes(),
        api.REPORT: report.to_bytes(),
        api.REPORT_PAGE: page(report),
        api.GOLDEN: served.build_golden(form.golden, trained.fitted).to_bytes(),
    }
    files[api.SLOT_SBOM] = build_sbom(
        model=task.spec.model,
        run_id=run_id,
        parts=parts_here(),
        fingerprint=data.fingerprint,
        report=report,
        card=task.spec.model_card or ModelCard(),
        files={
            api.final_name(slot, run_id): sha256_digest(content) for slot, content in files.items()
        },
    )
    files[api.DOCKERFILE] = render_dockerfile(
        run_id=run_id, dataset=data.fingerprint, sbom=sha256_digest(files[api.SLOT_SBOM])
    )
    manifest = build_manifest(
        namespace=task.namespace,
        model=task.spec.model,
        run_id=run_id,
        spec_digest=task.spec_digest,
        dataset_fingerprint=data.fingerprint,
        image_digest=image,
        files={api.final_name(slot, run_id): content for slot, content in files.items()},
    ).to_bytes()
    outcome = TrainOutcome(
        stage=TrainStage.DONE,
        fingerprint=data.fingerprint,
        quality=f"{data.quality:.2f}",
        metrics=listed(most_telling_first(report.metrics, report.gates)),
        gates=listed(report.gates),
        manifest_digest=sha256_digest(manifest),
    )
    return Artifacts(outcome, {**files, api.MANIFEST: manifest})


def _report(
    task: TrainTask,
    data: ValidatedDataset,
    trained: Trained,
    measured: Measured,
    results: list[GateResult],
    difference: float,
    image: Digest,
    run_id: str,
) -> Report:
    return Report(
        model=task.spec.model,
        run_id=run_id,
        spec_digest=task.spec_digest,
        dataset_fingerprint=data.fingerprint,
        image_digest=image,
        target=data.schema.target.name,
        classes=trained.classes,
        positive=data.schema.target.positive,
        evaluation=task.spec.evaluation,
        rows=data.table.rows,
        train_rows=len(trained.split.train),
        test_rows=len(trained.split.test),
        quality=data.quality,
        quality_parts=list(data.quality_parts),
        data=measured.data.report,
        remarks=[*data.remarks, *measured.data.remarks, *trained.fitted.remarks],
        pii=list(data.pii),
        metrics=gates.metric_values(measured.metrics),
        inconclusive=gates.inconclusive(measured.metrics),
        calibration=measured.calibration,
        fairness=measured.fairness,
        proxies=measured.proxies,
        robustness=measured.robustness,
        gates=results,
        algorithm=task.spec.trainer.algorithm,
        parameters=trained.fitted.parameters,
        seed=task.spec.trainer.seed,
        packages=installed_packages(),
        served_form_max_difference=difference,
    )


def _baseline(trained: Trained, form: served.ServedForm) -> Baseline:
    """Return the training rows by bin, and what the served form says of the test rows."""
    said = served.answers(form.graph, trained.test_rows)
    predictions = bin_predictions(said, trained.classes, trained.positive)
    region = build_region(
        trained.train_rows, trained.test_rows, trained.features, said, trained.positive
    )
    return build_baseline(trained.train_rows, trained.features, predictions).replace(region=region)


def _dump(estimator: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer, protocol=5)
    return buffer.getvalue()


def _served_schema(task: TrainTask, data: ValidatedDataset, trained: Trained) -> ServedSchema:
    return ServedSchema(
        model=task.spec.model,
        features=trained.features,
        target=data.schema.target.name,
        classes=trained.classes,
        positive=data.schema.target.positive,
        input_name=graph.INPUT,
        probabilities_name=graph.PROBABILITIES,
    )


def image_digest(reference: str) -> str:
    """Return the digest in an image's reference, or that of the reference where it has none."""
    _, at, digest = reference.rpartition("@")
    return digest if at and digest.startswith("sha256:") else sha256_digest(reference.encode())
