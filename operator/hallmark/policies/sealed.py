"""What a sealed bundle says: its signed manifest and report, held against who names them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

from hallmark.api.artifacts import Manifest
from hallmark.api.common import FileModel
from hallmark.api.files import BASELINE, REPORT, SLOT_SBOM, final_name
from hallmark.api.model_version import ModelVersion
from hallmark.api.report import Report
from hallmark.api.served import Baseline
from hallmark.api.texts import sha256_digest
from hallmark.supply_chain.strict_json import parse_object


@dataclass(frozen=True)
class Facts:
    """What a manifest fixes of a version, by itself or through the digests of its files.

    What is not known is None.
    """

    namespace: str
    model: str
    spec_digest: str
    dataset_fingerprint: str | None
    gate_report_digest: str | None
    baseline_digest: str | None
    sbom_digest: str | None


FACTS = {
    "namespace": "namespace",
    "model": "model",
    "spec_digest": "specDigest",
    "dataset_fingerprint": "datasetFingerprint",
    "gate_report_digest": "gateReportDigest",
    "baseline_digest": "baselineDigest",
    "sbom_digest": "sbomDigest",
}
"""How users know each fact, in the order in which they are compared."""


@dataclass(frozen=True)
class Contradiction:
    """A fact that somebody names otherwise than the signed manifest."""

    fact: str
    """A key of ``FACTS``."""
    named: str | None
    signed: str | None


def facts_of_manifest(manifest: Manifest) -> Facts:
    """Return the facts that a manifest fixes."""

    def digest(name: str) -> str | None:
        entry = manifest.file(name)
        return entry.digest if entry else None

    return Facts(
        namespace=manifest.namespace,
        model=manifest.model,
        spec_digest=manifest.spec_digest,
        dataset_fingerprint=manifest.dataset_fingerprint,
        gate_report_digest=digest(REPORT),
        baseline_digest=digest(BASELINE),
        sbom_digest=digest(final_name(SLOT_SBOM, manifest.run_id)),
    )


def facts_of_version(version: ModelVersion) -> Facts:
    """Return the facts that a ModelVersion names."""
    spec = version.spec
    return Facts(
        namespace=version.metadata.namespace,
        model=spec.model,
        spec_digest=spec.training_run.spec_digest,
        dataset_fingerprint=spec.dataset_fingerprint,
        gate_report_digest=spec.gate_report_digest,
        baseline_digest=spec.baseline_digest,
        sbom_digest=spec.sbom_digest,
    )


def contradiction(named: Facts, manifest: Manifest) -> Contradiction | None:
    """Return the first fact that the manifest does not have as it is named, or None.

    A fact that is not known on either side is a contradiction: nothing vouches for it.
    """
    signed = facts_of_manifest(manifest)
    for fact in fields(Facts):
        ours, theirs = getattr(named, fact.name), getattr(signed, fact.name)
        if ours is None or ours != theirs:
            return Contradiction(fact.name, ours, theirs)
    return None


def version_contradiction(version: ModelVersion, manifest: Manifest) -> str | None:
    """Return in a sentence where a ModelVersion contradicts its signed manifest, or None."""
    found = contradiction(facts_of_version(version), manifest)
    if found is None:
        return None
    return (
        f"Expected '{FACTS[found.fact]}' {found.signed or 'of a signed file'} as in the signed "
        f"manifest, found {found.named} in the ModelVersion."
    )


def differs(what: str, expected: str | None, found: str | None) -> str:
    """Return the sentence that two Jobs, or a Job and the store, do not agree."""
    return (
        f"Expected the {what} {expected or 'in the manifest'}, found {found or 'none'}; somebody "
        f"changed the artifacts in between. Create a new run and look at the store's access log."
    )


_DOCUMENT_BYTES = 16 << 20
Document = TypeVar("Document", bound=FileModel)


def read_report(manifest: Manifest, data: bytes) -> Report | str:
    """Return the report if its bytes are the manifest's, or what was expected and found."""
    expected, found = facts_of_manifest(manifest).gate_report_digest, sha256_digest(data)
    if expected != found:
        return differs("digest of report.json", expected, found)
    try:
        return read_document(Report, data)
    except ValueError:
        return "Expected report.json as this version writes it, found another form."


def read_baseline(data: bytes, digest: str) -> Baseline | None:
    """Return the sealed baseline, or None where the bytes are others or have another form."""
    try:
        return read_document(Baseline, data) if sha256_digest(data) == digest else None
    except ValueError:
        return None


def read_document(kind: type[Document], data: bytes) -> Document:
    """Return a sealed document as sealing read it: where a member is there twice, it is none.

    Raises:
        ValueError: the bytes are none.
    """
    return kind.model_validate(parse_object(data, _DOCUMENT_BYTES))
