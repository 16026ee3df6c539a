"""Where the files of one sealed version are, and what was read of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hallmark.api.artifacts import Manifest
from hallmark.api.files import BASELINE, BUNDLE, MANIFEST, SLOT_JOBLIB, SLOT_SBOM, final_name
from hallmark.api.findings import Finding
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import model_prefix
from hallmark.api.served import Baseline
from hallmark.api.texts import sha256_digest
from hallmark.policies.sealed import read_baseline
from hallmark.supply_chain.manifest import read_manifest
from hallmark.supply_chain.manifest_form import MAX_BYTES
from hallmark.supply_chain.signing import PROVENANCE_FOLDER
from hallmark.verification.files import Files

BASELINE_BYTES = 4 << 20
MAX_DOCUMENT = 16 << 20
"""Bytes of a document that is read whole."""


@dataclass(frozen=True)
class Bundle:
    """A version's folder, and its manifest as far as its digest holds.

    Args:
        folder: the path, with a slash at its end.
        manifest: the one that the version's digest names, or why it is not there.
    """

    folder: str
    manifest: Manifest | Finding

    @property
    def names(self) -> set[str]:
        """The paths of all its files, but the provenance."""
        found = {self.folder + MANIFEST, self.folder + BUNDLE}
        if isinstance(self.manifest, Manifest):
            found |= {self.folder + file.name for file in self.manifest.files}
        return found


def folder_of(version: ModelVersion) -> str:
    """Return where a version's files are."""
    spec = version.spec
    return model_prefix(version.metadata.namespace, spec.model, spec.artifact.manifest_digest)


def signatures_beside(versions: Iterable[ModelVersion]) -> dict[str, str]:
    """Return the signature that lies beside the files of versions, by folder.

    Where the same bytes were sealed again, by another key, it is the newest version's; what each
    version was sealed with stands in the version itself.
    """
    ordered = sorted(versions, key=lambda one: (one.spec.version, one.metadata.name))
    return {folder_of(version): version.spec.bundle for version in ordered}


def bundle_of(version: ModelVersion, files: Files) -> Bundle:
    """Return a version's files."""
    folder = folder_of(version)
    data = files.read(folder + MANIFEST, MAX_BYTES) or b""
    return Bundle(folder, read_manifest(data, version.spec.artifact.manifest_digest))


def provenance_name(version: ModelVersion) -> str:
    """Return where the provenance of a version's run is."""
    return f"{folder_of(version)}{PROVENANCE_FOLDER}/{version.spec.training_run.uid}.json"


def copies_of(manifest: Manifest) -> dict[str, str]:
    """Return the digest of each file that is laid out for readers beside the bundle, by path."""
    pairs = (
        (f"models/model_{manifest.run_id}.joblib", final_name(SLOT_JOBLIB, manifest.run_id)),
        (f"sbom/sbom_{manifest.run_id}.json", final_name(SLOT_SBOM, manifest.run_id)),
    )
    found = ((path, manifest.file(name)) for path, name in pairs)
    return {path: file.digest for path, file in found if file is not None}


def baseline_of(version: ModelVersion, files: Files) -> Baseline | None:
    """Return a version's sealed baseline, or None where its bytes are not there."""
    data = files.read(folder_of(version) + BASELINE, BASELINE_BYTES)
    return read_baseline(data or b"", version.spec.baseline_digest)


def sealed_bill_of(version: ModelVersion, manifest: Manifest, files: Files) -> bytes:
    """Return the bytes of a version's bill of materials; nothing where others are there, or none.

    What reads them rests on what was checked of them at sealing.
    """
    data = files.read(bill_path(version, manifest), MAX_DOCUMENT) or b""
    return data if sha256_digest(data) == version.spec.sbom_digest else b""


def bill_path(version: ModelVersion, manifest: Manifest) -> str:
    """Return the path of a version's bill of materials."""
    return folder_of(version) + final_name(SLOT_SBOM, manifest.run_id)
