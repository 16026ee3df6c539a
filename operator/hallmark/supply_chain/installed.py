"""The Python packages that are installed here, as their metadata tells of them.

Metadata is what strangers wrote: each file is read up to a limit, and what is no name, no version
or no list of files ends nothing.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import InvalidName, canonicalize_name

from hallmark.api.texts import canonical_json, clip, sha256_digest
from hallmark.files import read_first
from hallmark.supply_chain.library import Library, needed, requirements
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object

WHEELS = "wheels.json"
"""In the environment's folder of each image: the digest of the wheel of each ``name==version``."""
_LONGEST = 256
"""Characters of a licence's name; what is longer is a licence's text."""
_METADATA_BYTES = 1 << 20
"""Of a file of metadata; the fields stand first, then comes the description."""
_RECORD_BYTES = 16 << 20
_BY_INSTALLERS = frozenset(
    {
        "RECORD",
        "RECORD.jws",
        "RECORD.p7s",
        "INSTALLER",
        "REQUESTED",
        "direct_url.json",
        "provenance_url.json",
        "uv_cache.json",
        "uv_build.json",
    }
)


def installed_packages() -> dict[str, str]:
    """Return the version of every Python package installed here, by normalised name."""
    found = {library.name: library.version for library in reversed(installed_libraries())}
    return dict(sorted(found.items()))


@functools.cache
def installed_libraries() -> tuple[Library, ...]:
    """Return every Python package installed here, by name."""
    return libraries_in(sys.path, image_wheels(Path(sys.prefix)) or {})


def image_wheels(environment: Path) -> Mapping[str, str] | None:
    """Return the digests of the wheels that an image was built from, by ``name==version``.

    None where the environment is no image's: the image's build leaves the list
    (``requirements/wheels.py``).
    """
    data = _head(environment / WHEELS, _METADATA_BYTES)
    if data is None:
        return None
    try:
        found = parse_object(data, _METADATA_BYTES)
    except UnreadableJSON:
        return {}
    return {key: f"sha256:{value}" for key, value in found.items() if _is_hex(value)}


def libraries_in(paths: Sequence[str], wheels: Mapping[str, str]) -> tuple[Library, ...]:
    """Return the packages in some folders, by name; of two in one version the first counts.

    Args:
        paths: Folders in the order of the interpreter's.
        wheels: Digest of the wheel by ``name==version``.
    """
    found: dict[tuple[str, str], Library] = {}
    stated: dict[str, list[Requirement]] = {}
    for folder in _metadata_folders(paths):
        fields = _fields(folder)
        if fields is None:
            continue
        name = _name(fields.get("Name"), folder)
        version = clip((fields.get("Version") or "").strip(), 128)
        if (name, version) in found:
            continue
        stated.setdefault(name, []).extend(requirements(fields.get_all("Requires-Dist") or ()))
        found[name, version] = Library(
            name=name,
            version=version,
            licence=stated_licence(fields),
            summary=clip((fields.get("Summary") or "").strip()),
            files=files_digest(_head(folder / "RECORD", _RECORD_BYTES)),
            wheel=wheels.get(f"{name}=={version}"),
        )
    edges = needed(stated)
    return tuple(
        replace(library, requires=edges[library.name])
        for _, library in sorted(found.items(), key=lambda item: item[0][0])
    )


def files_digest(record: bytes | None) -> str | None:
    """Return a digest over the files of a wheel, as its installer lists them; None without a list.

    It is the SHA-256 of the canonical JSON of the sorted ``[path, hash, size]`` of RECORD, without
    what an installer adds or rewrites: its own notes, compiled files, and scripts, which lie
    outside. So the RECORD in the wheel itself has the same digest.
    """
    if record is None or len(record) >= _RECORD_BYTES:
        return None
    try:
        rows = [row for row in csv.reader(record.decode().splitlines()) if len(row) == 3]
    except (UnicodeDecodeError, csv.Error):
        return None
    kept = sorted({(path, hash_, size) for path, hash_, size in rows if _is_of_wheel(path, hash_)})
    return sha256_digest(canonical_json([list(row) for row in kept])) if kept else None


def _is_of_wheel(path: str, hash_: str) -> bool:
    folder, _, file = path.rpartition("/")
    noted = folder.endswith(".dist-info") and file in _BY_INSTALLERS
    outside = path.startswith(("/", "../")) or ".data/scripts/" in path
    return bool(hash_) and not (noted or outside or file.endswith(".pyc"))


def stated_licence(metadata: Message) -> str:
    """Return the licence that a package's metadata states, or nothing.

    ``License-Expression`` is SPDX's by its standard. Before it, ``License`` held anything, often a
    whole text: what is no short line is left to the classifier, if there is just one.
    """
    classifiers = {
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier") or ()
        if text.startswith("License :: OSI Approved :: ")
    }
    candidates = [
        *(metadata.get_all("License-Expression") or ()),
        *(metadata.get_all("License") or ()),
        *(classifiers if len(classifiers) == 1 else ()),
    ]
    said = (candidate.strip() for candidate in candidates)
    return next((text for text in said if _names_a_licence(text)), "")


def _names_a_licence(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable() and text.upper() != "UNKNOWN"


def _metadata_folders(paths: Sequence[str]) -> Iterator[Path]:
    """Yield what may hold metadata, the same whichever order a file system has."""
    for path in paths:
        root = Path(path or ".")
        try:
            names = sorted(entry.name for entry in root.iterdir())
        except OSError:  # Not there, or an archive.
            continue
        yield from (root / name for name in names if name.endswith((".dist-info", ".egg-info")))


def _fields(folder: Path) -> Message | None:
    files = [folder / "METADATA", folder / "PKG-INFO", folder]
    heads = (_head(file, _METADATA_BYTES) for file in files)
    head = next((data for data in heads if data is not None), None)
    if head is None:
        return None
    return HeaderParser().parsestr(head.decode(errors="replace"), headersonly=True)


def _head(file: Path, limit: int) -> bytes | None:
    """Return a file's first bytes; None where there is no plain file."""
    try:
        return read_first(file, limit)
    except OSError:
        return None


def _name(stated: str | None, folder: Path) -> str:
    """Return a package's normalised name; where it states none, the one its folder has."""
    named = (stated or "").strip() or folder.stem.partition("-")[0]
    try:
        return canonicalize_name(named, validate=True)
    except InvalidName:
        return clip(canonicalize_name(named), 128) or "unnamed"


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
