"""May what a sealing Job left in the store become a ModelVersion? Checked by the operator itself.

Neither Job's word is enough: the operator hashes the manifest, checks the signature against the
policy's keys, compares every digest, and judges the gates anew from the sealed report.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.artifacts import (
    BASELINE,
    REPORT,
    SLOT_SBOM,
    Manifest,
    SealOutcome,
    final_name,
    spec_digest,
)
from hallmark.api.common import sha256_digest
from hallmark.api.gates import evaluate_gates, failure
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import Artifact, ModelVersionSpec, Requester, RunReference
from hallmark.api.report import Report
from hallmark.api.training_run import GateResult, RunReason, TrainingRun
from hallmark.policies.refusals import Refusal, evaluate
from hallmark.supply_chain.verify import SealedManifest, verify_sealed


@dataclass(frozen=True)
class Evidence:
    """What lies in the store under the digest that the sealing Job named; None: not there."""

    manifest: str | None
    bundle: str | None
    report: bytes | None


@dataclass(frozen=True)
class Claim:
    """A sealing Job's outcome, with everything it is held against."""

    run: TrainingRun
    policy: ModelPolicySpec
    outcome: SealOutcome
    evidence: Evidence
    now: datetime


@dataclass(frozen=True)
class Examined:
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

    def digest(self, name: str) -> str | None:
        """Return the manifest's digest of a file, or None."""
        entry = self.manifest.file(name)
        return entry.digest if entry else None

    @property
    def sbom_digest(self) -> str | None:
        """The manifest's digest of the SBOM."""
        return self.digest(final_name(SLOT_SBOM, self.manifest.run_id))


def manifest_is_the_trained_one(claim: Claim) -> Refusal | None:
    """The sealing Job sealed what the training Job uploaded."""
    trained = claim.run.status.manifest_digest
    return _differs("manifest digest", trained, claim.outcome.manifest_digest)


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


def manifest_is_of_this_run(examined: Examined) -> Refusal | None:
    """The manifest names this namespace, model, spec and dataset."""
    run, manifest = examined.claim.run, examined.manifest
    return (
        _differs("namespace", run.metadata.namespace, manifest.namespace)
        or _differs("model", run.spec.model, manifest.model)
        or _differs("spec digest", spec_digest(run.spec), manifest.spec_digest)
        or _differs(
            "dataset fingerprint", run.status.dataset_fingerprint, manifest.dataset_fingerprint
        )
    )


def evidence_is_what_the_job_named(examined: Examined) -> Refusal | None:
    """The digests that the sealing Job reported are the manifest's."""
    outcome = examined.claim.outcome
    return (
        _differs("digest of report.json", examined.digest(REPORT), outcome.gate_report_digest)
        or _differs("digest of baseline.json", examined.digest(BASELINE), outcome.baseline_digest)
        or _differs("digest of the SBOM", examined.sbom_digest, outcome.sbom_digest)
    )


def every_gate_passes(examined: Examined) -> Refusal | None:
    """The sealed report clears the run's gates and the policy's floors."""
    failed = failure(examined.gates)
    return Refusal(RunReason.GATE_FAILED, failed) if failed else None


BEFORE_READING = (manifest_is_the_trained_one, everything_is_in_the_store)
AFTER_READING = (
    manifest_is_of_this_run,
    evidence_is_what_the_job_named,
    every_gate_passes,
)


def examine(claim: Claim) -> Examined | Refusal:
    """Return the sealed evidence where it holds in every respect, or the first violation."""
    read = read_claim(claim)
    if isinstance(read, Refusal):
        return read
    return evaluate(AFTER_READING, read) or read


def read_claim(claim: Claim) -> Examined | Refusal:
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
    if isinstance(report, Refusal):
        return report
    return Examined(claim, sealed.manifest, report)


def read_report(manifest: Manifest, data: bytes) -> Report | Refusal:
    """Return the report if its bytes are the manifest's."""
    entry = manifest.file(REPORT)
    mismatch = _differs(
        "digest of report.json", entry.digest if entry else None, sha256_digest(data)
    )
    if mismatch is not None:
        return mismatch
    try:
        return Report.model_validate_json(data)
    except ValidationError:
        return _refused("Expected report.json as this version writes it, found another form.")


def sealed_spec(examined: Examined, number: int, *, authenticated: bool) -> ModelVersionSpec:
    """Return the spec of the ModelVersion that the evidence entitles to.

    Args:
        examined: evidence that passed every check.
        number: the version's number.
        authenticated: whether the API server vouches for the requester's name.
    """
    claim, manifest = examined.claim, examined.manifest
    run, outcome = claim.run, claim.outcome
    namespace, digest = run.metadata.namespace or "", outcome.manifest_digest or ""
    folder = names.model_prefix(namespace, run.spec.model, digest).rstrip("/")
    return ModelVersionSpec(
        model=run.spec.model,
        version=number,
        training_run=RunReference(
            name=run.metadata.name, uid=run.metadata.uid, spec_digest=manifest.spec_digest
        ),
        requested_by=Requester(name=run.spec.requested_by, authenticated=authenticated),
        artifact=Artifact(
            uri=f"{claim.policy.store.uri.rstrip('/')}/{folder}",
            manifest_digest=digest,
            size=sum(each.size for each in manifest.files),
        ),
        dataset_fingerprint=manifest.dataset_fingerprint,
        gate_report_digest=examined.digest(REPORT) or "",
        sbom_digest=examined.sbom_digest or "",
        baseline_digest=examined.digest(BASELINE) or "",
        bundle=claim.evidence.bundle or "",
    )


def _differs(what: str, expected: str | None, found: str | None) -> Refusal | None:
    if expected is not None and expected == found:
        return None
    return _refused(
        f"Expected the {what} {expected or 'in the manifest'}, found {found or 'none'}; somebody "
        f"changed the artifacts in between. Create a new run and look at the store's access log."
    )


def _refused(message: str) -> Refusal:
    return Refusal(RunReason.SEAL_REFUSED, message)
