"""A ModelVersion's links: dataset, run, gates, artifacts, signature, SBOM, policy, record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hallmark.api.artifacts import Manifest
from hallmark.api.files import BUNDLE, REPORT, run_id
from hallmark.api.findings import Finding
from hallmark.api.gates import evaluate_gates, failure, gate_of
from hallmark.api.reasons import VersionReason
from hallmark.api.report import Report
from hallmark.api.training_run import TrainingRun, spec_digest
from hallmark.audit.events import AuditEvent
from hallmark.audit.record import AuditRecord
from hallmark.policies.model_version.checks import Verified, asked_packages, meets_policy
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.model_version.words import words_in_force
from hallmark.policies.sealed import read_report, version_contradiction
from hallmark.supply_chain.manifest import FileFact, check_files
from hallmark.supply_chain.sbom import check_sbom, read_sealed_sbom
from hallmark.supply_chain.signing import MAX_BYTES
from hallmark.supply_chain.verify import SealedManifest, verify_sealed
from hallmark.verification.built import provenance_link
from hallmark.verification.bundle import MAX_DOCUMENT
from hallmark.verification.held import Held
from hallmark.verification.links import Link, State, broken, holds, open_
from hallmark.verification.recorded import Recorded


def version_links(held: Held) -> Iterator[Link]:
    """Yield a version's links but people's decisions on it, in the chain's order."""
    manifest, record = held.bundle.manifest, _record(held)
    if isinstance(manifest, Finding):
        for name in (*_OF_FILES, "artifacts", "signature"):
            yield broken(name, manifest.sentence())
        yield record
        return
    signature = _signature(held, manifest)
    if State.BROKEN in {record.state, signature.state}:
        # Who only writes files could have any number of objects and documents read for nothing.
        for name in _OF_FILES:
            yield open_(name, "Not read: the signature or the record of this version is broken.")
        yield _artifacts(held, manifest)
        yield signature
    else:
        report = _report(held, manifest)
        yield _dataset(held, manifest, report)
        yield _run(held, manifest)
        yield _gates(held, report)
        yield _artifacts(held, manifest)
        yield signature
        yield provenance_link(held, manifest)
        yield _sbom(held, manifest)
        yield _policy(held, manifest, report)
    yield record


_OF_FILES = ("dataset", "run", "gates", "provenance", "SBOM", "policy")
"""The links for which documents of a bundle are read."""


def _report(held: Held, manifest: Manifest) -> Report | str:
    data = held.files.read(held.bundle.folder + REPORT, MAX_DOCUMENT)
    return read_report(manifest, data or b"")


def _dataset(held: Held, manifest: Manifest, report: Report | str) -> Link:
    if isinstance(report, str):
        return broken("dataset", report)
    named = held.version.spec.dataset_fingerprint
    asked = held.run.spec.dataset.fingerprint if held.run and held.run.spec.dataset else None
    others = {
        "the signed manifest": manifest.dataset_fingerprint,
        "report.json": report.dataset_fingerprint or named,
        "its TrainingRun": asked or named,
    }
    for where, found in others.items():
        if found != named:
            return broken("dataset", f"Expected {named} in {where} too, found {found}.")
    return holds("dataset", f"{report.rows} rows, {named}")


def _run(held: Held, manifest: Manifest) -> Link:
    """The run asked for this, and the run id follows from it."""
    reference = held.version.spec.training_run
    identity = run_id(manifest.spec_digest, manifest.dataset_fingerprint, manifest.image_digest)
    if identity != manifest.run_id:
        return broken("run", f"Expected the run id {identity}, found {manifest.run_id}.")
    if held.run is None:
        return open_(
            "run", f"TrainingRun '{reference.name}' is gone; its spec had {reference.spec_digest}."
        )
    if held.run.spec.sealed is not None:
        digest, found = held.run.spec.sealed.manifest_digest, held.version.spec.artifact
        if digest != found.manifest_digest:
            return broken("run", f"Expected the adopted bundle {digest}, found another.")
        return holds("run", f"'{reference.name}' adopted a bundle that was sealed elsewhere")
    digest = spec_digest(held.run.spec)
    if digest != manifest.spec_digest:
        return broken(
            "run",
            f"Expected a TrainingRun '{reference.name}' with spec {manifest.spec_digest}, found "
            f"{digest}.",
        )
    requester = held.version.spec.requested_by
    if requester.name != held.run.spec.requested_by:
        return broken(
            "run",
            f"Expected the requester '{requester.name}', found '{held.run.spec.requested_by}'.",
        )
    how = "" if requester.authenticated else " (declared, not authenticated)"
    return holds("run", f"'{reference.name}', asked for by {requester.name}{how}")


def _gates(held: Held, report: Report | str) -> Link:
    """Each gate of the report, judged anew, passes; and they are those that the run asked for."""
    if isinstance(report, str):
        return broken("gates", report)
    shown = report.gates
    asked = [gate_of(result) for result in shown if result.source == "Run"]
    floors = [gate_of(result) for result in shown if result.source == "Policy"]
    found = evaluate_gates(asked, floors, report.metrics, report.inconclusive)
    if found != shown:
        return broken("gates", "Expected the verdicts that follow from the metrics, found others.")
    if failed := failure(found):
        return broken("gates", failed)
    trained = held.run is not None and held.run.spec.sealed is None
    if held.run is not None and trained and asked != list(held.run.spec.gates):
        return broken("gates", "Expected the gates of the TrainingRun in the report, found others.")
    return holds("gates", f"{len(found)} of {len(found)} passed, judged anew from the report")


def _artifacts(held: Held, manifest: Manifest) -> Link:
    folder = held.bundle.folder
    facts: dict[str, FileFact] = {}
    for file in manifest.files:
        if fact := held.files.fact(folder + file.name):
            facts[file.name] = fact
    found = [finding.sentence() for finding in check_files(manifest, facts)]
    size = sum(file.size for file in manifest.files)
    if size != held.version.spec.artifact.size:
        found.append(f"Expected 'size' {size}, found {held.version.spec.artifact.size}.")
    if found:
        return broken("artifacts", " ".join(found[:3]))
    return holds("artifacts", f"{len(facts)} files, {size} bytes, each hashed")


def _signature(held: Held, manifest: Manifest) -> Link:
    """A trusted key signed exactly these files, and the version names what was signed."""
    spec = held.version.spec
    if not held.trusted.signers:
        return open_("signature", "Give the sealing key's public half to check it.")
    text, bundle = manifest.to_bytes().decode(), spec.bundle
    sealed = verify_sealed(
        text,
        spec.artifact.manifest_digest,
        bundle,
        held.trusted.signers,
        held.now,
        held.sealed_at,
    )
    if not isinstance(sealed, SealedManifest):
        if sealed.reason == VersionReason.SIGNER_EXPIRED and held.sealed_at is None:
            return open_("signature", f"{sealed.message} No record says that it sealed before.")
        return broken("signature", sealed.message)
    if problem := version_contradiction(held.version, sealed.manifest):
        return broken("signature", problem)
    beside = held.files.read(held.bundle.folder + BUNDLE, MAX_BYTES)
    if beside != held.beside.encode():
        return broken(
            "signature",
            f"Expected {BUNDLE} with the signature of the newest ModelVersion of these bytes.",
        )
    return holds("signature", f"by the key {sealed.key_id}")


def _sbom(held: Held, manifest: Manifest) -> Link:
    data = held.sealed_bill(manifest)
    if not data:
        expected, there = held.version.spec.sbom_digest, held.found_bill(manifest)
        return broken("SBOM", f"Expected {expected}, found {there}.")
    found = check_sbom(
        read_sealed_sbom(data),
        model=manifest.model,
        run_id=manifest.run_id,
        fingerprint=manifest.dataset_fingerprint,
        files={file.name: file.digest for file in manifest.files},
    )
    if found:
        return broken("SBOM", found[0].sentence())
    return holds("SBOM", "about these very files, dataset and run")


def _policy(held: Held, manifest: Manifest, report: Report | str) -> Link:
    """The sealed report clears the policy's floors, and no package is denied."""
    if held.policy is None:
        return open_("policy", "The ModelPolicy that the newest record names is not here.")
    if isinstance(report, str):
        return broken("policy", report)
    inputs = VersionInputs(
        version=held.version,
        now=held.now,
        policy_name=held.policy.metadata.name,
        policy=held.policy,
        report=held.files.read(held.bundle.folder + REPORT, MAX_DOCUMENT),
        sbom=held.sealed_bill(manifest) or None,
        words=words_in_force(held.decided, held.policy.spec, held.now),
    )
    if held.policy.spec.dependencies.vulnerabilities is not None:
        inputs = replace(inputs, vulnerabilities=held.look_up(asked_packages(inputs)))
    refusal = meets_policy(inputs, Verified(manifest, ""))
    if refusal is not None:
        # No forgery: what was fine then need not be so under a policy of later.
        return open_(
            "policy", f"It does not meet ModelPolicy '{inputs.policy_name}': {refusal.message}"
        )
    return holds("policy", f"meets ModelPolicy '{inputs.policy_name}'")


def _record(held: Held) -> Link:
    """The signed log names exactly this version, and what it was sealed from."""
    if held.recorded is None:
        return open_("record", "There is no audit log to hold it against.")
    metadata, spec = held.version.metadata, held.version.spec
    records = held.recorded.of("ModelVersion", metadata.uid)
    if not records:
        return unrecorded(held.recorded, f"ModelVersion '{metadata.name}'")
    named = [record for record in records if "versionDigest" in record.details]
    if not named:
        return open_("record", "An earlier release recorded it, which named its bytes alone.")
    wanted = (metadata.namespace, metadata.name, spec.content_digest())
    for record in named:
        found = (record.namespace, record.name, record.details["versionDigest"])
        if found != wanted:
            return broken("record", differs(record, "version"))
    return _sealed_record(held, held.recorded)


def _sealed_record(held: Held, recorded: Recorded) -> Link:
    spec = held.version.spec
    of_run = recorded.of("TrainingRun", spec.training_run.uid)
    seals = [record for record in of_run if record.event == AuditEvent.SEAL]
    if not seals:
        if recorded.whole:
            return broken("record", "Expected a record that it was sealed, found none.")
        return open_("record", "The record that it was sealed is no longer kept.")
    details = seals[-1].details
    named = {
        "manifestDigest": spec.artifact.manifest_digest,
        "gateReportDigest": spec.gate_report_digest,
        "datasetFingerprint": details.get("datasetFingerprint") and spec.dataset_fingerprint,
        "model": spec.model,
    }
    for field, wanted in named.items():
        if details.get(field) != wanted:
            return broken("record", differs(seals[-1], field))
    return holds("record", f"sealed in record {seals[-1].seq}")


def unrecorded(recorded: Recorded, what: str) -> Link:
    """Return the link of an object that no record is about."""
    if recorded.whole:
        return broken("record", f"Expected a record about {what}, found none in the whole log.")
    return open_("record", f"Records about {what} are no longer kept.")


def differs(record: AuditRecord, what: str) -> str:
    """Return the sentence that an object is not what a record names."""
    return f"Expected the {what} as record {record.seq} names it, found another."


def run_links(run: TrainingRun, recorded: Recorded | None) -> Iterator[Link]:
    """Yield whether the log names exactly this run."""
    if recorded is None:
        yield open_("record", "There is no audit log to hold it against.")
        return
    metadata = run.metadata
    records = recorded.of("TrainingRun", metadata.uid)
    named = [record for record in records if "specDigest" in record.details]
    if not named:
        yield (
            open_("record", "An earlier release recorded it, which did not name its spec.")
            if records
            else unrecorded(recorded, f"TrainingRun '{metadata.name}'")
        )
        return
    wanted = (metadata.namespace, metadata.name, spec_digest(run.spec), run.spec.requested_by)
    for record in named:
        details = record.details
        found = (
            record.namespace,
            record.name,
            details["specDigest"],
            details.get("requestedBy", ""),
        )
        if found != wanted:
            yield broken("record", differs(record, "run"))
            return
    last = named[-1]
    yield holds("record", f"{last.event} {last.outcome} in record {last.seq}")
