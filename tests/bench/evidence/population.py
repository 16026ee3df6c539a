"""An export of many versions and records: one real bundle, sealed anew for many namespaces."""

from __future__ import annotations

from pathlib import Path

from hallmark.api.artifacts import Manifest
from hallmark.api.files import BUNDLE, MANIFEST
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import canonical_json, sha256_digest, timestamp
from hallmark.audit import Record
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.head import sign_head
from hallmark.audit.record import FIRST_PREVIOUS, build_record, sign_record
from hallmark.local.folder import now
from hallmark.local.lost import AUDIT_KEY, SEALING_KEY
from hallmark.store import Store, open_store
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from hallmark.supply_chain.provenance import statement
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import signed_resources
from hallmark.verification.bundle import folder_of, provenance_name
from hallmark.verification.export import export
from hallmark.verification.gather import Objects
from tests.chains import Whole


def populated(whole: Whole, target: Path, versions: int, records: int) -> None:
    """Write an export of so many versions, and a log of so many records."""
    registry = whole.folder.read()
    policy = registry.policy
    source = registry.versions[0]
    folder = folder_of(source)
    store = whole.folder.store()
    manifest = Manifest.model_validate_json(store.get(folder + MANIFEST))
    files = {file.name: store.get(folder + file.name) for file in manifest.files}
    many = open_store(f"file://{target.parent.resolve()}/many")
    made = [_version(whole, source, manifest, files, many, number) for number in range(versions)]
    log = target.parent / "many" / "logs" / "secure_mlops.log"
    log.parent.mkdir(parents=True)
    _write_log(whole, log, made, records, policy.metadata.name, policy.spec.digest)
    export(target, Objects((policy,), (), tuple(made)), None, many, log, None, now())


def _version(
    whole: Whole,
    source: ModelVersion,
    manifest: Manifest,
    files: dict[str, bytes],
    store: Store,
    number: int,
) -> ModelVersion:
    """Seal the bundle for another namespace, and return its ModelVersion."""
    space, uid = f"team-{number:05}", f"version-{number}"
    mine = manifest.replace(namespace=space)
    digest = sha256_digest(mine.to_bytes())
    key = whole.folder.key(SEALING_KEY)
    bundle = sign_bundle(key, mine.model, signed_resources(mine, digest))
    run = source.spec.training_run.replace(uid=f"run-{number}")
    version = source.replace(
        metadata=source.metadata.replace(namespace=space, uid=uid),
        spec=source.spec.replace(
            training_run=run,
            bundle=bundle,
            artifact=source.spec.artifact.replace(manifest_digest=digest),
        ),
    )
    folder = folder_of(version)
    for name, data in files.items():
        store.put(folder + name, data)
    store.put(folder + MANIFEST, mine.to_bytes())
    store.put(folder + BUNDLE, bundle.encode())
    said = statement(
        mine, manifest_digest=digest, run_name=run.name, run_uid=run.uid, build=None, bill=None
    )
    signed = canonical_json(sign_envelope(key, IN_TOTO, said))
    store.put(provenance_name(version), signed)
    return version


def _write_log(
    whole: Whole,
    log: Path,
    versions: list[ModelVersion],
    count: int,
    policy: str,
    policy_digest: str,
) -> None:
    """Write a log: each version was sealed and verified, and looked at again and again."""
    key, moment = whole.folder.key(AUDIT_KEY), timestamp(now())
    seq, before = 0, FIRST_PREVIOUS

    def written(decided: Record) -> bytes:
        nonlocal seq, before
        seq += 1
        record = sign_record(build_record(decided, seq, moment, before), key)
        before = record.hash
        return record.line()

    with log.open("wb") as file:
        for version in versions:
            file.write(written(_sealed(version)))
        for number in range(count - len(versions)):
            version = versions[number % len(versions)]
            file.write(written(_looked_at(version, number, policy, policy_digest)))
    head = sign_head(key, seq, before, moment)
    log.with_name(f"{log.name}.head").write_bytes(head.to_bytes())


def _sealed(version: ModelVersion) -> Record:
    spec, metadata = version.spec, version.metadata
    return Record(
        decision_id=f"seal:{spec.training_run.uid}",
        event=AuditEvent.SEAL,
        kind="TrainingRun",
        namespace=metadata.namespace,
        name=spec.training_run.name,
        uid=spec.training_run.uid,
        outcome=AuditOutcome.SEALED,
        reason="Sealed",
        details={
            "model": spec.model,
            "manifestDigest": spec.artifact.manifest_digest,
            "gateReportDigest": spec.gate_report_digest,
            "datasetFingerprint": spec.dataset_fingerprint,
            "specDigest": spec.training_run.spec_digest,
            "requestedBy": spec.requested_by.name,
        },
    )


def _looked_at(version: ModelVersion, number: int, policy: str, policy_digest: str) -> Record:
    spec, metadata = version.spec, version.metadata
    return Record(
        decision_id=f"verify:{metadata.uid}:{number}",
        event=AuditEvent.VERIFY,
        kind="ModelVersion",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=AuditOutcome.VERIFIED,
        reason="SignatureValid",
        details={
            "model": spec.model,
            "manifestDigest": spec.artifact.manifest_digest,
            "versionDigest": spec.content_digest(),
            "policy": policy,
            "policyDigest": policy_digest,
        },
    )
