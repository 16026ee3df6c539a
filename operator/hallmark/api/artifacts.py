"""The files of a sealed bundle, by name, and the manifest that lists them.

A training Job uploads its outputs to *slots* (fixed names, so that their URLs can be presigned
before anything is known); the manifest gives each its final name, and sealing copies it there::

    runs/<run uid>/model.joblib        -> models/<namespace>.<model>/<digest>/model_<run id>.joblib
    runs/<run uid>/sbom.cdx.json       -> ...                               /sbom_<run id>.cdx.json
    every other file                   -> its own name

The manifest digest is the SHA-256 of ``manifest.json``. The OpenSSF model signature
(``model.sigstore.json``) covers every file of the manifest and ``manifest.json`` itself.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from hallmark.api.common import (
    Digest,
    FileModel,
    ObjectName,
)

MANIFEST = "manifest.json"
BUNDLE = "model.sigstore.json"
MODEL_ONNX = "model.onnx"
SCHEMA = "schema.json"
BASELINE = "baseline.json"
REPORT = "report.json"
REPORT_PAGE = "report.html"
GOLDEN = "golden.json"
DOCKERFILE = "Dockerfile"
SLOT_JOBLIB = "model.joblib"
SLOT_SBOM = "sbom.cdx.json"
PROGRESS = "progress.json"

UPLOAD_SLOTS = (
    SLOT_JOBLIB,
    MODEL_ONNX,
    SCHEMA,
    BASELINE,
    REPORT,
    REPORT_PAGE,
    GOLDEN,
    SLOT_SBOM,
    DOCKERFILE,
    MANIFEST,
    PROGRESS,
)
"""Everything a training Job may upload, below ``runs/<run uid>/``."""

SERVED_FILES = (MODEL_ONNX, SCHEMA, BASELINE)
"""What a predictor downloads; it gets URLs for these alone."""


def run_id(spec: str, fingerprint: str, image: str) -> str:
    """Return the first 12 hex digits of SHA-256(spec digest, fingerprint, image digest)."""
    return hashlib.sha256("\n".join((spec, fingerprint, image)).encode()).hexdigest()[:12]


def final_name(slot: str, run_identity: str) -> str:
    """Return the name in the bundle of what was uploaded to ``slot``."""
    return {
        SLOT_JOBLIB: f"model_{run_identity}.joblib",
        SLOT_SBOM: f"sbom_{run_identity}.cdx.json",
    }.get(slot, slot)


class ManifestFile(FileModel):
    """A file of the bundle."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", max_length=128)]
    digest: Digest
    size: Annotated[int, Field(ge=0, le=2**53 - 1)]
    """In bytes; canonical JSON expresses no greater integer."""


class Manifest(FileModel):
    """``manifest.json``: every file but itself and the signature, in name order."""

    schema_version: Literal["hallmark.dev/manifest/v1"] = "hallmark.dev/manifest/v1"
    namespace: Annotated[str, Field(max_length=63)]
    model: ObjectName
    run_id: Annotated[str, Field(pattern=r"^[a-f0-9]{12}$")]
    spec_digest: Digest
    dataset_fingerprint: Digest
    image_digest: Digest
    """Digest of the trainer's image, or of its reference where no digest is known."""
    files: Annotated[list[ManifestFile], Field(min_length=1, max_length=32)]

    def file(self, name: str) -> ManifestFile | None:
        """Return the entry of that name, or None."""
        return next((entry for entry in self.files if entry.name == name), None)


class UploadURLs(FileModel):
    """Presigned PUT URLs by slot: ``/var/run/hallmark/urls/urls.json`` (a Secret)."""

    urls: dict[str, str]


class DownloadURLs(FileModel):
    """Presigned GET URLs by file name: ``/var/run/hallmark/urls/urls.json`` (a Secret)."""

    urls: dict[str, str]


REFUSED_EXIT_CODE = 10
"""How a Job or a predictor ends when it refuses: final, never retried."""
