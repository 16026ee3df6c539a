"""The file that records are written to, and when a new one is begun."""

from __future__ import annotations

import os
from pathlib import Path

from hallmark.audit.files import Sync, rotated_name, sync_folder
from hallmark.files import open_to_write

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class CurrentFile:
    """The log's current file, open for appending.

    Args:
        path: where it is.
        rotate_at: bytes after which a new file is begun.
        sync: makes a descriptor's data durable.
    """

    def __init__(self, path: Path, rotate_at: int, sync: Sync) -> None:
        self._path = path
        self._rotate_at = rotate_at
        self._sync = sync
        self._file = -1
        self._size = 0
        self._first_seq = 1
        self._rotating = False

    def open(self, first_seq: int) -> None:
        """Open it, and make it where there is none; its first record has that number."""
        self.close()
        self._file = open_to_write(self._path, _FLAGS)
        self._size = os.fstat(self._file).st_size
        self._first_seq, self._rotating = first_seq, False
        sync_folder(self._path.parent, self._sync)

    def close(self) -> None:
        """Close it, where it is open."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def is_as_left(self) -> bool:
        """Whether no bytes follow that are not ours, and this is the file that is found."""
        ours = os.fstat(self._file)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return self._rotating and ours.st_size == self._size
        return (ours.st_ino, self._size) == (there.st_ino, there.st_size)

    def write(self, lines: bytes, seq: int) -> None:
        """Put whole lines on the disk, or leave the file as it was; ``seq`` is the first's.

        Raises:
            OSError: it could not be written.
        """
        if self._rotating or (self._size and self._size + len(lines) > self._rotate_at):
            self._rotate(seq)
        try:
            written = os.write(self._file, lines)
            while written < len(lines):
                written += os.write(self._file, lines[written:])
            self._sync(self._file)
        except OSError:
            # These are our own bytes of a decision that does not take effect.
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(lines)

    def _rotate(self, first_seq: int) -> None:
        if not self._rotating:  # Else the last rotation came only half way.
            self._path.rename(rotated_name(self._path, self._first_seq))
            self._rotating = True
        fresh = open_to_write(self._path, _FLAGS | os.O_EXCL)
        os.close(self._file)
        self._file, self._size, self._first_seq = fresh, 0, first_seq
        self._rotating = False
        sync_folder(self._path.parent, self._sync)
