"""What a Pod's further processes tell the first one, which counts and reports for all.

Every turn of a worker's event loop ends with one message of all that happened in it. It is counted
as a whole or, where the worker died in the middle, not at all; nothing is told twice, for nothing
is kept. What was answered in the turn in which a worker was killed may be lost, and no more.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field
from msgspec.msgpack import decode, encode

from hallmark.drift.counts import Rows
from hallmark.drift.refusals import Fault, Reason, Refusals
from hallmark_predictor.metrics import Metrics, Rejection
from hallmark_predictor.mirror_frames import Outcome
from hallmark_predictor.request_counter import Ended

if TYPE_CHECKING:
    import socket

_LENGTH = struct.Struct("=I")


class Copied(Struct, array_like=True):
    """What became of copies for a candidate that a worker made.

    Attributes:
        candidate: The candidate's manifest digest.
        since: When that mirror began.
        dropped: Copies that were not made or did not reach the candidate.
        came: For each other one the address of who had asked, what became of it, its seconds, and
            for each compared row whether the labels agree and how far the scores are apart.
    """

    candidate: str
    since: str
    dropped: int = 0
    came: list[tuple[str, Outcome, float, list[tuple[bool, float]]]] = field(default_factory=list)


class Happened(Struct, array_like=True):
    """What happened in a worker since its last message.

    Attributes:
        rows: The answered rows one after the other, each with what the model said of it, as
            float32 in the machine's order.
        came: For each request with rows its client's address, how many rows, and their faults,
            or None where they were answered: then they are the next ones in ``rows``.
        requests: For each request its route, its status, its seconds, its client's address and
            what it took of the processor (``RequestCounter.ended``).
        rejections: Why requests were rejected.
        asks: Whether the worker wants to be told the metrics of all.
        truths: Bodies of feedback, each with a number under which its answer is told.
        copied: What became of copies, of one mirror after another.
    """

    rows: bytes = b""
    came: list[tuple[str, int, list[tuple[str, Reason, int]] | None]] = field(default_factory=list)
    requests: list[tuple[str, int, float, str, float | None]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    asks: bool = False
    truths: list[tuple[int, bytes]] = field(default_factory=list)
    copied: list[Copied] = field(default_factory=list)


class Known(Struct, array_like=True):
    """What the first process knows.

    Attributes:
        active: The version that has the traffic, as far as known.
        metrics: All metrics as Prometheus reads them, where a worker asked for them.
        truth: The answer to feedback: its number, status and JSON.
        copies: Of which requests copies are made: a candidate, since when, and per cent.
    """

    active: str | None
    metrics: bytes | None = None
    truth: tuple[int, int, bytes] | None = None
    copies: tuple[str, str, int] | None = None


def framed(message: Happened | Known) -> bytes:
    """Return a message as it is sent: its length, and MessagePack."""
    data = encode(message)
    return _LENGTH.pack(len(data)) + data


async def happenings(reader: asyncio.StreamReader) -> AsyncIterator[Happened]:
    """Yield what a worker tells until it ends; what it was telling then is left out."""
    while (data := await _frame(reader)) is not None:
        yield decode(data, type=Happened)


async def knowledge(reader: asyncio.StreamReader) -> AsyncIterator[Known]:
    """Yield what the first process tells until it ends."""
    while (data := await _frame(reader)) is not None:
        yield decode(data, type=Known)


async def _frame(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError):
        return None


class Teller:
    """Tells the first process what happens here, once for each turn of the event loop."""

    def __init__(self, up: socket.socket) -> None:
        """Start with nothing to tell.

        Args:
            up: Leads to the first process; blocking, so that nothing happens untold.
        """
        self._up = up
        self._rows: list[bytes] = []
        self._now = Happened()
        self._is_due = False
        self.rows = 0
        """Rows that were told since the start."""

    def record(self, rows: Rows, client: str = "", said: Rows | None = None) -> None:
        """Take answered rows, as ``DriftRecorder`` does."""
        counted = rows if said is None else np.hstack((rows, said))
        self._add_rows(counted.tobytes(), len(rows), client)

    def record_packed(self, rows: Sequence[bytes], clients: Sequence[str]) -> None:
        """Take answered rows as float32 in the machine's order, each of a request of its own."""
        for row, client in zip(rows, clients, strict=True):
            self._add_rows(row, 1, client)

    def refuse(self, refusals: Refusals, client: str = "") -> None:
        """Take the rows at fault in a refused request, and the address of who sent them."""
        self._now.came.append((client, refusals.rows, _listed(refusals.faults)))
        self._soon()

    def request(
        self, route: str, code: int, seconds: float, client: str, own: float | None
    ) -> None:
        """Take a request that ended."""
        self._now.requests.append((route, code, seconds, client, own))
        self._soon()

    def rejected(self, reason: Rejection) -> None:
        """Take a rejected request."""
        self._now.rejections.append(reason)
        self._soon()

    def ask(self) -> None:
        """Ask for the metrics of all."""
        self._now.asks = True
        self._soon()

    def truth(self, number: int, body: bytes) -> None:
        """Pass feedback on, under a number of its own."""
        self._now.truths.append((number, body))
        self._soon()

    def copied(self, candidate: str, since: str) -> Copied:
        """Return where is taken what becomes of a mirror's copies in this turn."""
        self._soon()
        told = self._now.copied
        if not told or (told[-1].candidate, told[-1].since) != (candidate, since):
            told.append(Copied(candidate, since))
        return told[-1]

    def tell(self) -> None:
        """Tell what has happened; without the first process this one ends soon, too."""
        self._is_due = False
        now, rows = self._now, self._rows
        self._now, self._rows = Happened(), []
        now.rows = b"".join(rows)
        with suppress(BrokenPipeError):
            self._up.sendall(framed(now))

    def _turned(self) -> None:
        if self._is_due:
            self.tell()

    def _add_rows(self, rows: bytes, count: int, client: str) -> None:
        self._rows.append(rows)
        self._now.came.append((client, count, None))
        self.rows += count
        self._soon()

    def _soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turned)


class ToldMetrics(Metrics):
    """A worker's metrics: the first process counts."""

    def __init__(self, teller: Teller) -> None:
        """Tell everything to a teller."""
        super().__init__()
        self._teller = teller

    def request(
        self, route: str, code: int, seconds: float, client: str = "", own: float | None = None
    ) -> None:
        """Take a request that ended."""
        self._teller.request(route, code, seconds, client, own)

    def requests(self, ended: Sequence[Ended]) -> None:
        """Take requests that were answered."""
        for route, seconds, client, own in ended:
            self._teller.request(route, 200, seconds, client, own)

    def rejected(self, reason: Rejection) -> None:
        """Take a rejected request."""
        self._teller.rejected(reason)

    def answered(self, rows: int, times: int = 1) -> None:
        """Do nothing: they are told when they are recorded."""

    def refused(self, refusals: Refusals) -> None:
        """Do nothing: they are told when they are recorded."""


def _listed(faults: Mapping[Fault, int]) -> list[tuple[str, Reason, int]]:
    return [(feature, reason, number) for (feature, reason), number in faults.items()]
