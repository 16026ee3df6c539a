"""Which packages may be in a model's image."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hallmark.api.artifacts import Finding
from hallmark.supply_chain.findings import finding

_SEPARATORS = re.compile(r"[-_.]+")


def normalise(name: str) -> str:
    """Return a Python package's name in the one form that PEP 503 gives it."""
    return _SEPARATORS.sub("-", name).lower()


def check_dependencies(packages: Iterable[tuple[str, str]], denied: Iterable[str]) -> list[Finding]:
    """Return one finding for each package that the policy denies, in name order.

    Args:
        packages: Name and version of each package.
        denied: Names that must not occur; compared in their normalised form.
    """
    refused = {normalise(each.strip()) for each in denied}
    present = {(normalise(name), version) for name, version in packages}
    return [
        finding(
            "Dependencies",
            f"no package '{name}' (the policy's dependencies.denied names it)",
            f"'{name}' {version}".strip(),
        )
        for name, version in sorted(present)
        if name in refused
    ]
