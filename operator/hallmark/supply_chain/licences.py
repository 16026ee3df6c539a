"""Which licences the packages of a model may have: SPDX expressions held against a policy. Pure.

Of alternatives one must be accepted, of what holds together all. A licence that SPDX does not know,
or that no one states, is not accepted: what is not understood passes nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from license_expression import (
    AND,
    OR,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    Licensing,
    get_spdx_licensing,
)

from hallmark.api.dependencies import Licences
from hallmark.api.findings import Finding
from hallmark.supply_chain.dependencies import PACKAGES, RULE
from hallmark.supply_chain.findings import finding

LONGEST = 1024
"""Characters of an expression; a longer one is not understood."""
_KNOWN_NAMES = {
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "2-Clause BSD License": "BSD-2-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "European Union Public Licence 1.1 (EUPL 1.1)": "EUPL-1.1",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PostgreSQL License": "PostgreSQL",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
}
_SPACES = re.compile(r"\s+")
_BY_NAME = {name.lower(): key for name, key in _KNOWN_NAMES.items()}
"""SPDX's id by a name that means one licence alone: of PyPI's classifiers (PEP 639) and of what old
metadata says. 'BSD License' and 'Apache Software License' are several, and so they are none."""


@dataclass(frozen=True)
class Licensed:
    """A package, with what it states of its licence.

    Attributes:
        name: its name.
        version: its version.
        licences: SPDX expressions or names; where there are several, all hold.
    """

    name: str
    version: str
    licences: tuple[str, ...] = ()


def check_licences(parts: Iterable[Licensed], rules: Licences) -> list[Finding]:
    """Return one finding for each package whose licence the policy does not accept, by name.

    A rule that is no licence of SPDX's is a finding too: nothing would be held against it.
    """
    if not rules.are_given:
        return []
    known, found = _Rules.of(rules), list(_unreadable(rules))
    for part in sorted(set(parts), key=lambda part: (part.name, part.version)):
        if not part.licences or not all(known.accept(text) for text in part.licences):
            stated = ", ".join(f"'{text}'" for text in part.licences) or "none stated"
            found.append(
                finding(
                    PACKAGES,
                    f"a licence of '{part.name}' {part.version}".rstrip()
                    + " that the policy's dependencies.licences accept",
                    stated,
                )
            )
    return found


@dataclass(frozen=True)
class _Rules:
    """A policy's rules, by SPDX's ids."""

    allowed: frozenset[str]
    denied: frozenset[str]

    @classmethod
    def of(cls, rules: Licences) -> _Rules:
        return cls(
            frozenset(key for text in rules.allowed if (key := _single(text))),
            frozenset(key for text in rules.denied if (key := _single(text))),
        )

    def accept(self, text: str) -> bool:
        """Tell whether what a package states is accepted."""
        tree = _parse(_BY_NAME.get(_SPACES.sub(" ", text.strip()).lower(), text))
        return tree is not None and self._accept(tree)

    def _accept(self, tree: object) -> bool:
        if isinstance(tree, OR):
            return any(map(self._accept, tree.args))
        if isinstance(tree, AND):
            return all(map(self._accept, tree.args))
        names = _names(tree)
        if not names or self.denied.intersection(names):
            return False
        return not self.allowed or names[0] in self.allowed


def _unreadable(rules: Licences) -> Iterator[Finding]:
    for field, entries in (("allowed", rules.allowed), ("denied", rules.denied)):
        for text in entries:
            if _single(text) is None:
                where = f"the policy's dependencies.licences.{field}"
                yield finding(RULE, f"an id of SPDX's licence list in {where}", f"'{text}'")


def _single(text: str) -> str | None:
    """Return the one licence that a rule names, or None where it names none or several."""
    tree = _parse(text)
    return next(iter(_names(tree)), None) if tree is not None else None


def _names(symbol: object) -> tuple[str, ...]:
    """Return a known licence as SPDX writes it, then without its exception; else nothing."""
    if isinstance(symbol, LicenseWithExceptionSymbol):
        licence, exception = symbol.license_symbol, symbol.exception_symbol
        if _is_known(licence) and _is_known(exception, exception=True):
            return f"{licence.key} WITH {exception.key}", licence.key
        return ()
    return (str(symbol.key),) if isinstance(symbol, LicenseSymbol) and _is_known(symbol) else ()


def _is_known(symbol: LicenseSymbol, *, exception: bool = False) -> bool:
    """Tell whether SPDX lists it. A ``LicenseRef-`` means what its author likes."""
    return (
        symbol.key in _spdx().known_symbols
        and not symbol.key.startswith("LicenseRef-")
        and bool(symbol.is_exception) is exception
    )


@functools.cache
def _spdx() -> Licensing:
    """Return SPDX's list, which takes a quarter of a second to read."""
    return get_spdx_licensing()


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> object | None:
    """Return an expression as a tree of AND, OR and licences; None where it is none.

    One that is nested deeper than the library reads is none.
    """
    if len(text) > LONGEST:
        return None
    try:
        tree: object = _spdx().parse(text, validate=False)
    except Exception:  # Broken brackets end in an IndexError of the library, others in its own.
        return None
    return tree
