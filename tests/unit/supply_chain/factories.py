"""Documents of a small sealed bundle, each part of which a test may replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.api.artifacts import AttributeFairness, GroupMetrics, Report
from hallmark.api.common import sha256_digest
from hallmark.api.training_run import MetricValue
from hallmark.supply_chain.sbom import build_sbom

RUN_ID = "0123456789ab"
MODEL = "credit"
FINGERPRINT = sha256_digest(b"rows")
PACKAGES = {"NumPy": "2.4.6", "scikit_learn": "1.9.1", "zope.interface": "8.0"}


def report(**changes: Any) -> Report:
    values: dict[str, Any] = {
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
    return Report(**{**values, **changes})


def sbom(
    *,
    packages: Mapping[str, str] = PACKAGES,
    files: Mapping[str, str] | None = None,
    model: str = MODEL,
    run_id: str = RUN_ID,
    fingerprint: str = FINGERPRINT,
) -> bytes:
    return build_sbom(
        model=model,
        run_id=run_id,
        packages=packages,
        fingerprint=fingerprint,
        report=report(),
        files={"model.onnx": sha256_digest(b"onnx")} if files is None else files,
    )
