"""The software bill of materials of a model: CycloneDX 1.6, with a model card.

The same inputs give the same bytes: there is no timestamp, and the serial number is derived from
the run id.
"""

from __future__ import annotations

import functools
import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from hallmark.api.artifacts import Finding
from hallmark.api.common import canonical_json
from hallmark.api.model_version import SBOMSummary
from hallmark.api.report import AttributeFairness, Report
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

SPEC_VERSION = "1.6"
MAX_BYTES = 4 * 1024 * 1024
"""A bill that is longer is refused unread."""

_MODEL_REF = "model"
_DATASET_REF = "dataset"
_PRIVATE_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "sbom.hallmark.dev")


def build_sbom(
    *,
    model: str,
    run_id: str,
    packages: Mapping[str, str],
    licences: Mapping[str, str],
    fingerprint: str,
    report: Report,
    files: Mapping[str, str],
) -> bytes:
    """Return the bill of materials as canonical JSON.

    Sealing checks it against the schema of CycloneDX (``read_sbom``): the trainer's image does
    not have the validator.

    Args:
        model: The model's name.
        run_id: The run's id; the model component's version and the seed of the serial number.
        packages: Version by name of the Python packages that made and load the model.
        licences: Licence by normalised name, as an SPDX expression or in other words; a package
            that is not among them has none in the bill.
        fingerprint: The dataset's digest.
        report: What was measured; the model card holds its metrics.
        files: Digest (``sha256:...``) by name of the files that the bill describes.
    """
    root = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL, name=model, version=run_id, bom_ref=_MODEL_REF
    )
    parts = [
        _dataset(fingerprint),
        *(_file(name, digest) for name, digest in sorted(files.items())),
        *(
            _library(name, version, licences.get(canonicalize_name(name), ""))
            for name, version in sorted(packages.items())
        ),
    ]
    bom = Bom(
        serial_number=uuid.uuid5(_PRIVATE_NAMESPACE, f"{model}/{run_id}"),
        components=parts,
    )
    bom.metadata.component = root
    bom.register_dependency(root, parts)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]
    # The library does not know model cards yet.
    document["metadata"]["component"]["modelCard"] = _model_card(report)
    return canonical_json(document)


def _dataset(fingerprint: str) -> Component:
    return Component(
        type=ComponentType.DATA,
        name="training-dataset",
        version=fingerprint,
        bom_ref=_DATASET_REF,
        hashes=[_hash(fingerprint)],
    )


def _file(name: str, digest: str) -> Component:
    return Component(
        type=ComponentType.FILE, name=name, bom_ref=f"file:{name}", hashes=[_hash(digest)]
    )


def _library(name: str, version: str, licence: str) -> Component:
    """Return a package. Words that are no SPDX expression are a licence's name."""
    purl = PackageURL("pypi", None, canonicalize_name(name), version)
    return Component(
        type=ComponentType.LIBRARY,
        name=canonicalize_name(name),
        version=version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        properties=[Property(name="hallmark:installed-name", value=name)]
        if name != canonicalize_name(name)
        else [],
    )


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))


def _model_card(report: Report) -> dict[str, Any]:
    """Return CycloneDX's model card of a report. Groups of people are counted, never named."""
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "classification",
            "modelArchitecture": report.algorithm,
            "datasets": [{"ref": _DATASET_REF}],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [
                {"type": each.name, "value": each.value} for each in report.metrics
            ]
        },
        "considerations": {
            "fairnessAssessments": [_fairness_assessment(each) for each in report.fairness]
        },
        "properties": [
            {"name": f"hallmark:parameter:{name}", "value": value}
            for name, value in sorted(report.parameters.items())
        ]
        + [
            {"name": "hallmark:rows", "value": str(report.rows)},
            {"name": "hallmark:seed", "value": str(report.seed)},
        ],
    }


def _fairness_assessment(each: AttributeFairness) -> dict[str, str]:
    def said(value: float | None) -> str:
        return "inconclusive" if value is None else f"{value:.6f}"

    return {
        "groupAtRisk": f"The {len(each.groups)} groups of '{each.attribute}'",
        "harms": (
            f"Demographic parity difference: {said(each.demographic_parity_difference)}; "
            f"equalized odds difference: {said(each.equalized_odds_difference)}."
        ),
    }


@dataclass(frozen=True)
class SBOM:
    """What is read from a bill of materials."""

    model: str
    run_id: str
    dataset_fingerprint: str | None
    files: Mapping[str, str]
    """Digest by name of each described file."""
    summary: SBOMSummary
    components: tuple[Mapping[str, Any], ...] = field(repr=False)
    """All of them, those inside others too."""


@functools.lru_cache(maxsize=2)
def read_sbom(data: bytes) -> SBOM | Finding:
    """Return what a bill of materials says, or why it is refused. Never raises for bad bytes."""
    document = _document(data)
    if isinstance(document, Finding):
        return document
    if problem := _schema_problem(data):
        return finding("SBOM", f"a valid CycloneDX {SPEC_VERSION} document", problem)
    return _contents(document)


def read_sealed_sbom(data: bytes) -> SBOM | Finding:
    """Return what a bill of materials says whose form was checked when it was sealed.

    The schema takes half a second; the bytes are those that passed it. Never raises for bad bytes.
    """
    document = _document(data)
    if isinstance(document, Finding):
        return document
    try:
        return _contents(document)
    except (KeyError, TypeError, AttributeError, ValidationError):
        return finding("SBOM", f"a valid CycloneDX {SPEC_VERSION} document", "another form")


def _document(data: bytes) -> dict[str, Any] | Finding:
    try:
        document = parse_object(data, MAX_BYTES)
    except UnreadableJSON as error:
        return finding("SBOM", "a JSON object", str(error))
    if (version := document.get("specVersion")) != SPEC_VERSION:
        return finding("SBOM", f"CycloneDX {SPEC_VERSION}", f"specVersion {version!r}")
    return document


def _contents(document: Mapping[str, Any]) -> SBOM | Finding:
    root = document.get("metadata", {}).get("component", {})
    if root.get("type") != ComponentType.MACHINE_LEARNING_MODEL.value:
        return finding(
            "SBOM", "a machine-learning-model as metadata.component", repr(root.get("type"))
        )
    components: list[dict[str, Any]] = document.get("components", [])
    every = list(_nested(components))
    return SBOM(
        model=root["name"],
        run_id=root.get("version", ""),
        dataset_fingerprint=next(
            (_digest_of(each) for each in every if each["type"] == ComponentType.DATA.value), None
        ),
        files={
            each["name"]: _digest_of(each) or ""
            for each in every
            if each["type"] == ComponentType.FILE.value
        },
        summary=SBOMSummary(components=len(every), spec_version=SPEC_VERSION),
        components=tuple(every),
    )


def check_sbom(
    read: SBOM | Finding, *, model: str, run_id: str, fingerprint: str, files: Mapping[str, str]
) -> list[Finding]:
    """Return how a bill of materials is wrong, or does not describe this very bundle.

    Args:
        read: What it says, or why it was refused.
        model: The name that its model must have.
        run_id: The version that its model must have.
        fingerprint: The digest that its dataset must have.
        files: Digest by name of the bundle's files; what the bill says of a file must be so.
    """
    if isinstance(read, Finding):
        return [read]
    pairs = [
        ("model", model, read.model),
        ("run id", run_id, read.run_id),
        ("dataset fingerprint", fingerprint, read.dataset_fingerprint),
        *(
            (f"digest of '{name}'", files.get(name, "no such file"), digest)
            for name, digest in sorted(read.files.items())
        ),
    ]
    return [
        finding("SBOM", f"{what} {expected}", str(found))
        for what, expected, found in pairs
        if expected != found
    ]


def _schema_problem(data: bytes) -> str | None:
    """Return where the document breaks the schema, without its values; None if nowhere."""
    # At its import jsonschema would build a grammar of IRIs, which takes seconds of each Job. With
    # this it goes without, as where the package is not installed: then no IRI's form is checked.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    except RecursionError:
        return "it is nested too deeply"
    if error is None:
        return None
    return f"{error.data.json_path} breaks the rule '{error.data.validator}'"


def _nested(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the components and those inside them: a package must not hide one level deeper."""
    found: list[dict[str, Any]] = []
    waiting = list(components)
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        waiting.extend(each.get("components", []))
    return found


def _digest_of(component: Mapping[str, Any]) -> str | None:
    for each in component.get("hashes", []):
        if each["alg"] == HashAlgorithm.SHA_256.value:
            return f"sha256:{each['content']}"
    return None
