"""Reads a request's body within its time and its room, and gives answers their time.

A body is admitted before it is read. Who sends it slowly, or takes the answer slowly, loses his
place after a while: the room is for all.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus

from msgspec import Struct
from starlette.types import Message, Receive, Send

from hallmark_predictor.memory import overloaded
from hallmark_predictor.metrics import Rejection
from hallmark_predictor.overload import DROPPED
from hallmark_predictor.problems import BadRequest, refuse
from hallmark_predictor.protocol import BINARY_HEADER

MAX_HEAD = 32 * 1024
"""Bytes of a request's address and headers, and of what follows a body in chunks."""
READ_SECONDS = 30.0
"""That a body may take to come."""
SEND_SECONDS = 30.0
"""That an answer may take to be taken."""
LINGER_SECONDS = 15.0
"""That what still comes of a refused body is read and dropped: a connection that is closed on
unread bytes is reset, and the client never sees the answer."""
RETRY_AFTER = 1
"""Seconds."""
WHOLE_ANSWER = 64 * 1024
"""A longer answer is waited for until the client took it."""
_STEP = 256 * 1024
"""Bytes that are unpacked before others have their turn."""
_GZIP = 16 + zlib.MAX_WBITS
_JSON = b"application/json"
_BYTES = b"application/octet-stream"
BINARY_NAME = BINARY_HEADER.encode()
_ONCE = (b"content-type", b"content-encoding", b"authorization", BINARY_NAME)
"""Headers of which somebody before us may have looked at another one than we, if there are two."""

Admit = Callable[[int], BadRequest | None]

UNREAD: Mapping[int, Rejection] = {
    HTTPStatus.BAD_REQUEST: Rejection.INVALID,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Rejection.TOO_LARGE,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Rejection.TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE: Rejection.OVERLOADED,
    HTTPStatus.REQUEST_TIMEOUT: Rejection.TOO_SLOW,
}
"""What is answered before the body was read to its end; the connection is closed."""


class ClientGoneError(Exception):
    """The client closed the connection before its body was whole."""


class _Reading(Struct):
    until: float
    is_late: bool = False


class Readings:
    """The bodies that are being read, and until when; one look for all: a timer is dear."""

    def __init__(self) -> None:
        """Start with none."""
        self._of: dict[asyncio.Task[object], _Reading] = {}
        self._looking = False

    async def read(
        self, headers: Mapping[bytes, bytes], receive: Receive, admit: Admit
    ) -> bytes | BadRequest:
        """Return a request's body, unpacked where it came packed, or why it is not read.

        Args:
            headers: Of the request.
            receive: Of the server.
            admit: Called with how long the body is at least; returns why it is refused.

        Raises:
            ClientGoneError: the client went away.
        """
        length = headers.get(b"content-length", b"0")
        size = int(length[:20]) if length.isdigit() else 0
        refused = admit(size)
        if refused:
            return refused
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A body is read in a task.")
        loop = asyncio.get_running_loop()
        reading = self._of[task] = _Reading(loop.time() + READ_SECONDS)
        if not self._looking:
            self._look_later(loop)
        try:
            body = await _whole(size, receive, admit)
        except asyncio.CancelledError:
            if reading.is_late and task.uncancel() == 0:
                expected = f"all of it within {READ_SECONDS:g} seconds"
                return refuse("the body", expected, "a part", HTTPStatus.REQUEST_TIMEOUT)
            raise
        finally:
            del self._of[task]
        if isinstance(body, BadRequest) or not _is_packed(headers):
            return body
        return await _unpacked(body, admit)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looking = True
        loop.call_later(min(1.0, READ_SECONDS / 2), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, reading in self._of.items():
            if now >= reading.until and not reading.is_late:
                reading.is_late = True
                task.cancel()
        self._looking = False
        if self._of:
            self._look_later(loop)


async def _whole(size: int, receive: Receive, admit: Admit) -> bytes | BadRequest:
    """Return a body; ``size`` bytes were admitted before."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        # Nothing that is not the end is a part that the server had no room for.
        if len(body) + len(chunk) > size or (more and not chunk):
            size = max(size, len(body) + len(chunk))
            refused = admit(size)
            if refused:
                return refused
        if not more:
            return bytes(body + chunk) if body else chunk
        body += chunk


def cut_off(state: Mapping[str, object]) -> BadRequest | None:
    """Return why nothing more of a body is read, as its connection noted, or None."""
    status = state.get(DROPPED)
    if status is None:
        return None
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return overloaded("fewer bytes of bodies at once")
    if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return refuse("the trailers", f"at most {MAX_HEAD} bytes", "more", 431)
    return refuse("the body", "it and what follows it as HTTP/1.1 has them", "something else", 400)


def not_plain(
    headers: Mapping[bytes, bytes], raw: Sequence[tuple[bytes, bytes]]
) -> BadRequest | None:
    """Return why a request's headers are not those of a body that is read here, or None.

    Args:
        headers: By name.
        raw: As they came.
    """
    if len(raw) != len(headers):
        names = [name for name, _ in raw]
        for name in _ONCE:
            if names.count(name) > 1:
                return refuse(name.decode(), "this header once", "it more than once")
    media_type = headers.get(b"content-type", _JSON)
    if media_type != _JSON:
        plain = media_type.partition(b";")[0].strip().lower()
        if plain != _JSON and not (plain == _BYTES and BINARY_NAME in headers):
            return refuse(
                "Content-Type", "application/json", "another", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            )
    if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b"gzip"):
        return refuse(
            "content-encoding", "gzip or none", "another", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    return None


def is_json(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a body is plain JSON and nothing else, as its headers say."""
    return headers.get(b"content-type", _JSON) == _JSON and BINARY_NAME not in headers


def _is_packed(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a body is compressed, as its headers say."""
    return headers.get(b"content-encoding", b"").lower() == b"gzip"


async def _unpacked(packed: bytes, admit: Admit) -> bytes | BadRequest:
    """Return what a gzip body holds, or why it is refused: its length is not known before.

    Args:
        packed: As it came.
        admit: Called with how long the body is at least; returns why it is refused.
    """
    reader = zlib.decompressobj(_GZIP)
    body = bytearray()
    try:
        while not reader.eof:
            part = reader.decompress(packed, _STEP)
            packed = reader.unconsumed_tail
            refused = admit(len(body) + len(part))
            if refused:
                return refused
            body += part
            if not part and not packed:
                break
            if len(part) == _STEP:
                await asyncio.sleep(0)
    except zlib.error:
        return refuse("the body", "gzip, as Content-Encoding says", "something else")
    if not reader.eof or reader.unused_data:
        return refuse("the body", "one whole gzip stream", "a part, or more after its end")
    return bytes(body)


async def send_unread(send: Send, receive: Receive, start: Message, body: bytes) -> None:
    """Answer before the body was read: at once, then what still comes is dropped."""
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if start["status"] != HTTPStatus.REQUEST_TIMEOUT:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_in_time(send: Send, message: Message) -> None:
    """Send a part of an answer; a long one is waited for until it was taken.

    Raises:
        TimeoutError: the client does not take it.
    """
    if len(message.get("body", b"")) <= WHOLE_ANSWER:
        await send(message)
        return
    async with asyncio.timeout(SEND_SECONDS):
        await send({**message, "more_body": True})
        # The server waits here until what was written before has gone out.
        await send(
            {
                "type": "http.response.body",
                "body": b"",
                "more_body": message.get("more_body", False),
            }
        )
