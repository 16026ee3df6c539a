"""Files on the Job's volumes, opened without following a link out of the volume."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from hallmark.api.findings import Finding

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def source_finding(expected: str, found: str) -> Finding:
    """Return why a source cannot be read."""
    return Finding(check="Source", expected=expected[:256], found=found[:256])


def too_big(limit: int) -> Finding:
    """Return that a source is larger than allowed."""
    return source_finding(f"at most {limit} bytes", "more")


def open_key(folder: Path, key: str, limit: int) -> BinaryIO | Finding:
    """Open a ConfigMap's key: the kubelet makes it a link into a folder that it swaps.

    Args:
        folder: Where the ConfigMap is mounted.
        key: The file's name.
        limit: Bytes at most.
    """
    try:
        root, path = folder.resolve(strict=True), (folder / key).resolve(strict=True)
        if not path.is_relative_to(root):
            return source_finding("a key of the ConfigMap", "a link out of it")
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        return source_finding("a file that can be read", os.strerror(error.errno or 0))
    return _open_descriptor(descriptor, limit)


def open_below(root: Path, path: str, limit: int) -> BinaryIO | Finding:
    """Open a file below a folder, following no link on the way.

    Args:
        root: The folder.
        path: Relative to it; ``..`` is refused.
        limit: Bytes at most.
    """
    parts = path.split("/")
    if path.startswith("/") or "\0" in path or not set(parts).isdisjoint({"", ".", ".."}):
        return source_finding("a relative path without '.', '..' or empty parts", "another one")
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for position, part in enumerate(parts, start=1):
            folder = os.O_DIRECTORY if position < len(parts) else 0
            try:
                deeper = os.open(part, _FLAGS | folder, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = deeper
    except OSError as error:
        return source_finding(
            "a file on the volume, reached without a link", os.strerror(error.errno or 0)
        )
    return _open_descriptor(descriptor, limit)


def _open_descriptor(descriptor: int, limit: int) -> BinaryIO | Finding:
    """Return an open regular file, or close it."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return source_finding("a regular file", "a folder, pipe or device")
    if status.st_size > limit:
        os.close(descriptor)
        return too_big(limit)
    return os.fdopen(descriptor, "rb")
