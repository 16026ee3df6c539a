"""The writer: one process, one record for each decision, on the disk before it takes effect."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.texts import timestamp
from hallmark.audit.chain import START, Break, Chain
from hallmark.audit.current import CurrentFile
from hallmark.audit.events import promotes
from hallmark.audit.files import (
    Sync,
    head_path,
    locked,
    move_aside,
    read_lines,
    replace_file,
    sync_folder,
)
from hallmark.audit.head import Head, Place, sign_head
from hallmark.audit.memory import LogMemory
from hallmark.audit.opening import Anchored, Found, look_at
from hallmark.audit.record import AuditRecord, Record, bounded_id, build_record, sign_record
from hallmark.audit.recovery import (
    acknowledgement_record,
    break_record,
    checkpoint_record,
    set_torn_bytes_aside,
    torn_records,
)
from hallmark.audit.retention import expired, files_up_to
from hallmark.audit.succession import HANDOVER, Keys, handover_record, handover_to
from hallmark.errors import ArtifactError, ConfigurationError, IntegrityError
from hallmark.files import KEY_BYTES, read_whole
from hallmark.keys import Signer, open_signer

ROTATE_AT = 64 * 1024 * 1024
"""Bytes after which a new file is begun."""

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class _Anew:
    """A break that was found: where what is there goes, and what the new log follows."""

    problems: Sequence[str]
    folder: Path
    after: Place


class AuditLog:
    """An append-only log of decisions.

    Each record names the hash of the one before, across rotated files, and is signed with the
    audit key; the head names the last one. A decision whose id stands in the log is not written
    again, unless it is of a run and became another one since. Methods may be called from any
    thread.

    A log that is not what the operator wrote is never continued: all of it moves to a folder
    beside it, and a new one begins with a record of the break. Until a person acknowledges that,
    no promotion is recorded; every other decision is.
    """

    def __init__(
        self,
        path: Path,
        key: Signer,
        *,
        clock: Clock = lambda: datetime.now(UTC),
        rotate_at: int = ROTATE_AT,
        sync: Sync = os.fsync,
        handover: Keys | None = None,
    ) -> None:
        """Know of the log at ``path``; nothing is touched or recorded before ``verify_rest``.

        Args:
            path: The current file; rotated files, head and lock stand beside it.
            key: The audit key (P-256).
            clock: Gives the time of a record (aware).
            rotate_at: Bytes after which a new file is begun.
            sync: Makes a descriptor's data durable.
            handover: The word of the audit key before, where another one signed until now.
        """
        self.path = path
        self.trouble = ""
        """Why the last record could not be written; empty where it could."""
        self._key = key
        self._clock = clock
        self._sync = sync
        self._mutex = threading.Lock()
        self._closed = threading.Event()
        self._chain: Chain | None = None
        self._anew: _Anew | None = None
        self._handover = handover
        self._due = False
        """Whether the handover is still to be recorded."""
        self._file = CurrentFile(path, rotate_at, sync)
        self._lock = -1

    @classmethod
    def open(cls, path: Path, key_path: Path) -> AuditLog:
        """Know of the log at ``path``, with the audit key in the PEM file ``key_path``.

        Raises:
            ConfigurationError: The key cannot be used.
        """
        try:
            pem = read_whole(key_path, KEY_BYTES)
        except OSError as error:
            raise ConfigurationError(
                f"The audit key {key_path} cannot be read ({error.strerror}). "
                "Make one with 'hallmark keys init'."
            ) from error
        try:
            key = open_signer(pem)
            handover = handover_to(key.public_key(), key_path.with_name(HANDOVER))
        except ConfigurationError as error:
            raise ConfigurationError(f"The audit key {key_path}: {error}") from error
        return cls(path, key, handover=handover)

    @property
    def key(self) -> Signer:
        """The audit key."""
        return self._key

    @property
    def public_keys(self) -> Sequence[ec.EllipticCurvePublicKey]:
        """The audit key's public half, and that of the key before, where it handed over."""
        before = (self._handover.old,) if self._handover else ()
        return (self._key.public_key(), *before)

    @property
    def ready(self) -> bool:
        """Whether the whole log is verified, so that decisions can be recorded."""
        return self._chain is not None and self._anew is None and not self._due

    @property
    def broken(self) -> Break | None:
        """The break that nobody has acknowledged yet, if there is one."""
        return self._chain.broken if self._chain else None

    @property
    def seq(self) -> int:
        """The number of the last record; 0 before the log is verified."""
        return self._chain.seq if self._chain else 0

    @property
    def memory(self) -> LogMemory:
        """What decisions need of the records; empty before the log is verified."""
        return self._chain.memory if self._chain else LogMemory()

    def head(self) -> Head | None:
        """Return the last record, signed; None before the log is verified."""
        if not self.ready:
            return None
        with self._mutex:
            return self._head(self._chain) if self._chain and self.ready else None

    def verify_rest(self, anchor: Anchored) -> None:
        """Read the whole log, hold it against its heads, and record what was found.

        It takes some seconds for 100,000 records; ``close`` ends it early. It may be called again
        after it failed.

        Args:
            anchor: The signed head that is kept outside the volume.

        Raises:
            ArtifactError: The log cannot be read, another process writes it, or what was found
                cannot be recorded.
        """
        try:
            if self._lock < 0 and not self._closed.is_set():
                self._lock = locked(self.path)
            # Nobody writes yet, and who wants to is told so at once: the mutex stays free.
            found = self._look(anchor) if self._chain is None else None
            with self._mutex:
                if found is not None and not self._closed.is_set():
                    self._take(found)
                if self._chain is not None:
                    self._begin_anew(self._chain)
                    self._hand_over(self._chain)
            if self.ready:
                self.trouble = ""
                for torn in torn_records(self.path):
                    self.append(torn)
        except OSError as error:
            raise self._in_trouble(error) from error
        except ConfigurationError as error:
            self.trouble = str(error)
            raise ArtifactError(self.trouble) from error

    def append(self, decided: Record) -> AuditRecord | None:
        """Write one decision; see ``append_all``. None: it stands in the log already."""
        return next(iter(self.append_all((decided,))), None)

    def append_all(self, decided: Sequence[Record]) -> list[AuditRecord]:
        """Write decisions that were made together, and return their records once they are safe.

        All are on the disk, or none of them takes effect.

        Returns:
            Without those whose id stands in the log already.

        Raises:
            ArtifactError: They could not be written, or not yet.
            IntegrityError: One is a promotion, and a break of the log waits to be acknowledged.
        """
        with self._mutex:
            chain = self._require_verified()
            new: dict[str, Record] = {}
            for one in decided:
                name = chain.memory.id_of(one)
                if name is not None and not chain.has(bounded_id(name)):
                    new.setdefault(name, replace(one, decision_id=name))
            return self._record(chain, *new.values()) if new else []

    def acknowledge(self, break_id: str, by: str, why: str) -> AuditRecord | None:
        """Record that a person looked at the break, so that promotions go on.

        Returns:
            None where that is not the break that waits.

        Raises:
            ArtifactError: It could not be written.
        """
        with self._mutex:
            chain = self._require_verified()
            if chain.broken is None or chain.broken.id != break_id:
                return None
            said = acknowledgement_record(self.path, chain.broken, by, why, chain.place)
            return self._record(chain, said)[0]

    def checkpoint(self, days: int) -> AuditRecord | None:
        """Record that files with nothing younger than that may go; ``drop`` removes them.

        Returns:
            None where none is old enough, or a break is to be looked at first.

        Raises:
            ArtifactError: It could not be written.
        """
        with self._mutex:
            chain = self._require_verified()
            before = self._clock() - timedelta(days=days)
            files, last = expired(self.path, before)
            if chain.broken or last is None or last.seq <= chain.pruned.seq:
                return None
            return self._record(chain, checkpoint_record(self.path, last, files, days))[0]

    def drop(self, anchored: Place) -> list[Path]:
        """Remove the files that the last checkpoint names, once the anchor is beyond them.

        Raises:
            ArtifactError: A file cannot be removed.
        """
        with self._mutex:
            chain = self._require_verified()
            if chain.broken or chain.pruned == START or anchored.seq <= chain.pruned.seq:
                return []
            try:
                gone = files_up_to(self.path, chain.pruned)
                for path in gone:
                    path.unlink()
                sync_folder(self.path.parent, self._sync)
            except OSError as error:
                raise self._in_trouble(error) from error
            return gone

    def probe(self) -> None:
        """Try whether the volume takes a write again, where the last one failed."""
        with self._mutex, suppress(OSError):
            if self.trouble and self._chain is not None and self.ready:
                self._write_head(self._chain)
                self.trouble = ""

    def close(self) -> None:
        """Let another process write."""
        self._closed.set()
        with self._mutex:
            self._file.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    # -- the start ----------------------------------------------------------------------------

    def _look(self, anchor: Anchored) -> Found | None:
        set_torn_bytes_aside(self.path, self._sync)
        return look_at(
            self.path, self._key.public_key(), anchor, self._closed.is_set, self._handover
        )

    def _take(self, found: Found) -> None:
        chain = found.chain
        if found.problems:
            chain = Chain()
            chain.begin_after(found.last_known)
            self._break(found.problems, found.last_known)
        else:
            if found.is_new:
                # Before the first record, so that a head that is not there is always a finding.
                self._write_head(chain)
            lines = sum(1 for _ in read_lines(self.path)) if self.path.exists() else 0
            self._file.open(chain.seq + 1 - lines)
            self._due = found.handed_over
        self._chain = chain

    # -- a break ------------------------------------------------------------------------------

    def _break(self, problems: Sequence[str], after: Place) -> None:
        stamp = self._clock().strftime("%Y%m%dT%H%M%S")
        name = f"{self.path.name}.broken-{after.seq}-{stamp}"
        self._anew = _Anew(problems, self.path.with_name(name), after)

    def _begin_anew(self, chain: Chain) -> None:
        """Keep what is there as evidence, and begin a log that follows the last known record."""
        anew = self._anew
        if anew is None:
            return
        move_aside(self.path, anew.folder, anew.problems[0], self._sync)
        self._file.open(chain.seq + 1)
        self._put(chain, break_record(self.path, anew.problems, anew.folder, anew.after))
        self._anew = None
        self._due = False

    def _hand_over(self, chain: Chain) -> None:
        """Record, with the new key, that the old one handed over; only then it signs heads."""
        if self._due and self._handover is not None:
            self._put(chain, handover_record(self._handover, self.path.name, chain.seq))
            self._due = False

    # -- writing ------------------------------------------------------------------------------

    def _require_verified(self) -> Chain:
        if self._closed.is_set() or self._chain is None:
            raise ArtifactError(
                f"The audit log {self.path} takes no record: expected it verified and open, found "
                f"it {'closed' if self._closed.is_set() else 'still being verified'}. The decision "
                "does not take effect; it is tried again."
            )
        return self._chain

    def _record(self, chain: Chain, *decided: Record) -> list[AuditRecord]:
        try:
            if self._anew is None and not self._file.is_as_left:
                why = "It was changed or replaced while the operator had it open."
                self._break([why], chain.place)
            self._begin_anew(chain)
            self._hand_over(chain)
            if chain.broken and any(promotes(one.event, one.outcome) for one in decided):
                raise IntegrityError(chain.broken.hold)
            records = self._put(chain, *decided)
        except OSError as error:
            raise self._in_trouble(error) from error
        self.trouble = ""
        return records

    def _put(self, chain: Chain, *decided: Record) -> list[AuditRecord]:
        """Write records with one sync, however many they are."""
        now, records, last = timestamp(self._clock()), list[AuditRecord](), chain.place
        for one in decided:
            unsigned = build_record(one, last.seq + 1, now, last.hash)
            records.append(sign_record(unsigned, self._key))
            last = Place(unsigned.seq, unsigned.hash)
        self._file.write(b"".join(record.line() for record in records), records[0].seq)
        for record in records:
            chain.add(record)
        # The record's own signature, and the next head, make up for one that failed.
        with suppress(OSError):
            self._write_head(chain)
        return records

    def _write_head(self, chain: Chain) -> None:
        """Sign how far the log reaches."""
        replace_file(head_path(self.path), self._head(chain).to_bytes(), self._sync)

    def _head(self, chain: Chain) -> Head:
        return sign_head(self._key, chain.seq, chain.hash, timestamp(self._clock()))

    def _in_trouble(self, error: OSError) -> ArtifactError:
        self.trouble = (
            f"The audit log {self.path} could not be written ({error.strerror}); the decision does "
            "not take effect. Make room on the volume, or mend it."
        )
        return ArtifactError(self.trouble)
