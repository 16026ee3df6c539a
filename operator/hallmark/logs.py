"""Logging: one JSON object for each line on standard error, of libraries' messages as well."""

from __future__ import annotations

import logging

import structlog
from structlog.typing import Processor

TRACE_ID = "trace_id"
"""The field of a record that belongs to a request with a W3C trace context."""
_FIELDS = [TRACE_ID, "parent_id", "route", "code", "milliseconds", "untold"]
"""The fields that a record of a request may have."""


def configure(tell_error: Processor = structlog.processors.format_exc_info) -> None:
    """Send structlog's and the standard library's records to standard error as JSON.

    Args:
        tell_error: What becomes of ``exc_info``. A traceback's text, as it is by default, has no
            local variables, but the error's own text.
    """
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_error,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=_FIELDS), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
