"""Served files that need no store: those that travel beside the trust, and the Pod's own.

A container that restarts finds what its Pod downloaded before; a small bundle is mounted. Both are
bytes like any other: what does not hash to what was sealed is not taken, and asked of the store.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hallmark.api.documents import Manifest, ManifestFile
from hallmark.api.files import SERVED_FILES
from hallmark.api.texts import sha256_digest
from hallmark.files import create, read_first

LOG = logging.getLogger("hallmark_predictor")

KEPT_BYTES = 512 * 1024 * 1024
"""The largest files that are kept in the Pod's volume together: half of the volume."""


def found_nearby(folders: tuple[Path, ...], manifest: Manifest) -> dict[str, bytes]:
    """Return the served files that are in one of the folders and are what was sealed.

    Args:
        folders: where to look, the first ones first.
        manifest: what was sealed.
    """
    found: dict[str, bytes] = {}
    for entry in _served(manifest):
        for folder in folders:
            data = _read(folder / entry.name, entry.size)
            if data is not None and sha256_digest(data) == entry.digest:
                found[entry.name] = data
                break
            if data is not None:
                LOG.warning(
                    "The file %s is not the one that was sealed; it is not used.",
                    folder / entry.name,
                )
    return found


def keep(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Keep downloaded files for the next container of this Pod, if they are what was sealed.

    A volume that takes nothing keeps nobody from serving.
    """
    if sum(map(len, files.values())) > KEPT_BYTES:
        return
    for entry in _served(manifest):
        data = files.get(entry.name)
        if data is None or sha256_digest(data) != entry.digest:
            continue
        if not _keep(folder, entry, data):
            return


def _keep(folder: Path, entry: ManifestFile, data: bytes) -> bool:
    """Keep one file whole or not at all; tell whether it is kept."""
    part = folder / f".{entry.name}.part"
    try:
        with create(part) as file:
            file.write(data)
        os.replace(part, folder / entry.name)
    except OSError as error:
        LOG.warning(
            "'%s' is not kept in %s (%s): after a restart it is downloaded again.",
            entry.name,
            folder,
            error.strerror,
        )
        return False
    return True


def _served(manifest: Manifest) -> Iterator[ManifestFile]:
    entries = (manifest.file(name) for name in SERVED_FILES)
    return (entry for entry in entries if entry is not None)


def _read(path: Path, size: int) -> bytes | None:
    """Return at most ``size + 1`` bytes of a file, or None where there is none to be read."""
    try:
        return read_first(path, size + 1)
    except OSError:
        return None
