"""A small real model, really sealed and approved; each part of which a test may replace."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import documents
from hallmark.api.artifacts import DownloadURLs
from hallmark.api.columns import FeatureType
from hallmark.api.documents import read
from hallmark.api.drift import Drift
from hallmark.api.files import BASELINE, MODEL_ONNX, REPORT, SCHEMA
from hallmark.api.served import Baseline, BaselineFeature, ServedFeature, ServedSchema
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.api.trainer import Trainer
from hallmark.api.trust import Trust, TrustApproval, TrustedKey
from hallmark.drift.counts import BinCounter, Rows
from hallmark.keys import key_id, public_pem
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from hallmark.training.graph import INPUT, PROBABILITIES, build
from hallmark.training.pipeline import Fitted, fit
from hallmark_predictor.model import Model, open_model
from hallmark_predictor.settings import Settings
from hallmark_predictor.verification import Place, verify_seal

NAMESPACE, DEPLOYMENT, POD = "team", "loans", "loans-0123-abc"
PLACE = Place(NAMESPACE, DEPLOYMENT)
RUN_ID = "0123456789ab"
SBOM = f"sbom_{RUN_ID}.cdx.json"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
UID = "5f0c1a2b-0000-4000-8000-000000000001"
PURPOSES = ["home", "car", "other"]

ROW: dict[str, object] = {"income": 51_000.5, "age": 40, "owner": True, "purpose": "car"}

SCHEMA_DOCUMENT = ServedSchema(
    model="credit",
    features=[
        ServedFeature(name="income", type=FeatureType.NUMBER, nullable=True, minimum=0),
        ServedFeature(
            name="age", type=FeatureType.INTEGER, nullable=False, minimum=18, maximum=120
        ),
        ServedFeature(name="owner", type=FeatureType.BOOLEAN, nullable=False),
        ServedFeature(
            name="purpose", type=FeatureType.CATEGORY, nullable=False, categories=PURPOSES
        ),
    ],
    target="default",
    classes=["no", "yes"],
    positive="yes",
    input_name=INPUT,
    probabilities_name=PROBABILITIES,
)


def traffic(rows: int, seed: int = 1, shift: float = 0.0) -> Rows:
    random = np.random.default_rng(seed)
    return np.column_stack(
        [
            random.normal(50_000 + shift * 10_000, 10_000, rows),
            random.integers(18, 90, rows),
            random.integers(0, 2, rows),
            random.integers(0, 3, rows),
        ]
    ).astype(np.float32)


def instances(rows: Rows) -> list[dict[str, object]]:
    return [
        {
            "income": float(row[0]),
            "age": int(row[1]),
            "owner": bool(row[2]),
            "purpose": PURPOSES[int(row[3])],
        }
        for row in rows
    ]


@functools.cache
def estimator() -> Fitted:
    rows = traffic(2000, seed=0)
    rows[::50, 0] = np.nan
    truth = (np.nan_to_num(rows[:, 0], nan=5e4) + 200 * rows[:, 1] > 60_000).astype(np.int64)
    found = fit(rows, truth, SCHEMA_DOCUMENT.classes, SCHEMA_DOCUMENT.features, Trainer())
    assert isinstance(found, Fitted)
    return found


@functools.cache
def onnx() -> bytes:
    return build(estimator().plain, "credit")


@functools.cache
def baseline() -> Baseline:
    rows = traffic(4000, seed=0)
    edges = np.quantile(rows, np.linspace(0.1, 0.9, 9), axis=0)
    empty = [
        BaselineFeature(
            name=each.name,
            type=each.type,
            edges=None if each.categories else sorted(set(edges[:, index].tolist())),
            categories=each.categories,
            counts=[0] * (len(each.categories or set(edges[:, index].tolist())) + 2),
        )
        for index, each in enumerate(SCHEMA_DOCUMENT.features)
    ]
    counter = BinCounter(empty, SCHEMA_DOCUMENT)
    totals = counter.zeros()
    counter.add(rows, totals)
    counts = counter.named(totals)
    return Baseline(
        rows=len(rows),
        features=[e.model_copy(update={"counts": counts[e.name]}) for e in empty],
    )


def served_files() -> dict[str, bytes]:
    return {
        MODEL_ONNX: onnx(),
        SCHEMA: SCHEMA_DOCUMENT.to_bytes(),
        BASELINE: baseline().to_bytes(),
    }


def trusted(key: ec.EllipticCurvePrivateKey = KEY, **changes: str) -> TrustedKey:
    pem = public_pem(key.public_key())
    return TrustedKey.model_validate({"key_id": key_id(pem), "public_key": pem, **changes})


@dataclass(frozen=True)
class Sealed:
    """A bundle and the trust document that vouches for it."""

    files: dict[str, bytes]
    trust: Trust


def sealed(
    *,
    files: Mapping[str, bytes] | None = None,
    key: ec.EllipticCurvePrivateKey = KEY,
    namespace: str = NAMESPACE,
    approvals: Sequence[Mapping[str, object]] = ({},),
    **changes: object,
) -> Sealed:
    """Seal ``files``; each approval is the right one but for what it says itself."""
    served = dict(served_files() if files is None else files)
    everything = served | {REPORT: b"report", SBOM: b"sbom"}
    manifest = build_manifest(
        files=everything,
        namespace=namespace,
        model="credit",
        run_id=RUN_ID,
        spec_digest=sha256_digest(b"spec"),
        dataset_fingerprint=sha256_digest(b"rows"),
        image_digest=sha256_digest(b"image"),
    )
    text = manifest.to_bytes()
    digest = sha256_digest(text)
    right = {
        "uid": "a-1",
        "approver": "reviewer@example.org",
        "manifest_digest": digest,
        "sbom_digest": sha256_digest(b"sbom"),
        "gate_report_digest": sha256_digest(b"report"),
        "model_version_uid": UID,
    }
    values: dict[str, object] = {
        "namespace": NAMESPACE,
        "deployment": DEPLOYMENT,
        "model_version": "credit-1",
        "model_version_uid": UID,
        "version": 7,
        "manifest": text.decode(),
        "manifest_digest": digest,
        "bundle": sign_bundle(key, "credit", signed_resources(manifest, digest)),
        "keys": [trusted()],
        "approvals": [TrustApproval.model_validate({**right, **each}) for each in approvals],
        "minimum_approvals": 1,
        "policy_digest": sha256_digest(b"policy"),
        "drift": Drift(window=100, consecutive=2),
    }
    trust = Trust.model_validate({**values, **changes})
    return Sealed(served, read(documents.Trust, trust.to_bytes()))


def model(**changes: object) -> Model:
    whole = sealed(**changes)  # type: ignore[arg-type]
    manifest = verify_seal(whole.trust, NOW)
    found = open_model(whole.trust, manifest, whole.files)  # type: ignore[arg-type]
    assert isinstance(found, Model), found
    return found


def write_settings(
    folder: Path, trust: Trust, urls: Mapping[str, str], **changes: object
) -> Settings:
    data = trust.to_bytes()
    (folder / "kept").mkdir(exist_ok=True)
    (folder / "trust.json").write_bytes(data)
    (folder / "urls.json").write_bytes(canonical_json(DownloadURLs(urls=dict(urls)).to_wire()))
    values: dict[str, object] = {
        "trust_sha256": hashlib.sha256(data).hexdigest(),
        "trust_file": folder / "trust.json",
        "urls_file": folder / "urls.json",
        "bundle": folder / "bundle",
        "kept": folder / "kept",
        "host": "127.0.0.1",
        "port": 0,
        "drain_seconds": 1.0,
        "load_seconds": 2.0,
        "termination_log": folder / "termination-log",
        "pod": POD,
        "namespace": NAMESPACE,
        "deployment": DEPLOYMENT,
        "memory": None,
        "workers": None,
        "feedback": folder / "feedback",
        "feed": None,
        "mirror_port": 0,
        "mirror_host": "",
        "api_server": None,
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]
