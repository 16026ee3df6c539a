"""What follows from other files is no word of the trainer's: another one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hallmark.api.files import DOCKERFILE, REPORT, SCHEMA, SLOT_SBOM
from hallmark.api.gates import evaluate_gates
from hallmark.api.metrics import Gate, MetricValue
from hallmark.api.model_card import ModelCard
from hallmark.api.report import Report
from hallmark.api.served import ServedFeature
from hallmark.api.texts import canonical_json
from hallmark.supply_chain.bundle_checks import check_bundle
from hallmark.supply_chain.library import Library
from hallmark.supply_chain.serving import serving_libraries
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED
from tests.unit.supply_chain import factories, uploads
from tests.unit.supply_chain.factories import MODEL, NOW
from tests.unit.supply_chain.uploads import IMAGE_DIGEST, RUN_ID, SPEC_DIGEST, Upload, task, upload

GATE = Gate(metric="accuracy", comparison="AtLeast", threshold="0.9")
WORDS = {"useCases": ["Loans of one bank."], "technicalLimitations": ["No companies."]}
METRICS = [MetricValue(name="accuracy", value="0.912000")]
SPEC: dict[str, Any] = {
    "model": MODEL,
    "gates": [GATE.to_wire()],
    "trainer": {"algorithm": "LogisticRegression", "seed": 7},
    "modelCard": WORDS,
    "schema": {
        "features": [{"name": name, "type": "Number"} for name in ("income", "amount")],
        "target": {"name": "outcome", "positive": "yes"},
    },
}


def report(**changes: Any) -> Report:  # noqa: ANN401
    named = {"run_id": RUN_ID, "spec_digest": SPEC_DIGEST, "image_digest": IMAGE_DIGEST}
    judged = evaluate_gates([GATE], [], METRICS, {})
    return factories.report(**{**named, "metrics": METRICS, "gates": judged, **changes})


def made(
    told: Report | None = None,
    bill: Callable[[dict[str, Any]], None] = lambda _: None,
    dockerfile: Callable[[bytes], bytes] = lambda own: own,
    slots: Mapping[str, bytes] | None = None,
) -> Upload:
    """Return an upload in which everything follows, but for what is changed."""
    said = told or report()
    own = upload({REPORT: said.to_bytes()})
    files = {"model.onnx": own.manifest.file("model.onnx").digest}  # type: ignore[union-attr]
    words = ModelCard.model_validate(WORDS)
    document = json.loads(factories.sbom(run_id=RUN_ID, files=files, card=words, told=said))
    bill(document)
    changed = {REPORT: said.to_bytes(), SLOT_SBOM: canonical_json(document), **(slots or {})}
    whole = upload(changed)
    return upload({**changed, DOCKERFILE: dockerfile(whole.slots[DOCKERFILE])})


def sentences(found: Upload, spec: dict[str, Any] | None = SPEC) -> Iterator[str]:
    asked = task(found, spec=spec)
    problems = check_bundle(asked, found.manifest, found.files, lambda _: NOT_MOUNTED, NOW)
    return (problem.sentence() for problem in problems)


@pytest.mark.parametrize("spec", [SPEC, None], ids=["with the spec", "of an earlier operator"])
def test_what_follows_is_sealed(spec: dict[str, Any] | None) -> None:
    assert list(sentences(made(), spec)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda own: own + b"RUN evil\n",
        lambda own: own.replace(b"USER 65532:65532", b"USER 0:0"),
        lambda own: own.replace(b"sha256:", b"sha256:0", 1),
        lambda own: own.replace(b"\n", b"\r\n"),
        lambda own: own.rstrip(b"\n"),
        lambda own: b"",
        lambda own: b"\xff" + own,
    ],
)
def test_another_dockerfile_is_refused_and_not_quoted(change: Callable[[bytes], bytes]) -> None:
    (said,) = sentences(made(dockerfile=change))
    assert said.startswith("Dockerfile: expected the one that this release of Hallmark makes")
    assert "evil" not in said


def _changed_card(document: dict[str, Any]) -> None:
    document["metadata"]["component"]["modelCard"]["considerations"]["useCases"] = ["Anything."]


def _other_metric(document: dict[str, Any]) -> None:
    analysis = document["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]
    analysis["performanceMetrics"][0]["value"] = "0.999000"


def _no_card(document: dict[str, Any]) -> None:
    del document["metadata"]["component"]["modelCard"]


def _other_rows(document: dict[str, Any]) -> None:
    (data,) = [part["data"] for part in document["components"] if part["bom-ref"] == "dataset"]
    data[0]["contents"]["properties"][0]["value"] = "9"


def _no_sensitive_columns(document: dict[str, Any]) -> None:
    (data,) = [part["data"] for part in document["components"] if part["bom-ref"] == "dataset"]
    data[0]["sensitiveData"] = ["nothing"]


BILLS = {
    "other words": (_changed_card, "the model card of report.json"),
    "another metric": (_other_metric, "the model card of report.json"),
    "no card": (_no_card, "the model card of report.json"),
    "other counts": (_other_rows, "of the dataset what report.json counts"),
    "other sensitive columns": (_no_sensitive_columns, "of the dataset what report.json counts"),
}


@pytest.mark.parametrize("forged", [False, True])
def test_what_serves_alone_has_a_digest_of_the_lock(forged: bool) -> None:
    (uvicorn,) = [one for one in serving_libraries() if one.name == "uvicorn"]
    parts = [*(Library(*pair) for pair in factories.PACKAGES.items()), uvicorn]
    if forged:
        parts[-1] = replace(uvicorn, wheel="sha256:" + "0" * 64)

    def serve(document: dict[str, Any]) -> None:
        told = json.loads(factories.sbom(run_id=RUN_ID, libraries=parts))
        document["components"] += [one for one in told["components"] if one["name"] == "uvicorn"]

    said = list(sentences(made(bill=serve)))
    expected = "SBOM: expected of 'uvicorn' 0.54.0 a digest of the predictor's lock, found another."
    assert said == ([expected] if forged else [])


@pytest.mark.parametrize("case", BILLS)
def test_a_bill_that_tells_otherwise_than_report_and_spec_is_refused(case: str) -> None:
    change, expected = BILLS[case]
    (said,) = sentences(made(bill=change))
    assert expected in said


def test_without_the_spec_the_authors_words_are_the_bills() -> None:
    assert list(sentences(made(bill=_changed_card), None)) == []
    assert list(sentences(made(bill=_other_metric), None)) != []


def _feature(place: int, **changes: Any) -> list[ServedFeature]:  # noqa: ANN401
    features = list(uploads.schema().features)
    features[place] = features[place].replace(**changes)
    return features


SCHEMAS: dict[str, tuple[dict[str, Any], str]] = {
    "features in another order": ({"features": uploads.schema().features[::-1]}, "features"),
    "a feature that may be null": ({"features": _feature(0, nullable=True)}, "features"),
    "a feature with a wider range": ({"features": _feature(1, maximum=9.0)}, "features"),
    "another target": ({"target": "income"}, "target"),
    "another positive class": ({"positive": "no"}, "positive class"),
    "no positive class": ({"positive": None}, "positive class"),
}


@pytest.mark.parametrize("case", SCHEMAS)
def test_a_schema_that_serves_something_else_is_refused(case: str) -> None:
    changes, expected = SCHEMAS[case]
    told = uploads.schema().replace(**changes)
    found = made(slots={SCHEMA: told.to_bytes()})
    assert any(f"the {expected} of the TrainingRun's schema" in said for said in sentences(found))
    assert list(sentences(made(), {**SPEC, "schema": None})) == []


OTHER = "sha256:" + "0" * 64
FORGED = [gate.replace(value="0.990000") for gate in evaluate_gates([GATE], [], METRICS, {})]
LOW = [MetricValue(name="accuracy", value="0.100000")]
PASSED = [gate.replace(passed=True) for gate in evaluate_gates([GATE], [], LOW, {})]
EASY = Gate(metric="accuracy", comparison="AtLeast", threshold="0.1")
REPORTS: dict[str, tuple[dict[str, Any], str]] = {
    "another run": ({"run_id": "0" * 12}, "expected run id"),
    "another spec": ({"spec_digest": OTHER}, "expected spec digest"),
    "another image": ({"image_digest": OTHER}, "expected image digest"),
    "another algorithm": ({"algorithm": "RandomForest"}, "expected algorithm"),
    "another seed": ({"seed": 8}, "expected seed 7"),
    "a value that was not measured": ({"gates": FORGED}, "the verdicts that follow"),
    "a verdict that does not follow": (
        {"gates": PASSED, "metrics": LOW},
        "the verdicts that follow",
    ),
    "no gate": ({"gates": []}, "those that the TrainingRun asks for"),
    "an easier gate": (
        {"gates": evaluate_gates([EASY], [], METRICS, {})},
        "those that the TrainingRun asks for",
    ),
}


@pytest.mark.parametrize("case", REPORTS)
def test_a_report_of_something_else_is_refused(case: str) -> None:
    changes, expected = REPORTS[case]
    (said,) = sentences(made(report(**changes)))
    assert expected in said
