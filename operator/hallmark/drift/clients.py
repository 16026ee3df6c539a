"""Counts by client, read so that few clients can neither cause nor hide what is seen in them.

A share of all that came is in the hands of whoever sends most. So clients are put together into a
few groups of about the same size, and the groups that had most of what is looked for are left out,
as are those that had most of all else (ADR 0038).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CLIENTS = 4096
"""So many are told apart; the others count as one."""
GROUPS = 16
"""So many groups there are at most; with fewer clients each is one."""
LEFT_OUT = 4
"""One of so many groups is left out at either end, and one at least."""
ALONE = 10
"""When so many times the minimum came and hardly anything from other clients, then whoever sends is
the traffic."""
_OTHERS = "others"


@dataclass(frozen=True)
class Share:
    """How many there were, and how many of them are what is looked for."""

    of: int = 0
    found: int = 0

    def __add__(self, other: Share) -> Share:
        """Return both together."""
        return Share(self.of + other.of, self.found + other.found)


def judged(fair: Share, everything: Share, minimum: int) -> Share | None:
    """Return the share that decides, or None where too little came.

    Args:
        fair: without the clients that are left out.
        everything: with them.
        minimum: how many there must be.
    """
    if fair.of >= minimum:
        return fair
    return everything if everything.of >= ALONE * minimum else None


class Clients:
    """Counts in a few columns for each client."""

    def __init__(self, columns: int) -> None:
        """Start empty."""
        self._columns = columns
        self._counts: dict[str, list[int]] = {}
        self.total = 0
        """The sum of all columns."""

    def __len__(self) -> int:
        """Return how many clients are told apart."""
        return len(self._counts)

    def add(self, client: str, column: int, count: int = 1) -> None:
        """Count in a client's column; clients are told apart by their addresses."""
        counts = self._counts.get(client)
        if counts is None:
            key = client if len(self._counts) < MAX_CLIENTS else _OTHERS
            counts = self._counts.setdefault(key, [0] * self._columns)
        counts[column] += count
        self.total += count

    def everything(self, found: Sequence[int], of: Sequence[int]) -> Share:
        """Return the share of some columns in others, over all clients."""
        totals = np.asarray([*self._counts.values()], dtype=np.int64).reshape(-1, self._columns)
        return Share(int(totals[:, of].sum()), int(totals[:, found].sum()))

    def fair(self, found: Sequence[int], of: Sequence[int]) -> Share:
        """Return the share without the groups of clients that had most of it, or most else.

        Args:
            found: The columns that hold what is looked for.
            of: The columns that hold all of which it is a part.
        """
        return _fair(self._grouped(), found, of)

    def all_fair(self, questions: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Share]:
        """Return several such shares: of the columns first named in those named second."""
        groups = self._grouped()
        return [_fair(groups, found, of) for found, of in questions]

    def _grouped(self) -> NDArray[np.int64]:
        """Return the counts of groups, shape (groups, columns): the busiest are kept apart."""
        counts = np.asarray([*self._counts.values()], dtype=np.int64).reshape(-1, self._columns)
        counts = counts[np.argsort(-counts.sum(axis=1), kind="stable")]
        number = max(1, min(GROUPS, len(counts)))
        filled = np.zeros((-len(counts) % number, self._columns), dtype=np.int64)
        groups = np.vstack((counts, filled)).reshape(-1, number, self._columns)
        return np.asarray(groups.sum(axis=0), dtype=np.int64)


def _fair(groups: NDArray[np.int64], found: Sequence[int], of: Sequence[int]) -> Share:
    """Return what ``Clients.fair`` does, from counts of shape (groups, columns)."""
    bad, whole = groups[:, found].sum(axis=1), groups[:, of].sum(axis=1)
    ends = max(1, len(groups) // LEFT_OUT)
    kept = np.ones(len(groups), dtype=bool)
    kept[np.argsort(-bad, kind="stable")[:ends]] = False
    kept[np.argsort(bad - whole, kind="stable")[:ends]] = False
    return Share(int(whole[kept].sum()), int(bad[kept].sum()))
