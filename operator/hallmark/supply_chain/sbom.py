"""The software bill of materials of a model, read and checked: CycloneDX 1.6."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cyclonedx.model import HashAlgorithm
from cyclonedx.model.component import ComponentType
from packaging.utils import canonicalize_name

from hallmark.api.files import MODEL_ONNX
from hallmark.api.findings import Finding
from hallmark.api.model_version import SBOMSummary
from hallmark.supply_chain.components import every_component, property_values
from hallmark.supply_chain.cyclonedx_schema import schema_problem
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.library import FILES_PROPERTY, TRAINING, USED_PROPERTY, Library
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

SPEC_VERSION = "1.6"
MAX_BYTES = 4 * 1024 * 1024
"""A bill that is longer is refused unread."""
MAX_COMPONENTS = 2048
"""A bill that has more is refused."""


@dataclass(frozen=True)
class SBOM:
    """What is read from a bill of materials."""

    model: str
    run_id: str
    dataset_fingerprint: str | None
    files: Mapping[str, str]
    """Digest by name of each described file."""
    model_digest: str | None
    """Digest of the served form, as the model itself has it; bills of before name none."""
    summary: SBOMSummary
    libraries: tuple[Library, ...] = field(repr=False)
    """The Python packages, as far as a bill tells of them here."""
    components: tuple[Mapping[str, Any], ...] = field(repr=False)
    """All of them, those inside others too."""


@functools.lru_cache(maxsize=2)
def read_sbom(data: bytes) -> SBOM | Finding:
    """Return what a bill of materials says, or why it is refused. Never raises for bad bytes."""
    document = _document(data)
    if isinstance(document, Finding):
        return document
    if problem := schema_problem(document, SPEC_VERSION):
        return finding("SBOM", f"a valid CycloneDX {SPEC_VERSION} document", problem)
    return _contents_or_why(document)


@functools.lru_cache(maxsize=2)
def read_sealed_sbom(data: bytes) -> SBOM | Finding:
    """Return what a bill of materials says whose form was checked when it was sealed.

    The bytes are those that passed the schema. Never raises for bad bytes.
    """
    document = _document(data)
    if isinstance(document, Finding):
        return document
    return _contents_or_why(document)


def _contents_or_why(document: Mapping[str, Any]) -> SBOM | Finding:
    try:
        return _contents(document)
    except (KeyError, TypeError, AttributeError, ValueError):
        return finding("SBOM", f"a valid CycloneDX {SPEC_VERSION} document", "another form")


def _document(data: bytes) -> dict[str, Any] | Finding:
    try:
        document = parse_object(data, MAX_BYTES)
    except UnreadableJSON as error:
        return finding("SBOM", "a JSON object", str(error))
    if (version := document.get("specVersion")) != SPEC_VERSION:
        return finding("SBOM", f"CycloneDX {SPEC_VERSION}", f"specVersion {version!r}")
    listed = document.get("components")
    if isinstance(listed, list) and len(listed) > MAX_COMPONENTS:
        return finding("SBOM", f"at most {MAX_COMPONENTS} components", str(len(listed)))
    return document


def _contents(document: Mapping[str, Any]) -> SBOM | Finding:
    root = document.get("metadata", {}).get("component", {})
    if root.get("type") != ComponentType.MACHINE_LEARNING_MODEL.value:
        return finding(
            "SBOM", "a machine-learning-model as metadata.component", repr(root.get("type"))
        )
    every = list(every_component(document))
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
        model_digest=_digest_of(root),
        libraries=tuple(_library(part) for part in every if _is_python(part)),
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
        ("digest of the model", files.get(MODEL_ONNX), read.model_digest or files.get(MODEL_ONNX)),
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


def _is_python(component: Mapping[str, Any]) -> bool:
    return str(component.get("purl", "")).startswith("pkg:pypi/")


def _library(component: Mapping[str, Any]) -> Library:
    """Return a Python package; bills of before have those that trained alone, and do not say so.

    Raises:
        ValueError: it has no name, or a version that is no text.
    """
    name, version = canonicalize_name(component["name"]), component.get("version", "")
    if not name or not isinstance(version, str):
        raise ValueError("Expected a package's name, and its version as a text.")
    return Library(
        name=name,
        version=version,
        files=next(iter(property_values(component, FILES_PROPERTY)), None),
        wheel=_digest_of(component),
        used_in=property_values(component, USED_PROPERTY) or (TRAINING,),
    )


def _digest_of(component: Mapping[str, Any]) -> str | None:
    for each in component.get("hashes", []):
        if each["alg"] == HashAlgorithm.SHA_256.value:
            return f"sha256:{each['content']}"
    return None
