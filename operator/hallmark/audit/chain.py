"""The chain's rules: what makes lines a log that nobody changed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hallmark.audit.head import Head, unheld
from hallmark.audit.record import FIRST_PREVIOUS, AuditRecord, is_as_hashed, read_record


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


class Chain:
    """Follows a log record by record, and keeps what is wrong with it as sentences."""

    def __init__(self, head: Head | None = None) -> None:
        """Begin before the first record; the record that ``head`` names is held against it."""
        self.seq = 0
        self.hash = FIRST_PREVIOUS
        self.problems: list[str] = []
        self._decisions: set[bytes] = set()
        self._head = head
        self._head_seen = False

    def follow(self, lines: Iterable[Line]) -> Iterator[AuditRecord]:
        """Yield each record that can be read, and note each break of the chain."""
        for line in lines:
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

    def finish(self) -> None:
        """Hold the end of the log against its head."""
        if self._head and not self._head_seen:
            self.problems.append(unheld(self._head, self.seq))

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
        self.add(record)
        head = self._head
        if head and (record.seq, record.hash) == (head.seq, head.hash):
            self._head_seen = True


def _short(decision_id: str) -> bytes:
    """Return 16 bytes that stand for an id: a log has many, and all are kept in memory."""
    return hashlib.blake2b(decision_id.encode(), digest_size=16).digest()
