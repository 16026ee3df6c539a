"""A long list in parts: what is shown, and where the rest is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")

SHOWN = 100
"""Rows of a list that one page shows."""


@dataclass(frozen=True)
class Part(Generic[Row]):
    """The rows that a page shows of a list.

    Attributes:
        rows: What is shown.
        total: How many rows there are.
        first: The number of the first one that is shown, from 1; 0 where none is.
        before: The address of the rows before these, or nothing.
        after: The address of the rows after these, or nothing.
    """

    rows: Sequence[Row]
    total: int
    first: int
    before: str
    after: str

    @classmethod
    def of(cls, rows: Sequence[Row], offset: str, path: str) -> Part[Row]:
        """Return the part of a list that begins at an offset.

        Args:
            rows: the whole list.
            offset: how many rows are left out, as it stands in the address.
            path: the page's address.
        """
        start = number_of(offset)
        shown = rows[start : start + SHOWN]
        return cls(
            shown,
            len(rows),
            start + 1 if shown else 0,
            f"{path}?offset={max(0, start - SHOWN)}" if start else "",
            f"{path}?offset={start + SHOWN}" if len(rows) > start + SHOWN else "",
        )

    @property
    def last(self) -> int:
        """The number of the last row that is shown."""
        return self.first + len(self.rows) - 1 if self.rows else 0


def number_of(text: str) -> int:
    """Return how many rows are left out; what is no such number leaves none out."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
