"""The predictor's log, which never holds an error's text: that may hold a value."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from structlog.processors import ExceptionRenderer
from structlog.typing import ExcInfo

from hallmark import logs
from hallmark.logs import TRACE_ID

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def configure() -> None:
    """Write the predictor's log."""
    logs.configure(ExceptionRenderer(_told))
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def place_of(error: BaseException) -> str:
    """Return an error's type and place, without its text: that may hold a value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {where}"


def trace_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the fields of a request's log record: its trace, by W3C Trace Context.

    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    found = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
    return {TRACE_ID: found[1].decode()} if found else {}


def _told(exc_info: ExcInfo) -> str:
    return place_of(exc_info[1])
