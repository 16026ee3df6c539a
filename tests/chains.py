"""A whole chain without a cluster, in this process: every kind of link, in a few seconds.

A refused run; three versions, of which one is denied; two of them serve, the second after copies
and steps; its traffic drifts, so that the first comes back. All of it by the product's own code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from hallmark.api.common import NamespacedMeta
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport, FairCounts, RequestCounts
from hallmark.api.mirror import MirrorCounts, MirrorReport
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import RollbackMode, Strategy
from hallmark.api.training_run import TrainingRun, TrainingRunSpec
from hallmark.keys import Purpose
from hallmark.local.begin import begin
from hallmark.local.folder import Folder, now
from hallmark.local.lost import APPROVER_KEY, AUDIT_KEY, SEALING_KEY
from hallmark.local.pods import LocalPods
from hallmark.local.registry import Registry
from hallmark.local.reviews import approver_here, decide_here
from hallmark.local.rollouts import Rollouts, deploy_here
from hallmark.local.runs import image_here, run_here
from hallmark.verification.export import export
from hallmark.verification.gather import Objects
from hallmark.verification.trusted import Trusted, all_of, trusted_key

MODEL = "loan"
WINDOW = 100


def records(rows: int = 240, seed: int = 0) -> str:
    """Return rows in which income decides, as CSV."""
    draw = np.random.default_rng(seed)
    income = draw.normal(50, 15, rows).clip(1, 99)
    region = draw.choice(["north", "south"], rows)
    paid = (income + draw.normal(0, 5, rows)) > 50
    lines = [
        f"{i:.2f},{r},{'yes' if p else 'no'}" for i, r, p in zip(income, region, paid, strict=True)
    ]
    return "\n".join(["income,region,paid", *lines]) + "\n"


def run(name: str, *, gate: str = "0.6", c: str = "1.0", namespace: str = "credit") -> TrainingRun:
    """Return a run that takes a second."""
    spec = {
        "model": MODEL,
        "dataset": {"records": records(), "format": "CSV"},
        "schema": {
            "features": [
                {"name": "income", "type": "Number", "minimum": "0", "maximum": "1000"},
                {"name": "region", "type": "Category", "categories": ["north", "south"]},
            ],
            "target": {"name": "paid", "positive": "yes"},
        },
        "trainer": {
            "algorithm": "LogisticRegression",
            "parameters": [{"name": "C", "value": c}],
        },
        "gates": [{"metric": "accuracy", "comparison": "AtLeast", "threshold": gate}],
        "evaluation": {"resamples": 100},
        "requestedBy": "alice",
    }
    metadata = NamespacedMeta(name=name, namespace=namespace)
    return TrainingRun(metadata=metadata, spec=TrainingRunSpec.model_validate(spec))


@dataclass(frozen=True)
class Whole:
    """A chain in a folder, and the keys that somebody who verifies it trusts."""

    folder: Folder

    @property
    def trusted(self) -> Trusted:
        """The public keys alone."""
        pem = self.folder.public_key
        return all_of(
            [
                trusted_key(Purpose.SEAL, pem(SEALING_KEY)),
                trusted_key(Purpose.AUDIT, pem(AUDIT_KEY)),
                trusted_key(Purpose.APPROVE, pem(APPROVER_KEY), approver_here()),
            ]
        )

    def export(self, target: Path) -> str:
        """Export it, and return the export's digest."""
        folder = self.folder
        objects = objects_of(folder.read())
        log = folder.log_file
        digest, left = export(target, objects, None, folder.store(), log, None, now())
        assert left == []
        return digest


def objects_of(registry: Registry) -> Objects:
    """Return the objects of a folder."""
    return Objects(
        policies=(registry.policy,),
        runs=tuple(registry.runs),
        versions=tuple(registry.versions),
        approvals=tuple(registry.approvals),
        deployments=tuple(registry.deployments),
    )


def two_versions(path: Path, namespace: str) -> Whole:
    """Make a chain with two versions of a namespace, one approved and one denied."""
    folder = begin(path, run("loan-v1", namespace=namespace), None)
    for number, decision in enumerate((ReviewDecision.APPROVED, ReviewDecision.DENIED), 1):
        asked = run(f"loan-v{number}", c=f"{number}.0", namespace=namespace)
        ran = run_here(folder, asked, path, lambda *_: None)
        assert ran.version is not None, ran.refusal
        decide_here(folder, ran.version.metadata.name, decision, "Looked at its report.")
    return Whole(folder)


def whole_chain(path: Path) -> Whole:
    """Make the chain in an empty folder."""
    folder = begin(path, run("loan-v1"), None)

    def sealed(asked: TrainingRun) -> str | None:
        ran = run_here(folder, asked, path, lambda *_: None)
        return ran.version.metadata.name if ran.version else None

    assert sealed(run("loan-v0", gate="0.9999")) is None
    names = [sealed(run(f"loan-v{number}", c=f"{number}.0")) for number in (1, 2, 3)]
    first, second, third = [name for name in names if name]
    decide_here(folder, first, ReviewDecision.APPROVED, "Looked at its report.")
    drift = Drift(window=WINDOW, consecutive=1)
    deploy_here(folder, MODEL, drift, RollbackMode.AUTOMATIC)
    take_over_in_stages(folder)
    pods = AskedPods(folder)
    rollouts = Rollouts(folder, MODEL, pods)
    rollouts.reconcile()
    decide_here(folder, second, ReviewDecision.APPROVED, "Better than the first.")
    rollouts.reconcile()
    serving = folder.read().deployment(MODEL)
    assert serving is not None
    assert serving.status.active_model_version == second, serving.status
    version = folder.read().version(second)
    assert version is not None
    asyncio.run(_ask(pods, version.spec.artifact.manifest_digest, income=900.0))
    rollouts.reconcile()
    decide_here(folder, third, ReviewDecision.DENIED, "Of no use.")
    serving = folder.read().deployment(MODEL)
    assert serving is not None
    assert serving.status.active_model_version == first
    return Whole(folder)


STAGES = Strategy.model_validate(
    {
        "bake": "0s",
        "keepWarm": "24h",
        "mirror": {"pause": "0s", "analysis": {"minimumRows": 9, "minimumRequests": 9}},
        "type": "Canary",
        "canary": {
            "steps": [{"weight": 40, "pause": "0s"}, {"weight": 60, "pause": "0s"}],
            "analysis": {"minimumRows": 9, "minimumRequests": 9, "maxLatency": "80ms"},
        },
    }
)
"""How the second version takes over."""


def take_over_in_stages(folder: Folder) -> None:
    """Let new versions get copies, then shares, before they have all traffic."""
    with folder.transaction() as transaction:
        found = transaction.registry.deployment(MODEL)
        assert found is not None
        changed = found.replace(spec=found.spec.replace(strategy=STAGES))
        transaction.commit(transaction.registry.with_deployment(changed))


class AskedPods(LocalPods):
    """Predictors of which each tells, whenever it is asked, of ten requests more."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder.store(), image_here())
        self._chain, self._asked = folder, 0

    def reports(self) -> Mapping[str, DriftReport]:
        """Return the reports with requests, and with what copies for a candidate became."""
        self.report()
        self._asked += 10
        return {name: self._with_requests(said) for name, said in super().reports().items()}

    def _with_requests(self, said: DriftReport) -> DriftReport:
        number = self._asked
        fair = FairCounts(rows=number, requests=number, timed=[number] * 5, late=[0] * 5)
        requests = RequestCounts(uptime=1, count=number, work=[number], fair=fair)
        return said.replace(requests=requests, mirror=self._compared(said.manifest_digest))

    def _compared(self, digest: str) -> MirrorReport | None:
        """Return what the Pod of what serves says of a candidate that gets copies."""
        deployment = self._chain.read().deployment(MODEL)
        rollout = deployment.status.rollout if deployment else None
        if deployment is None or rollout is None or rollout.mirror is None:
            return None
        if rollout.manifest_digest is None or deployment.status.active_digest != digest:
            return None
        number = self._asked
        seen = MirrorCounts(requests=number, taken=number, rows=number)
        return MirrorReport(
            candidate=rollout.manifest_digest, since=rollout.mirror.started, all=seen, fair=seen
        )


async def _ask(pods: LocalPods, digest: str, income: float) -> None:
    pod = pods.pod(digest)
    assert pod is not None
    assert pod.app is not None
    rows: list[dict[str, Any]] = [{"income": income, "region": "north"}] * (WINDOW + 10)
    transport = httpx.ASGITransport(app=pod.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pod") as client:
        answer = await client.post("/predict", json={"instances": rows})
        answer.raise_for_status()
    pods.report()
