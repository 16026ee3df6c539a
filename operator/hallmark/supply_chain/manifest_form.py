"""What a manifest must be beside what its model says: its one form, and its files in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hallmark.api.files import BUNDLE, MANIFEST

if TYPE_CHECKING:
    from hallmark.api.artifacts import Manifest

MAX_BYTES = 64 * 1024
"""A manifest that is longer is refused unread; 32 files need about 8 KiB."""

_RESERVED = frozenset({MANIFEST, BUNDLE})


def irregular(manifest: Manifest, data: bytes) -> tuple[str, str] | None:
    """Return what was expected of a manifest and what was found, or None where all is right.

    Args:
        manifest: As it was read.
        data: The bytes that it was read from.
    """
    names = [entry.name for entry in manifest.files]
    if names != sorted(set(names)):
        return "each file once, in name order", "another order or a name twice"
    if reserved := _RESERVED.intersection(names):
        return "every file but itself and the signature", min(reserved)
    if manifest.to_bytes() != data:
        return "canonical JSON (sorted, no spaces)", "another form of it"
    return None
