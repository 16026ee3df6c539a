"""The files of a chain: a folder, read without following anything out of it, and its index."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, Protocol

from pydantic import Field, ValidationError

from hallmark.api.common import Digest, FileModel, LongList
from hallmark.errors import ArtifactError
from hallmark.supply_chain.manifest import FileFact
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

INDEX = "export.json"
REGISTRY = "models/registry.json"
LOG = "logs/secure_mlops.log"
HEAD = f"{LOG}.head"
_MAX_INDEX = 256 << 20


class Files(Protocol):
    """Files by their path below a root, with slashes."""

    def names(self) -> frozenset[str]:
        """Return all that there are; a link or a device counts, and is never read."""

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a file's bytes; None where there is none, or more bytes than that."""

    def fact(self, name: str) -> FileFact | None:
        """Return digest and size of a file; None where there is none."""

    def measure(self, names: Iterable[str]) -> None:
        """Read these files now, several at once."""


class FolderFiles:
    """Files in a folder. A file is hashed once, however many names it has."""

    def __init__(self, root: Path) -> None:
        """Begin at a folder."""
        self.root = root
        self._facts: dict[str, FileFact | None] = {}
        self._hashed: dict[tuple[int, ...], FileFact] = {}

    def names(self) -> frozenset[str]:
        """Return the path of everything that is no folder."""
        found: list[str] = []
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            with os.scandir(self.root / prefix) as entries:
                for entry in entries:
                    name = f"{prefix}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/")
                    else:
                        found.append(name)
        return frozenset(found)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a regular file's bytes, as ``Files`` says."""
        descriptor = self._open(name)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            return None
        self._facts[name] = FileFact.of(data)
        return data

    def open(self, name: str) -> BinaryIO | None:
        """Return a regular file to be read, or None where there is none."""
        descriptor = self._open(name)
        return None if descriptor is None else os.fdopen(descriptor, "rb")

    def fact(self, name: str) -> FileFact | None:
        """Return digest and size of a regular file, read in pieces."""
        if name not in self._facts:
            self._facts[name] = self._measured(name)
        return self._facts[name]

    def measure(self, names: Iterable[str]) -> None:
        """Hash these files, as many at once as there are processors."""
        missing = [name for name in names if name not in self._facts]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self._facts.update(zip(missing, pool.map(self._measured, missing), strict=True))

    def _measured(self, name: str) -> FileFact | None:
        descriptor = self._open(name)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            there = os.fstat(descriptor)
            same = (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns)
            if (known := self._hashed.get(same)) is None:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                known = self._hashed[same] = FileFact(f"sha256:{digest}", file.tell())
            return known

    def _open(self, name: str) -> int | None:
        """Return a descriptor of a regular file that no link leads to, or None."""
        parts = name.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                for part in parts[:-1]:
                    inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
                    os.close(folder)
                    folder = inner
                found = os.open(parts[-1], flags | os.O_NONBLOCK, dir_fd=folder)
            finally:
                os.close(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in _LINKS:
                return None
            raise ArtifactError(
                f"{self.root / name} cannot be read ({error.strerror}). Make it readable and "
                "verify again."
            ) from error
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            return None
        return found


_LINKS = {40, 6}
"""ELOOP (a symbolic link) and ENXIO (a socket)."""


class IndexFile(FileModel):
    """A file of an export."""

    name: Annotated[str, Field(min_length=1, max_length=1024)]
    digest: Digest
    size: Annotated[int, Field(ge=0, le=2**53 - 1)]


class Index(FileModel):
    """``export.json``: every file of an export but itself, in the order of the names."""

    schema_version: Literal["hallmark.dev/export-index/v1"] = "hallmark.dev/export-index/v1"
    files: LongList[IndexFile]


def build_index(facts: Mapping[str, FileFact]) -> Index:
    """Return the index of files by their names."""
    return Index(
        files=[
            IndexFile(name=name, digest=fact.digest, size=fact.size)
            for name, fact in sorted(facts.items())
        ]
    )


def problems_of_index(files: Files) -> list[str]:
    """Return how the files are not those that the index names; empty where they all are."""
    data = files.read(INDEX, _MAX_INDEX)
    if data is None:
        return [f"Expected {INDEX}, found none."]
    try:
        index = Index.model_validate(parse_object(data, _MAX_INDEX))
    except (UnreadableJSON, ValidationError):
        return [f"Expected {INDEX} as an export writes it, found another form."]
    names = [entry.name for entry in index.files]
    if names != sorted(set(names)) or index.to_bytes() != data:
        return [f"Expected {INDEX} in canonical form, each file once in order, found another."]
    found = files.names() - {INDEX}
    listed = {entry.name: FileFact(entry.digest, entry.size) for entry in index.files}
    problems = [f"Expected the file {name}, found none." for name in sorted(listed.keys() - found)]
    problems += [f"Expected no file {name}, found one." for name in sorted(found - listed.keys())]
    files.measure(listed.keys() & found)
    for name in sorted(listed.keys() & found):
        fact = files.fact(name)
        if fact != listed[name]:
            said = f"{fact.digest}, {fact.size} bytes" if fact else "no regular file"
            wanted = listed[name]
            problems.append(
                f"Expected {name} with {wanted.digest}, {wanted.size} bytes, found {said}."
            )
    return problems
