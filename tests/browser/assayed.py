"""The HMDA table, really assayed: bundles, a refusal, and the counts of traffic in their bins."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import numpy as np

from hallmark.api.artifacts import Manifest
from hallmark.api.served import Baseline, ServedSchema
from hallmark.drift.counts import BinCounter
from hallmark.drift.psi import Reference
from hallmark.training.outcome import Artifacts, RefusedRun
from hallmark_predictor.encoding import columns_of, rows_of_instances
from tests.data.hmda import hmda_csv, hmda_spec
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.local_chain import traffic
from tests.unit.training.factories import run

WINDOW = 500


@dataclass(frozen=True)
class Assayed:
    """What a training Job uploaded."""

    spec: dict[str, Any]
    artifacts: Artifacts

    @property
    def files(self) -> dict[str, bytes]:
        """Its files by upload slot."""
        return dict(self.artifacts.files)

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""
        return Manifest.model_validate_json(self.files["manifest.json"])


def spec_of(
    *, with_protected: bool = False, strength: str = "1.0", seed: int = 0
) -> dict[str, Any]:
    """Return a run's spec over the HMDA table."""
    spec = hmda_spec(with_protected)
    trainer = {**spec["trainer"], "parameters": [{"name": "C", "value": strength}], "seed": seed}
    return {**spec, "trainer": trainer, "evaluation": {"resamples": 100}}


@functools.cache
def sealed(namespace: str, strength: str, seed: int) -> Assayed:
    """Return a model that passes its gates."""
    spec = spec_of(strength=strength, seed=seed)
    found = run(spec, hmda_csv(), namespace=namespace)
    assert isinstance(found, Artifacts), found
    return Assayed(spec, found)


@functools.cache
def refused(namespace: str) -> tuple[dict[str, Any], RefusedRun]:
    """Return a model that the fairness gate refuses: it knows the protected attribute."""
    spec = spec_of(with_protected=True)
    found = run(spec, hmda_csv(), namespace=namespace)
    assert isinstance(found, RefusedRun), found
    return spec, found


def counted(bundle: Assayed, shifts: list[float], now: datetime, pod: int) -> Obj:
    """Return a predictor's report of windows of applicants, whose ratios are scaled by a factor."""
    baseline = Baseline.model_validate_json(bundle.files["baseline.json"])
    schema = ServedSchema.model_validate_json(bundle.files["schema.json"])
    counter, windows = BinCounter(baseline.features, schema), []
    total = counter.zeros()
    for number, shift in enumerate(shifts, start=1):
        rows = rows_of_instances(
            traffic(WINDOW, shift=shift, seed=10 * pod + number), columns_of(schema)
        )
        assert isinstance(rows, np.ndarray), rows
        counts = counter.zeros()
        counter.add(rows, counts)
        counter.add(rows, total)
        end = now - timedelta(minutes=6 * (len(shifts) - number) + pod)
        windows.append(
            {
                "number": number,
                "rows": WINDOW,
                "start": moment(end - timedelta(minutes=6)),
                "end": moment(end),
                "counts": counter.named(counts),
            }
        )
    return objects.drift_report(
        manifestDigest=digest_of(bundle),
        bootID=f"boot-000{pod}",
        rows=WINDOW * len(shifts),
        counts=counter.named(total),
        windows=windows[-5:],
    )


def moved(bundle: Assayed, reports: dict[str, Obj]) -> list[dict[str, str]]:
    """Return the features that moved most in the newest windows, as the operator writes them."""
    baseline = Baseline.model_validate_json(bundle.files["baseline.json"])
    reference = Reference(baseline.features)
    found = [reference.stability(told["windows"][-1]["counts"]).psi for told in reports.values()]
    psi = {name: median(one[at] for one in found) for at, name in enumerate(reference.names)}
    top = sorted(psi.items(), key=lambda pair: -pair[1])[:5]
    return [{"feature": name, "psi": f"{value:.4f}"} for name, value in top]


def digest_of(bundle: Assayed) -> str:
    """Return the digest of a bundle's manifest."""
    return str(bundle.artifacts.outcome.manifest_digest)


def moment(when: datetime) -> str:
    """Return a moment as Kubernetes writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
