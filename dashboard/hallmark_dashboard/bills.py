"""A bill of materials as pages show it: components, licences, what a policy denies. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_name

from hallmark.api.dependencies import Dependencies
from hallmark.api.texts import clip
from hallmark.supply_chain.components import every_component, is_package, stated_licences
from hallmark.supply_chain.licences import LONGEST
from hallmark.supply_chain.model_card import card_words
from hallmark.supply_chain.packages import (
    Package,
    check_packages,
    python_packages,
    states_a_digest,
)
from hallmark.supply_chain.vex import Word
from hallmark.supply_chain.vulnerabilities import LookUp


@dataclass(frozen=True)
class BillComponent:
    """A component of a model."""

    name: str
    version: str
    type: str
    licences: tuple[str, ...] = ()
    purl: str = ""
    hashed: bool = False


@dataclass(frozen=True)
class Bill:
    """A bill of materials.

    Attributes:
        spec_version: CycloneDX's.
        serial: Its number.
        components: What is in the model.
        words: What its author says of the model, each with what it is on.
    """

    spec_version: str
    serial: str
    components: tuple[BillComponent, ...]
    words: tuple[tuple[str, str], ...] = ()

    @property
    def packages(self) -> tuple[BillComponent, ...]:
        """The packages."""
        return tuple(found for found in self.components if is_package(found.type, found.purl))


@dataclass(frozen=True)
class BillChange:
    """A package that differs between two bills; an empty version is no such package."""

    name: str
    before: str
    after: str


def read_bill(document: Mapping[str, Any]) -> Bill:
    """Return a CycloneDX document's components, in the order of type and name."""
    components = [_component(part) for part in every_component(document)]
    return Bill(
        clip(str(document.get("specVersion", "")), 16),
        clip(str(document.get("serialNumber", "")), 64),
        tuple(sorted(components, key=lambda part: (part.type != "library", part.type, part.name))),
        tuple(card_words(document)),
    )


def _component(part: Mapping[str, Any]) -> BillComponent:
    return BillComponent(
        clip(str(part.get("name", "")), 128),
        clip(str(part.get("version", "")), 128),
        clip(str(part.get("type", "")), 32),
        tuple(clip(text, LONGEST + 1) for text in stated_licences(part)),
        clip(str(part.get("purl", "")), 256),
        states_a_digest(part),
    )


def violations(
    bill: Bill,
    rules: Dependencies,
    look_up: LookUp,
    now: datetime,
    also: Mapping[str, str],
    words: Sequence[Word] = (),
) -> tuple[str, ...]:
    """Return a sentence for everything that a policy has against a model's packages.

    Args:
        bill: The bill.
        rules: The policy's.
        look_up: Says which vulnerabilities packages have; asked where the policy wants to know.
        now: The time (aware).
        also: Version by name of the packages that the model's report names.
        words: What reviewers say of the model's vulnerabilities.
    """
    packages = [
        Package(part.name, part.version, part.purl, part.licences, part.hashed)
        for part in bill.packages
    ]
    asked = {*python_packages(packages), *also.items()}
    known = look_up(asked) if rules.vulnerabilities else None
    found = check_packages(packages, rules, known, now, also=also.items(), words=words)
    return tuple(problem.sentence() for problem in found)


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
    old = {canonicalize_name(part.name): part.version for part in before.packages}
    new = {canonicalize_name(part.name): part.version for part in after.packages}
    return tuple(
        BillChange(name, old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
