"""Which packages, in which versions, may be in a model's image."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name
from packaging.version import Version

from hallmark.api.findings import Finding
from hallmark.supply_chain.findings import finding

PACKAGES = "Dependencies"
RULE = "Policy rule"
"""What a finding is about: a package, or a rule that cannot be read."""
_ORDERS = {"<": operator.lt, ">": operator.gt}


def check_dependencies(packages: Iterable[tuple[str, str]], denied: Iterable[str]) -> list[Finding]:
    """Return one finding for each package that the policy denies, in name order.

    A rule that cannot be read is a finding too, and a version that cannot be compared is within
    every range: what is not understood passes nothing.

    Args:
        packages: Name and version of each package.
        denied: Names that must not occur, compared in their normalised form, each with the range
            of versions that is meant (PEP 440), such as ``pillow>=9,<10.3``; without one, all.
    """
    rules: dict[str, list[Requirement]] = {}
    found = []
    for text in denied:
        rule = _read_rule(text)
        if rule is None:
            expected = "a name, or a name with a range such as 'pillow<10.3', in the policy's"
            found.append(finding(RULE, f"{expected} dependencies.denied", f"'{text}'"))
        else:
            rules.setdefault(canonicalize_name(rule.name), []).append(rule)
    present = {(canonicalize_name(name), version) for name, version in packages}
    return found + [
        finding(
            PACKAGES,
            f"no package '{rule}' (the policy's dependencies.denied names it)",
            f"'{name}' {version}".strip(),
        )
        for name, version in sorted(present)
        if (rule := _broken_rule(version, rules.get(name, ())))
    ]


def _read_rule(text: str) -> Requirement | None:
    """Return a rule; None where it is no name and range, or says more than these."""
    try:
        rule = Requirement(text)
    except InvalidRequirement:
        return None
    return None if rule.url or rule.extras or rule.marker else rule


def _broken_rule(version: str, rules: Iterable[Requirement]) -> Requirement | None:
    """Return the first rule whose range holds the version."""
    known = _version(version)
    if known is None:
        return next(iter(rules), None)
    return next(
        (rule for rule in rules if all(_holds(bound, known) for bound in rule.specifier)), None
    )


def _version(text: str) -> Version | None:
    """Return a version, or None: not of PEP 440's form, or with a number too long to be read."""
    try:
        return Version(text)
    except ValueError:
        return None


def _holds(bound: Specifier, version: Version) -> bool:
    """Tell whether a version is within one bound.

    '<' and '>' go by the order of versions alone. As PEP 440 has it, to choose what to install,
    '<10.3' would leave out 10.3rc1 and '>1.0' 1.0.post1: a denial would let them pass; '===1.0'
    would be about that spelling alone, not about 1.0.0 or v1.0.
    """
    if bound.operator == "===":
        denied = _version(bound.version)
        return bound.contains(version, prereleases=True) or denied == version
    if order := _ORDERS.get(bound.operator):
        return bool(order(version, Version(bound.version)))
    return bound.contains(version, prereleases=True)
