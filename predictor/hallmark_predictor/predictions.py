"""The routes that predict: straight from the server, before all routing and middleware."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hallmark_predictor.bodies import (
    BINARY_NAME,
    RETRY_AFTER,
    SEND_SECONDS,
    UNREAD,
    ClientGoneError,
    Readings,
    cut_off,
    not_plain,
    send_in_time,
    send_unread,
)
from hallmark_predictor.data_plane import Answer, DataPlane, Method
from hallmark_predictor.headers import AnswerHeaders
from hallmark_predictor.logs import place_of
from hallmark_predictor.memory import Held, no_room, overloaded
from hallmark_predictor.metrics import Rejection
from hallmark_predictor.overload import CAME, LONGEST_LANE, MOST_WAITING
from hallmark_predictor.problems import BadRequest, refuse
from hallmark_predictor.protocol import BINARY_HEADER
from hallmark_predictor.request_counter import CLIENT_GONE, own_seconds
from hallmark_predictor.serving import Serving
from hallmark_predictor.traces import TRACEPARENT, Trace, fields_of, trace_of

LOG = logging.getLogger(__name__)

INLINE_BODY = 64 * 1024
"""A bigger body is answered in a thread, so that the others need not wait for it; one at a time,
for it becomes many times its size."""
_CLOSE = (b"connection", b"close")
_Answered = tuple[Answer | BadRequest, float | None]


class Predictions:
    """Answers the routes that predict; all others are the application's."""

    def __init__(self, serving: Serving, others: ASGIApp) -> None:
        """Answer with what is served."""
        self._serving = serving
        self._others = others
        self._readings = Readings()
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        plane = self._serving.plane
        if plane is None or scope["type"] != "http" or scope["method"] != "POST":
            await self._others(scope, receive, send)
            return
        found = plane.routes.get(scope["path"])
        if found is None:
            await self._others(scope, receive, send)
            return
        route, method = found
        start = time.perf_counter()
        code, own = CLIENT_GONE, None
        client = _client_of(scope)
        held = self._serving.room.hold()
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        trace = trace_of(scope["headers"]) if TRACEPARENT in headers else None
        state = scope.get("state", {})
        try:
            wrong = self._turned_away(start - state.get(CAME, start))
            if wrong is None:
                wrong = not_plain(headers, scope["headers"])
            if wrong is None:
                answer, own = await self._answer(
                    plane, method, headers, state, receive, held, client
                )
            else:
                answer = wrong
            code = await self._send(answer, plane.headers, client, trace, receive, send)
        except ClientGoneError:
            pass
        except Exception as error:
            # Neither the log nor the answer gets the error's text: it may hold a value.
            text = "A request could not be answered: %s."
            LOG.error(text, place_of(error), extra=fields_of(trace))
            code = HTTPStatus.INTERNAL_SERVER_ERROR
            self._serving.metrics.rejected(Rejection.FAILED)
            body = b'{"error":"The request could not be answered."}'
            await self._send_refusal(code, body, plane.headers, receive, send)
        finally:
            held.release()
            seconds = time.perf_counter() - start
            self._serving.metrics.request(route, code, seconds, client, own)
            if trace is not None:
                self._serving.log.ended(trace, route, code, seconds)

    async def _answer(
        self,
        plane: DataPlane,
        method: Method,
        headers: Mapping[bytes, bytes],
        state: Mapping[str, object],
        receive: Receive,
        held: Held,
        client: str,
    ) -> _Answered:
        """Return the answer, and what a right one took of the processor (``own_seconds``)."""
        room = self._serving.room

        def admit(size: int) -> BadRequest | None:
            return cut_off(state) or no_room(size, plane.answer_bytes(size), room, held)

        body = await self._readings.read(headers, receive, admit)
        if isinstance(body, BadRequest):
            return body, None
        json_length = _json_length(headers)
        if isinstance(json_length, BadRequest):
            return json_length, None
        if len(body) <= INLINE_BODY or json_length is not None:
            answer, own = _timed(method, body, json_length)
        else:
            answer, own = await self._in_lane(method, body)
        copier = self._serving.copier
        if copier is not None and not isinstance(answer, BadRequest):
            infer = method == plane.infer
            copier.offer(body, answer, client, infer=infer, json_length=json_length)
        return answer, own

    async def _in_lane(self, method: Method, body: bytes) -> _Answered:
        lane = self._serving.lane
        if not lane.enter(len(body)):
            return overloaded(f"large bodies to be read within {LONGEST_LANE:g} seconds"), None
        seconds = 0.0
        try:
            async with self._one_at_a_time:
                began = time.perf_counter()
                try:
                    return await asyncio.to_thread(_timed, method, body, None)
                finally:
                    seconds = time.perf_counter() - began
        finally:
            lane.leave(len(body), seconds)

    def _turned_away(self, waited: float) -> BadRequest | None:
        """Return why a request that has waited so many seconds is not answered, or None."""
        if waited > MOST_WAITING:
            return overloaded(f"its turn within {MOST_WAITING:g} seconds")
        if self._serving.is_crowded:
            return overloaded(f"at most {self._serving.room.max_connections} open connections")
        return None

    async def _send(
        self,
        answer: Answer | BadRequest,
        headers: AnswerHeaders,
        client: str,
        trace: Trace | None,
        receive: Receive,
        send: Send,
    ) -> int:
        """Send an answer, count what it answers, and return its status."""
        serving = self._serving
        if isinstance(answer, BadRequest):
            serving.refused(answer.refusals, client)
            serving.metrics.rejected(_reason(answer.status))
            body = msgspec.json.encode(answer.body())
            await self._send_refusal(answer.status, body, headers, receive, send)
            return answer.status
        body = answer.body
        if answer.json_length is None:
            raw = headers.of(len(body))
        else:
            raw = headers.binary(len(body), answer.json_length)
        if serving.ends_connections:
            raw = [*raw, _CLOSE]
        serving.answered(answer, client)
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        try:
            await send_in_time(send, {"type": "http.response.body", "body": body})
        except TimeoutError:
            # Without an end to its answer the server closes the connection.
            text = "A client did not take its answer in %g seconds."
            LOG.warning(text, SEND_SECONDS, extra=fields_of(trace))
            return CLIENT_GONE
        return HTTPStatus.OK

    async def _send_refusal(
        self, status: int, body: bytes, headers: AnswerHeaders, receive: Receive, send: Send
    ) -> None:
        raw = headers.json(len(body))
        start: Message = {"type": "http.response.start", "status": status, "headers": raw}
        if status in UNREAD:
            raw.append(_CLOSE)
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                raw.append((b"retry-after", b"%d" % RETRY_AFTER))
            await send_unread(send, receive, start, body)
            return
        if self._serving.ends_connections:
            raw.append(_CLOSE)
        await send(start)
        await send({"type": "http.response.body", "body": body})


def _timed(method: Method, body: bytes, json_length: int | None) -> _Answered:
    """Return what a body is answered, and the processor's time for that in this thread alone."""
    began = time.thread_time()
    answer = method(body, json_length)
    if isinstance(answer, BadRequest):
        return answer, None
    return answer, own_seconds(time.thread_time() - began, answer.count)


def _reason(status: int) -> Rejection:
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        return Rejection.MEDIA_TYPE
    return UNREAD.get(status, Rejection.INVALID)


def _json_length(headers: Mapping[bytes, bytes]) -> int | BadRequest | None:
    """Return how long the JSON of a body is, where tensors' bytes follow it."""
    value = headers.get(BINARY_NAME)
    if value is None:
        return None
    if value.isdigit() and len(value) < 12:
        return int(value)
    return refuse(BINARY_HEADER, "a whole number", "something else")


def _client_of(scope: Scope) -> str:
    """Return the address of who asks; empty where the server knows none."""
    client = scope.get("client")
    return str(client[0]) if client else ""
