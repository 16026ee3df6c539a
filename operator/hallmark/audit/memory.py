"""What the log says that the operator needs, kept in memory while records are written and read.

When some bytes last had to give way, and which objects there are that records are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import NamedTuple

from hallmark.api.model_version import RolledBack
from hallmark.api.texts import clip, parse_timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord, Record, moment_in

DECIDED_AT = "decidedAt"
"""The detail that says when a decision was made, where the record's time may be a later one."""
_GAVE_WAY = {
    (AuditEvent.ROLLBACK, AuditOutcome.COMPLETED),
    (AuditEvent.ROLLBACK, AuditOutcome.STOPPED),
}
_MAX_NAME, _MAX_REASON = 253, 64
"""Characters of what is kept of a record; one that was changed may have more."""


ABOUT = frozenset({"TrainingRun", "ModelVersion", "Deployment"})
"""The kinds that records are about, besides the ModelApprovals that they name."""


class Known(NamedTuple):
    """An object that records are about."""

    kind: str
    namespace: str
    name: str
    uid: str
    seq: int
    """The last record about it."""


class _Said(NamedTuple):
    """What was last decided of a run, and how often that became another decision."""

    outcome: str
    changes: int


_CHANGES = "TrainingRun"
_CHANGEABLE = frozenset({AuditEvent.GATE, AuditEvent.SEAL})
"""Decisions about a run that may become others before they take effect: the operator was killed,
and came back to another policy."""


class LogMemory:
    """Is told of each record; keeps an entry for each object and for bytes that gave way.

    Records are heard before what they say takes effect, so that nobody else knows of it earlier.
    """

    def __init__(self) -> None:
        """Begin without any record."""
        self._rollbacks: dict[tuple[str, str], RolledBack] = {}
        self._known: dict[str, Known] = {}
        self._said: dict[tuple[str, str], _Said] = {}
        self.heard = 0
        """How many objects became known, however many of them are forgotten by now."""

    def hear(self, record: Record | AuditRecord, time: str) -> None:
        """Take a record that is written, or kept safe until it is.

        Args:
            record: the record.
            time: its time, where it does not say itself when it was decided.
        """
        if isinstance(record, AuditRecord):
            self._keep_object(record)
        self._keep_said(record)
        digest = record.details.get("fromDigest")
        if digest and (record.event, record.outcome) in _GAVE_WAY:
            found = RolledBack(
                time=moment_in(record, DECIDED_AT, time),
                deployment=clip(record.name, _MAX_NAME),
                reason=clip(record.reason, _MAX_REASON),
            )
            known = self._rollbacks.get((record.namespace, digest))
            if known is None or parse_timestamp(known.time) < parse_timestamp(found.time):
                self._rollbacks[record.namespace, digest] = found

    def known(self) -> Sequence[Known]:
        """Return the objects that records are about, and none says to be gone."""
        return list(self._known.copy().values())  # Another thread may hear of one meanwhile.

    def knows(self, uid: str) -> bool:
        """Tell whether records are about an object, and none says that it is gone."""
        return uid in self._known

    def forget(self, uid: str) -> None:
        """Take that an object is gone, and that this is on record."""
        self._known.pop(uid, None)
        for event in _CHANGEABLE:
            self._said.pop((uid, event), None)

    def id_of(self, decided: Record) -> str | None:
        """Return the id under which a decision is to be recorded; None: it was the last one.

        Of what became another decision and this one again, the log is to end with this one.
        """
        said = self._said.get((decided.uid, decided.event))
        if said is None or decided.kind != _CHANGES:
            return decided.decision_id
        if said.outcome == decided.outcome:
            return None
        return f"{decided.decision_id}:{said.changes + 1}"

    def _keep_said(self, record: Record | AuditRecord) -> None:
        if record.kind == _CHANGES and record.event in _CHANGEABLE:
            place = (record.uid, str(record.event))
            said = self._said.get(place, _Said("", -1))
            if said.outcome != record.outcome:
                self._said[place] = _Said(intern(str(record.outcome)), said.changes + 1)

    def _keep_object(self, record: AuditRecord) -> None:
        if record.event == AuditEvent.DELETE:
            self.forget(record.uid)
            return
        space, details = record.namespace, record.details
        if record.kind in ABOUT:
            self._keep(Known(record.kind, space, record.name, record.uid, record.seq))
        if uid := details.get("approvalUid"):
            name = details.get("approval", "")
            self._keep(Known("ModelApproval", space, name, uid, record.seq))

    def _keep(self, known: Known) -> None:
        self.heard += known.uid not in self._known
        self._known[known.uid] = known

    def rolled_back(self, namespace: str, digest: str) -> RolledBack | None:
        """Return the last time that some bytes had to give way in a namespace, or None."""
        return self._rollbacks.get((namespace, digest))
