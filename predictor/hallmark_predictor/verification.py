"""What must hold before a model is loaded; pure functions of bytes.

A refusal is a value with a sentence for people. Each step takes only what the step before it
vouched for: trust file, seal, approvals, then the very bytes that are loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from hallmark.api.documents import (
    Manifest,
    ManifestFile,
    Trust,
    TrustApproval,
    UnreadableDocument,
    quickly,
    read,
)
from hallmark.api.files import REPORT, SERVED_FILES, SLOT_SBOM, final_name
from hallmark.api.texts import parse_timestamp, sha256_digest
from hallmark.quorum import tally
from hallmark.refusal import Refusal
from hallmark.supply_chain.manifest_form import MAX_BYTES, irregular


class Refused(Struct, frozen=True):
    """The model must not be served; the sentence says why."""

    message: str


class Place(Struct, frozen=True):
    """Where this predictor runs, so that it takes no trust file made for another."""

    namespace: str
    deployment: str


def verify_trust(data: bytes, sha256: str, place: Place) -> Trust | Refused:
    """Return the trust document if it is the one that the Pod's argument names."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        return Refused(
            f"The trust file has the SHA-256 {found[:12]}...; the Pod was started for "
            f"{sha256[:12]}.... The ConfigMap was replaced: let the operator make it again."
        )
    try:
        trust = read(Trust, data)
    except UnreadableDocument as error:
        return Refused(
            f"The trust file is not of a form that this predictor knows "
            f"({error.where}: {error.what}). "
            "Use images of operator and predictor of the same version."
        )
    if (trust.namespace, trust.deployment) != (place.namespace, place.deployment):
        return Refused(
            f"The trust file is for '{trust.namespace}/{trust.deployment}'; this Pod belongs to "
            f"'{place.namespace}/{place.deployment}'."
        )
    return trust


def verify_seal(trust: Trust, now: datetime) -> Manifest | Refused:
    """Return the manifest if a trusted key sealed it and it holds what is served."""
    # Where a child verifies the seal (``prover``), cryptography is not needed here.
    from hallmark.supply_chain.seal import verify_signature

    manifest = _manifest_in(trust)
    if isinstance(manifest, Refused):
        return manifest
    sealed_at = parse_timestamp(trust.sealed_at) if trust.sealed_at else None
    verified = verify_signature(
        manifest, trust.manifest_digest, trust.bundle, trust.keys, now, sealed_at
    )
    if isinstance(verified, Refusal):
        return Refused(verified.message)
    return sealed_manifest(trust)


def sealed_manifest(trust: Trust) -> Manifest | Refused:
    """Return the manifest of a seal that holds, if it is one that may be served here."""
    manifest = _manifest_in(trust)
    if isinstance(manifest, Refused):
        return manifest
    if manifest.namespace != trust.namespace:
        return Refused(
            f"The manifest was sealed for the namespace '{manifest.namespace}'; "
            f"this Pod runs in '{trust.namespace}'."
        )
    missing = [name for name in SERVED_FILES if manifest.file(name) is None]
    if missing:
        return Refused(f"The manifest lacks {', '.join(missing)}; such a bundle cannot serve.")
    return manifest


def _manifest_in(trust: Trust) -> Manifest | Refused:
    """Return the manifest of the digest, whoever sealed it."""
    data = trust.manifest.encode(errors="replace")
    if sha256_digest(data) == trust.manifest_digest and len(data) <= MAX_BYTES:
        manifest = quickly(Manifest, data)
        if manifest is not None and irregular(manifest, data) is None:
            return manifest
    from hallmark.api.findings import Finding
    from hallmark.supply_chain.manifest import read_manifest

    found = read_manifest(data, trust.manifest_digest)
    return Refused(found.sentence()) if isinstance(found, Finding) else read(Manifest, data)


def verify_approvals(trust: Trust, manifest: Manifest) -> Refused | None:
    """Return why the approvals do not suffice, or None.

    An approval's end is not looked at: it stops promotions, which is the operator's part, while
    Pods of the active version may still start.
    """
    sbom = manifest.file(final_name(SLOT_SBOM, manifest.run_id))
    report = manifest.file(REPORT)
    if sbom is None or report is None:
        return Refused("The manifest lacks the SBOM or the report that an approval must name.")
    approvers = {
        approval.approver
        for approval in trust.approvals
        if _approves(approval, trust, sbom, report)
    }
    found = tally(approvers, max(1, trust.minimum_approvals), trust.groups)
    if found.enough:
        return None
    return Refused(
        f"The model version '{trust.model_version}' has {found.sentence} by different people for "
        f"exactly these digests. "
        f"({len(trust.approvals)} came with the trust file.)"
    )


def verify_files(manifest: Manifest, files: Mapping[str, bytes]) -> Refused | None:
    """Return why the bytes are not those that were sealed, or None."""
    for name in SERVED_FILES:
        entry, data = manifest.file(name), files.get(name)
        if entry is None or data is None:
            return Refused(f"The file '{name}' of the bundle is missing.")
        if len(data) != entry.size or sha256_digest(data) != entry.digest:
            return Refused(
                f"The file '{name}' is not the one that was sealed: expected "
                f"{entry.digest[:19]} ({entry.size} bytes), found {sha256_digest(data)[:19]} "
                f"({len(data)} bytes). Seal the run again or restore the file."
            )
    return None


def _approves(
    approval: TrustApproval, trust: Trust, sbom: ManifestFile, report: ManifestFile
) -> bool:
    return (
        approval.manifest_digest == trust.manifest_digest
        and approval.sbom_digest == sbom.digest
        and approval.gate_report_digest == report.digest
        and approval.model_version_uid == trust.model_version_uid
    )
