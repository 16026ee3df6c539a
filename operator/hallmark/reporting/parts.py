"""What sections of the page show: tables, charts with their numbers, and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hallmark.reporting.charts import Chart


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        head: A title for each column.
        rows: Cells; text is escaped where it is shown.
        numbers: How many of the last columns hold numbers.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 0


@dataclass(frozen=True)
class Charted:
    """A chart, and its numbers in a table."""

    chart: Chart
    table: Table


def finite(text: str | None) -> float | None:
    """Return a finite number, or None: a report that is to be sealed may hold anything."""
    try:
        found = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many digits behind the point, a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def count(value: int) -> str:
    """Return a count with its thousands apart."""
    return f"{value:,}"


_TURNING = {
    ord(sign): f"\u2039U+{ord(sign):04X}\u203a"
    for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
}
"""Characters that nobody sees and that turn the words around them: with one in a name or a reason
people read other words than were written. Right-to-left letters need none of them."""


def visible(value: object) -> object:
    """Return what a template shows: a text whose turning characters are written out."""
    return value.translate(_TURNING) if isinstance(value, str) else value


def code(text: str) -> Markup:
    """Return a text, escaped here, as one that is not prose."""
    return Markup("<code>{}</code>").format(text)
