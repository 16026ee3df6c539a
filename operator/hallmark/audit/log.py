"""The writer: one process, one record for each decision, on the disk before it takes effect."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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
    torn_tail,
)
from hallmark.audit.head import load_private_key, sign_head
from hallmark.audit.record import AuditRecord, Transition, bounded_id, build_record
from hallmark.errors import ArtifactError, ConfigurationError, IntegrityError

ROTATE_AT = 64 * 1024 * 1024
"""Bytes after which a new file is begun."""

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class _Recovery:
    """The record that says that unfinished bytes were set aside."""

    name: str
    uid: str
    message: str
    details: Mapping[str, str] = field(default_factory=dict)
    event: str = "recover"
    kind: str = "AuditLog"
    namespace: str = ""
    outcome: str = "recovered"
    reason: str = "TornRecord"
    actor: str = "hallmark-operator"

    @property
    def decision_id(self) -> str:
        """The same for the same bytes."""
        return f"recover/{self.uid}"


class AuditLog:
    """An append-only log of decisions.

    Each record names the hash of the one before, across rotated files, and after each write the
    head (last number and hash) is signed with the audit key. A decision whose id stands in the log
    is not written again. Methods may be called from any thread.
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
            IntegrityError: The log was changed since it was written.
        """
        self.path = path
        self._key = key
        self._clock = clock
        self._rotate_at = rotate_at
        self._sync = sync
        self._mutex = threading.Lock()
        self._lock = _lock(path)
        try:
            torn = self._set_torn_bytes_aside()
            self._chain = self._read_chain()
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            sync_folder(path.parent, sync)
            self._size = os.fstat(self._file).st_size
            self._first_seq = self._chain.seq + 1 - sum(1 for _ in read_lines(path))
        except OSError as error:
            os.close(self._lock)
            raise ConfigurationError(
                f"The audit log {path} cannot be opened ({error.strerror})."
            ) from error
        except IntegrityError:
            os.close(self._lock)
            raise
        for each in torn:
            self.append(each)

    @classmethod
    def open(cls, path: Path, key_path: Path) -> AuditLog:
        """Open the log at ``path`` with the audit key in the PEM file ``key_path``.

        Raises:
            ConfigurationError: The key or the log cannot be used.
            IntegrityError: The log was changed since it was written.
        """
        try:
            pem = key_path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"The audit key {key_path} cannot be read ({error.strerror}). "
                "Make one with 'hallmark keys init'."
            ) from error
        return cls(path, load_private_key(pem))

    def append(self, transition: Transition) -> AuditRecord | None:
        """Write one decision and return its record once it is on the disk.

        Returns:
            None if a decision of that id stands in the log already.

        Raises:
            ArtifactError: It could not be written: the decision must not take effect.
            IntegrityError: Somebody else changed the log: neither must it.
        """
        with self._mutex:
            if self._chain.has(bounded_id(transition.decision_id)):
                return None
            record = build_record(
                transition, self._chain.seq + 1, timestamp(self._clock()), self._chain.hash
            )
            line = record.line()
            try:
                if self._size and self._size + len(line) > self._rotate_at:
                    self._rotate()
                self._write(line)
            except OSError as error:
                raise ArtifactError(
                    f"The audit log {self.path} could not be written ({error.strerror}); the "
                    "decision does not take effect. Make room on the volume, or mend it."
                ) from error
            self._chain.add(record)
            self._write_head()
            return record

    def close(self) -> None:
        """Let another process write."""
        with self._mutex:
            os.close(self._file)
            os.close(self._lock)

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

    def _rotate(self) -> None:
        if self.path.exists():  # Else the last rotation came only half way.
            self.path.rename(rotated_name(self.path, self._first_seq))
        fresh = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(self._file)
        self._file, self._size, self._first_seq = fresh, 0, self._chain.seq + 1
        sync_folder(self.path.parent, self._sync)

    def _write_head(self) -> None:
        """Sign how far the log reaches; the next record's head makes up for one that failed."""
        head = sign_head(self._key, self._chain.seq, self._chain.hash, timestamp(self._clock()))
        try:
            replace_file(head_path(self.path), head.to_bytes(), self._sync)
        except OSError:
            return

    def _read_chain(self) -> Chain:
        head = read_head(self.path)
        chain = Chain(head if not isinstance(head, str) else None)
        for _ in chain.follow(concatenate.from_iterable(map(read_lines, log_files(self.path)))):
            pass
        # The key may have changed since the head was signed: who verifies the log has both.
        chain.finish(None)
        problems = [*([head] if isinstance(head, str) else []), *chain.problems]
        if problems:
            raise IntegrityError(
                f"The audit log {self.path} was changed since it was written: {problems[0]} "
                f"({len(problems)} problems in all.) Keep all files beside it as evidence in "
                "another folder; then the operator begins a new log."
            )
        return chain

    def _set_torn_bytes_aside(self) -> Iterable[_Recovery]:
        """Move an unfinished last line to a file of its own; return what is to be recorded."""
        if self.path.exists():
            end, torn = torn_tail(self.path)
            if torn:
                digest = hashlib.sha256(torn).hexdigest()
                aside = self.path.with_name(f"{self.path.name}.torn-{digest[:12]}")
                replace_file(aside, torn, self._sync)
                sync_folder(aside.parent, self._sync)
                with self.path.open("r+b") as file:
                    file.truncate(end)
                    self._sync(file.fileno())
        # All that are there: the last process may have ended before it recorded one.
        return [self._recovery(each) for each in sorted(self._torn_files())]

    def _torn_files(self) -> list[Path]:
        found = self.path.parent.glob(f"{self.path.name}.torn-*")
        return [each for each in found if not each.name.endswith(".partial")]

    def _recovery(self, aside: Path) -> _Recovery:
        data = aside.read_bytes()
        return _Recovery(
            name=self.path.name,
            uid=aside.name.rpartition("-")[2],
            message=(
                f"A record was left unfinished, so its decision did not take effect; its "
                f"{len(data)} bytes were moved to {aside.name}."
            ),
            details={"sha256": hashlib.sha256(data).hexdigest()},
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
