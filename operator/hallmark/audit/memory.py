"""What the log says that decisions need, kept in memory: when some bytes last had to give way."""

from __future__ import annotations

from hallmark.api.common import parse_timestamp
from hallmark.api.model_version import RolledBack
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord, Record

DECIDED_AT = "decidedAt"
"""The detail that says when a decision was made, where the record's time may be a later one."""
_GAVE_WAY = {
    (AuditEvent.ROLLBACK, AuditOutcome.COMPLETED),
    (AuditEvent.ROLLBACK, AuditOutcome.STOPPED),
}


class LogMemory:
    """Is told of each record; one entry for the same bytes of a namespace, however many there are.

    Records are heard before what they say takes effect, so that nobody else knows of it earlier.
    """

    def __init__(self) -> None:
        """Begin without any record."""
        self._rollbacks: dict[tuple[str, str], RolledBack] = {}

    def hear(self, record: Record | AuditRecord, time: str) -> None:
        """Take a record that is written, or kept safe until it is.

        Args:
            record: the record.
            time: its time, where it does not say itself when it was decided.
        """
        digest = record.details.get("fromDigest")
        if digest and (record.event, record.outcome) in _GAVE_WAY:
            found = RolledBack(
                time=record.details.get(DECIDED_AT, time),
                deployment=record.name,
                reason=record.reason,
            )
            known = self._rollbacks.get((record.namespace, digest))
            if known is None or parse_timestamp(known.time) < parse_timestamp(found.time):
                self._rollbacks[record.namespace, digest] = found

    def rolled_back(self, namespace: str, digest: str) -> RolledBack | None:
        """Return the last time that some bytes had to give way in a namespace, or None."""
        return self._rollbacks.get((namespace, digest))
