"""The chain's rules: what makes lines a log that nobody changed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hallmark.api.texts import parse_timestamp, timestamp
from hallmark.audit.events import LOG_KIND, LogReason
from hallmark.audit.head import Head, Place, doubt_about, is_signed_by, unheld
from hallmark.audit.memory import LogMemory
from hallmark.audit.record import (
    FIRST_PREVIOUS,
    AuditRecord,
    is_as_hashed,
    is_record_signed_by,
    read_record,
)
from hallmark.audit.succession import Succession

START = Place(0, FIRST_PREVIOUS)
"""Where a log begins that never lost a record."""
MAX_PROBLEMS = 100
"""The most problems that are kept; who writes garbage does not decide how much memory it takes."""
_MAX_DIGITS = 20
SET_BACK = timedelta(minutes=1)
"""So much earlier a record may be than the one before, as clocks are corrected."""
BREAK_ID = 12
"""Hex digits of a break's id: the first of its record's hash."""


@dataclass(frozen=True)
class Line:
    """A line of a log file, without its end."""

    file: str
    number: int
    data: bytes
    """At most what a record may have."""

    @property
    def where(self) -> str:
        """Where a person finds it."""
        return f"{self.file}, line {self.number}"


@dataclass(frozen=True)
class Expected:
    """What a log is held against.

    Args:
        heads: signed heads by what they are called in a sentence; the log must hold their records.
        missing: sentences about heads that are not there or cannot be read.
        keys: the audit keys' public halves; without them no signature is checked.
    """

    heads: dict[str, Head] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    keys: Succession | None = None

    def doubts(self) -> list[str]:
        """Return why heads vouch for nothing."""
        if self.keys is None:
            return list(self.missing)
        found = (
            doubt_about(head, self.keys.at(head.seq), what) for what, head in self.heads.items()
        )
        return [*self.missing, *(doubt for doubt in found if doubt)]

    def signed_to(self) -> int:
        """Return the number of the last record that a head of the audit key names."""
        if self.keys is None:
            return 0
        heads = self.heads.values()
        signed = (head.seq for head in heads if is_signed_by(head, self.keys.at(head.seq)))
        return max(signed, default=0)


@dataclass(frozen=True)
class Break:
    """The log was not what the operator wrote; nobody has acknowledged it yet."""

    id: str
    """What an acknowledgement names."""
    message: str
    """What was found, the first bad record first."""
    time: str
    """When."""

    @property
    def hold(self) -> str:
        """Why a promotion waits, and what a person must do."""
        return (
            f"No version is promoted while a break of the audit log waits to be acknowledged: "
            f"{self.message} Look at it (docs/audit.md), then run 'kubectl hallmark audit "
            f"acknowledge {self.id} --reason ...'."
        )


class Chain:
    """Follows a log record by record, and keeps what is wrong with it as sentences."""

    def __init__(self, expected: Expected | None = None, *, every_signature: bool = False) -> None:
        """Begin before the first record.

        Args:
            expected: what the log is held against.
            every_signature: check the signature of every record, which names the first forged one;
                else only of records that no signed head vouches for.
        """
        self.seq, self.hash = START
        self.memory = LogMemory()
        """What decisions need of the records."""
        self.problems: list[str] = []
        self.notes: list[str] = []
        """What is in order, and worth being known: a beginning that is not the first record."""
        self.broken: Break | None = None
        self.pruned = START
        """The last record that a checkpoint says was removed."""
        self._expected = expected or Expected()
        self._checked_from = 0 if every_signature else self._expected.signed_to()
        self._first: tuple[Line, AuditRecord] | None = None
        self._decisions: set[bytes] = set()
        self._last_time: datetime | None = None
        self._unseen: dict[str, Head] = {}
        for what, head in self._expected.heads.items():
            if head.place != START:
                self._unseen[what] = head

    @property
    def place(self) -> Place:
        """The last record."""
        return Place(self.seq, self.hash)

    @property
    def empty(self) -> bool:
        """Whether there was no record."""
        return self._first is None

    def follow(self, lines: Iterable[Line]) -> Iterator[AuditRecord]:
        """Yield each record that can be read, and note each break of the chain."""
        for line in lines:
            if len(self.problems) >= MAX_PROBLEMS:
                return
            record = self._read(line)
            if record is not None:
                self._link(line, record)
                yield record

    def has(self, decision_id: str) -> bool:
        """Tell whether a record of that decision was seen."""
        return _short(decision_id) in self._decisions

    def add(self, record: AuditRecord) -> None:
        """Make ``record`` the last one."""
        self._decisions.add(_short(record.decision_id))
        self.seq, self.hash = record.seq, record.hash
        self.memory.hear(record, record.time)
        reason = _OWN_REASONS.get(record.reason) if record.kind == LOG_KIND else None
        if reason is not None:
            reason(self, record)

    def begin_after(self, place: Place) -> None:
        """Make ``place`` what the next record follows."""
        self.seq, self.hash = place

    def finish(self) -> None:
        """Hold beginning and end of the log against what is expected of it."""
        if self._first is not None:
            self._hold_beginning(*self._first)
        self.problems += [unheld(head.place, self.seq, what) for what, head in self._unseen.items()]

    def _read(self, line: Line) -> AuditRecord | None:
        try:
            record = read_record(line.data)
        except ValueError:
            self.problems.append(f"{line.where}: it is not a record.")
            return None
        if not is_as_hashed(record, line.data):
            self.problems.append(f"{line.where}: record {record.seq} was edited after its hash.")
        return record

    def _link(self, line: Line, record: AuditRecord) -> None:
        if self._first is None:
            self._first = line, record
            if record.seq > 1:
                self.begin_after(Place(record.seq - 1, record.prev))
                if record.reason == LogReason.CHAIN_BROKEN:
                    self._see()
        if record.seq != self.seq + 1:
            self.problems.append(
                f"{line.where}: expected record {self.seq + 1}, found record {record.seq}: "
                "records were removed, repeated or put in another order."
            )
        elif record.prev != self.hash:
            self.problems.append(
                f"{line.where}: record {record.seq} does not follow the record before it."
            )
        if self.has(record.decision_id):
            self.problems.append(
                f"{line.where}: record {record.seq} repeats a decision that stands in the log."
            )
        self._hold_signature(line, record)
        self._hold_time(record)
        self.add(record)
        self._see()

    def _see(self) -> None:
        """Strike out the heads that name where the chain is now."""
        if self._unseen:
            here = self.place
            self._unseen = {k: head for k, head in self._unseen.items() if head.place != here}

    def _hold_signature(self, line: Line, record: AuditRecord) -> None:
        keys = self._expected.keys
        if keys is None or record.seq <= self._checked_from:
            return
        if not is_record_signed_by(record, keys.at(record.seq)):
            self.problems.append(
                f"{line.where}: record {record.seq} was not signed with the audit key: the "
                "operator did not write it so."
            )

    def _hold_time(self, record: AuditRecord) -> None:
        """Note where the clock was set back: the order of the records holds, not of their times."""
        moment, before = parse_timestamp(record.time), self._last_time
        self._last_time = moment
        if before is not None and moment < before - SET_BACK and len(self.notes) < MAX_PROBLEMS:
            self.notes.append(
                f"Record {record.seq} is of {record.time}, the one before of {timestamp(before)}: "
                "the clock was set back there. Records stand in the order in which they were "
                "written."
            )

    def _hold_beginning(self, line: Line, record: AuditRecord) -> None:
        before = record.seq - 1
        if before == 0:
            return
        if record.kind == LOG_KIND and record.reason == LogReason.CHAIN_BROKEN:
            self.notes.append(
                f"It begins anew with record {record.seq} of {record.time}, after a break: "
                f"{record.message}"
            )
        elif before > self.pruned.seq or (
            before == self.pruned.seq and record.prev != self.pruned.hash
        ):
            self.problems.insert(
                0,
                f"{line.where}: expected record {self.pruned.seq + 1}, found record {record.seq}: "
                "records before it were removed, and no checkpoint says so.",
            )
        if self.pruned.seq:
            self.notes.append(
                f"Records up to {self.pruned.seq} were removed when their time of keeping had "
                f"ended; the last one had the hash {self.pruned.hash}."
            )

    def _record_broken(self, record: AuditRecord) -> None:
        identity = record.hash.removeprefix("sha256:")[:BREAK_ID]
        self.broken = Break(identity, record.message, record.time)

    def _record_acknowledged(self, record: AuditRecord) -> None:
        if self.broken is not None and record.details.get("break") == self.broken.id:
            self.notes.append(
                f"{record.actor} acknowledged the break {self.broken.id} at {record.time}: "
                f"{record.message}"
            )
            self.broken = None

    def _record_handed_over(self, record: AuditRecord) -> None:
        self.notes.append(f"Record {record.seq} of {record.time}: {record.message}")

    def _record_pruned(self, record: AuditRecord) -> None:
        last = record.details.get("lastRecord", "")
        if last.isascii() and last.isdigit() and len(last) < _MAX_DIGITS:
            self.pruned = Place(int(last), record.details.get("lastHash", ""))


_OWN_REASONS: dict[str, Callable[[Chain, AuditRecord], None]] = {
    LogReason.CHAIN_BROKEN: Chain._record_broken,
    LogReason.BREAK_ACKNOWLEDGED: Chain._record_acknowledged,
    LogReason.RETENTION_ENDED: Chain._record_pruned,
    LogReason.KEY_HANDED_OVER: Chain._record_handed_over,
}


def _short(decision_id: str) -> bytes:
    """Return 16 bytes that stand for an id: a log has many, and all are kept in memory."""
    return hashlib.blake2b(decision_id.encode(), digest_size=16).digest()
