"""The files of a log: the current one, rotated ones beside it, its head, and torn bytes."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hallmark.audit.chain import Line
from hallmark.audit.head import Head, read_head_text
from hallmark.audit.record import MAX_LINE
from hallmark.errors import ConfigurationError
from hallmark.files import create, open_regular, open_to_write

Sync = Callable[[int], None]
"""Writes a descriptor's data to the disk before it returns, as ``os.fsync`` does."""

_SEQ_DIGITS = 12


def rotated_name(log: Path, first_seq: int) -> Path:
    """Return the name of a full file: the log's, with the number of its first record."""
    return log.with_name(f"{log.name}.{first_seq:0{_SEQ_DIGITS}d}")


def log_files(log: Path) -> list[Path]:
    """Return the log's files in the order of their records; the current one is the last."""
    pattern = re.compile(re.escape(log.name) + rf"\.[0-9]{{{_SEQ_DIGITS}}}")
    rotated = (p for p in log.parent.glob(f"{log.name}.*") if pattern.fullmatch(p.name))
    return [*sorted(rotated), *([log] if log.exists() else [])]


def read_lines(path: Path) -> Iterator[Line]:
    """Yield a file's lines; one without an end, or too long, comes as it is and is no record."""
    with open_regular(path) as file:
        yield from lines_of(file, path.name)


def lines_of(file: BinaryIO, name: str) -> Iterator[Line]:
    """Yield an open file's lines, as ``read_lines`` does."""
    number = 0
    while data := file.readline(MAX_LINE + 1):
        number += 1
        whole = data.endswith(b"\n")
        yield Line(name, number, data[:-1] if whole else data + b" (unfinished)")


@contextmanager
def opened(log: Path) -> Iterator[list[tuple[str, BinaryIO]]]:
    """Open all of the log's files as they stood at one moment, though it may rotate meanwhile.

    Raises:
        OSError: one cannot be read, or is no regular file.
    """
    while True:
        with ExitStack() as stack:
            names = log_files(log)
            try:
                files = [stack.enter_context(open_regular(each)) for each in names]
            except FileNotFoundError:
                if log_files(log) == names:
                    raise  # A link to nothing; nothing was rotated.
                continue
            if log_files(log) == names:
                yield [(each.name, file) for each, file in zip(names, files, strict=True)]
                return


def head_path(log: Path) -> Path:
    """Return where the log's signed head is."""
    return log.with_name(f"{log.name}.head")


def read_head(log: Path) -> Head | str | None:
    """Return the log's head; None if there is none; a sentence if it cannot be read."""
    path = head_path(log)
    try:
        with open_regular(path) as file:
            data = file.read(MAX_LINE)
    except FileNotFoundError:
        return None
    return read_head_text(data) or f"{path.name}: it is not a signed head in canonical form."


def replace_file(path: Path, data: bytes, sync: Sync) -> None:
    """Write a file whole or not at all; after a crash it is this one or the one before."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with create(partial) as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):  # A folder in its place stays.
            partial.unlink()
        raise


def sync_folder(folder: Path, sync: Sync) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def torn_tail(path: Path) -> tuple[int, bytes]:
    """Return where a file's whole lines end, and the bytes after that."""
    start, tail = _tail(path)
    end = tail.rfind(b"\n") + 1
    return start + end, tail[end:]


def last_line(path: Path) -> bytes:
    """Return the last line of a file without its end; nothing where it has no line."""
    _, tail = _tail(path)
    return tail.removesuffix(b"\n").rpartition(b"\n")[2]


def move_aside(log: Path, folder: Path, why: str, sync: Sync) -> None:
    """Move everything that belongs to a log into a folder beside it, with a note that says why.

    It may be called again after it came half way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "why.txt").open("a") as note:
        note.write(f"{why}\n")
        note.flush()
        sync(note.fileno())
    head = head_path(log)
    torn = sorted(log.parent.glob(f"{log.name}.torn-*"))
    for path in (*log_files(log), *torn, *([head] if head.exists() else [])):
        if not (folder / path.name).exists():  # Else this is the new one, made before a failure.
            path.rename(folder / path.name)
    sync_folder(folder, sync)
    sync_folder(folder.parent, sync)


def _tail(path: Path) -> tuple[int, bytes]:
    """Return the end of a file, which holds a record at least, and where it begins."""
    with open_regular(path) as file:
        start = max(0, file.seek(0, os.SEEK_END) - MAX_LINE - 1)
        file.seek(start)
        return start, file.read()


def locked(log: Path) -> int:
    """Take a log's lock, which ends with the process; make its folder where there is none.

    Raises:
        ConfigurationError: another process has it, or the folder cannot be used.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_to_write(log.with_name(f"{log.name}.lock"), os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise ConfigurationError(
            f"The folder of the audit log {log} cannot be used ({error.strerror})."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError(
            f"Another process writes the audit log {log}. Run one operator at a time."
        ) from error
    return descriptor
