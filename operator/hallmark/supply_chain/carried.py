"""The served files of a small bundle, as they travel in the cluster beside the trust. Pure.

They are no other bytes than the store's: the manifest names each by digest and size, and whoever
takes them from here hashes them first.
"""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.api.artifacts import Manifest
from hallmark.api.files import MANIFEST, SERVED_FILES
from hallmark.api.findings import Finding
from hallmark.api.texts import sha256_digest
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.manifest import FileFact, read_manifest

CARRIED_FILES = (MANIFEST, *SERVED_FILES)
"""What travels: what a predictor loads, and the manifest that vouches for it."""
CARRIED_BYTES = 512 * 1024
"""The most bytes that travel together. A ConfigMap takes 1 MiB, etcd 1.5 MiB as base64, and each
ModelDeployment has up to three; linear models and small trees have some 10 to 300 KiB."""


def carried_size(manifest: Manifest) -> int:
    """Return how many bytes the manifest and what it serves have together."""
    entries = (manifest.file(name) for name in SERVED_FILES)
    return len(manifest.to_bytes()) + sum(entry.size for entry in entries if entry is not None)


def carried_manifest(files: Mapping[str, bytes], digest: str) -> Manifest | Finding:
    """Return the manifest that came with served files, or which of them is not what it says.

    The signature is not looked at.

    Args:
        files: by name, as they travelled.
        digest: what the manifest must hash to.
    """
    manifest = read_manifest(files.get(MANIFEST, b""), digest)
    if isinstance(manifest, Finding):
        return manifest
    for name in SERVED_FILES:
        entry, data = manifest.file(name), files.get(name)
        expected = f"the sealed file '{name}'"
        if entry is None or data is None:
            return finding("Bundle", expected, "none")
        if FileFact.of(data) != FileFact(entry.digest, entry.size):
            return finding("Bundle", f"{expected} ({entry.digest})", sha256_digest(data))
    return manifest
