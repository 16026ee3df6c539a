"""A ModelVersion's provenance: who signed it, and whether it agrees with all that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.api.artifacts import Manifest
from hallmark.api.findings import Finding
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.api.training_run import RECORDS_FINGERPRINT, told_spec
from hallmark.supply_chain.dsse import IN_TOTO, MalformedEnvelope, open_envelope
from hallmark.supply_chain.provenance import build_in, statement
from hallmark.supply_chain.sbom import read_sealed_sbom
from hallmark.supply_chain.signing import is_trusted_signature
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.verification.bundle import MAX_DOCUMENT, provenance_name
from hallmark.verification.held import Held
from hallmark.verification.links import Link, broken, holds, open_


def provenance_link(held: Held, manifest: Manifest) -> Link:
    """Return whether the sealing key signed where the bundle comes from, and that is this run."""
    data = held.files.read(provenance_name(held.version), MAX_DOCUMENT)
    if data is None:
        if held.run is not None and held.run.spec.sealed is not None:
            return open_("provenance", "It stayed where the bundle was sealed.")
        return broken("provenance", "Expected the provenance of the run, found none.")
    try:
        envelope = parse_object(data, MAX_DOCUMENT)
        payload, signature = open_envelope(envelope, IN_TOTO)
    except (UnreadableJSON, MalformedEnvelope) as error:
        return broken("provenance", f"Expected a signed envelope, found {error}.")
    one_form = canonical_json(envelope) == data and "keyid" in envelope["signatures"][0]
    if problem := _untrue(held, manifest, payload):
        return broken("provenance", problem)
    if not one_form:
        return broken("provenance", "Expected the envelope in its one form.")
    if not held.trusted.signers:
        return open_("provenance", "Give the sealing key's public half to check it.")
    keys = held.trusted.signers
    signer = is_trusted_signature(keys, IN_TOTO, payload, signature, held.now, held.sealed_at)
    if signer is None and held.sealed_at is None and _only_ended(held, payload, signature):
        return open_("provenance", "Its key has ended, and no record says that it signed before.")
    if signer is None:
        return broken("provenance", "Expected a signature of a trusted sealing key, found none.")
    return holds("provenance", f"signed by the key {signer}")


def _untrue(held: Held, manifest: Manifest, payload: bytes) -> str | None:
    """Return why a statement is not the one about this run, its bill of materials and its files."""
    spec, build = held.version.spec, build_in(payload)
    sealed = held.sealed_bill(manifest) if build else b""
    if build and not sealed:
        return "Expected the sealed bill of materials beside it, found another or none."
    bill = read_sealed_sbom(sealed) if build else None
    if isinstance(bill, Finding):
        return bill.sentence()
    wanted = statement(
        manifest,
        manifest_digest=spec.artifact.manifest_digest,
        run_name=spec.training_run.name,
        run_uid=spec.training_run.uid,
        build=build,
        bill=bill,
    )
    if payload != wanted:
        return "Expected the statement about this run, its libraries and its files."
    if build is None:
        return None
    fingerprint = manifest.dataset_fingerprint
    if held.run is not None and held.run.spec.sealed is None:
        if told_spec(held.run.spec, fingerprint) != build.spec:
            return "Expected the spec of the TrainingRun in it, found another."
    elif not _is_sealed_spec(build.spec, manifest):
        return f"Expected a spec with {manifest.spec_digest} in it, found another."
    return None


def _is_sealed_spec(spec: Mapping[str, Any], manifest: Manifest) -> bool:
    """Tell whether a told spec is the sealed one; of one without its records that is unknown."""
    dataset = spec.get("dataset")
    if isinstance(dataset, dict) and RECORDS_FINGERPRINT in dataset:
        return bool(dataset[RECORDS_FINGERPRINT] == manifest.dataset_fingerprint)
    return sha256_digest(canonical_json(spec)) == manifest.spec_digest


def _only_ended(held: Held, payload: bytes, signature: bytes) -> bool:
    """Tell whether a key that counts no more, for its end alone, made a signature."""
    keys = [key.replace(valid_until=None) for key in held.trusted.signers]
    return is_trusted_signature(keys, IN_TOTO, payload, signature, held.now) is not None
