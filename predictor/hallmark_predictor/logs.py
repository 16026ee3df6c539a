"""The predictor's log: one JSON object a line on standard error, without an error's text.

That text may hold a value. The members are those of the other components' logs (``hallmark.logs``),
whose library would be a twentieth of a predictor's start.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

TRACE_ID = "trace_id"
"""The field of a record that belongs to a request with a W3C trace context."""
FIELDS = (TRACE_ID, "parent_id", "route", "code", "milliseconds", "untold")
"""The fields that a record of a request may have."""


def configure() -> None:
    """Write the predictor's log, of libraries' records as well."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def place_of(error: BaseException) -> str:
    """Return an error's type and place, without its text: that may hold a value."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    return f"{type(error).__name__} at {where}"


class _Lines(logging.Formatter):
    """Writes a record as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        told |= {"event": record.getMessage(), "level": record.levelname.lower()}
        told["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            told["exception"] = place_of(error)
        return json.dumps(told)
