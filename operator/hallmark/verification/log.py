"""The audit log of a chain: read with the verifier's own key, and what it says as a link."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hallmark.audit.files import read_head
from hallmark.audit.head import Head
from hallmark.audit.verify import AuditVerdict, read_log
from hallmark.keys import UnusableKey, usable_key
from hallmark.verification.links import Link, broken, holds, open_
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import LogPlace
from hallmark.verification.trusted import Trusted


@dataclass(frozen=True)
class Log:
    """A log as it was read.

    Args:
        verdict: whether it is whole.
        recorded: its records.
        head: the signed head beside it.
        signed_by: the id of the verifier's key that signed it; None where no key can be used.
        doubt: why nothing is known of who signed it, where that is so.
    """

    verdict: AuditVerdict
    recorded: Recorded
    head: Head | None
    signed_by: str | None
    doubt: str = ""

    @property
    def believed(self) -> Recorded | None:
        """Its records, where it is whole and a key of the verifier's signed it; else None."""
        return self.recorded if self.verdict.ok and self.signed_by is not None else None

    @property
    def reaches_to(self) -> str:
        """The time at which it tells all: of its signed head, else of its last record."""
        last = self.recorded.records[-1] if self.recorded.records else None
        if last is None or (self.head and self.head.place == (last.seq, last.hash)):
            return self.head.time if self.head else ""
        return last.time


def log_of(file: Path, anchor: bytes | None, trusted: Trusted, now: datetime) -> Log | None:
    """Return a log, or None where there is no file.

    Args:
        file: its current file; rotated ones and the head stand beside it.
        anchor: the head that was kept outside, or None.
        trusted: the verifier's keys.
        now: when the key must be valid.

    Raises:
        ConfigurationError: the anchor is no head.
    """
    if not file.is_file():
        return None
    try:
        head = read_head(file)
    except OSError:
        head = None  # What the log is read for says what stands there.
    used = [(key, usable_key(key, now)) for key in trusted.auditors]
    # A key that is given twice is revoked by either.
    fallen = {key.key_id: found.why for key, found in used if isinstance(found, UnusableKey)}
    keys = {key.key_id: key.public_key for key, _ in used if key.key_id not in fallen}
    signer = head.key_id if isinstance(head, Head) and head.key_id in keys else next(iter(keys), "")
    verdict, records = read_log(file, keys.get(signer), anchor)
    doubt = "Give the audit key's public half to check who signed it."
    if fallen:
        name, why = next(iter(fallen.items()))
        doubt = f"The audit key {name} {why}: give the one that the log was handed over to."
    return Log(
        verdict,
        Recorded(records),
        head if isinstance(head, Head) else None,
        signer or None,
        doubt,
    )


def audit_link(log: Log | None, place: LogPlace | None, *, exported: bool) -> Link:
    """Return whether the log is whole, signed with a trusted key, and reaches as far as it must."""
    if log is None:
        if place is not None:
            return broken("log", f"Expected an audit log up to record {place.seq}, found none.")
        return open_("log", "There is no audit log here.")
    if log.verdict.problems:
        return broken("log", " ".join(log.verdict.problems[:3]))
    if log.signed_by is None:
        return open_("log", log.doubt)
    last = log.recorded.records[-1]
    if exported:
        if log.head is None or (log.head.seq, log.head.hash) != (last.seq, last.hash):
            return broken("log", f"Expected a signed head of the last record, {last.seq}.")
        if place is None or (place.seq, place.hash) != (last.seq, last.hash):
            return broken("log", f"Expected the export to end with record {last.seq}.")
    notes = " ".join(log.verdict.notes)
    # An older export is whole in itself: who reads this must see how far it reaches.
    said = (
        f"{log.verdict.records} records up to {log.reaches_to}, signed by the key {log.signed_by}"
    )
    return holds("log", f"{said}. {notes}".strip() if notes else said)
