"""Files and folders that are made whole or not at all, also where the process is killed.

Each is made under another name beside its place, and gets its own once it is whole. What a killed
process left under the other name goes when somebody makes the same again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hallmark.files import create

_HALF = ".partial-"


def write_new(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file that is not there yet.

    Raises:
        FileExistsError: something is there.
        OSError: it cannot be written.
    """
    with new_file(path) as partial, create(partial, mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give the name under which to write a file that is not there yet.

    Raises:
        FileExistsError: something is there.
        OSError: it cannot be written.
    """
    partial = _half(path)
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    try:
        yield partial
        os.link(partial, path)  # Which replaces nothing.
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which gets its place when all of it was written.

    Args:
        path: its place; nothing, or an empty folder.

    Raises:
        OSError: it cannot be made, or its place is taken.
    """
    path = Path(os.path.abspath(path))
    if path.is_mount():
        raise OSError(errno.EBUSY, "a volume is mounted there: name a new folder in it", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    partial = _half(path)
    partial.mkdir()
    held = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield partial
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(held)


def _half(path: Path) -> Path:
    return path.with_name(f".{path.name}{_HALF}{os.getpid()}")


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed; who is alive holds a lock."""
    for left in path.parent.glob(f".{_literal(path.name)}{_HALF}*"):
        if left.is_symlink() or not left.is_dir():
            continue
        held = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(held)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
