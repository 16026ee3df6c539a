"""The heads of requests and answers, each made or read once: the same come again and again.

But for those that name their request, as traces do: they are read each time, and not kept.
"""

from __future__ import annotations

import httptools
from msgspec import Struct

from hallmark_predictor.bodies import is_json
from hallmark_predictor.data_plane import DataPlane, Method
from hallmark_predictor.traces import TRACEPARENT, Trace, read_trace

MOST_BYTES = 16 * 1024
"""Of a request that is answered on its connection; its answer is small, too."""
KEPT_HEADS = 4096
KEPT_BYTES = 1024
"""Of a head that is kept: who sends long ones, each of its own, decides on no memory."""
_END = b"\r\n\r\n"
_ELSEWHERE = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})
_NAMING = frozenset(
    {TRACEPARENT, b"tracestate", b"baggage", b"x-request-id", b"b3", b"x-b3-spanid"}
)
"""Headers that are another in each request: of W3C's and Zipkin's traces, and proxies' own."""


class Head(Struct, frozen=True):
    """What a request's head asks for.

    Attributes:
        route: For the metrics.
        method: Answers its body.
        length: Bytes of its body.
        trace: Whose part the request is, if it says so.
    """

    route: str
    method: Method
    length: int
    trace: Trace | None = None


class Heads:
    """The heads that were read, for one data plane."""

    def __init__(self, plane: DataPlane) -> None:
        """Start with none."""
        self.plane = plane
        self._known: dict[bytes, Head | None] = {}
        self._lines = {
            b"POST %b HTTP/1.1" % path.encode(): found for path, found in plane.routes.items()
        }

    def read(self, head: bytes) -> Head | None:
        """Return what a head asks for, or None if it is not answered here.

        Args:
            head: Up to the empty line, without it.
        """
        try:
            return self._known[head]
        except KeyError:
            found, names_it = self._read(head)
            # One that names its request does not come again.
            if len(head) <= KEPT_BYTES and not names_it:
                if len(self._known) == KEPT_HEADS:  # Nor does he keep out those of others.
                    self._known.clear()
                self._known[head] = found
            return found

    def _read(self, head: bytes) -> tuple[Head | None, bool]:
        """Return what a head asks for, and whether it names its request."""
        at = self._lines.get(head.partition(b"\r\n")[0])
        if at is None:
            return None, False
        reading = _Reading()
        parser = httptools.HttpRequestParser(reading)
        try:
            parser.feed_data(head + _END)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None, False
        headers = reading.headers
        names_it = not _NAMING.isdisjoint(headers)
        length = headers.get(b"content-length", b"")
        # One that stands twice may be meant otherwise by somebody before us.
        plain = reading.complete and len(headers) == reading.count and length.isdigit()
        if not plain or not parser.should_keep_alive() or _ELSEWHERE & headers.keys():
            return None, names_it
        if not is_json(headers) or int(length[:20]) > MOST_BYTES:
            return None, names_it
        traceparent = headers.get(TRACEPARENT)
        trace = None if traceparent is None else read_trace(traceparent)
        return Head(*at, int(length), trace), names_it


class _Reading:
    """Takes what httptools tells of one head."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.count = 0
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value
        self.count += 1

    def on_headers_complete(self) -> None:
        self.complete = True


class AnswerHeads:
    """The heads of answers, made once for each length and second."""

    def __init__(self, plane: DataPlane) -> None:
        """Start with none."""
        self._plane = plane
        self._defaults: object = None
        self._before = b""
        self._after: dict[int, bytes] = {}

    def of(self, length: int, defaults: list[tuple[bytes, bytes]]) -> bytes:
        """Return the head of an answer of so many bytes, with the server's own headers."""
        if defaults is not self._defaults:
            self._before = b"HTTP/1.1 200 OK\r\n" + _lines(defaults)
            self._defaults = defaults
        after = self._after.get(length)
        if after is None:
            after = _lines(self._plane.headers.of(length)) + b"\r\n"
            if len(self._after) < KEPT_HEADS:
                self._after[length] = after
        return self._before + after


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
