"""Values that differ in case, spaces or a full stop alone: most often one value, spelled twice."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hallmark.data.detectors.normal import normal_text

EXPECTED = "values that differ in more than case, spaces or a full stop"
_SHOWN = 40


def spelling(text: str) -> str:
    """Return what is left of a value without case, spaces and a full stop at its end."""
    return re.sub(r"\s+", "", normal_text(text).casefold()).rstrip(".")


def near_twins(values: Iterable[str]) -> list[list[str]]:
    """Return the values that have a near twin, each with its twins, in their given order."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(spelling(value), []).append(value)
    return [group for group in groups.values() if len(group) > 1]


def said(values: Iterable[str]) -> str:
    """Return values for a sentence, each shortened."""
    short = (value if len(value) <= _SHOWN else f"{value[: _SHOWN - 3]}..." for value in values)
    return " and ".join(
        "'" + "".join(sign if sign.isprintable() else "?" for sign in value) + "'"
        for value in short
    )
