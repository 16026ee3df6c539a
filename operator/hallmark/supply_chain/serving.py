"""The Python packages of the predictor's image of this release: ``serving.json``.

A training Job runs in another image, so that it cannot look. ``python -m
hallmark.supply_chain.serving LOCK`` writes the file from the predictor's lock, with what the
metadata of the packages says where they are installed (``make lock``).
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hallmark.supply_chain.installed import installed_libraries
from hallmark.supply_chain.library import SERVING, Library

FILE = Path(__file__).with_name("serving.json")
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
            used_in=(SERVING,),
        )
        for pin, found in listed
        if pin.marker is None or pin.marker.evaluate()
    )


def describe(lock: str, installed: Iterable[Library]) -> list[dict[str, Any]]:
    """Return what ``serving.json`` says: each pin of a lock, with what its metadata say.

    Args:
        lock: The text of the lock.
        installed: Packages whose metadata were read; those of them that the lock pins count.
    """
    known = {(library.name, library.version): library for library in installed}
    pins = [
        Requirement(match["requirement"])
        for line in lock.splitlines()
        if (match := _PIN.match(line))
    ]
    names: set[str] = {canonicalize_name(pin.name) for pin in pins}
    return [_described(pin, known.get(_identity(pin)), names) for pin in pins]


def _identity(pin: Requirement) -> tuple[str, str]:
    return canonicalize_name(pin.name), next(iter(pin.specifier)).version


def _described(pin: Requirement, library: Library | None, names: set[str]) -> dict[str, Any]:
    return {
        "requirement": str(pin),
        "licence": library.licence if library else "",
        "summary": library.summary if library else "",
        "requires": sorted(names.intersection(library.requires)) if library else [],
    }


if __name__ == "__main__":
    (path,) = sys.argv[1:]
    found = describe(Path(path).read_text(), installed_libraries())
    FILE.write_text(json.dumps(found, indent=1) + "\n")
