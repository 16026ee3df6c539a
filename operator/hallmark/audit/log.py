"""The writer: one process, one record for each decision, on the disk before it takes effect."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain as concatenate
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api.common import timestamp
from hallmark.audit.chain import Chain
from hallmark.audit.files import (
    Sync,
    head_path,
    log_files,
    read_head,
    read_lines,
    replace_file,
    rotated_name,
    sync_folder,
)
from hallmark.audit.head import Head, sign_head
from hallmark.audit.record import AuditRecord, Record, bounded_id, build_record
from hallmark.audit.recovery import (
    doubt_records,
    missing_end,
    set_torn_bytes_aside,
    torn_records,
)
from hallmark.errors import ArtifactError, ConfigurationError, IntegrityError
from hallmark.keys import load_private_key

ROTATE_AT = 64 * 1024 * 1024
"""Bytes after which a new file is begun."""

Clock = Callable[[], datetime]


class AuditLog:
    """An append-only log of decisions.

    Each record names the hash of the one before, across rotated files, and after each write the
    head (last number and hash) is signed with the audit key. A decision whose id stands in the log
    is not written again. Methods may be called from any thread.

    Opening takes no longer for a long log: only the last record is held against the head. No
    decision is recorded before ``verify_rest`` has read the whole.
    """

    def __init__(
        self,
        path: Path,
        key: ec.EllipticCurvePrivateKey,
        *,
        clock: Clock = lambda: datetime.now(UTC),
        rotate_at: int = ROTATE_AT,
        sync: Sync = os.fsync,
    ) -> None:
        """Open the log at ``path``, make it if there is none, and set aside what a crash tore.

        Args:
            path: The current file; rotated files, head and lock stand beside it.
            key: The audit key (P-256).
            clock: Gives the time of a record (aware).
            rotate_at: Bytes after which a new file is begun.
            sync: Makes a descriptor's data durable.

        Raises:
            ConfigurationError: Another process writes it, or the folder cannot be used.
            IntegrityError: The log does not reach as far as its head says.
        """
        self.path = path
        self._key = key
        self._clock = clock
        self._rotate_at = rotate_at
        self._sync = sync
        self._mutex = threading.Lock()
        self._closed = threading.Event()
        self._verified: Chain | None = None
        self._lock = _lock(path)
        try:
            set_torn_bytes_aside(path, sync)
            self._head = self._read_head()
            doubts = doubt_records(path, self._head, key.public_key())
            self._recoveries = [*doubts, *torn_records(path)]
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            sync_folder(path.parent, sync)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            os.close(self._lock)
            raise ConfigurationError(
                f"The audit log {path} cannot be opened ({error.strerror})."
            ) from error
        except IntegrityError:
            os.close(self._lock)
            raise

    @classmethod
    def open(cls, path: Path, key_path: Path) -> AuditLog:
        """Open the log at ``path`` with the audit key in the PEM file ``key_path``.

        Raises:
            ConfigurationError: The key or the log cannot be used.
            IntegrityError: The log does not reach as far as its head says.
        """
        try:
            pem = key_path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"The audit key {key_path} cannot be read ({error.strerror}). "
                "Make one with 'hallmark keys init'."
            ) from error
        try:
            key = load_private_key(pem)
        except ConfigurationError as error:
            raise ConfigurationError(f"The audit key {key_path}: {error}") from error
        return cls(path, key)

    @property
    def ready(self) -> bool:
        """Whether the whole log is verified, so that decisions can be recorded."""
        return self._verified is not None

    def verify_rest(self) -> None:
        """Read the whole log, once, and say in it what was found at the start.

        It takes some seconds for 100,000 records; ``close`` ends it early.

        Raises:
            IntegrityError: The log was changed since it was written.
            ArtifactError: What was found could not be recorded.
        """
        if not self.ready:
            chain = self._read_chain()
            if chain is None:
                return
            with self._mutex:
                self._first_seq = chain.seq + 1 - sum(1 for _ in read_lines(self.path))
                self._verified = chain
        while self._recoveries:
            self.append(self._recoveries[0])
            del self._recoveries[0]

    def append(self, decided: Record) -> AuditRecord | None:
        """Write one decision and return its record once it is on the disk.

        Returns:
            None if a decision of that id stands in the log already.

        Raises:
            ArtifactError: It could not be written, or not yet: the decision must not take effect.
            IntegrityError: Somebody else changed the log: neither must it.
        """
        with self._mutex:
            chain = self._require_verified()
            if chain.has(bounded_id(decided.decision_id)):
                return None
            record = build_record(decided, chain.seq + 1, timestamp(self._clock()), chain.hash)
            line = record.line()
            try:
                if self._size and self._size + len(line) > self._rotate_at:
                    self._rotate(record.seq)
                self._write(line)
            except OSError as error:
                raise ArtifactError(
                    f"The audit log {self.path} could not be written ({error.strerror}); the "
                    "decision does not take effect. Make room on the volume, or mend it."
                ) from error
            chain.add(record)
            self._write_head(record)
            return record

    def close(self) -> None:
        """Let another process write."""
        self._closed.set()
        with self._mutex:
            os.close(self._file)
            os.close(self._lock)

    def _require_verified(self) -> Chain:
        if self._closed.is_set() or self._verified is None:
            raise ArtifactError(
                f"The audit log {self.path} takes no record: expected it verified and open, found "
                f"it {'closed' if self._closed.is_set() else 'still being verified'}. The decision "
                "does not take effect; it is tried again."
            )
        return self._verified

    def _write(self, line: bytes) -> None:
        """Put a whole line on the disk, or leave the file as it was."""
        self._require_unchanged()
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
            self._sync(self._file)
        except OSError:
            # These are our own bytes of a decision that does not take effect.
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)

    def _require_unchanged(self) -> None:
        """Refuse to write after bytes that are not ours, or into a file that nobody will find."""
        ours, there = os.fstat(self._file), os.stat(self.path)
        if (ours.st_ino, self._size) != (there.st_ino, there.st_size):
            raise IntegrityError(
                f"The audit log {self.path} was changed or replaced while it was open. Keep it as "
                "evidence, then start the operator again, which checks it."
            )

    def _rotate(self, next_seq: int) -> None:
        if self.path.exists():  # Else the last rotation came only half way.
            self.path.rename(rotated_name(self.path, self._first_seq))
        fresh = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(self._file)
        self._file, self._size, self._first_seq = fresh, 0, next_seq
        sync_folder(self.path.parent, self._sync)

    def _write_head(self, last: AuditRecord) -> None:
        """Sign how far the log reaches; the next record's head makes up for one that failed."""
        head = sign_head(self._key, last.seq, last.hash, timestamp(self._clock()))
        try:
            replace_file(head_path(self.path), head.to_bytes(), self._sync)
        except OSError:
            return

    def _read_head(self) -> Head | None:
        """Return the head, which may be signed with a key of earlier."""
        head = read_head(self.path)
        problem = head if isinstance(head, str) else missing_end(self.path, head)
        if problem:
            raise self._changed([problem])
        return head if isinstance(head, Head) else None

    def _read_chain(self) -> Chain | None:
        """Follow the log from its first record; None where it is closed meanwhile."""
        chain = Chain(self._head)
        lines = concatenate.from_iterable(map(read_lines, log_files(self.path)))
        for _ in chain.follow(lines):
            if self._closed.is_set():
                return None
        chain.finish()
        if chain.problems:
            raise self._changed(chain.problems)
        return chain

    def _changed(self, problems: Sequence[str]) -> IntegrityError:
        return IntegrityError(
            f"The audit log {self.path} was changed since it was written: {problems[0]} "
            f"({len(problems)} problems in all.) Keep all files beside it as evidence in "
            "another folder; then the operator begins a new log."
        )


def _lock(path: Path) -> int:
    """Take the log's lock, which ends with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"The folder of the audit log {path} cannot be used ({error.strerror})."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError(
            f"Another process writes the audit log {path}. Run one operator at a time."
        ) from error
    return descriptor
