"""May what a sealing Job left in the store become a ModelVersion? Checked by the operator itself.

Neither Job's word is enough: the operator hashes the manifest, checks the signature against the
policy's keys, compares every digest, and judges the gates anew from the sealed report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hallmark.api import names
from hallmark.api.artifacts import Manifest
from hallmark.api.files import REPORT
from hallmark.api.gates import evaluate_gates, failure
from hallmark.api.metrics import GateResult
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import Artifact, ModelVersionSpec, Requester, RunReference
from hallmark.api.reasons import RunReason
from hallmark.api.report import Report
from hallmark.api.tasks import SealOutcome
from hallmark.api.training_run import TrainingRun, spec_digest
from hallmark.policies.refusals import evaluate
from hallmark.policies.sealed import (
    Facts,
    contradiction,
    differs,
    facts_of_manifest,
    read_report,
)
from hallmark.refusal import Refusal
from hallmark.supply_chain.manifest import FileFact
from hallmark.supply_chain.verify import SealedManifest, verify_sealed

TITLES = {
    "namespace": "namespace",
    "model": "model",
    "spec_digest": "spec digest",
    "dataset_fingerprint": "dataset fingerprint",
    "gate_report_digest": "digest of report.json",
    "baseline_digest": "digest of baseline.json",
    "sbom_digest": "digest of the SBOM",
}
"""How sentences about a run name the facts of a manifest."""


@dataclass(frozen=True)
class Evidence:
    """What lies in the store under the digest that the sealing Job named; None: not there."""

    manifest: str | None
    bundle: str | None
    report: bytes | None
    facts: Mapping[str, FileFact] = field(default_factory=dict)
    """Of a bundle that is to be adopted: digest and size of each file."""


@dataclass(frozen=True)
class Claim:
    """A sealing Job's outcome, with everything it is held against."""

    run: TrainingRun
    policy: ModelPolicySpec
    outcome: SealOutcome
    evidence: Evidence
    now: datetime


@dataclass(frozen=True)
class Seal:
    """A claim whose manifest verified and whose report could be read."""

    claim: Claim
    manifest: Manifest
    report: Report

    @property
    def gates(self) -> list[GateResult]:
        """The verdicts on the run's gates and the policy's floors, from the sealed report."""
        run, policy = self.claim.run, self.claim.policy
        return evaluate_gates(
            run.spec.gates, policy.gates, self.report.metrics, self.report.inconclusive
        )

    @property
    def facts(self) -> Facts:
        """What the manifest fixes."""
        return facts_of_manifest(self.manifest)


def manifest_is_the_trained_one(claim: Claim) -> Refusal | None:
    """The sealing Job sealed what the training Job uploaded."""
    trained, sealed = claim.run.status.manifest_digest, claim.outcome.manifest_digest
    if trained is not None and trained == sealed:
        return None
    return _refused(differs("manifest digest", trained, sealed))


def everything_is_in_the_store(claim: Claim) -> Refusal | None:
    """Manifest, signature bundle and report are there."""
    found = claim.evidence
    parts = {"manifest.json": found.manifest, "model.sigstore.json": found.bundle}
    parts_missing = [name for name, text in {**parts, REPORT: found.report}.items() if not text]
    if not parts_missing:
        return None
    return _refused(
        f"Expected the sealed bundle in the store, found no {' and no '.join(parts_missing)}; "
        f"check the store and create a new run."
    )


def manifest_is_of_this_run(seal: Seal) -> Refusal | None:
    """The manifest names this run's namespace, model, spec and dataset, and the Job's digests."""
    run, outcome = seal.claim.run, seal.claim.outcome
    named = Facts(
        namespace=run.metadata.namespace,
        model=run.spec.model,
        spec_digest=spec_digest(run.spec),
        dataset_fingerprint=run.status.dataset_fingerprint,
        gate_report_digest=outcome.gate_report_digest,
        baseline_digest=outcome.baseline_digest,
        sbom_digest=outcome.sbom_digest,
    )
    found = contradiction(named, seal.manifest)
    if found is None:
        return None
    by_the_job = found.fact in {"gate_report_digest", "baseline_digest", "sbom_digest"}
    pair = (found.signed, found.named) if by_the_job else (found.named, found.signed)
    return _refused(differs(TITLES[found.fact], *pair))


def every_gate_passes(seal: Seal) -> Refusal | None:
    """The sealed report clears the run's gates and the policy's floors."""
    failed = failure(seal.gates)
    return Refusal(RunReason.GATE_FAILED, failed) if failed else None


BEFORE_READING = (manifest_is_the_trained_one, everything_is_in_the_store)
AFTER_READING = (manifest_is_of_this_run, every_gate_passes)


def verify_claim(claim: Claim) -> Seal | Refusal:
    """Return the sealed evidence where it holds in every respect, or the first violation."""
    read = read_claim(claim)
    if isinstance(read, Refusal):
        return read
    return evaluate(AFTER_READING, read) or read


def read_claim(claim: Claim) -> Seal | Refusal:
    """Return the verified manifest and the report, or why they cannot be believed."""
    refusal = evaluate(BEFORE_READING, claim)
    if refusal is not None:
        return refusal
    evidence, digest = claim.evidence, claim.outcome.manifest_digest or ""
    sealed = verify_sealed(
        evidence.manifest or "", digest, evidence.bundle or "", claim.policy.signers, claim.now
    )
    if not isinstance(sealed, SealedManifest):
        return _refused(sealed.message)
    report = read_report(sealed.manifest, evidence.report or b"")
    if isinstance(report, str):
        return _refused(report)
    return Seal(claim, sealed.manifest, report)


def sealed_spec(seal: Seal, number: int, requester: Requester) -> ModelVersionSpec:
    """Return the spec of the ModelVersion that the evidence entitles to.

    Args:
        seal: evidence that passed every check.
        number: the version's number.
        requester: who asked for the run.
    """
    claim, manifest, facts = seal.claim, seal.manifest, seal.facts
    run, outcome = claim.run, claim.outcome
    namespace, digest = run.metadata.namespace, outcome.manifest_digest or ""
    folder = names.model_prefix(namespace, run.spec.model, digest).rstrip("/")
    return ModelVersionSpec(
        model=run.spec.model,
        version=number,
        training_run=RunReference(
            name=run.metadata.name, uid=run.metadata.uid, spec_digest=manifest.spec_digest
        ),
        requested_by=requester,
        artifact=Artifact(
            uri=f"{claim.policy.store.uri.rstrip('/')}/{folder}",
            manifest_digest=digest,
            size=sum(file.size for file in manifest.files),
        ),
        dataset_fingerprint=manifest.dataset_fingerprint,
        gate_report_digest=facts.gate_report_digest or "",
        sbom_digest=facts.sbom_digest or "",
        baseline_digest=facts.baseline_digest or "",
        bundle=claim.evidence.bundle or "",
    )


def _refused(message: str) -> Refusal:
    return Refusal(RunReason.SEAL_REFUSED, message)
