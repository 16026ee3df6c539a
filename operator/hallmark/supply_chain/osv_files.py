"""The files of a folder with a snapshot of OSV: read bounded, whatever takes their place.

Nothing is unpacked, no link is followed out of the folder, and no more is read at once than is
said here, whatever an archive claims.
"""

from __future__ import annotations

import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

from hallmark.api.texts import clip
from hallmark.files import open_regular
from hallmark.supply_chain.strict_json import UnreadableJSON

ENTRY_BYTES = 4 << 20
"""A longer entry is not read."""
MOST_FILES = 300_000
DIRECTORY_BYTES = 16 << 20
"""The most that is read of an archive at once: its table of contents, which is kept in memory."""
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    RuntimeError,
    ValueError,
)
"""What ``zipfile`` raises for an archive that is damaged, or that it does not know."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NEEDLESS = ("lost+found",)


class UnusableFolder(Exception):
    """A snapshot cannot be read as a whole; the message says what was found."""


@dataclass(frozen=True)
class Place:
    """Where an entry is: a file, or a member of an archive."""

    file: str
    member: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.member}" if self.member else self.file


Stamps = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: its name, inode, size in bytes, and times of its last changes in nanoseconds."""


def stamps_of(folder: Path) -> Stamps:
    """Return the stamps of a folder's files, by name; of a link those of what it leads to."""
    try:
        names = sorted(filter(_counts, os.listdir(folder)))
        if len(names) > MOST_FILES:
            raise UnusableFolder(f"more than {MOST_FILES} files")
        return tuple(_stamp(folder, name) for name in names)
    except FileNotFoundError as error:
        missing = Path(str(error.filename))
        what = (
            "no such folder" if missing == folder else f"a link to nothing, '{clip(missing.name)}'"
        )
        raise UnusableFolder(what) from error
    except OSError as error:
        raise UnusableFolder(f"what cannot be read ({type(error).__name__})") from error


def _stamp(folder: Path, name: str) -> tuple[str, int, int, int, int]:
    facts = os.stat(folder / name)
    return name, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _counts(name: str) -> bool:
    """Tell whether a name in the folder is looked at; a volume's own and hidden ones are not."""
    return not name.startswith(".") and name not in _NEEDLESS


def entries(
    file: BufferedReader, name: str, cannot_read: Callable[[Place, str], None]
) -> Iterator[tuple[Place, bytes]]:
    """Yield the entries of a file; of an archive those of its members that can be read.

    Args:
        file: the file.
        name: its name.
        cannot_read: told of each member that cannot, and why.
    """
    if name.lower().endswith(".json"):
        yield Place(name), file.read(ENTRY_BYTES + 1)
        return
    with zipfile.ZipFile(cast("IO[bytes]", _Bounded(file))) as archive:
        seen = set()
        for info in archive.infolist():
            if not info.filename.lower().endswith(".json"):
                continue
            place = Place(name, info.filename)
            try:
                data = _member(archive, info)
            except DAMAGED as error:
                cannot_read(place, why(error))
                continue
            if info.filename in seen:
                cannot_read(place, "its name is there twice")
            seen.add(info.filename)
            yield place, data


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, one more than may be at most.

    Raises:
        UnreadableJSON: it is encrypted, or compressed in a way that takes memory of its own.
    """
    if info.flag_bits & 1 or info.compress_type not in _METHODS:
        raise UnreadableJSON("encrypted, or compressed by another method than deflate")
    with archive.open(info) as member:
        return member.read(ENTRY_BYTES + 1)


def contents(folder: Path, places: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
    """Yield the bytes of entries; each file is opened once."""
    by_file: dict[str, list[Place]] = {}
    for place in places:
        by_file.setdefault(place.file, []).append(place)
    for name, wanted in by_file.items():
        with opened(folder, name) as file:
            if not wanted[0].member:
                yield wanted[0], file.read(ENTRY_BYTES + 1)
                continue
            with zipfile.ZipFile(cast("IO[bytes]", _Bounded(file))) as archive:
                for place in wanted:
                    yield place, _member(archive, archive.getinfo(place.member))


def opened(folder: Path, name: str) -> BufferedReader:
    """Return a file of the folder, or of what a link in it leads to within the folder.

    Raises:
        OSError: it cannot be read, is no regular file, or a link leads out of the folder.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise OSError("a link that leads out of the folder")
    try:
        return open_regular(path)
    except IsADirectoryError:
        raise OSError("no regular file") from None
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise OSError("no regular file") from None
        raise


def why(error: Exception) -> str:
    """Return in a few words why a file or a member cannot be read, without its contents."""
    known = isinstance(error, UnreadableJSON | _TooLong) or (
        isinstance(error, OSError) and not error.errno
    )
    return str(error) if known else f"damaged: {type(error).__name__}"


class _TooLong(ValueError):
    """A file asks for more to be read at once than is ever needed."""


class _Bounded:
    """An archive of which at most ``DIRECTORY_BYTES`` are read at once, whatever it says."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as ``IO.read`` does."""
        if size > DIRECTORY_BYTES:
            raise _TooLong(f"a table of contents longer than {DIRECTORY_BYTES >> 20} MiB")
        return self._file.read(size if size >= 0 else DIRECTORY_BYTES)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the file has it
        return getattr(self._file, name)
