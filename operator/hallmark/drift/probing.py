"""Looks at each client's rows for what an honest one hardly sends: adversarial events.

A client's rows are taken in blocks of 64. Three things are odd of a block: many rows near the
decision boundary, many outside the training region, and probing: rows near the boundary that go
along it in small steps, as boundary attacks and model extraction must (Chen, Carlini and Wagner,
"Stateful detection of black-box adversarial attacks", 2019). Honest borderline applicants are near
the boundary, too, but each is another person: no small step from the others.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import comb
from operator import itemgetter

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from hallmark.api.bounds import PROBERS, Oddity
from hallmark.api.structs import OddBlock, OddRows
from hallmark.api.texts import timestamp
from hallmark.drift.counts import CountedRows
from hallmark.drift.region import BLOCK, Floats, Region, nearest, places

LOG = logging.getLogger(__name__)

MAX_CLIENTS = 256
"""So many are told apart; who was not seen for longest is forgotten."""
PROBING_STEPS = 24
"""A client probes where so many rows of a block are near the boundary and a step from another."""
BY_CHANCE = 1e-12
"""How often chance alone may make a block odd."""
LOG_EVERY = timedelta(minutes=1)
"""Each kind is logged so often at most."""


class _Client(Struct):
    """A client's open block."""

    start: datetime
    rows: int = 0
    outside: int = 0
    near: list[Floats] = field(default_factory=list)
    """Where its rows near the boundary lie, in scales: each of shape (features,)."""


class ClientWatch:
    """Takes answered rows with their senders, and keeps what was odd."""

    def __init__(self, region: Region) -> None:
        """Start without a client.

        Args:
            region: Of the version that answers.
        """
        sealed = region.sealed
        self._region = region
        self._limits = {
            Oddity.BORDERLINE: most_by_chance(sealed.near, sealed.rows) + 1,
            Oddity.OUTSIDE: most_by_chance(sealed.outside, sealed.rows) + 1,
            Oddity.PROBING: PROBING_STEPS,
        }
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._odd_clients = 0
        self._rows = self._near = self._outside = self._blocks = 0
        self._odd = Counter[Oddity]()
        self._newest: dict[Oddity, OrderedDict[int, OddBlock]] = {
            kind: OrderedDict() for kind in Oddity
        }
        self._logged: dict[Oddity, datetime] = {}

    @property
    def counted(self) -> Mapping[Oddity, int]:
        """How many blocks were odd since the start."""
        return self._odd

    def report(self) -> OddRows:
        """Return what is told of it."""
        return OddRows(
            rows=self._rows,
            near=self._near,
            outside=self._outside,
            blocks=self._blocks,
            borderline=self._odd[Oddity.BORDERLINE],
            beyond=self._odd[Oddity.OUTSIDE],
            probing=self._odd[Oddity.PROBING],
            newest=[block for kind in Oddity for block in self._newest[kind].values()],
        )

    def look(self, rows: CountedRows, senders: Sequence[tuple[str, int]], first: datetime) -> None:
        """Look at rows.

        Args:
            rows: Shape (rows, features + 2), in the order in which they came.
            senders: Whose they are: the addresses, and how many rows follow each other.
            first: When the first of them came.
        """
        looked = self._drawn(senders)
        if looked is not None:
            rows = rows[looked]
        of, near, outside = self._region.look(rows)
        self._rows += len(rows)
        self._near += int(np.count_nonzero(near))
        self._outside += int(np.count_nonzero(outside))
        # Lists: most parts are of a single row.
        are_near, are_outside, at = near.tolist(), outside.tolist(), 0
        for client, run in groupby(senders, itemgetter(0)):
            end = at + sum(min(count, BLOCK) for _, count in run)
            while at < end:
                block = self._open(client, first)
                start, at = at, min(end, at + BLOCK - block.rows)
                block.rows += at - start
                block.outside += sum(are_outside[start:at])
                if True in are_near[start:at]:
                    # Copies: a view would keep all rows that were looked at.
                    block.near += [of[one].copy() for one in range(start, at) if are_near[one]]
                if block.rows == BLOCK:
                    self._close(client, block)

    def _drawn(self, senders: Sequence[tuple[str, int]]) -> NDArray[np.intp] | None:
        """Return which rows are looked at, or None for all: of a big request as many as a block.

        One of each part of the request, at random: nobody knows which.
        """
        if max(count for _, count in senders) <= BLOCK:
            return None
        parts, at = [], 0
        for _, count in senders:
            drawn = np.arange(at, at + min(count, BLOCK))
            if count > BLOCK:
                drawn = at + np.arange(BLOCK) * count // BLOCK
                drawn += _random_numbers(BLOCK) % (count // BLOCK)
            parts.append(drawn)
            at += count
        return np.concatenate(parts)

    def _open(self, client: str, first: datetime) -> _Client:
        found = self._clients.get(client)
        if found is None:
            found = self._clients[client] = _Client(first)
            if len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(client)
        return found

    def _close(self, client: str, block: _Client) -> None:
        del self._clients[client]
        self._blocks += 1
        found = {
            Oddity.BORDERLINE: len(block.near),
            Oddity.OUTSIDE: block.outside,
            Oddity.PROBING: self._steps(block.near),
        }
        for kind in Oddity:
            if found[kind] >= self._limits[kind]:
                self._keep(kind, client, block.start, found[kind])

    def _steps(self, near: Sequence[Floats]) -> int:
        """Return how many rows near the boundary are a small step from another of them."""
        if len(near) < PROBING_STEPS:
            return 0
        apart = nearest(places(np.asarray(near)))
        return int(np.count_nonzero(apart < self._region.sealed.step))

    def _keep(self, kind: Oddity, client: str, start: datetime, rows: int) -> None:
        self._odd[kind] += 1
        number = self._number(client)
        kept = self._newest[kind]
        kept.pop(number, None)
        kept[number] = OddBlock(
            kind=kind,
            client=number,
            start=timestamp(start),
            rows=rows,
        )
        if len(kept) > (PROBERS if kind is Oddity.PROBING else 1):
            kept.popitem(last=False)
        self._log(kind, client, start, rows)

    def _number(self, client: str) -> int:
        """Return by which number a client is named: it keeps it while it is among the last ones."""
        number = self._numbers.pop(client, None)
        if number is None:
            self._odd_clients += 1
            number = self._odd_clients
        self._numbers[client] = number
        if len(self._numbers) > MAX_CLIENTS:
            self._numbers.popitem(last=False)
        return number

    def _log(self, kind: Oddity, client: str, now: datetime, rows: int) -> None:
        last = self._logged.get(kind)
        if last is not None and now < last + LOG_EVERY:
            return
        self._logged[kind] = now
        LOG.warning("%s: %d of %d rows from %s %s.", kind, rows, BLOCK, client or "?", _SAID[kind])


_SAID = {
    Oddity.BORDERLINE: "are near the decision boundary",
    Oddity.OUTSIDE: "lie outside the training region",
    Oddity.PROBING: "go along the decision boundary in small steps",
}


def _random_numbers(count: int) -> NDArray[np.intp]:
    """Return numbers that nobody can foretell, at least 0; numpy's own generators take 2.6 MiB."""
    drawn: NDArray[np.intp] = np.frombuffer(os.urandom(4 * count), np.uint32).astype(np.intp)
    return drawn


def most_by_chance(found: int, rows: int) -> int:
    """Return how many rows of a block are so by chance, at most but for ``BY_CHANCE``.

    Twice the share of the test rows, as if one more of two more were so: a small test split is no
    proof that such rows are rare.

    Args:
        found: How many test rows are so.
        rows: How many test rows there are.
    """
    share = min(1.0, 2 * (found + 1) / (rows + 2))
    tail = 1.0
    for count in range(BLOCK):
        tail -= comb(BLOCK, count) * share**count * (1 - share) ** (BLOCK - count)
        if tail <= BY_CHANCE:
            return count
    return BLOCK
