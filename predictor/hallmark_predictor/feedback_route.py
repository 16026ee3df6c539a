"""``POST /feedback``: who may tell the truth about answers does so here, before all routing."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hallmark_predictor.bodies import (
    SEND_SECONDS,
    UNREAD,
    ClientGoneError,
    Readings,
    cut_off,
    not_plain,
    send_in_time,
    send_unread,
)
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.logs import place_of
from hallmark_predictor.memory import Held, no_room
from hallmark_predictor.metrics import Rejection
from hallmark_predictor.problems import BadRequest, refuse
from hallmark_predictor.serving import Serving
from hallmark_predictor.truth import MAX_BYTES, unauthorized

LOG = logging.getLogger(__name__)

PATH = "/feedback"
ANSWER = 32 * 1024
"""Bytes of an answer, at most: the first 50 refusals are told."""
_EARLY = {*UNREAD, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
"""Statuses that may be answered before the body was read."""


class FeedbackRoute:
    """Answers ``POST /feedback`` where it is declared; all else is the other application's."""

    def __init__(self, serving: Serving, others: ASGIApp) -> None:
        """Answer with what is served."""
        self._serving = serving
        self._others = others
        self._readings = Readings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        plane = self._serving.plane
        asked = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH
        if not asked or plane is None or plane.receipts is None or self._serving.truth is None:
            await self._others(scope, receive, send)
            return
        start = time.perf_counter()
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        held = self._serving.room.hold()
        try:
            status, body = await self._answer(scope, plane, receive, held)
            await self._send(status, body, plane, receive, send)
        except ClientGoneError:
            status = HTTPStatus.BAD_REQUEST
        except TimeoutError:
            LOG.warning("A client did not take its answer in %g seconds.", SEND_SECONDS)
        except Exception as error:
            # Neither the log nor the answer gets the error's text: it may hold a value.
            LOG.error("Feedback could not be taken: %s.", place_of(error))
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            body = b'{"error":"The feedback could not be taken; send it again."}'
            await self._send(status, body, plane, receive, send)
        finally:
            held.release()
            self._serving.metrics.request(PATH, status, time.perf_counter() - start)

    async def _answer(
        self, scope: Scope, plane: DataPlane, receive: Receive, held: Held
    ) -> tuple[int, bytes]:
        truth, receipts = self._serving.truth, plane.receipts
        if truth is None or receipts is None:
            raise RuntimeError("Feedback is taken where it is declared.")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        wrong = not_plain(headers, scope["headers"])
        wrong = unauthorized(headers.get(b"authorization"), receipts) or wrong
        if wrong:
            return self._refused(wrong)
        room, state = self._serving.room, scope.get("state", {})

        def admit(size: int) -> BadRequest | None:
            if size > MAX_BYTES:
                return refuse(
                    "the body",
                    f"at most {MAX_BYTES} bytes",
                    "more",
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                )
            return cut_off(state) or no_room(size, ANSWER, room, held)

        body = await self._readings.read(headers, receive, admit)
        return self._refused(body) if isinstance(body, BadRequest) else await truth.answer(body)

    def _refused(self, wrong: BadRequest) -> tuple[int, bytes]:
        self._serving.metrics.rejected(UNREAD.get(wrong.status, Rejection.INVALID))
        return wrong.status, msgspec.json.encode(wrong.body())

    async def _send(
        self, status: int, body: bytes, plane: DataPlane, receive: Receive, send: Send
    ) -> None:
        headers = plane.headers.json(len(body))
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        if status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b"Bearer"))
        if status in _EARLY:
            headers.append((b"connection", b"close"))
            await send_unread(send, receive, start, body)
            return
        if self._serving.ends_connections:
            headers.append((b"connection", b"close"))
        await send(start)
        await send_in_time(send, {"type": "http.response.body", "body": body})
