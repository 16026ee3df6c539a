"""Documents of a small sealed bundle, each part of which a test may replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from packaging.utils import canonicalize_name

from hallmark.api.artifacts import Manifest
from hallmark.api.metrics import MetricValue
from hallmark.api.model_card import ModelCard
from hallmark.api.report import AttributeFairness, GroupMetrics, Report
from hallmark.api.texts import sha256_digest
from hallmark.api.trust import TrustedKey
from hallmark.keys import key_id, public_pem
from hallmark.supply_chain.debian import DebianPackage
from hallmark.supply_chain.library import Library
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.sbom_making import Parts, build_sbom
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources

RUN_ID = "0123456789ab"
MODEL = "credit"
FINGERPRINT = sha256_digest(b"rows")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
FILES = {"baseline.json": b"baseline", "model.onnx": b"onnx", "schema.json": b"schema"}
PACKAGES = {"NumPy": "2.4.6", "scikit_learn": "1.9.1", "zope.interface": "8.0"}


def report(**changes: object) -> Report:
    values: dict[str, object] = {
        "model": MODEL,
        "rows": 400,
        "train_rows": 300,
        "test_rows": 100,
        "quality": 97.5,
        "quality_parts": [],
        "remarks": [],
        "pii": [],
        "metrics": [MetricValue(name="accuracy", value="0.912000")],
        "fairness": [
            AttributeFairness(
                attribute="origin",
                demographic_parity_difference=0.04,
                equalized_odds_difference=None,
                groups=[
                    GroupMetrics(group=name, rows=50, selection_rate=0.5, accuracy=0.9)
                    for name in ("Northerner", "Southerner")
                ],
            )
        ],
        "gates": [],
        "algorithm": "LogisticRegression",
        "parameters": {"C": "1.0"},
        "seed": 7,
        "packages": PACKAGES,
        "served_form_max_difference": 1e-7,
    }
    return Report.model_validate({**values, **changes})


def sbom(
    *,
    packages: Mapping[str, str] = PACKAGES,
    licences: Mapping[str, str] | None = None,
    libraries: Sequence[Library] | None = None,
    debian: Sequence[DebianPackage] = (),
    files: Mapping[str, str] | None = None,
    model: str = MODEL,
    run_id: str = RUN_ID,
    fingerprint: str = FINGERPRINT,
    card: ModelCard | None = None,
    told: Report | None = None,
    **measured: object,
) -> bytes:
    named = [(canonicalize_name(name), version) for name, version in sorted(packages.items())]
    stated = [Library(*pair, licence=(licences or {}).get(pair[0], "")) for pair in named]
    return build_sbom(
        model=model,
        run_id=run_id,
        parts=Parts(tuple(stated if libraries is None else libraries), tuple(debian)),
        fingerprint=fingerprint,
        report=told or report(**measured),
        card=card or ModelCard(),
        files={"model.onnx": sha256_digest(b"onnx")} if files is None else files,
    )


def trusted(key: ec.EllipticCurvePrivateKey = KEY, **changes: str) -> TrustedKey:
    pem = public_pem(key.public_key())
    return TrustedKey.model_validate({"key_id": key_id(pem), "public_key": pem, **changes})


def manifest(files: Mapping[str, bytes] = FILES, **changes: str) -> Manifest:
    values = {
        "namespace": "team",
        "model": MODEL,
        "run_id": RUN_ID,
        "spec_digest": sha256_digest(b"spec"),
        "dataset_fingerprint": FINGERPRINT,
        "image_digest": sha256_digest(b"image"),
    }
    return build_manifest(files=files, **{**values, **changes})


def sealed(
    each: Manifest, key: ec.EllipticCurvePrivateKey = KEY, model: str | None = None
) -> tuple[str, str, str]:
    """Return manifest text, its digest and a bundle over it."""
    data = each.to_bytes()
    digest = sha256_digest(data)
    return (
        data.decode(),
        digest,
        sign_bundle(key, model or each.model, signed_resources(each, digest)),
    )
