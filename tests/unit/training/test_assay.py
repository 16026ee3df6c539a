"""The whole assay on real and on made rows: verdicts, evidence, and equal bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import jsonschema
import numpy as np
import polars as pl
import pytest

from hallmark.api import files as api
from hallmark.api.artifacts import Manifest
from hallmark.api.files import run_id
from hallmark.api.gates import DATA, known_metrics
from hallmark.api.report import Report
from hallmark.api.report_schema import report_schema
from hallmark.api.served import Baseline, Golden, ServedSchema
from hallmark.api.tasks import TrainStage
from hallmark.api.texts import LABEL, SCORE, sha256_digest
from hallmark.reporting.page import page
from hallmark.training.assay import validate_dataset
from hallmark.training.bundle import image_digest
from hallmark.training.dataset import ValidatedDataset
from hallmark.training.outcome import Artifacts, RefusedRun
from hallmark.training.served import TOLERANCE, answers
from tests.data.hmda import PROTECTED, hmda_csv, hmda_spec
from tests.unit.training.factories import gate, mixed_parquet, mixed_rows, mixed_spec, run, task

PARITY = f"demographicParityDifference.{PROTECTED}"


@pytest.fixture(scope="module")
def bundle() -> Artifacts:
    found = run(hmda_spec(with_protected=False), hmda_csv())
    assert isinstance(found, Artifacts)
    return found


@pytest.fixture(scope="module")
def report(bundle: Artifacts) -> Report:
    return Report.model_validate_json(bundle.files[api.REPORT])


def test_the_report_has_the_published_form(bundle: Artifacts, report: Report) -> None:
    document = json.loads(bundle.files[api.REPORT])
    jsonschema.Draft202012Validator(report_schema()).validate(document)
    manifest = Manifest.model_validate_json(bundle.files[api.MANIFEST])
    assert report.run_id == manifest.run_id
    assert report.image_digest == manifest.image_digest
    assert report.dataset_fingerprint == manifest.dataset_fingerprint
    assert report.spec_digest == manifest.spec_digest
    assert bundle.files[api.REPORT_PAGE] == page(report)


def test_every_known_metric_is_a_number_or_has_a_reason(report: Report) -> None:
    measured = {metric.name for metric in report.metrics} | set(report.inconclusive)
    known = known_metrics(task(hmda_spec(with_protected=False)).spec)
    assert set(known) - measured == set()
    assert measured - set(known) == set()


def test_a_model_that_uses_the_protected_attribute_is_refused_by_the_fairness_gate() -> None:
    found = run(hmda_spec(with_protected=True), hmda_csv())
    assert isinstance(found, RefusedRun)
    outcome = found.outcome
    assert outcome.stage is TrainStage.GATES
    assert outcome.message == (f"Gate {PARITY} failed: expected at most 0.12, measured 0.150390.")
    assert [(result.metric, result.passed) for result in outcome.gates] == [
        (PARITY, False),
        ("rocAuc", True),
    ]
    assert outcome.fingerprint is not None
    assert outcome.manifest_digest is None


def test_without_it_the_model_passes_with_margin(report: Report) -> None:
    metrics = {metric.name: float(metric.value) for metric in report.metrics}
    assert metrics[PARITY] < 0.10
    assert metrics["rocAuc"] > 0.84
    assert metrics["certifiedAccuracy"] == pytest.approx(metrics["accuracy"], abs=0.02)
    assert all(result.passed for result in report.gates)
    (fairness,) = report.fairness
    assert [(group.group, group.rows) for group in fairness.groups] == [("no", 826), ("yes", 126)]
    assert report.train_rows + report.test_rows == report.rows == 2380
    assert 90 < report.quality < 100


def test_what_was_counted_in_the_rows_is_reported_and_can_be_gated(report: Report) -> None:
    metrics = {metric.name: float(metric.value) for metric in report.metrics}
    assert set(DATA) - set(metrics) == set()
    assert metrics["dataQuality"] == pytest.approx(report.quality)
    data = report.data
    assert data is not None
    assert metrics["duplicateFraction"] == pytest.approx(data.duplicate_rows / 2380, abs=1e-6)
    shared = data.shared_rows / report.test_rows
    assert metrics["sharedRowFraction"] == pytest.approx(shared, abs=1e-6)
    assert sum(data.class_rows) == 2380
    assert max(leak.coefficient for leak in data.leakage) < 0.5
    assert {remark.check for remark in report.remarks} >= {"Anomaly", "Duplicate", "Outlier"}

    spec = hmda_spec(with_protected=False)
    spec["gates"] = [{"metric": "dataQuality", "comparison": "AtLeast", "threshold": "99.9"}]
    found = run(spec, hmda_csv())
    assert isinstance(found, RefusedRun)
    assert "Gate dataQuality failed: expected at least 99.9" in found.outcome.message


def test_the_manifest_names_every_file_by_its_digest(bundle: Artifacts) -> None:
    assert set(bundle.files) == set(api.UPLOAD_SLOTS) - {api.PROGRESS}
    assert list(bundle.files)[-1] == api.MANIFEST
    manifest = Manifest.model_validate_json(bundle.files[api.MANIFEST])
    assert bundle.outcome.manifest_digest == sha256_digest(bundle.files[api.MANIFEST])
    asked = task(hmda_spec(with_protected=False))
    assert manifest.run_id == run_id(
        asked.spec_digest, manifest.dataset_fingerprint, f"sha256:{'5' * 64}"
    )
    names = [entry.name for entry in manifest.files]
    assert names == sorted(names)
    for slot, content in bundle.files.items():
        if slot != api.MANIFEST:
            entry = manifest.file(api.final_name(slot, manifest.run_id))
            assert entry is not None
            assert (entry.digest, entry.size) == (sha256_digest(content), len(content))


def test_the_served_form_gives_the_recorded_answers_to_the_golden_rows(bundle: Artifacts) -> None:
    golden = Golden.model_validate_json(bundle.files[api.GOLDEN])
    rows = np.array(
        [[np.nan if value is None else value for value in row] for row in golden.rows],
        dtype=np.float32,
    )
    served = answers(bundle.files[api.MODEL_ONNX], rows)
    assert np.abs(served - np.array(golden.probabilities)).max() <= golden.tolerance == TOLERANCE
    estimator = joblib.load(io.BytesIO(bundle.files[api.SLOT_JOBLIB]))
    said = estimator.predict_proba(rows.astype(float)).astype(np.float32)
    assert np.array_equal(said, golden.probabilities)


def test_the_served_schema_tells_what_the_graph_takes_and_answers(bundle: Artifacts) -> None:
    served = ServedSchema.model_validate_json(bundle.files[api.SCHEMA])
    assert served.classes == ["no", "yes"]
    assert served.positive == "no"
    assert [feature.name for feature in served.features][:3] == ["pirat", "hirat", "lvrat"]
    assert PROTECTED not in {feature.name for feature in served.features}


def test_the_baseline_counts_the_training_rows(bundle: Artifacts, report: Report) -> None:
    baseline = Baseline.model_validate_json(bundle.files[api.BASELINE])
    assert baseline.rows == report.train_rows
    for feature in baseline.features:
        assert sum(feature.counts) == baseline.rows
        bins = len(feature.categories) + 1 if feature.categories else len(feature.edges or []) + 1
        assert len(feature.counts) == bins + 1
    assert [said.name for said in baseline.predictions] == [SCORE, LABEL]
    for said in baseline.predictions:
        assert sum(said.counts) == report.test_rows


def digests(bundle: Artifacts) -> dict[str, str]:
    return {slot: hashlib.sha256(data).hexdigest() for slot, data in bundle.files.items()}


PROGRAM = """
import json
from tests.data.hmda import hmda_csv, hmda_spec
from tests.unit.training.factories import run
from tests.unit.training.test_assay import digests
print(json.dumps(digests(run(hmda_spec(with_protected=False), hmda_csv()))))
"""


@pytest.mark.slow
def test_another_process_makes_the_same_bytes(bundle: Artifacts) -> None:
    root = Path(__file__).parents[3]
    environment = {"PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "2", "TZ": "Asia/Tokyo"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=root,
        env={**environment, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == digests(bundle)


CHANGES: dict[str, dict[str, Any]] = {
    "another seed": {"trainer": {"seed": 8}},
    "another parameter": {"trainer": {"parameters": [{"name": "C", "value": "0.1"}]}},
}


@pytest.fixture(scope="module")
def mixed() -> Artifacts:
    found = run(mixed_spec(), mixed_parquet())
    assert isinstance(found, Artifacts)
    return found


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_spec_makes_another_model(mixed: Artifacts, change: dict[str, Any]) -> None:
    other = run(mixed_spec(**change), mixed_parquet())
    assert isinstance(other, Artifacts)
    assert other.files[api.MODEL_ONNX] != mixed.files[api.MODEL_ONNX]
    assert other.outcome.fingerprint == mixed.outcome.fingerprint


def test_the_policys_floor_refuses_what_the_run_lets_pass() -> None:
    found = run(mixed_spec(), mixed_parquet(), floors=[gate("rocAuc", "AtLeast", "0.99")])
    assert isinstance(found, RefusedRun)
    assert found.outcome.message.startswith("The policy's gate rocAuc failed: expected at least")


def rows(**changes: pl.Series | pl.Expr) -> bytes:
    buffer = io.BytesIO()
    mixed_rows().with_columns(**changes).write_parquet(buffer)
    return buffer.getvalue()


SECRET = "ann.lee@example.org"
REFUSED: dict[str, tuple[dict[str, Any], bytes, TrainStage, str]] = {
    "no file of that format": ({}, b"x", TrainStage.SOURCE, "expected a Parquet file"),
    "personal data in an undeclared column": (
        {},
        rows(note=pl.lit(SECRET)),
        TrainStage.PII,
        "PII in column 'note' (400 times, first in row 1)",
    ),
    "personal data and a broken schema": (
        {},
        rows(colour=pl.lit(SECRET)),
        TrainStage.PII,
        "PII in column 'colour'",
    ),
    "a value out of range": (
        {},
        rows(count=pl.lit(9)),
        TrainStage.DATA,
        "19, 20 and more): expected at most 8, found a number beyond it.",
    ),
    "another fingerprint": (
        {
            "dataset": {
                "records": "x",
                "format": "Parquet",
                "fingerprint": f"sha256:{'0' * 64}",
            }
        },
        mixed_parquet(),
        TrainStage.FINGERPRINT,
        f"Fingerprint: expected sha256:{'0' * 64}, found sha256:",
    ),
    "an unknown parameter": (
        {"trainer": {"parameters": [{"name": "depth", "value": "3"}]}},
        mixed_parquet(),
        TrainStage.TRAIN,
        "Parameter: expected a parameter of LogisticRegression: C, ",
    ),
    "a parameter out of its range": (
        {"trainer": {"parameters": [{"name": "C", "value": "-1"}]}},
        mixed_parquet(),
        TrainStage.TRAIN,
        "found The 'C' parameter",
    ),
    "a metric that does not exist": (
        {"gates": [{"metric": "f1", "comparison": "AtLeast", "threshold": "0"}]},
        mixed_parquet(),
        TrainStage.DATA,
        "A gate names the metric 'f1', which is not measured",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case: tuple[dict[str, Any], bytes, TrainStage, str]) -> None:
    changes, data, stage, expected = case
    found = run(mixed_spec(**changes), data)
    assert isinstance(found, RefusedRun)
    assert found.outcome.stage is stage
    assert expected in found.outcome.message
    assert SECRET not in found.outcome.to_bytes().decode()


def test_the_expected_fingerprint_is_accepted(mixed: Artifacts) -> None:
    dataset = {"records": "x", "format": "Parquet", "fingerprint": mixed.outcome.fingerprint}
    assert isinstance(run(mixed_spec(dataset=dataset), mixed_parquet()), Artifacts)


def test_a_dropped_column_is_reported_and_trains_the_same_model(mixed: Artifacts) -> None:
    dropped = run(mixed_spec(pii={"defaultAction": "Drop"}), rows(note=pl.lit(SECRET)))
    assert isinstance(dropped, Artifacts)
    report = Report.model_validate_json(dropped.files[api.REPORT])
    assert [(decision.column, decision.action, decision.count) for decision in report.pii] == [
        ("note", "Drop", 400)
    ]
    assert dropped.files[api.MODEL_ONNX] == mixed.files[api.MODEL_ONNX]
    assert not any(SECRET.encode() in content for content in dropped.files.values())


def addresses(host: str, distinct: int = 400) -> bytes:
    """Return rows whose column ``mail`` names them."""
    return rows(mail=pl.Series([f"person{i % distinct}@{host}" for i in range(400)]))


def identified(**changes: object) -> dict[str, Any]:
    """Return a spec in which the column ``mail`` is an identifier and is masked."""
    schema = {**mixed_spec()["schema"], "identifiers": ["mail"]}
    quick = {"evaluation": {"resamples": 200}, "pii": {"defaultAction": "Mask"}}
    return mixed_spec(**{"schema": schema, **quick, **changes})


def test_runs_with_a_masked_identifier_give_equal_bytes_and_none_of_them_names_a_row() -> None:
    # Each run draws another key: what is equal in both holds no pseudonym and nothing made of one.
    first, second = (run(identified(), addresses("example.org")) for _ in range(2))
    assert isinstance(first, Artifacts)
    assert isinstance(second, Artifacts)
    assert first.outcome == second.outcome
    assert first.files == second.files
    for slot, content in first.files.items():
        assert not re.search(rb"person\d|example\.org", content), slot
        assert not re.search(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", content), slot
    report = Report.model_validate_json(first.files[api.REPORT])
    assert [(decision.column, decision.action, decision.count) for decision in report.pii] == [
        ("mail", "Mask", 400)
    ]


def test_a_masked_identifier_is_left_out_of_the_fingerprint() -> None:
    asked = task(identified())
    found = [
        validate_dataset(asked, addresses("example.org"), lambda *_: None),
        validate_dataset(asked, addresses("example.net"), lambda *_: None),
        validate_dataset(task(mixed_spec()), mixed_parquet(), lambda *_: None),
    ]
    datasets = [dataset for dataset in found if isinstance(dataset, ValidatedDataset)]
    assert len({dataset.fingerprint for dataset in datasets}) == 1
    assert len(datasets) == len(found)


IDENTIFIED: dict[str, tuple[str, bytes, TrainStage, str]] = {
    "dropped": ("Drop", addresses("example.org"), TrainStage.PII, "which an identifier cannot"),
    "there twice": (
        "Mask",
        addresses("example.org", distinct=399),
        TrainStage.DATA,
        "Identifier in column 'mail', first in row 400: expected each identifier once, found one",
    ),
}


@pytest.mark.parametrize("case", IDENTIFIED.values(), ids=IDENTIFIED)
def test_an_identifier_that_is_a_personal_datum_is_refused_where_it_is(
    case: tuple[str, bytes, TrainStage, str],
) -> None:
    action, data, stage, expected = case
    found = run(identified(pii={"defaultAction": action}), data)
    assert isinstance(found, RefusedRun)
    assert found.outcome.stage is stage
    assert expected in found.outcome.message
    said = found.outcome.to_bytes()
    assert b"example.org" not in said
    assert not re.search(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", said)


def test_an_allowance_that_nothing_needs_stands_in_the_report_and_on_its_page() -> None:
    allowance = {"detector": "IPAddress", "column": "colour", "reason": "Routers of our own."}
    spec = mixed_spec(pii={"allow": [allowance]}, evaluation={"resamples": 200})
    found = run(spec, mixed_parquet())
    assert isinstance(found, Artifacts)
    report = Report.model_validate_json(found.files[api.REPORT])
    [remark] = [unused for unused in report.remarks if unused.check == "UnusedAllowance"]
    assert remark.column == "colour"
    assert b"UnusedAllowance in column" in found.files[api.REPORT_PAGE]


def test_numbers_that_float32_cannot_tell_apart_are_refused() -> None:
    found = run(mixed_spec(), rows(amount=pl.col("amount") / 1000 + 1e6))
    assert isinstance(found, RefusedRun)
    assert found.outcome.stage is TrainStage.TRAIN
    assert (
        "Precision in column 'amount': expected numbers that still differ in float32"
        in found.outcome.message
    )


def test_the_digest_of_an_image() -> None:
    assert image_digest(f"a/b:1@sha256:{'1' * 64}") == f"sha256:{'1' * 64}"
    assert image_digest("a/b:1") == sha256_digest(b"a/b:1")
