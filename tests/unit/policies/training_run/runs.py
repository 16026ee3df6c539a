"""Factories of runs, policies, outcomes and sealed evidence, each part of which may be replaced."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hallmark.api.artifacts import Manifest, UploadURLs
from hallmark.api.columns import FeatureType
from hallmark.api.common import NamespacedMeta, ObjectMeta
from hallmark.api.model_policy import ModelPolicy, ModelPolicySpec
from hallmark.api.model_version import ModelVersion, Requester
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.api.tasks import SealOutcome, TrainOutcome, TrainStage
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRun, TrainingRunSpec, TrainingRunStatus, spec_digest
from hallmark.policies.training_run.inputs import RunInputs
from hallmark.policies.training_run.jobs import JobView, PodView
from hallmark.policies.training_run.seal import Claim, Evidence, Seal, sealed_spec, verify_claim
from hallmark.supply_chain.manifest import build_manifest
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import KEY, NOW, trusted

NAMESPACE, NAME, UID, MODEL = "bank", "credit-v1", "run-uid", factories.MODEL
FINGERPRINT = sha256_digest(b"rows")
RUN_ID = "0123456789ab"
BASELINE = Baseline(
    rows=1,
    features=[
        BaselineFeature(name="income", type=FeatureType.NUMBER, edges=[1.0], counts=[1, 0, 0])
    ],
).to_bytes()
SBOM = b'{"specVersion":"1.6","components":[{"components":[{}]},{}]}'
START = datetime(2026, 6, 1, 11, tzinfo=UTC)

SPEC: dict[str, Any] = {
    "model": MODEL,
    "dataset": {"records": "a,b\n1,2\n", "format": "CSV"},
    "schema": {
        "features": [{"name": "income", "type": "Number"}],
        "target": {"name": "default", "positive": "yes"},
    },
    "gates": [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.9"}],
    "requestedBy": "alice",
}


def run(*, status: dict[str, Any] | None = None, deleted: bool = False, **spec: Any) -> TrainingRun:  # noqa: ANN401
    """Return a run; ``spec`` replaces fields in wire form, None removes."""
    wire = {k: v for k, v in {**SPEC, **spec}.items() if v is not None}
    return TrainingRun(
        metadata=NamespacedMeta(
            name=NAME,
            namespace=NAMESPACE,
            uid=UID,
            generation=1,
            deletion_timestamp="2026-06-01T12:00:00Z" if deleted else None,
        ),
        spec=TrainingRunSpec.model_validate(wire),
        status=TrainingRunStatus.model_validate(status or {}),
    )


def policy(**spec: Any) -> ModelPolicy:  # noqa: ANN401
    """Return a policy that trusts the factories' key."""
    whole = {
        "signers": [trusted().to_wire()],
        "store": {"uri": "s3://hallmark", "endpoint": "http://hallmark-store.hallmark-system:7070"},
        "images": {"trainer": "trainer:1", "sealer": "operator:1", "predictor": "predictor:1"},
        "sources": {"allowed": ["https://data.example.org/"]},
        **spec,
    }
    return ModelPolicy(
        metadata=ObjectMeta(name="default", uid="policy-uid"),
        spec=ModelPolicySpec.model_validate(whole),
    )


def inputs(**changes: Any) -> RunInputs:  # noqa: ANN401
    """Return the inputs of a run that nothing was done for yet."""
    base = RunInputs(
        run=run(),
        now=NOW,
        system="hallmark-system",
        policy_name="default",
        policy=policy(),
        urls=UploadURLs(urls={"manifest.json": "http://store/put"}),
    )
    return replace(base, **changes)


def job(**changes: Any) -> JobView:  # noqa: ANN401
    """Return a Job that runs."""
    return replace(
        JobView(name="job", uid="job-uid", image="trainer:1", suspended=False), **changes
    )


def ended(document: TrainOutcome | SealOutcome | str, code: int = 0) -> PodView:
    """Return a Pod that ended with a termination message."""
    text = document if isinstance(document, str) else document.to_bytes().decode()
    return PodView(exit_code=code, message=text)


def outcome(stage: TrainStage = TrainStage.DONE, **changes: Any) -> TrainOutcome:  # noqa: ANN401
    """Return what a training Job says."""
    done = {"manifest_digest": bundle().digest} if stage is TrainStage.DONE else {}
    return TrainOutcome(**{"stage": stage, "fingerprint": FINGERPRINT, **done, **changes})


@dataclass(frozen=True)
class Bundle:
    """A sealed bundle: its manifest, signature and report."""

    manifest: Manifest
    signature: str
    report: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return sha256_digest(self.manifest.to_bytes())

    @property
    def evidence(self) -> Evidence:
        """What lies in the store."""
        return Evidence(self.manifest.to_bytes().decode(), self.signature, self.report)

    @property
    def sealed(self) -> SealOutcome:
        """What an honest sealing Job says."""
        return SealOutcome(
            sealed=True,
            manifest_digest=self.digest,
            gate_report_digest=sha256_digest(self.report),
            sbom_digest=sha256_digest(SBOM),
            baseline_digest=sha256_digest(BASELINE),
        )


@functools.cache
def bundle(accuracy: str = "0.912000", namespace: str = NAMESPACE) -> Bundle:
    """Return a bundle of ``run()``, signed by the policy's signer."""
    metrics = [{"name": "accuracy", "value": accuracy}]
    report = factories.report(metrics=metrics).to_bytes()
    manifest = build_manifest(
        namespace=namespace,
        model=MODEL,
        run_id=RUN_ID,
        spec_digest=spec_digest(run().spec),
        dataset_fingerprint=FINGERPRINT,
        image_digest=sha256_digest(b"image"),
        files={
            "report.json": report,
            "baseline.json": BASELINE,
            f"sbom_{RUN_ID}.cdx.json": SBOM,
        },
    )
    resources = signed_resources(manifest, sha256_digest(manifest.to_bytes()))
    return Bundle(manifest, sign_bundle(KEY, MODEL, resources), report)


def trained(**changes: Any) -> TrainingRun:  # noqa: ANN401
    """Return a run whose training was noted in its status."""
    status = {"manifestDigest": bundle().digest, "datasetFingerprint": FINGERPRINT}
    return run(status={**status, **changes})


def claim(**changes: Any) -> Claim:  # noqa: ANN401
    """Return an honest sealing Job's claim."""
    base = Claim(trained(), policy().spec, bundle().sealed, bundle().evidence, NOW)
    return replace(base, **changes)


def version(*, uid: str = "version-uid", name: str = NAME, **spec: Any) -> ModelVersion:  # noqa: ANN401
    """Return the version that ``bundle()`` entitles to."""
    seal = verify_claim(claim())
    assert isinstance(seal, Seal)
    made = sealed_spec(seal, 1, Requester(name="alice", authenticated=True))
    return ModelVersion(
        metadata=NamespacedMeta(name=name, namespace=NAMESPACE, uid=uid),
        spec=made.replace(**spec),
    )
