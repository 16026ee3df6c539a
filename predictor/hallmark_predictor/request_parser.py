"""httptools' parser for a server that speaks HTTP/1.1 and nothing else.

Who asks for another protocol may be answered as if he had not (RFC 9110, section 7.8): Java's
client asks for HTTP/2 with each first request. httptools takes what follows the head of such a
request for the other protocol, so that here another parser reads on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from hallmark_predictor.guarded import GuardedProtocol

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_ANY_LINE = b"POST / HTTP/1.1"


class RequestParser:
    """Tells a connection of its requests, and of no upgrades."""

    def __init__(self, connection: GuardedProtocol) -> None:
        """Start before the first request.

        Args:
            connection: Is told, by httptools' callbacks.
        """
        self._connection = connection
        self._parser = _made(connection)

    def feed_data(self, data: bytes) -> None:
        """Read what came.

        Raises:
            httptools.HttpParserError: it is no HTTP.
        """
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._read_on()
            else:
                return

    def _read_on(self) -> None:
        """Read the body of a request whose head was told, if it has one."""
        connection = self._connection
        framing = [line for line in connection.headers if line[0] in _FRAMING]
        if not framing:
            return
        connection.body_follows()
        head = b"".join(b"\r\n%b: %b" % line for line in framing)
        self._parser = _made(_AfterHead(connection))
        self._parser.feed_data(_ANY_LINE + head + b"\r\n\r\n")

    def should_upgrade(self) -> bool:
        """Tell that nothing is ever upgraded."""
        return False

    def should_keep_alive(self) -> bool:
        """Tell whether the client wants to go on, as httptools does."""
        return self._parser.should_keep_alive()

    def get_http_version(self) -> str:
        """Return the version, such as ``1.1``."""
        return self._parser.get_http_version()

    def get_method(self) -> bytes:
        """Return the request's method."""
        return self._parser.get_method()


class _AfterHead:
    """Tells a connection of everything but the first head."""

    def __init__(self, connection: GuardedProtocol) -> None:
        self._connection = connection
        self._tells = False
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete

    def on_message_begin(self) -> None:
        if self._tells:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._tells:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._tells:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._tells:
            self._connection.on_headers_complete()
        self._tells = True


def _made(tells: object) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(tells)
    # As uvicorn has it: what comes after the last request of a connection is dropped.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
