"""The Python libraries of a bill of materials, and which of them needs which. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packageurl import PackageURL
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

TRAINING, SERVING = "training", "serving"
USED_PROPERTY = "hallmark:used-in"
"""A library's property in a bill of materials: where it is used, once for each."""
FILES_PROPERTY = "hallmark:files-sha256"
"""A library's property: the digest over the list of its files (``installed.files_digest``)."""
_MOST_REQUIREMENTS = 4096


@dataclass(frozen=True)
class Library:
    """A Python package in one version.

    Attributes:
        name: in its normalised form.
        version: as its metadata says; empty where that says none.
        licence: an SPDX expression or a licence's name; empty where the metadata has neither.
        requires: the names of the libraries that it needs, sorted.
        files: digest over the list of its files, or None where no installer left one.
        wheel: digest of the archive that it was installed from, where that is known.
        used_in: ``training``, ``serving`` or both.
        summary: what it is, in a line; empty where the metadata does not say.
    """

    name: str
    version: str
    licence: str = ""
    requires: tuple[str, ...] = ()
    files: str | None = None
    wheel: str | None = None
    used_in: tuple[str, ...] = (TRAINING,)
    summary: str = ""

    @property
    def purl(self) -> str:
        """The package's URL (https://github.com/package-url/purl-spec)."""
        return PackageURL("pypi", None, self.name, self.version or None).to_string()


def used_by(
    installed: Iterable[Library], serving: Iterable[Library], *, same_interpreter: bool
) -> tuple[Library, ...]:
    """Return all libraries, each with where it is used, by name and version.

    Args:
        installed: What the training Job has.
        serving: What a predictor of this release has.
        same_interpreter: Whether the interpreter that trains is the one that serves: then its
            versions are used, whatever the release has.
    """
    trained = {(found.name, found.version): found for found in installed}
    names = {found.name for found in serving}
    pairs = {(found.name, found.version) for found in serving}
    both = (TRAINING, SERVING)
    marked = {
        key: dataclasses.replace(found, used_in=both)
        if (key[0] in names if same_interpreter else key in pairs)
        else found
        for key, found in trained.items()
    }
    if not same_interpreter:
        alone = {(found.name, found.version): found for found in serving}
        marked = alone | marked
    return tuple(marked[key] for key in sorted(marked))


def requirements(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """Return what a package's ``Requires-Dist`` say, without those that cannot be read."""
    found = []
    for _, text in zip(range(_MOST_REQUIREMENTS), texts, strict=False):
        try:
            found.append(Requirement(text))
        except (InvalidRequirement, RecursionError):
            continue
    return tuple(found)


def needed(stated: Mapping[str, Sequence[Requirement]]) -> dict[str, tuple[str, ...]]:
    """Return the installed packages that each installed package needs, sorted.

    An extra counts where a package that is installed asks for it. What somebody once gave to an
    installer by hand leaves no trace, and so is nothing that another package needs.

    Args:
        stated: Requirements by the normalised name of each installed package.
    """
    surroundings = {key: str(value) for key, value in default_environment().items()}
    extras: dict[str, set[str]] = {name: {""} for name in stated}
    edges: dict[str, set[str]] = {name: set() for name in stated}
    waiting = sorted(stated)
    while waiting:
        name = waiting.pop()
        for requirement in stated[name]:
            target = canonicalize_name(requirement.name)
            if target not in stated or not _applies(requirement, extras[name], surroundings):
                continue
            if target != name:
                edges[name].add(target)
            asked = {canonicalize_name(extra) for extra in requirement.extras} - extras[target]
            if asked:
                extras[target] |= asked
                waiting.append(target)
    return {name: tuple(sorted(found)) for name, found in edges.items()}


def _applies(
    requirement: Requirement, extras: Collection[str], surroundings: Mapping[str, str]
) -> bool:
    """Tell whether a requirement's marker holds here; one that cannot be judged does."""
    marker = requirement.marker
    if marker is None:
        return True
    try:
        return any(marker.evaluate({**surroundings, "extra": extra}) for extra in sorted(extras))
    except (ValueError, ArithmeticError, RecursionError):  # Of packaging's, and of long numbers.
        return True


def links(libraries: Sequence[Library]) -> list[list[int]]:
    """Return for each library the places of those that it needs, where both are used."""
    places: dict[str, list[int]] = {}
    for place, library in enumerate(libraries):
        places.setdefault(library.name, []).append(place)
    return [
        [
            place
            for name in library.requires
            for place in places.get(name, ())
            if set(library.used_in) & set(libraries[place].used_in)
        ]
        for library in libraries
    ]


def tops(edges: Sequence[Sequence[int]]) -> list[int]:
    """Return places from which all others are reached: what none needs, and one of each circle.

    Args:
        edges: For each place those that it needs.
    """
    wanted = {target for targets in edges for target in targets}
    found = [place for place in range(len(edges)) if place not in wanted]
    seen = _reached(found, edges)
    for place in range(len(edges)):
        if place not in seen:
            found.append(place)
            seen |= _reached([place], edges)
    return sorted(found)


def _reached(start: Sequence[int], edges: Sequence[Sequence[int]]) -> set[int]:
    seen, waiting = set(start), list(start)
    while waiting:
        new = set(edges[waiting.pop()]) - seen
        seen |= new
        waiting.extend(new)
    return seen
