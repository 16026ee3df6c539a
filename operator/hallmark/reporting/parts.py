"""The pieces that sections of the page are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """Return a table of cells that are escaped already; the last ``numbers`` columns are right."""
    first_number = len(head) - numbers

    def cells(tag: str, row: Sequence[str]) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(
            f"<{tag}{scope}{_class(place >= first_number)}>{cell}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells("th", head)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _class(number: bool) -> str:
    return ' class="n"' if number else ""


def section(title: str, *content: str) -> str:
    """Return a section of markup below a title, which is escaped here."""
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def details(title: str, content: str) -> str:
    """Return markup that opens below its title, which is escaped here."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


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


def code(text: str) -> str:
    """Return a text, escaped here, as one that is not prose."""
    return f"<code>{escape(text)}</code>"
