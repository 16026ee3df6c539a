"""A bill of materials as pages show it: components, licences, what a policy denies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hallmark.api.common import clip
from hallmark.supply_chain.dependencies import check_dependencies, normalise


@dataclass(frozen=True)
class BillComponent:
    """A component of a model."""

    name: str
    version: str
    type: str
    licences: tuple[str, ...] = ()
    purl: str = ""


@dataclass(frozen=True)
class Bill:
    """A bill of materials."""

    spec_version: str
    serial: str
    components: tuple[BillComponent, ...]

    @property
    def packages(self) -> tuple[BillComponent, ...]:
        """The Python packages."""
        return tuple(found for found in self.components if found.type == "library")


@dataclass(frozen=True)
class BillChange:
    """A package that differs between two bills; an empty version is no such package."""

    name: str
    before: str
    after: str


def read_bill(document: Mapping[str, Any]) -> Bill:
    """Return a CycloneDX document's components, in the order of type and name."""
    found = document.get("components")
    components = [_component(part) for part in found if isinstance(part, dict)] if found else []
    return Bill(
        clip(str(document.get("specVersion", "")), 16),
        clip(str(document.get("serialNumber", "")), 64),
        tuple(sorted(components, key=lambda part: (part.type != "library", part.type, part.name))),
    )


def _component(part: Mapping[str, Any]) -> BillComponent:
    return BillComponent(
        clip(str(part.get("name", "")), 128),
        clip(str(part.get("version", "")), 128),
        clip(str(part.get("type", "")), 32),
        tuple(_licences(part.get("licenses"))),
        clip(str(part.get("purl", "")), 256),
    )


def _licences(found: object) -> Iterable[str]:
    for choice in found if isinstance(found, list) else ():
        if not isinstance(choice, dict):
            continue
        licence = choice.get("license")
        name = choice.get("expression")
        if isinstance(licence, dict):
            name = licence.get("id") or licence.get("name")
        if name:
            yield clip(str(name), 64)


def violations(bill: Bill, denied: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence for each package that a policy denies."""
    packages = [(part.name, part.version) for part in bill.packages]
    return tuple(finding.sentence() for finding in check_dependencies(packages, denied))


def matching(bill: Bill, text: str) -> tuple[BillComponent, ...]:
    """Return the components whose name, version or licence holds a text."""
    wanted = text.strip().lower()
    return tuple(
        part
        for part in bill.components
        if wanted in part.name.lower()
        or wanted in part.version.lower()
        or any(wanted in licence.lower() for licence in part.licences)
    )


def changes(before: Bill, after: Bill) -> tuple[BillChange, ...]:
    """Return the packages that differ, by name."""
    old = {normalise(part.name): part.version for part in before.packages}
    new = {normalise(part.name): part.version for part in after.packages}
    return tuple(
        BillChange(name, old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
