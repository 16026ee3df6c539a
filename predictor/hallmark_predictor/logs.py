"""The predictor's log, which never holds an error's text: that may hold a value."""

from __future__ import annotations

import logging

from structlog.processors import ExceptionRenderer
from structlog.typing import ExcInfo

from hallmark import logs


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


def _told(exc_info: ExcInfo) -> str:
    return place_of(exc_info[1])
