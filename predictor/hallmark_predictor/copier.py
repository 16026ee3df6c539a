"""The active version's side of a mirror: copies what it answers, and compares the answers.

Copies never hold up an answer: they are made after it, few are under way at a time, and those that
find no room are dropped and counted. The candidate is believed in nothing but its answers.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import random
from typing import TYPE_CHECKING, cast

from msgspec.msgpack import Decoder

from hallmark.api.document import UNREADABLE
from hallmark.drift.mirrored import MOST_ROWS
from hallmark_predictor.data_plane import Answer
from hallmark_predictor.mirror_counts import CountsCopies
from hallmark_predictor.mirror_frames import (
    MOST_BODY,
    Copy,
    Frames,
    Hello,
    Outcome,
    Told,
    framed,
)

if TYPE_CHECKING:
    from asyncio import BaseTransport, Transport

LOG = logging.getLogger(__name__)

MOST_COPIES = 64
"""Copies under way from a Pod at a time; each of its processes has an equal part."""
MOST_BYTES = 256 * 1024
"""Bytes of their bodies, likewise; but room for the largest body is in each process."""
ANSWER_SECONDS = 2.0
"""Within which a copy must be answered."""
LOOK_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds until another connection is tried; doubled while none says that it is the candidate."""
_SAID = struct.Struct("=2f")
_hello = Decoder(Hello).decode
_told = Decoder(Told).decode
_Waiting = tuple[str, bytes, float, int]
"""Who had asked, what the active version said of the rows, when it was sent, and its bytes."""


class Copier:
    """Copies requests to one candidate; for the event loop's thread alone."""

    def __init__(
        self,
        host: str,
        port: int,
        classes: Sequence[str],
        counter: CountsCopies,
        percent: int,
        processes: int = 1,
    ) -> None:
        """Prepare; ``run`` connects.

        Args:
            host: Where the candidate's Pods are reached.
            port: Likewise.
            classes: The active version's, in order.
            counter: Counts what becomes of the copies.
            percent: Of the answered requests are copied.
            processes: How many of this Pod copy.
        """
        self._limits = max(1, MOST_COPIES // processes), max(MOST_BODY, MOST_BYTES // processes)
        self._host, self._port = host, port
        self._classes = list(classes)
        self.counter = counter
        self._share = percent / 100
        self._link: _Link | None = None

    def offer(
        self, body: bytes, answer: Answer, client: str, *, infer: bool, json_length: int | None
    ) -> None:
        """Copy a request, if it is its turn and there is room.

        Args:
            body: The request's, unpacked.
            answer: What it was answered.
            client: The address of who sent it.
            infer: Whether it is one of the Open Inference Protocol.
            json_length: How much of the body is JSON, where tensors' bytes follow it.
        """
        if random() >= self._share:  # noqa: S311 - a sample
            return
        link = self._link
        if link is None or not link.has_room(len(body)):
            self.counter.drop()
            return
        many = answer.said_of_many
        said = answer.said if many is None else many[:MOST_ROWS].tobytes()
        link.send(Copy(infer, body, json_length), client, said)

    async def run(self) -> None:
        """Keep a connection to the candidate until cancelled."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while True:
            link = _Link(self.counter, self._classes, loop.time, self._limits)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await loop.create_connection(lambda: link, self._host, self._port)  # noqa: B023 - awaited here
                await self._use(link)
            pause = FIRST_PAUSE if link.is_the_candidate else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _use(self, link: _Link) -> None:
        """Send copies on a connection until it is lost, or nobody answers on it."""
        try:
            while not link.lost.done():
                self._link = link if link.is_the_candidate else None
                news = [link.lost] if link.is_the_candidate else [link.lost, link.greeted]
                await asyncio.wait(news, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                if link.is_silent(ANSWER_SECONDS):
                    link.end()
        finally:
            self._link = None
            link.leave()


class _Link(asyncio.Protocol):
    """A connection to a Pod of the candidate, which answers in the order in which it is asked."""

    def __init__(
        self,
        counter: CountsCopies,
        classes: Sequence[str],
        clock: Callable[[], float],
        limits: tuple[int, int],
    ) -> None:
        self._counter = counter
        self._classes = classes
        self._clock = clock
        self._most_copies, self._most_bytes = limits
        self._began = clock()
        self._frames = Frames()
        self._waiting = deque[_Waiting]()
        self._bytes = 0
        self._out: list[bytes] = []
        self._same: list[int] = []
        """The active version's number of each of the candidate's classes; -1: it has none."""
        self._transport: Transport | None = None
        self.is_the_candidate = False
        """Whether it has said so: it is asked nothing before."""
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.greeted: asyncio.Future[None] = loop.create_future()

    def has_room(self, size: int) -> bool:
        """Tell whether a copy of so many bytes may be sent."""
        few = len(self._waiting) < self._most_copies and self._bytes + size <= self._most_bytes
        return few and size <= MOST_BODY and not self.lost.done()

    def send(self, copy: Copy, client: str, said: bytes) -> None:
        """Send a copy when this turn of the event loop is over."""
        self._waiting.append((client, said, self._clock(), len(copy.body)))
        self._bytes += len(copy.body)
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(framed(copy))

    def is_silent(self, seconds: float) -> bool:
        """Tell whether it owes an answer, or its name, for so long."""
        since = self._waiting[0][2] if self._waiting else self._began
        owes = bool(self._waiting) or not self.is_the_candidate
        return owes and self._clock() - since > seconds

    def end(self) -> None:
        """End the connection that the candidate does not keep, and count what was under way.

        The copy that it was at has failed; those behind it never had their turn.
        """
        if self._waiting:
            self._counter.failed(self._waiting.popleft()[0])
        self.leave()

    def leave(self) -> None:
        """End the connection; what was under way is no word about the candidate."""
        if self._transport is not None:
            self._transport.abort()
        self._counter.drop(len(self._waiting))
        self._waiting.clear()
        self._out.clear()
        self._bytes = 0
        if not self.lost.done():
            self.lost.set_result(None)

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast("Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.end()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.come(data):
                if self.is_the_candidate:
                    self._compare(_told(frame))
                else:
                    self._greet(_hello(frame))
        except UNREADABLE:
            LOG.warning("A Pod of the candidate does not answer as agreed; another one is tried.")
            self.end()

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if data and self._transport is not None:
            self._transport.write(data)

    def _greet(self, hello: Hello) -> None:
        if hello.manifest_digest != self._counter.candidate:
            raise ValueError("It is another version.")
        numbers = {name: number for number, name in enumerate(self._classes)}
        self._same = [numbers.get(name, -1) for name in hello.classes]
        self.is_the_candidate = True
        self.greeted.set_result(None)

    def _compare(self, told: Told) -> None:
        if not self._waiting:
            raise ValueError("It was not asked.")
        client, said, sent, size = self._waiting[0]
        seconds = self._clock() - sent
        if seconds > ANSWER_SECONDS:
            self._counter.failed(client)
        elif told.outcome == Outcome.ANSWERED:
            rows = self._rows(said, told.said)  # what is no answer fails where it stands
            self._counter.answered(client, seconds, rows)
        elif told.outcome == Outcome.REFUSED:
            self._counter.refused(client)
        else:
            self._counter.failed(client)
        self._waiting.popleft()
        self._bytes -= size

    def _rows(self, said: bytes, told: bytes) -> list[tuple[bool, float]]:
        """Return for each row whether the labels agree, and how far the scores are apart.

        Raises:
            ValueError: it is no answer to these rows.
        """
        if len(told) != len(said):
            raise ValueError("It does not answer the rows that it was asked for.")
        pairs = zip(_SAID.iter_unpack(said), _SAID.iter_unpack(told), strict=True)
        return [
            (self._number(label) == mine, _apart(score, theirs))
            for (score, mine), (theirs, label) in pairs
        ]

    def _number(self, label: float) -> int:
        """Return the active version's number of a class of the candidate's."""
        known = label.is_integer() and 0 <= label < len(self._same)
        return self._same[int(label)] if known else -1


def _apart(one: float, other: float) -> float:
    """Return how far two scores are apart; what is no number is as far as can be."""
    apart = abs(one - other)
    return apart if apart <= 1.0 else 1.0
