"""The Python packages that are installed here, as their metadata tells of them."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, distributions

from packaging.utils import canonicalize_name

_LONGEST = 256
"""Characters of a licence's name; what is longer is a licence's text."""


@dataclass(frozen=True)
class Installed:
    """A Python package as its metadata tells of it."""

    version: str
    licence: str
    """An SPDX expression or a licence's name; empty where the metadata has neither."""


def installed_packages() -> dict[str, str]:
    """Return the version of every Python package installed here, by normalised name."""
    return {name: package.version for name, package in _installed()}


def installed_licences() -> dict[str, str]:
    """Return the licence of every Python package installed here that states one, by name."""
    return {name: package.licence for name, package in _installed() if package.licence}


@functools.cache
def _installed() -> tuple[tuple[str, Installed], ...]:
    """Return the packages by name, sorted.

    Each property of a distribution would read its file anew.
    """
    found = {
        canonicalize_name(name): Installed(metadata["Version"], stated_licence(metadata))
        for metadata in (each.metadata for each in distributions())
        if (name := metadata["Name"])
    }
    return tuple(sorted(found.items(), key=operator.itemgetter(0)))


def stated_licence(metadata: PackageMetadata) -> str:
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
