"""Is a ModelVersion what its signature says, and does it meet the policy of today?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hallmark.api.artifacts import Manifest
from hallmark.api.dependencies import Dependencies
from hallmark.api.gates import evaluate_gates, failure
from hallmark.api.model_version import SBOMSummary
from hallmark.api.reasons import VersionReason
from hallmark.api.report import Report
from hallmark.api.texts import clip, sha256_digest
from hallmark.keys import KeyFault, UnusableKey, usable_key
from hallmark.policies.model_version.inputs import Evidence, VersionInputs
from hallmark.policies.model_version.words import digest_of
from hallmark.policies.sealed import read_report, version_contradiction
from hallmark.refusal import Refusal
from hallmark.supply_chain.packages import (
    Named,
    check_packages,
    is_about_a_package,
    packages_of,
    python_packages,
)
from hallmark.supply_chain.signing import named_signer
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.verify import SealedManifest, verify_sealed
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, judged_until, lifted

SBOM_BYTES = 4 << 20
"""A longer SBOM is not read."""
REPORT_BYTES = 8 << 20
"""A longer report is not read."""


@dataclass(frozen=True)
class Verified:
    """A version whose signature holds: its manifest, and who signed it."""

    manifest: Manifest
    key_id: str


def verify(inputs: VersionInputs) -> Verified | Refusal:
    """The version is what its signature says, by a key that the policy trusts.

    Return the signed manifest and its signer, or why not.
    """
    spec = inputs.version.spec
    if inputs.policy is None:
        return Refusal(VersionReason.POLICY_MISSING, no_policy(inputs))
    if inputs.manifest is None:
        return Refusal(
            VersionReason.SIGNATURE_INVALID,
            f"Expected manifest.json at {spec.artifact.uri}, found none; restore it or train anew.",
        )
    sealed = verify_sealed(
        inputs.manifest,
        spec.artifact.manifest_digest,
        spec.bundle,
        inputs.policy.spec.signers,
        inputs.now,
        inputs.version.made_at,
    )
    if not isinstance(sealed, SealedManifest):
        return Refusal(sealed.reason, sealed.message)
    mismatch = version_contradiction(inputs.version, sealed.manifest)
    if mismatch is not None:
        return Refusal(VersionReason.SIGNATURE_INVALID, mismatch)
    return Verified(sealed.manifest, sealed.key_id)


def signer_refusal(inputs: VersionInputs) -> Refusal | None:
    """The key that signed is not revoked: a person's word, which needs nothing from the store."""
    if inputs.policy is None:
        return None
    version = inputs.version
    signed_with = {named_signer(version.spec.bundle), version.status.key_id}
    for entry in inputs.policy.spec.signers:
        if entry.key_id not in signed_with:
            continue
        key = usable_key(entry, inputs.now)
        if isinstance(key, UnusableKey) and key.fault is KeyFault.REVOKED:
            return Refusal(VersionReason.SIGNER_REVOKED, f"The key {entry.key_id} {key.why}.")
    return None


def meets_policy(inputs: VersionInputs, verified: Verified) -> Refusal | None:
    """The sealed report clears today's floors, and the packages today's rules."""
    if inputs.policy is None:
        return Refusal(VersionReason.POLICY_MISSING, no_policy(inputs))
    report = read_report(verified.manifest, inputs.report or b"")
    if isinstance(report, str):
        return Refusal(VersionReason.POLICY_FAILED, report)
    policy = inputs.policy.spec
    failed = failure(evaluate_gates((), policy.gates, report.metrics, report.inconclusive))
    unknown, refused = _package_problems(inputs, report, policy.dependencies)
    said = " ".join(filter(None, (failed, *unknown, *refused)))
    reason = VersionReason.PACKAGES_REFUSED if refused else VersionReason.POLICY_FAILED
    return Refusal(reason, said) if said else None


def _package_problems(
    inputs: VersionInputs, report: Report, rules: Dependencies
) -> tuple[list[str], list[str]]:
    """Return a sentence for each reason why packages cannot be judged, and for each refused one."""
    bill = _bill(inputs) if rules.need_the_bill else {}
    found = check_packages(
        packages_of({} if isinstance(bill, str) else bill),
        rules,
        inputs.vulnerabilities,
        inputs.now,
        also=report.packages.items(),
        words=inputs.words,
    )
    unknown = [bill] if isinstance(bill, str) else []
    unknown += [problem.sentence() for problem in found if not is_about_a_package(problem)]
    return unknown, [problem.sentence() for problem in found if is_about_a_package(problem)]


def _bill(inputs: VersionInputs) -> dict[str, Any] | str:
    """Return the sealed SBOM, or the sentence that it is not there."""
    digest = inputs.version.spec.sbom_digest
    if inputs.sbom is None or sha256_digest(inputs.sbom) != digest:
        found = sha256_digest(inputs.sbom) if inputs.sbom is not None else "none"
        return f"Expected the sealed SBOM ({digest}) to judge packages, found {found}; restore it."
    try:
        return parse_object(inputs.sbom, SBOM_BYTES)
    except UnreadableJSON as error:
        return f"Expected a JSON object as the sealed SBOM, found {error}."


def asked_packages(inputs: VersionInputs) -> set[Named]:
    """Return the packages, by the bill and by the report, of which vulnerabilities are asked."""
    asked: set[Named] = set()
    try:
        asked |= python_packages(packages_of(parse_object(inputs.sbom or b"", SBOM_BYTES)))
        said = parse_object(inputs.report or b"", REPORT_BYTES).get("packages")
    except UnreadableJSON:
        return asked  # What cannot be read is refused for that.
    named = said.items() if isinstance(said, dict) else ()
    return asked | {(name, str(version)) for name, version in named}


TODAY = (verify, meets_policy)
"""Each is held against the files again when the policy changes, and every few hours."""


def check_evidence(inputs: VersionInputs) -> Evidence:
    """Return what the files in the store say of the version under the policy."""
    summary = inputs.version.status.sbom or summarise(inputs.sbom, inputs.version.spec.sbom_digest)
    verified = verify(inputs)
    if isinstance(verified, Refusal):
        return Evidence(refusal=verified, sbom=summary)
    rules = inputs.policy.spec.dependencies.vulnerabilities if inputs.policy else None
    known = inputs.vulnerabilities or NOT_MOUNTED
    used = lifted(known, rules, inputs.now, inputs.words)
    return Evidence(
        key_id=verified.key_id,
        policy=meets_policy(inputs, verified),
        sbom=summary,
        feed=known.digest if rules else "",
        vex=digest_of(inputs.words),
        remark=clip(" ".join(word.sentence() for word in used), 1024),
        until=judged_until(known, rules, inputs.now),
    )


def summarise(sbom: bytes | None, digest: str) -> SBOMSummary | None:
    """Return the SBOM in short if these are the sealed bytes."""
    if sbom is None or sha256_digest(sbom) != digest:
        return None
    try:
        document = parse_object(sbom, SBOM_BYTES)
    except UnreadableJSON:
        return None
    return SBOMSummary(
        components=_components(document.get("components")),
        spec_version=str(document.get("specVersion", "")),
    )


def _components(found: object) -> int:
    if not isinstance(found, list):
        return 0
    components = [component for component in found if isinstance(component, dict)]
    return len(components) + sum(_components(inner.get("components")) for inner in components)


def no_policy(inputs: VersionInputs) -> str:
    """Return the sentence that no policy applies."""
    return (
        f"Expected the ModelPolicy '{inputs.policy_name}', found none that can be read; ask the "
        f"platform team to create or correct it."
    )
