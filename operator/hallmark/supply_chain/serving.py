"""The Python packages of the predictor's image of this release: ``serving.json``.

A training Job runs in another image, so that it cannot look. ``python -m
hallmark.supply_chain.serving LOCK PYLOCK`` writes the file from the predictor's lock and what it
names by file (PEP 751), with what the metadata of the packages says where they are installed
(``make lock``). Both images stand on one base: what pip would choose here it chose there.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from hallmark.files import DOCUMENT_BYTES, read_whole
from hallmark.supply_chain.installed import installed_libraries
from hallmark.supply_chain.library import SERVING, Library

FILE = Path(__file__).with_name("serving.json")
_PLATFORM = re.compile(r"any|(many)?linux.*_(x86_64|aarch64)")
_INTERPRETER = re.compile(r"(cp|py)3[0-9]*")
Wheels = Mapping[tuple[str, str], Mapping[str, str]]
"""SHA-256 (``sha256:...``) by file name, of each package by its name and version."""
_PIN = re.compile(r"^(?P<requirement>[A-Za-z0-9][^#\\]*?)\s*\\?$")


@functools.cache
def serving_libraries() -> tuple[Library, ...]:
    """Return the packages of a predictor with this Python on this system, by name."""
    listed = [(Requirement(found["requirement"]), found) for found in json.loads(FILE.read_bytes())]
    return tuple(
        Library(
            *_identity(pin),
            licence=found["licence"],
            summary=found["summary"],
            requires=tuple(found["requires"]),
            wheel=chosen(found["wheels"]),
            used_in=(SERVING,),
        )
        for pin, found in listed
        if pin.marker is None or pin.marker.evaluate()
    )


@functools.cache
def serving_wheels() -> Wheels:
    """Return the wheels from which a predictor of this release may be installed."""
    listed = json.loads(FILE.read_bytes())
    return {_identity(Requirement(found["requirement"])): found["wheels"] for found in listed}


def chosen(wheels: Mapping[str, str]) -> str | None:
    """Return the digest of the wheel that pip would choose with this Python on this system.

    Args:
        wheels: The digest by file name.
    """
    order = _order()
    ranked = [
        (min(places), name, digest)
        for name, digest in wheels.items()
        if (places := [order[tag] for tag in parse_wheel_filename(name)[3] if tag in order])
    ]
    return min(ranked)[2] if ranked else None


@functools.cache
def _order() -> Mapping[Tag, int]:
    return {tag: place for place, tag in reversed([*enumerate(sys_tags())])}


def wheels_in(pylock: str) -> Wheels:
    """Return the wheels of a lock by file (PEP 751) that the predictor's image may be made of.

    That image is Linux with the GNU C library, on x86-64 or 64-bit Arm.
    """
    return {
        (canonicalize_name(package["name"]), package["version"]): {
            name: f"sha256:{wheel['hashes']['sha256']}"
            for wheel in package.get("wheels", ())
            if _may_be_installed(name := urlsplit(wheel["url"]).path.rpartition("/")[2])
        }
        for package in tomllib.loads(pylock)["packages"]
    }


def _may_be_installed(name: str) -> bool:
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return False
    return any(
        _PLATFORM.fullmatch(tag.platform)
        and _INTERPRETER.fullmatch(tag.interpreter)
        and not tag.abi.endswith("t")
        for tag in tags
    )


def describe(lock: str, installed: Iterable[Library], wheels: Wheels) -> list[dict[str, Any]]:
    """Return what ``serving.json`` says: each pin of a lock, with what its metadata say.

    Args:
        lock: The text of the lock.
        installed: Packages whose metadata were read; those of them that the lock pins count.
        wheels: What the lock names by file.
    """
    known = {(library.name, library.version): library for library in installed}
    pins = [
        Requirement(match["requirement"])
        for line in lock.splitlines()
        if (match := _PIN.match(line))
    ]
    names: set[str] = {canonicalize_name(pin.name) for pin in pins}
    return [
        _described(pin, known.get(_identity(pin)), names, wheels.get(_identity(pin), {}))
        for pin in pins
    ]


def _identity(pin: Requirement) -> tuple[str, str]:
    return canonicalize_name(pin.name), next(iter(pin.specifier)).version


def _described(
    pin: Requirement, library: Library | None, names: set[str], wheels: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "requirement": str(pin),
        "licence": library.licence if library else "",
        "summary": library.summary if library else "",
        "requires": sorted(names.intersection(library.requires)) if library else [],
        "wheels": dict(sorted(wheels.items())),
    }


if __name__ == "__main__":
    lock, pylock = (read_whole(Path(path), DOCUMENT_BYTES).decode() for path in sys.argv[1:])
    found = describe(lock, installed_libraries(), wheels_in(pylock))
    FILE.write_text(json.dumps(found, indent=1) + "\n")
