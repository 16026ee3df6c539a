"""uvicorn's connection with bounds: what clients send and nobody asked for yet is memory, too.

httptools takes a head of any length and as many requests in one piece as fit, and uvicorn keeps
what came of a body until the application looks at it. Here all of that has an end: for a
connection, and for what all of them hold together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec.json import encode
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hallmark_predictor.bodies import LINGER_SECONDS, MAX_HEAD, READ_SECONDS, RETRY_AFTER
from hallmark_predictor.metrics import OTHER_ROUTE
from hallmark_predictor.overload import CAME, DROPPED
from hallmark_predictor.request_parser import RequestParser
from hallmark_predictor.serving import Serving

if TYPE_CHECKING:
    from asyncio import Transport

    from uvicorn.config import Config
    from uvicorn.server import ServerState

HEADER = 64
"""Bytes that a header counts besides its own."""
MAX_QUEUED = 32
"""Requests on a connection that wait for those before them."""
STALE_SECONDS = READ_SECONDS + LINGER_SECONDS
"""After which a request that is still coming ends its connection, if nobody waits for it."""
_ENDS = {
    HTTPStatus.BAD_REQUEST: "Expected a request as HTTP/1.1 has it, found something else.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"Expected a request's address and headers to have at most {MAX_HEAD} bytes, found more."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "This predictor has too many clients at once; send the request again in a second, or ask "
        "for more replicas or memory."
    ),
}


class _Ended(Exception):
    """Ends the parser's work on what came."""


class GuardedProtocol(HttpToolsProtocol):
    """A connection that takes no more than its part of the memory."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,  # noqa: ANN401 - as uvicorn has it
        *,
        serving: Serving,
    ) -> None:
        """Prepare as uvicorn does.

        Args:
            config: uvicorn's.
            server_state: uvicorn's.
            app_state: uvicorn's.
            _loop: uvicorn's.
            serving: What is served, and how much room there is.
        """
        super().__init__(config, server_state, app_state, _loop)
        self.parser = RequestParser(self)  # type: ignore[assignment]  # has what uvicorn asks for
        self._serving = serving
        self._since: float | None = None
        """When the request began that is still coming; None between requests."""
        self._made = self.loop.time()
        self._head = 0
        """Bytes of the head that is being read, or of what follows a body in chunks."""
        self._came = 0
        """Bytes that came since the parser last told anything: it keeps them."""
        self._is_deaf = False
        """Whether nothing more is read."""
        self._is_head = False
        """Whether the head of a request is read, and no trailer."""
        self._keeps = False
        """Whether the connection is kept once the body is whole that the newest head announced."""

    # uvicorn takes no other transport either.
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a client, or tell him that there are too many."""
        super().connection_made(transport)
        most = self._serving.room.max_connections
        if len(self.connections) > most + most // 4:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Read what came, unless this client has had his part."""
        if self._is_deaf:
            return
        self._came += len(data)
        super().data_received(data)
        if self._came > MAX_HEAD and not self._is_deaf:
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    # As asyncio has it; uvicorn closes always.
    def eof_received(self) -> bool:  # type: ignore[override]
        """Tell whether a client who says no more has answers to come, and is kept until then."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        if self._since is not None and (not self._is_deaf or cycle.response_started):
            return False  # He sends no more of a body, or has his answer.
        cycle.keep_alive = False  # the last one's, with the others before it
        return True

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; what was ended here has its answer."""
        if not self._is_deaf:
            self._end(HTTPStatus.BAD_REQUEST)

    def shutdown(self) -> None:
        """End the connection when what was asked is answered."""
        self._keeps = False
        super().shutdown()

    def body_follows(self) -> None:
        """Take that a request which seemed to be whole has a body to come."""
        self._since = self.loop.time()
        self.cycle.more_body = True
        if self.expect_100_continue:
            self.cycle.keep_alive = False

    def on_message_begin(self) -> None:
        """Take that the parser has begun to read a request."""
        self._since = self.loop.time()
        self._head = self._came = 0
        self._is_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of a request's address."""
        self._more_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after a body in chunks is dropped (RFC 9110, section 6.5.1)."""
        self._more_head(len(name) + len(value) + HEADER)
        if self._is_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Take that the head was read."""
        self._head = 0
        self._is_head = False
        if len(self.pipeline) >= MAX_QUEUED:
            self._end(None)
            raise _Ended
        now = time.perf_counter()
        self.scope["state"][CAME] = now - self._serving.turn.waited(now, self.loop.call_soon)
        super().on_headers_complete()
        if self.expect_100_continue:
            # Answered before he was told to go on, the client may leave out the body.
            self._keeps, self.cycle.keep_alive = self.cycle.keep_alive, False

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body, if there is room for it."""
        self._came = 0
        if not self.cycle.response_complete and not self._has_room(len(body)):
            self._end(None)
            raise _Ended
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take that a request was read to its end."""
        self._since = None
        if not self.cycle.response_started:
            if self.expect_100_continue:
                self.cycle.keep_alive = self._keeps
            if not self.parser.should_keep_alive():  # as a trailer says
                self.cycle.keep_alive = False
        super().on_message_complete()

    def look(self) -> None:
        """End the connection if its client only keeps a place, which takes a look now and then."""
        now = self.loop.time()
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            return
        silent = cycle is None and self.timeout_keep_alive_task is None and self._since is None
        if silent and now - self._made > self.timeout_keep_alive:
            self.transport.close()
        if self._since is not None and now - self._since > STALE_SECONDS:
            self.transport.close()

    def _more_head(self, size: int) -> None:
        self._came = 0
        self._head += size
        if self._head > MAX_HEAD:
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _Ended

    def _has_room(self, size: int) -> bool:
        return self._serving.inbox.take(size, self._waiting, self.loop.call_soon)

    def _waiting(self) -> int:
        """Return how many bytes of bodies have come that nobody asked for yet."""
        return sum(
            len(cycle.body)
            for connection in self.connections
            for cycle in _cycles(connection)
            if not cycle.response_complete
        )

    def _end(self, status: HTTPStatus | None) -> None:
        """Read nothing more, answer what was asked before, and end the connection.

        Args:
            status: What is answered where nothing was asked before, or not as a whole.
        """
        self._is_deaf = True
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the last one's, with the others before it
            if cycle.more_body:
                cycle.scope["state"][DROPPED] = status or HTTPStatus.SERVICE_UNAVAILABLE
                cycle.message_event.set()
        elif status is not None:
            self.transport.write(_answer(status))
            self._serving.metrics.request(OTHER_ROUTE, status, 0.0)
            # What still comes is dropped for a while: a connection that is closed on unread bytes
            # is reset, and the client never sees the answer.
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)


def _cycles(connection: Any) -> Iterator[Any]:  # noqa: ANN401 - uvicorn's
    """Yield the requests of a connection that are under way, whatever their state."""
    yield from (cycle for cycle, _ in connection.pipeline)
    if connection.cycle is not None:
        yield connection.cycle


def _answer(status: HTTPStatus) -> bytes:
    body = encode({"error": _ENDS[status]})
    retry = b"retry-after: %d\r\n" % RETRY_AFTER if status >= 500 else b""
    return b"".join(
        [
            b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()),
            b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
            retry,
            b"connection: close\r\n\r\n",
            body,
        ]
    )
