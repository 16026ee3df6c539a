"""Whether a trusted key sealed a manifest that was read; without pydantic, for a quick start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from hallmark.api.files import MANIFEST
from hallmark.api.reasons import VersionReason
from hallmark.api.texts import clip
from hallmark.refusal import Refusal
from hallmark.supply_chain.signing import VerifiedSignature, verify_bundle

if TYPE_CHECKING:
    from hallmark.api.artifacts import Manifest
    from hallmark.api.trust import TrustedKey


def signed_resources(manifest: Manifest, manifest_digest: str) -> dict[str, str]:
    """Return what a signature over this manifest must cover: its files and itself."""
    return {entry.name: entry.digest for entry in manifest.files} | {MANIFEST: manifest_digest}


def verify_signature(
    manifest: Manifest,
    manifest_digest: str,
    bundle: str,
    keys: Sequence[TrustedKey],
    now: datetime,
    seen_at: datetime | None = None,
) -> VerifiedSignature | Refusal:
    """Return who sealed a manifest, or why the bundle is refused. Never raises.

    Args:
        manifest: Read from bytes of that digest (``read_manifest``).
        manifest_digest: The digest.
        bundle: The text of ``model.sigstore.json``.
        keys: The keys that are trusted to sign models.
        now: The moment at which the signer's key must not be revoked (aware).
        seen_at: When somebody who is trusted with that first saw the bundle, at which the key must
            have been valid; None: it must be valid now.
    """
    resources = signed_resources(manifest, manifest_digest)
    verified = verify_bundle(bundle, keys, resources, now, seen_at)
    if isinstance(verified, Refusal) or verified.model == manifest.model:
        return verified
    return Refusal(
        VersionReason.SIGNATURE_INVALID,
        f"The signature names the model '{clip(verified.model, 64)}', "
        f"its manifest '{manifest.model}'.",
    )
