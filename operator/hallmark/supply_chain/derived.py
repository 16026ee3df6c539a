"""What sealing makes or judges anew from other files, and holds the trainer's own against. Pure.

A file that follows from others is no word of the trainer's: another one is refused, whatever it
says (docs/slsa.md has the table).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from packaging.utils import canonicalize_name
from pydantic import ValidationError

from hallmark.api.artifacts import Manifest
from hallmark.api.files import DOCKERFILE, REPORT, SCHEMA, SLOT_SBOM, final_name
from hallmark.api.findings import Finding
from hallmark.api.gates import evaluate_gates, gate_of
from hallmark.api.metrics import Gate
from hallmark.api.model_card import ModelCard
from hallmark.api.report import Report
from hallmark.api.schema import Schema
from hallmark.api.served import ServedSchema
from hallmark.api.served_features import served_features
from hallmark.api.tasks import SealTask
from hallmark.supply_chain.components import every_component, property_values
from hallmark.supply_chain.dockerfile import render_dockerfile
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.library import SERVING, USED_PROPERTY
from hallmark.supply_chain.model_card import DATASET_REF, dataset_card, model_card
from hallmark.supply_chain.serving import serving_wheels


def check_dockerfile(manifest: Manifest, found: bytes) -> list[Finding]:
    """Return that a Dockerfile is not the one that this release makes: a build runs what it says.

    Args:
        manifest: names the run, the dataset and the bill of materials.
        found: the Dockerfile.
    """
    wanted = own_dockerfile(manifest)
    if found == wanted:
        return []
    lines = zip_longest(found.split(b"\n"), wanted.split(b"\n"))
    differs = next(number for number, (line, own) in enumerate(lines, start=1) if line != own)
    return [
        finding(
            DOCKERFILE,
            "the one that this release of Hallmark makes of the run, the dataset and the SBOM",
            f"another from line {differs} on",
        )
    ]


def own_dockerfile(manifest: Manifest) -> bytes:
    """Return the Dockerfile that this release makes of what a manifest names.

    Raises:
        ConfigurationError: a digest of the manifest has another form.
    """
    bill = manifest.file(final_name(SLOT_SBOM, manifest.run_id))
    return render_dockerfile(
        run_id=manifest.run_id,
        dataset=manifest.dataset_fingerprint,
        sbom=bill.digest if bill else "",
    )


def check_report_claims(task: SealTask, manifest: Manifest, report: Report) -> Iterator[Finding]:
    """Yield how a report is about another run, or has other gates or verdicts than follow.

    Args:
        task: what is to be sealed; its spec is what the run asks for, where the operator tells it.
        manifest: of the bundle.
        report: what was measured.
    """
    asked = task.spec or {}
    trainer: Mapping[str, Any] = asked.get("trainer") or {}
    pairs = (
        ("run id", manifest.run_id, report.run_id),
        ("spec digest", manifest.spec_digest, report.spec_digest),
        ("image digest", manifest.image_digest, report.image_digest),
        ("algorithm", trainer.get("algorithm"), report.algorithm),
        ("seed", trainer.get("seed"), report.seed),
    )
    for what, expected, found in pairs:
        if expected is not None and found is not None and found != expected:
            yield finding(REPORT, f"{what} {expected}", str(found))
    wanted = [gate_of(result) for result in report.gates if result.source == "Run"]
    floors = [gate_of(result) for result in report.gates if result.source == "Policy"]
    if evaluate_gates(wanted, floors, report.metrics, report.inconclusive) != report.gates:
        yield finding("Gates", f"the verdicts that follow from the metrics of {REPORT}", "others")
    if task.spec is not None and wanted != _gates(asked):
        yield finding("Gates", "those that the TrainingRun asks for", "others")


def check_schema_claims(task: SealTask, schema: ServedSchema) -> Iterator[Finding]:
    """Yield how the served form takes or answers something else than the run's schema says."""
    declared = (task.spec or {}).get("schema")
    if declared is None:
        return
    asked = Schema.model_validate(declared)
    pairs = (
        ("features", served_features(asked), schema.features),
        ("target", asked.target.name, schema.target),
        ("positive class", asked.target.positive, schema.positive),
    )
    for what, expected, found in pairs:
        if expected != found:
            yield finding(SCHEMA, f"the {what} of the TrainingRun's schema", "another")


def _gates(asked: Mapping[str, Any]) -> list[Gate]:
    return [Gate.model_validate(gate) for gate in asked.get("gates") or ()]


def check_cards(task: SealTask, bill: Mapping[str, Any], report: Report) -> Iterator[Finding]:
    """Yield how model and dataset are told of otherwise than by the report and the run's spec.

    Args:
        task: what is to be sealed.
        bill: a valid CycloneDX document.
        report: what was measured.
    """
    told = (bill.get("metadata") or {}).get("component") or {}
    found = told.get("modelCard") or {}
    card = _card_of(task, found)
    if card is None or found != model_card(report, card):
        yield finding(
            "SBOM", f"the model card of {REPORT} and of the TrainingRun's 'modelCard'", "another"
        )
    for part in every_component(bill):
        if part.get("bom-ref") == DATASET_REF and part.get("data") != [dataset_card(report)]:
            yield finding("SBOM", f"of the dataset what {REPORT} counts", "something else")


def check_serving(bill: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what serves alone by a digest that is none of the predictor's lock of this release.

    The predictor's image is not the trainer's: what it was installed from follows from the lock.

    Args:
        bill: a valid CycloneDX document.
    """
    known = serving_wheels()
    for part in every_component(bill):
        if property_values(part, USED_PROPERTY) != (SERVING,):
            continue
        name, version = str(canonicalize_name(str(part["name"]))), str(part.get("version", ""))
        stated = {f"sha256:{one['content']}" for one in part.get("hashes") or ()}
        if stated - {*known.get((name, version), {}).values()}:
            yield finding(
                "SBOM", f"of '{name}' {version} a digest of the predictor's lock", "another"
            )


def _card_of(task: SealTask, found: Mapping[str, Any]) -> ModelCard | None:
    """Return the author's words: those of the spec, or where nobody tells it those of the bill."""
    if task.spec is not None:
        said = task.spec.get("modelCard") or {}
    else:
        considered: Mapping[str, Any] = found.get("considerations") or {}
        said = {key: text for key, text in considered.items() if key != "fairnessAssessments"}
    try:
        return ModelCard.model_validate(said)
    except ValidationError:
        return None
