"""A folder with a snapshot of OSV: files of one entry each, and archives of them (``all.zip``).

Only names and places are kept in memory; entries are read again for the packages that are asked
about, and dropped. A snapshot may be replaced at any time: it is known by its files' stamps, and
what was read is believed only where these are the same before and after.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

from packaging.utils import canonicalize_name

from hallmark.api.common import clip, sha256_digest
from hallmark.supply_chain.osv_entry import (
    UnreadableEntry,
    Vulnerability,
    modified,
    packages_of,
    vulnerability,
)
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.vulnerabilities import Known

ENTRY_BYTES = 4 << 20
"""A longer entry is not read."""
TOTAL_BYTES = 4 << 30
"""A snapshot whose entries are longer together is not read to its end."""
MOST_FILES = 300_000
DIRECTORY_BYTES = 16 << 20
"""The most that is read of an archive at once: its table of contents, which is kept in memory."""
MOST_FOUND = 2000
"""The most vulnerabilities of one model that are told apart."""
_ATTEMPTS = 3
_DAMAGED = (
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


@dataclass(frozen=True)
class _Place:
    """Where an entry is: a file, or a member of an archive."""

    file: str
    member: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.member}" if self.member else self.file


Stamps = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: its name, inode, size in bytes, and times of its last changes in nanoseconds."""


@dataclass
class _Index:
    """Where the entries of each package are, and what is wrong with the snapshot."""

    stamps: Stamps = ()
    digest: str = ""
    newest: datetime | None = None
    entries: int = 0
    places: dict[str, list[_Place]] = field(default_factory=dict)
    unreadable: int = 0
    first: str = ""
    """The first entry that cannot be read, and why."""

    def cannot_read(self, place: object, why: object) -> None:
        """Count an entry that cannot be read."""
        self.unreadable += 1
        self.first = self.first or clip(f"'{place}' ({why})", 160)


class _Unusable(Exception):
    """The snapshot cannot be read as a whole; the message says what was found."""


class Feed:
    """A snapshot in a folder, read anew where its files change. For use by several threads."""

    def __init__(self, folder: Path) -> None:
        """Begin with nothing read.

        Args:
            folder: holds the snapshot; it may be absent, and may change at any time.
        """
        self._folder = folder
        self._index: _Index | None = None
        self._lock = threading.Lock()
        self.state: Known | None = None
        """The snapshot as it was last looked at, without what it says; None before."""

    def about(self, packages: Iterable[tuple[str, str]], now: datetime) -> Known:
        """Return what the snapshot says of some packages.

        Args:
            packages: name and version of each, in any form.
            now: the time.
        """
        named = {(str(canonicalize_name(name)), version) for name, version in packages}
        wanted = sorted(named)
        with self._lock:
            known = self._about(wanted, now)
            self.state = replace(known, found=())
        return known

    def _about(self, wanted: list[tuple[str, str]], now: datetime) -> Known:
        for _ in range(_ATTEMPTS):
            try:
                index = self._current(now)
                found = tuple(self._found(index, wanted, now))
                if _stamps(self._folder) == index.stamps:
                    return Known(index.digest, index.newest, found, self._trouble(index))
            except _Unusable as problem:
                self._index = None
                return self._unusable(str(problem))
            except (OSError, *_DAMAGED):
                self._index = None  # It was replaced meanwhile, so that a place is another one's.
        return self._unusable("one that changes while it is read")

    def _unusable(self, found: str) -> Known:
        expected = f"a snapshot of OSV in {self._folder}"
        return Known(sha256_digest(found.encode()), trouble=(expected, found))

    def _trouble(self, index: _Index) -> tuple[str, str] | None:
        if index.unreadable:
            expected = f"a snapshot of OSV in {self._folder} that can be read as a whole"
            return expected, f"{index.unreadable} of its entries that cannot, first {index.first}"
        if not index.entries:
            return f"a snapshot of OSV in {self._folder}", "no entry (*.json, or *.zip of these)"
        return None

    def _current(self, now: datetime) -> _Index:
        """Return the index of the snapshot that is there now."""
        stamps = _stamps(self._folder)
        if self._index is None or self._index.stamps != stamps:
            self._index = None
            self._index = _read(self._folder, stamps, now)
        return self._index

    def _found(
        self, index: _Index, wanted: list[tuple[str, str]], now: datetime
    ) -> Iterator[Vulnerability]:
        """Yield the vulnerabilities of the wanted packages; each entry is read once."""
        by_place: dict[_Place, list[tuple[str, str]]] = {}
        for name, version in wanted:
            for place in index.places.get(name, ()):
                by_place.setdefault(place, []).append((name, version))
        count = 0
        for place, data in _contents(self._folder, by_place):
            entry = parse_object(data, ENTRY_BYTES)
            for name, version in by_place[place]:
                found = vulnerability(entry, name, version, now)
                count += found is not None
                if count > MOST_FOUND:
                    raise _Unusable(f"more than {MOST_FOUND} vulnerabilities of one model")
                if found is not None:
                    yield found


def _stamps(folder: Path) -> Stamps:
    """Return the stamps of a folder's files, by name; of a link those of what it leads to."""
    try:
        names = sorted(filter(_counts, os.listdir(folder)))
        if len(names) > MOST_FILES:
            raise _Unusable(f"more than {MOST_FILES} files")
        return tuple(_stamp(folder, name) for name in names)
    except FileNotFoundError as error:
        missing = Path(str(error.filename))
        what = "no such folder" if missing == folder else f"a link to nothing, '{missing.name}'"
        raise _Unusable(what) from error
    except OSError as error:
        raise _Unusable(f"what cannot be read ({type(error).__name__})") from error


def _stamp(folder: Path, name: str) -> tuple[str, int, int, int, int]:
    facts = os.stat(folder / name)
    return name, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _counts(name: str) -> bool:
    """Tell whether a name in the folder is looked at; a volume's own and hidden ones are not."""
    return not name.startswith(".") and name not in _NEEDLESS


def _read(folder: Path, stamps: Stamps, now: datetime) -> _Index:
    """Return the index of a snapshot, made in one pass over its files."""
    index = _Index(stamps)
    whole, total = hashlib.sha256(), 0
    for name, *_ in stamps:
        kind = name.lower().rpartition(".")[2]
        if (folder / name).is_dir():
            index.cannot_read(name, "a folder; put its files beside the others")
        if kind not in ("json", "zip"):
            continue
        try:
            with _opened(folder, name) as file:
                whole.update(
                    f"{name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
                )
                file.seek(0)
                for place, data in _entries(file, name, index):
                    total += len(data)
                    if total > TOTAL_BYTES:
                        raise _Unusable(f"more than {TOTAL_BYTES >> 30} GiB of entries")
                    _note(index, place, data, now)
        except (OSError, *_DAMAGED) as error:
            index.cannot_read(name, _why(error))
    index.digest = f"sha256:{whole.hexdigest()}"
    return index


def _note(index: _Index, place: _Place, data: bytes, now: datetime) -> None:
    """Note where an entry is, by the packages that it is about."""
    index.entries += 1
    try:
        entry = parse_object(data, ENTRY_BYTES)
        for name in packages_of(entry):
            index.places.setdefault(name, []).append(place)
    except (UnreadableJSON, UnreadableEntry) as error:
        index.cannot_read(place, error)
        return
    moment = modified(entry)
    # What claims to come from the future would keep a snapshot young for ever.
    if moment is not None and moment <= now and (index.newest is None or moment > index.newest):
        index.newest = moment


def _entries(file: BufferedReader, name: str, index: _Index) -> Iterator[tuple[_Place, bytes]]:
    """Yield the entries of a file; of an archive those of its members that can be read."""
    if name.lower().endswith(".json"):
        yield _Place(name), file.read(ENTRY_BYTES + 1)
        return
    with zipfile.ZipFile(cast("IO[bytes]", _Bounded(file))) as archive:
        seen = set()
        for info in archive.infolist():
            if not info.filename.lower().endswith(".json"):
                continue
            place = _Place(name, info.filename)
            try:
                data = _member(archive, info)
            except _DAMAGED as error:
                index.cannot_read(place, _why(error))
                continue
            if info.filename in seen:
                index.cannot_read(place, "its name is there twice")
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


def _contents(folder: Path, places: Iterable[_Place]) -> Iterator[tuple[_Place, bytes]]:
    """Yield the bytes of entries; each file is opened once."""
    by_file: dict[str, list[_Place]] = {}
    for place in places:
        by_file.setdefault(place.file, []).append(place)
    for name, wanted in by_file.items():
        with _opened(folder, name) as file:
            if not wanted[0].member:
                yield wanted[0], file.read(ENTRY_BYTES + 1)
                continue
            with zipfile.ZipFile(cast("IO[bytes]", _Bounded(file))) as archive:
                for place in wanted:
                    yield place, _member(archive, archive.getinfo(place.member))


def _opened(folder: Path, name: str) -> BufferedReader:
    """Return a file of the folder, or of what a link in it leads to within the folder.

    Raises:
        OSError: it cannot be read, is no regular file, or a link leads out of the folder.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise OSError("a link that leads out of the folder")
    # A pipe would be waited for without an end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no regular file")
    return os.fdopen(descriptor, "rb")


def _why(error: Exception) -> str:
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
