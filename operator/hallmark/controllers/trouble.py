"""What is shown of an error that nobody expected: on its object, in a metric, in the log."""

from __future__ import annotations

import structlog

from hallmark.cluster.kinds import Kind
from hallmark.controllers import metrics

log = structlog.get_logger("hallmark")


def unexpected(kind: Kind, error: Exception, **named: str) -> str:
    """Log and count a bug, and return the sentence for the object that it was met on.

    The sentence has the error's type and not its text, which may quote anything.

    Args:
        kind: of the object.
        error: what was raised.
        **named: namespace and name of the object.
    """
    log.error("The operator met a bug and goes on.", kind=kind.kind, **named, exc_info=error)
    metrics.INTERNAL_ERRORS.labels(kind.kind).inc()
    return (
        f"The operator met an error that it does not know ({type(error).__name__}) and tries "
        f"again; what stands stays as it is. Report it with the operator's log of this moment."
    )
