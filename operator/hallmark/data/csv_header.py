"""The names in a CSV file's first line, and whether another delimiter would show the right ones."""

from __future__ import annotations

import csv
from collections.abc import Collection

from hallmark.api.dataset import CSVDialect
from hallmark.data.failures import unreadable

_DELIMITERS = ",;\t|"


def header_names(line: bytes, dialect: CSVDialect, declared: Collection[str]) -> list[str]:
    """Return the names.

    Args:
        line: The first record, in UTF-8, well-formed.
        dialect: How it is written.
        declared: The names that the schema has.

    Raises:
        Unreadable: none of them is there, but with another delimiter one is.
    """
    # The longest name: a cell. The limit is the process's, so it is never made smaller.
    csv.field_size_limit(max(csv.field_size_limit(), len(line) + 1))
    text = line.decode().rstrip("\r\n")
    names = _split(text, dialect, dialect.delimiter)
    if set(declared).isdisjoint(names):
        for delimiter in _DELIMITERS.replace(dialect.delimiter, ""):
            if not set(declared).isdisjoint(_split(text, dialect, delimiter)):
                raise unreadable(
                    "Header",
                    f"columns between {dialect.delimiter!r}",
                    f"the declared ones between {delimiter!r}; set 'csv.delimiter'",
                )
    return names


def _split(header: str, dialect: CSVDialect, delimiter: str) -> list[str]:
    quoting = {"quotechar": dialect.quote} if dialect.quote else {"quoting": csv.QUOTE_NONE}
    try:
        names: list[str] = next(csv.reader([header], delimiter=delimiter, **quoting), [])
    except csv.Error:  # with this delimiter a line end stands outside quotes
        return []
    return names
