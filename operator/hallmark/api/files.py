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


REFUSED_EXIT_CODE = 10
"""How a Job or a predictor ends when it refuses: final, never retried."""
