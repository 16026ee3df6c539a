"""Reads a request's body within its time and its room, and gives answers their time.

A body is admitted before it is read. Who sends it slowly, or takes the answer slowly, loses his
place after a while: the room is for all.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.memory import Held, Room
from hallmark_predictor.problems import BadRequest, refuse

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

_HELD = "hallmark.held"
UNREAD = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.REQUEST_TIMEOUT,
)
"""What is answered before the body was read to its end; the connection is closed."""


def open_place(scope: Scope, room: Room) -> Held:
    """Give a request its place in the room, empty; whoever opens it releases it."""
    held = scope[_HELD] = room.hold()
    return held


async def read_body(request: Request, plane: DataPlane, room: Room) -> bytes | BadRequest:
    """Return the body, or why it is not read."""
    wrong = _not_plain(request)
    if wrong:
        return wrong
    length = request.headers.get("content-length", "0")
    size = int(length[:20]) if length.isdecimal() else 0
    held: Held = request.scope[_HELD]
    body = bytearray()
    try:
        refused = _refused(size, plane, room, held)
        if refused:
            return refused
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                if len(body) + len(chunk) > size:
                    size = len(body) + len(chunk)
                    refused = _refused(size, plane, room, held)
                    if refused:
                        return refused
                body += chunk
    except TimeoutError:
        expected = f"all of it within {READ_SECONDS:g} seconds"
        return refuse("the body", expected, "a part", HTTPStatus.REQUEST_TIMEOUT)
    return bytes(body)


def _not_plain(request: Request) -> BadRequest | None:
    headers = request.headers
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return refuse(
            "Content-Type", "application/json", "another", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    for name in ("content-encoding", "inference-header-content-length"):
        if headers.get(name, "identity") != "identity":
            return refuse(
                name, "no such header: plain JSON", "one", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            )
    return None


def _refused(size: int, plane: DataPlane, room: Room, held: Held) -> BadRequest | None:
    """Hold the room for a body of so many bytes, or return why there is none."""
    if size > room.max_body:
        return refuse(
            "the body",
            f"at most {room.max_body} bytes",
            "more",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    if held.reach(2 * size + plane.answer_bytes(size)):
        return None
    return refuse(
        "the body",
        f"memory for {size} bytes; send it again in a second, or ask for more replicas or memory",
        "other requests in it",
        HTTPStatus.SERVICE_UNAVAILABLE,
    )


class Unread(JSONResponse):
    """An answer before the body was read: it goes out at once, then what still comes is dropped."""

    def __init__(self, refused: BadRequest, headers: dict[str, str]) -> None:
        """Say why; the connection ends."""
        headers = {**headers, "connection": "close"}
        if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["retry-after"] = str(RETRY_AFTER)
        super().__init__(refused.body(), refused.status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, linger, end."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if self.status_code != HTTPStatus.REQUEST_TIMEOUT:
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
