"""What a snapshot of OSV in a folder says of packages.

Only names and places are kept in memory; entries are read again for the packages that are asked
about, and dropped. A snapshot may be replaced at any time: it is known by its files' stamps, and
what was read is believed only where these are the same before and after.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from packaging.utils import canonicalize_name

from hallmark.api.texts import clip, sha256_digest
from hallmark.supply_chain.osv_entry import (
    UnreadableEntry,
    Vulnerability,
    modified,
    packages_of,
    vulnerability,
)
from hallmark.supply_chain.osv_files import (
    DAMAGED,
    ENTRY_BYTES,
    Place,
    Stamps,
    UnusableFolder,
    contents,
    entries,
    opened,
    stamps_of,
    why,
)
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.vulnerabilities import Known

TOTAL_BYTES = 4 << 30
"""A snapshot whose entries are longer together is not read to its end."""
MOST_FOUND = 2000
"""The most vulnerabilities of one model that are told apart."""
_ATTEMPTS = 3


@dataclass
class _Index:
    """Where the entries of each package are, and what is wrong with the snapshot."""

    stamps: Stamps = ()
    digest: str = ""
    newest: datetime | None = None
    entries: int = 0
    places: dict[str, list[Place]] = field(default_factory=dict)
    unreadable: int = 0
    first: str = ""
    """The first entry that cannot be read, and why."""

    def cannot_read(self, place: object, why: object) -> None:
        """Count an entry that cannot be read."""
        self.unreadable += 1
        self.first = self.first or clip(f"'{place}' ({why})", 160)


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
        if len(known.found) <= MOST_FOUND:
            return known
        asked = f"at most {MOST_FOUND} vulnerabilities of one model"
        trouble = known.trouble or (asked, "more")
        return replace(known, found=known.found[:MOST_FOUND], trouble=trouble)

    def _about(self, wanted: list[tuple[str, str]], now: datetime) -> Known:
        for _ in range(_ATTEMPTS):
            try:
                index = self._current(now)
                found = tuple(islice(self._found(index, wanted, now), MOST_FOUND + 1))
                if stamps_of(self._folder) == index.stamps:
                    return Known(index.digest, index.newest, found, self._trouble(index))
            except UnusableFolder as problem:
                self._index = None
                return self._unusable(str(problem))
            except (OSError, *DAMAGED):
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
        stamps = stamps_of(self._folder)
        if self._index is None or self._index.stamps != stamps:
            self._index = None
            self._index = _read(self._folder, stamps, now)
        return self._index

    def _found(
        self, index: _Index, wanted: list[tuple[str, str]], now: datetime
    ) -> Iterator[Vulnerability]:
        """Yield the vulnerabilities of the wanted packages; each entry is read once."""
        by_place: dict[Place, list[tuple[str, str]]] = {}
        for name, version in wanted:
            for place in index.places.get(name, ()):
                by_place.setdefault(place, []).append((name, version))
        for place, data in contents(self._folder, by_place):
            entry = parse_object(data, ENTRY_BYTES)
            for name, version in by_place[place]:
                found = vulnerability(entry, name, version, now)
                if found is not None:
                    yield found


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
            with opened(folder, name) as file:
                whole.update(
                    f"{name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
                )
                file.seek(0)
                for place, data in entries(file, name, index.cannot_read):
                    total += len(data)
                    if total > TOTAL_BYTES:
                        raise UnusableFolder(f"more than {TOTAL_BYTES >> 30} GiB of entries")
                    _note(index, place, data, now)
        except (OSError, *DAMAGED) as error:
            index.cannot_read(name, why(error))
    index.digest = f"sha256:{whole.hexdigest()}"
    return index


def _note(index: _Index, place: Place, data: bytes, now: datetime) -> None:
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
