"""A candidate's side of a mirror: it answers copies, and counts them nowhere.

It listens at a port of its own, while it is the candidate, and a NetworkPolicy lets Pods of its
own ModelDeployment alone come there. So what clients send is no copy, whatever headers they set.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from msgspec.msgpack import Decoder

from hallmark.api.document import UNREADABLE
from hallmark.drift.mirrored import MOST_ROWS
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.logs import place_of
from hallmark_predictor.mirror_frames import Copy, Frames, Hello, Outcome, Told, framed
from hallmark_predictor.problems import BadRequest

if TYPE_CHECKING:
    from asyncio import BaseTransport, Transport

LOG = logging.getLogger(__name__)

MOST_LINKS = 256
"""Processes whose copies are answered at a time."""
_decode = Decoder(Copy).decode


async def answer_copies(plane: DataPlane, host: str, port: int, *, shared: bool = False) -> None:
    """Answer copies until cancelled.

    Args:
        plane: Answers.
        host: Where to listen.
        port: Likewise.
        shared: Whether other processes of this Pod listen there, too.
    """
    links: set[Transport] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: _Answering(plane, links), host, port, reuse_port=shared
        )
    except OSError as error:
        LOG.warning("Copies cannot be taken at port %d: %s.", port, error.strerror)
        return
    try:
        await loop.create_future()
    finally:
        server.close()
        for link in links:
            link.abort()


class _Answering(asyncio.Protocol):
    """One process that sends copies."""

    def __init__(self, plane: DataPlane, links: set[Transport]) -> None:
        self._plane = plane
        self._links = links
        self._frames = Frames()
        self._transport: Transport | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        if len(self._links) >= MOST_LINKS:
            transport.close()
            return
        self._transport = cast("Transport", transport)
        self._links.add(self._transport)
        plane = self._plane
        digest = plane.model.trust.manifest_digest
        self._transport.write(framed(Hello(digest, list(plane.model.schema.classes))))

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            copies = [_decode(frame) for frame in self._frames.come(data)]
        except UNREADABLE:
            transport.abort()
            return
        transport.write(b"".join(framed(self._answer(copy)) for copy in copies))

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._links.discard(self._transport)

    def pause_writing(self) -> None:
        """End who takes no answers: they are as few as the copies that he may have under way."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, copy: Copy) -> Told:
        method = self._plane.infer if copy.infer else self._plane.predict
        try:
            answer = method(copy.body, copy.json_length)
        except Exception as error:
            # Neither the log nor anybody gets the error's text: it may hold a value.
            LOG.error("A copy could not be answered: %s.", place_of(error))
            return Told(Outcome.FAILED)
        if isinstance(answer, BadRequest):
            return Told(Outcome.REFUSED)
        many = answer.said_of_many
        return Told(Outcome.ANSWERED, answer.said if many is None else many[:MOST_ROWS].tobytes())
