"""Traces of requests, by W3C Trace Context, and a line of the log for each that is sampled.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from hallmark_predictor.logs import TRACE_ID

LOG = logging.getLogger(__name__)

TRACEPARENT = b"traceparent"
MOST_LINES = 50
"""Lines in a second: the flag is the client's, and a log is no place to be flooded."""
_FORM = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_FIRST_VERSION = b"00"
_SAMPLED = 1


class Trace(Struct, frozen=True):
    """Whose part a request is.

    Attributes:
        trace_id: 32 hexadecimal digits.
        parent_id: 16 hexadecimal digits: the caller's span.
        sampled: Whether the caller records the trace.
    """

    trace_id: str
    parent_id: str
    sampled: bool

    def fields(self) -> dict[str, object]:
        """Return the fields of a log record that belongs to it."""
        return {TRACE_ID: self.trace_id, "parent_id": self.parent_id}


def trace_of(headers: Sequence[tuple[bytes, bytes]]) -> Trace | None:
    """Return the trace that a request's headers name; one that is named twice is none."""
    values = [value for name, value in headers if name == TRACEPARENT]
    return read_trace(values[0]) if len(values) == 1 else None


def read_trace(value: bytes) -> Trace | None:
    """Return the trace that a header's value names, or None where it is not of the form.

    Later versions may say more behind what is known of them; the first says no more.
    """
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if more and version == _FIRST_VERSION:
        return None
    return Trace(trace_id.decode(), parent_id.decode(), bool(int(flags, 16) & _SAMPLED))


def fields_of(trace: Trace | None) -> dict[str, object]:
    """Return the fields of a log record of a request."""
    return {} if trace is None else trace.fields()


class RequestLog:
    """Tells of requests whose trace is sampled; of some of them where there are too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing told.

        Args:
            clock: Tells seconds.
        """
        self._clock = clock
        self._second = -1
        self._told = 0
        self._untold = 0

    def ended(self, trace: Trace, route: str, code: int, seconds: float) -> None:
        """Tell of a request that ended.

        Args:
            trace: Its own.
            route: The route's path.
            code: The status code of the answer.
            seconds: From its headers to the end of its answer.
        """
        if not trace.sampled:
            return
        second = int(self._clock())
        if second != self._second:
            self._second, self._told = second, 0
        if self._told == MOST_LINES:
            self._untold += 1
            return
        self._told += 1
        more: dict[str, object] = {"untold": self._untold} if self._untold else {}
        self._untold = 0
        said = {"route": route, "code": code, "milliseconds": round(seconds * 1000, 3)}
        LOG.info("A request was answered.", extra=trace.fields() | said | more)
