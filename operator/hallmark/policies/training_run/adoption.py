"""May a bundle that was sealed elsewhere become a ModelVersion here?

Nothing is trained and nothing is signed anew: the seal is that of whoever sealed it, and the policy
says whether his key is trusted. The bundle lies where one of this model's would, so that predictors
and the operator read it as any other; whoever brings it puts it there (``hallmark import``).
"""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.artifacts import Manifest
from hallmark.api.dataset import SealedBundle
from hallmark.api.reasons import RunReason
from hallmark.api.tasks import SealOutcome
from hallmark.policies.refusals import evaluate
from hallmark.policies.sealed import facts_of_manifest, read_report
from hallmark.policies.training_run.inputs import RunInputs
from hallmark.policies.training_run.seal import (
    Claim,
    Evidence,
    Seal,
    every_gate_passes,
    everything_is_in_the_store,
)
from hallmark.refusal import Refusal
from hallmark.supply_chain.manifest import check_files
from hallmark.supply_chain.verify import SealedManifest, verify_sealed


def bundle_lies_in_the_store(inputs: RunInputs) -> Refusal | None:
    """The bundle is where this store has those of the run's model, by its digest."""
    sealed, policy = inputs.run.spec.sealed, inputs.policy
    if sealed is None or policy is None:
        return None
    expected = place_of(inputs, sealed)
    if sealed.uri.rstrip("/") == expected:
        return None
    return Refusal(
        RunReason.INVALID_SPEC,
        f"Expected 'sealed.uri' {expected}, where the policy's store has bundles of this model, "
        f"found {sealed.uri[:256]}; copy the bundle there ('hallmark import' does) and create the "
        f"run again.",
    )


def place_of(inputs: RunInputs, sealed: SealedBundle) -> str:
    """Return the URI at which a bundle must lie."""
    store = inputs.policy.spec.store.uri.rstrip("/") if inputs.policy else ""
    run = inputs.run
    folder = names.model_prefix(run.metadata.namespace, run.spec.model, sealed.manifest_digest)
    return f"{store}/{folder.rstrip('/')}"


def bundle_is_there(inputs: RunInputs) -> Refusal | None:
    """Manifest, signature and report can be read; somebody may still bring them."""
    if inputs.run.spec.sealed is None or inputs.policy is None:
        return None
    refusal = everything_is_in_the_store(_claim(inputs, inputs.run.spec.sealed))
    if refusal is None:
        return None
    place = place_of(inputs, inputs.run.spec.sealed)
    return Refusal(RunReason.BUNDLE_MISSING, f"{place}: {refusal.message}")


BEFORE_ADOPTION = (bundle_lies_in_the_store, bundle_is_there)


def adopted(inputs: RunInputs) -> Seal | Refusal:
    """Return the seal of a bundle that holds in every respect, or the first violation."""
    sealed = inputs.run.spec.sealed
    if sealed is None or inputs.policy is None:
        return Refusal(RunReason.INVALID_SPEC, "Expected 'sealed', found none.")
    claim = _claim(inputs, sealed)
    found = verify_sealed(
        claim.evidence.manifest or "",
        sealed.manifest_digest,
        claim.evidence.bundle or "",
        inputs.policy.spec.signers,
        inputs.now,
    )
    if not isinstance(found, SealedManifest):
        return _refused(found.message)
    report = read_report(found.manifest, claim.evidence.report or b"")
    if isinstance(report, str):
        return _refused(report)
    seal = Seal(_with_facts(claim, found.manifest), found.manifest, report)
    return evaluate((*AFTER_READING, every_gate_passes), seal) or seal


def manifest_is_of_this_model(seal: Seal) -> Refusal | None:
    """The bundle was sealed for this namespace and model: its digest holds nowhere else."""
    run, manifest = seal.claim.run, seal.manifest
    here = (run.metadata.namespace, run.spec.model)
    if (manifest.namespace, manifest.model) == here:
        return None
    return _refused(
        f"Expected a bundle of the model '{here[1]}' in namespace '{here[0]}', found one of "
        f"'{manifest.model}' in '{manifest.namespace}'; create the run there."
    )


def every_file_is_there(seal: Seal) -> Refusal | None:
    """Each file in the store is the one that the manifest names."""
    found = check_files(seal.manifest, seal.claim.evidence.facts)
    return _refused(" ".join(one.sentence() for one in found[:3])) if found else None


AFTER_READING = (manifest_is_of_this_model, every_file_is_there)


def _claim(inputs: RunInputs, sealed: SealedBundle) -> Claim:
    if inputs.policy is None:
        raise ValueError("A bundle is adopted under a policy.")
    evidence = inputs.evidence or Evidence(None, None, None)
    outcome = SealOutcome(sealed=True, manifest_digest=sealed.manifest_digest)
    return Claim(inputs.run, inputs.policy.spec, outcome, evidence, inputs.now)


def _with_facts(claim: Claim, manifest: Manifest) -> Claim:
    """Return the claim as a sealing Job would have made it: with what the manifest fixes."""
    facts = facts_of_manifest(manifest)
    outcome = claim.outcome.replace(
        gate_report_digest=facts.gate_report_digest,
        sbom_digest=facts.sbom_digest,
        baseline_digest=facts.baseline_digest,
    )
    return Claim(claim.run, claim.policy, outcome, claim.evidence, claim.now)


def _refused(message: str) -> Refusal:
    return Refusal(RunReason.SEAL_REFUSED, message)
