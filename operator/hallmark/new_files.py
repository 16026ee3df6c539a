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
from contextlib import contextmanager, suppress
from pathlib import Path

from hallmark.files import create

_HALF = ".partial-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 100
"""How often a folder is made anew that another one took for left."""


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
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with _half(path) as partial:
        file = partial / path.name
        yield file
        os.link(file, path)  # Which replaces nothing.


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
    with _half(path) as partial:
        yield partial
        partial.rename(path)


@contextmanager
def _half(path: Path) -> Iterator[Path]:
    """Give an empty folder beside a place, which goes at the end."""
    _sweep(path)
    partial = path.with_name(f".{path.name}{_HALF}{os.getpid()}")
    held = _made(partial)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(held)


def _made(partial: Path) -> int:
    """Make a folder and return the lock on it; another one may sweep it before it is locked."""
    for _ in range(_TRIES):
        partial.mkdir()
        with suppress(FileNotFoundError):
            held = os.open(partial, _FOLDER)
            fcntl.flock(held, fcntl.LOCK_EX)
            if _is_at(held, partial):
                return held
            os.close(held)
    raise OSError(errno.EBUSY, "others clean up there: try again", str(partial))


def _is_at(held: int, partial: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(held), partial.stat())
    except FileNotFoundError:
        return False


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed; who is alive holds a lock."""
    for left in path.parent.glob(f".{_literal(path.name)}{_HALF}*"):
        # What is a stranger's, or was removed by somebody faster, stands in nobody's way.
        with suppress(OSError):
            _remove_unheld(left)


def _remove_unheld(left: Path) -> None:
    held = os.open(left, _FOLDER)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(held)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
