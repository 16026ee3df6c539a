"""The one verdict on a model's packages, whoever asks for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from hallmark.api.dependencies import Dependencies
from hallmark.api.findings import Finding
from hallmark.supply_chain.components import (
    every_component,
    is_package,
    stated_licences,
)
from hallmark.supply_chain.dependencies import PACKAGES, check_dependencies
from hallmark.supply_chain.findings import finding
from hallmark.supply_chain.licences import Licensed, check_licences
from hallmark.supply_chain.vex import Word
from hallmark.supply_chain.vulnerabilities import (
    NOT_MOUNTED,
    VULNERABILITIES,
    Known,
    check_vulnerabilities,
)

if TYPE_CHECKING:
    from packageurl import PackageURL

_DIGITS = {"SHA-256": 64, "SHA-384": 96, "SHA-512": 128, "SHA3-256": 64, "SHA3-512": 128}
"""Hex digits by the digests that count; MD5 and SHA-1 do not."""
_HEX = re.compile("[0-9A-Fa-f]+")
Named = tuple[str, str]
"""A package's name and version, in any form."""


@dataclass(frozen=True)
class Package:
    """A package of a bill of materials.

    Attributes:
        name: its name, in any spelling.
        version: its version, in any form; may be empty.
        purl: its package URL, where one is stated.
        licences: what it states of its licence.
        hashed: whether it states a digest of what it was installed from.
    """

    name: str
    version: str
    purl: str = ""
    licences: tuple[str, ...] = ()
    hashed: bool = False

    @property
    def names(self) -> Iterator[Named]:
        """Name and version, as stated and, where these differ, as the package URL says."""
        yield self.name, self.version
        url = _url(self.purl)
        if url is not None:
            own = (canonicalize_name(self.name), self.version)
            by_url = (url.name, url.version or "")
            if own != (canonicalize_name(by_url[0]), by_url[1]):
                yield by_url

    @property
    def may_be_python(self) -> bool:
        """Whether PyPI may know it: all but what its package URL says is of another kind."""
        url = _url(self.purl)
        return url is None or url.type == "pypi"


def packages_of(document: Mapping[str, Any]) -> Iterator[Package]:
    """Yield the packages of a CycloneDX document, those inside others too."""
    for part in every_component(document):
        if is_package(part.get("type"), part.get("purl")):
            name, version, purl = (str(part.get(key) or "") for key in ("name", "version", "purl"))
            licences = tuple(stated_licences(part))
            # No name or version has white space: who writes one with it means the one without.
            name, version = "".join(name.split()), "".join(version.split())
            yield Package(name, version, purl, licences, states_a_digest(part))


def states_a_digest(part: Mapping[str, Any]) -> bool:
    """Tell whether a component states a digest that nobody can find other bytes for."""
    hashes = part.get("hashes")
    return any(
        isinstance(stated, dict)
        and _DIGITS.get(str(stated.get("alg"))) == len(content := str(stated.get("content")))
        and bool(_HEX.fullmatch(content))
        for stated in (hashes if isinstance(hashes, list) else ())
    )


def python_packages(packages: Iterable[Package]) -> set[Named]:
    """Return name and version of those that a database of Python packages is asked about."""
    return {pair for package in packages if package.may_be_python for pair in package.names}


def check_packages(
    packages: Iterable[Package],
    rules: Dependencies,
    known: Known | None,
    now: datetime,
    *,
    also: Iterable[Named] = (),
    words: Sequence[Word] = (),
) -> list[Finding]:
    """Return everything that a policy has against a model's packages; empty if nothing.

    Args:
        packages: those of the bill of materials.
        rules: the policy's.
        known: what a snapshot of OSV says of them; None where there is no snapshot.
        now: the time, which ends exceptions.
        also: packages that the model has by another word than the bill's.
        words: what reviewers say of vulnerabilities of these very bytes.
    """
    found = list(packages)
    named = [*also, *(pair for package in found for pair in package.names)]
    licensed = (Licensed(one.name, one.version, one.licences) for one in found)
    return [
        *check_dependencies(named, rules.denied),
        *check_licences(licensed, rules.licences),
        *check_hashes(found, rules),
        *check_vulnerabilities(known or NOT_MOUNTED, rules.vulnerabilities, now, words),
    ]


def check_hashes(packages: Iterable[Package], rules: Dependencies) -> list[Finding]:
    """Return one finding for each Python package without a version or a digest, where one must be.

    What kind of package one is that has no package URL nobody knows; it counts as Python's.
    """
    if not rules.require_hashes:
        return []
    loose = {
        (canonicalize_name(package.name), package.version)
        for package in packages
        if package.may_be_python and not (package.hashed and package.version)
    }
    asked = "a version, and a digest of what it was installed from (the policy's "
    return [
        finding(
            PACKAGES,
            f"of '{name}' {version}".rstrip() + f" {asked}dependencies.requireHashes)",
            "no digest in the bill of materials" if version else "no version",
        )
        for name, version in sorted(loose)
    ]


def is_about_a_package(found: Finding) -> bool:
    """Tell whether a package is refused, not only unknown what a rule or a snapshot means."""
    return found.check in (PACKAGES, VULNERABILITIES)


def _url(text: str) -> PackageURL | None:
    """Return a package URL, or None where it cannot be read. Its scheme may be in any case."""
    from packageurl import PackageURL

    scheme, _, rest = text.strip().partition(":")
    try:
        return PackageURL.from_string(f"{scheme.lower()}:{rest}") if text else None
    except ValueError:
        return None
