"""Texts that people take for numbers or dates: what they are, and how to write them. Pure.

A sentence here tells the kind of what was found, never a cell's value.
"""

from __future__ import annotations

import polars as pl

MISSING = frozenset(
    {"na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing", "unknown"}
    | {"k.a.", "keine angabe", "unbekannt"}
)
"""What people write into a cell that has no value; only an empty one is null."""
MOST_CODES = 12
"""So few different numbers may be codes, which are categories."""
_MOST = 0.9
_CURRENCY = r"[$€£¥₹]|(?i:usd|eur|gbp|chf|jpy|inr|cny)"
_SPACE = r" \x{A0}\x{202F}"
_DIGITS = rf"(?:[0-9]+|[0-9]{{1,3}}(?:[.,'’{_SPACE}][0-9]{{3}})+)(?:[.,][0-9]+)?"
_NUMBER = (
    rf"^[(]?[+-]?[{_SPACE}]*(?:{_CURRENCY})?[{_SPACE}]*[+-]?{_DIGITS}"
    rf"[{_SPACE}]*(?:{_CURRENCY}|%)?[)]?$"
)
_MARKS = (
    ("a currency", _CURRENCY),
    ("a percent sign", "%"),
    ("a minus in brackets", r"^[(].*[)]$"),
    ("a decimal comma", r"[0-9],(?:[0-9]{1,2}|[0-9]{4,})\D*$|[0-9]\.[0-9]{3},[0-9]"),
    (
        "marks between thousands",
        r"[0-9][,'’ \x{A0}\x{202F}][0-9]{3}(?:\D|$)|[0-9]\.[0-9]{3}[.,]",
    ),
)
_DATE = (
    r"^(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2})"
    r"|[0-9]{1,2}[ -][A-Za-z]{3,9}\.?[ -][0-9]{2,4})(?:[T ].*)?$"
)
DATES = (
    "dates, of which nothing is learned: make a number of what matters (days since then, a year)"
)


def what_it_lacks(texts: pl.Series) -> str | None:
    """Return why a column of texts is no column of numbers, though a person reads it as one.

    Args:
        texts: Of type String.

    Returns:
        What to change in the file; None where the texts are neither numbers nor dates, or numbers
        so few that they may be codes.
    """
    present = texts.drop_nulls().str.strip_chars()
    absent = present.str.to_lowercase().is_in(list(MISSING))
    values = present.filter(~absent)
    if values.n_unique() <= MOST_CODES:
        return None
    if values.str.contains(_DATE).all():
        return DATES
    numbers = values.str.contains(_NUMBER)
    share = (numbers.mean() or 0.0) if len(values) else 0.0
    if not isinstance(share, float) or share < _MOST:
        return None
    return _advice(values.filter(numbers), others=int((~numbers).sum()), absent=int(absent.sum()))


def _advice(numbers: pl.Series, *, others: int, absent: int) -> str:
    marks = [name for name, pattern in _MARKS if numbers.str.contains(pattern).any()]
    found = [f"numbers with {_listed(marks)}" if marks else "numbers"]
    todo = ["write them like 1234.5"] if marks else []
    if absent:
        found.append(f"{_cells(absent)} a word for nothing, as n/a")
        todo.append("empty such cells")
    if others:
        found.append(f"{_cells(others)} another text")
        todo.append("correct or empty those" if absent else "correct or empty such cells")
    if not todo:
        todo = ["write them like 1234.5, without spaces"]
    return f"{', '.join(found)}: {', '.join(todo)}"


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'} with"


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
