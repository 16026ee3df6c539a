"""The verifying half: what operator and predictor demand of a sealed bundle.

It stands on the standard library, cryptography and pydantic alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.artifacts import Manifest
from hallmark.api.findings import Finding
from hallmark.api.reasons import VersionReason
from hallmark.api.trust import TrustedKey
from hallmark.refusal import Refusal
from hallmark.supply_chain.manifest import check_bytes, check_files, read_manifest
from hallmark.supply_chain.seal import signed_resources, verify_signature
from hallmark.supply_chain.signing import VerifiedSignature

__all__ = [
    "Refusal",
    "SealedManifest",
    "VerifiedSignature",
    "check_bytes",
    "check_files",
    "signed_resources",
    "verify_sealed",
]


@dataclass(frozen=True)
class SealedManifest:
    """A manifest that a trusted key sealed."""

    manifest: Manifest
    key_id: str


def verify_sealed(
    manifest_text: str,
    manifest_digest: str,
    bundle: str,
    keys: Sequence[TrustedKey],
    now: datetime,
    seen_at: datetime | None = None,
) -> SealedManifest | Refusal:
    """Return the manifest and its signer, or why the bundle is refused. Never raises.

    Args:
        manifest_text: The text of ``manifest.json``, byte for byte.
        manifest_digest: The digest that it must have.
        bundle: The text of ``model.sigstore.json``.
        keys: The keys that are trusted to sign models.
        now: The moment at which the signer's key must not be revoked (aware).
        seen_at: When somebody who is trusted with that first saw the bundle, at which the key must
            have been valid; None: it must be valid now.
    """
    manifest = read_manifest(manifest_text.encode(errors="replace"), manifest_digest)
    if isinstance(manifest, Finding):
        return Refusal(VersionReason.SIGNATURE_INVALID, manifest.sentence())
    verified = verify_signature(manifest, manifest_digest, bundle, keys, now, seen_at)
    if isinstance(verified, Refusal):
        return verified
    return SealedManifest(manifest, verified.key_id)
