"""What a start finds at the end of a log: bytes that a crash tore, and a head that vouches not."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.files import Sync, last_line, replace_file, sync_folder, torn_tail
from hallmark.audit.head import Head, doubt_about, unheld
from hallmark.audit.record import Record, read_record


def set_torn_bytes_aside(log: Path, sync: Sync) -> None:
    """Move an unfinished last line to a file of its own."""
    if not log.exists():
        return
    end, torn = torn_tail(log)
    if not torn:
        return
    aside = log.with_name(f"{log.name}.torn-{hashlib.sha256(torn).hexdigest()[:12]}")
    replace_file(aside, torn, sync)
    sync_folder(aside.parent, sync)
    with log.open("r+b") as file:
        file.truncate(end)
        sync(file.fileno())


def torn_records(log: Path) -> list[Record]:
    """Return what is to be recorded of bytes that were set aside.

    Of all that are there: the last process may have ended before it recorded one.
    """
    found = sorted(log.parent.glob(f"{log.name}.torn-*"))
    return [_torn_record(log, aside) for aside in found if aside.suffix != ".partial"]


def _torn_record(log: Path, aside: Path) -> Record:
    data = aside.read_bytes()
    message = (
        f"A record was left unfinished, so its decision did not take effect; its {len(data)} "
        f"bytes were moved to {aside.name}."
    )
    sha256 = hashlib.sha256(data).hexdigest()
    return _recovery(log, aside.name.rpartition("-")[2], "TornRecord", message, sha256)


def doubt_records(
    log: Path, head: Head | None, public_key: ec.EllipticCurvePublicKey
) -> list[Record]:
    """Return what is to be recorded where the head was not signed with the log's key."""
    last = last_line(log)
    doubt = doubt_about(head, public_key)
    if last is None or doubt is None:
        return []
    sha256 = hashlib.sha256(last).hexdigest()
    return [_recovery(log, f"head-{sha256[:12]}", "HeadNotVerified", doubt, sha256)]


def missing_end(log: Path, head: Head | None) -> str | None:
    """Return a sentence where the log's last record is an earlier one than its head names."""
    last = last_line(log)
    try:
        seq, hash_ = (0, "") if last is None else _place(last)
    except ValueError:
        return None  # Who reads the whole log says which line is no record.
    if head is None or seq > head.seq or (seq, hash_) == (head.seq, head.hash):
        return None
    return unheld(head, seq)


def _place(line: bytes) -> tuple[int, str]:
    record = read_record(line)
    return record.seq, record.hash


def _recovery(log: Path, uid: str, reason: str, message: str, sha256: str) -> Record:
    return Record(
        decision_id=f"recover/{uid}",
        event=AuditEvent.RECOVER,
        kind="AuditLog",
        namespace="",
        name=log.name,
        uid=uid,
        outcome=AuditOutcome.RECOVERED,
        reason=reason,
        message=message,
        details={"sha256": sha256},
    )
