"""Records about the log itself: bytes that a crash tore, a break, what was removed for its age."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hallmark.api.names import OPERATOR_NAME
from hallmark.audit.chain import Break
from hallmark.audit.events import LOG_KIND, AuditEvent, AuditOutcome, LogReason
from hallmark.audit.files import Sync, replace_file, sync_folder, torn_tail
from hallmark.audit.head import Place
from hallmark.audit.record import Record
from hallmark.files import open_regular, open_to_write

MAX_TORN = 100
"""Files of torn bytes that are recorded at a start; a crash leaves one."""


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
    with os.fdopen(open_to_write(log, os.O_RDWR), "r+b") as file:
        file.truncate(end)
        sync(file.fileno())


def torn_records(log: Path) -> list[Record]:
    """Return what is to be recorded of bytes that were set aside.

    Of all that are there: the last process may have ended before it recorded one.
    """
    found = sorted(log.parent.glob(f"{log.name}.torn-*"))[:MAX_TORN]
    return [_torn_record(log, aside) for aside in found if aside.suffix != ".partial"]


def _torn_record(log: Path, aside: Path) -> Record:
    with open_regular(aside) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return _about(
        log,
        f"recover/{aside.name.rpartition('-')[2]}",
        AuditEvent.RECOVER,
        AuditOutcome.RECOVERED,
        LogReason.TORN_RECORD,
        f"A record was left unfinished, so its decision did not take effect; its {size} "
        f"bytes were moved to {aside.name}.",
        {"sha256": sha256},
    )


def break_record(log: Path, problems: Sequence[str], kept_in: Path, after: Place) -> Record:
    """Return the record with which a log begins anew after a break.

    Args:
        log: the log's current file.
        problems: what was found, the first bad record first.
        kept_in: the folder that holds what was found.
        after: the last record that is known; the new one follows it.
    """
    return _about(
        log,
        f"recover/{kept_in.name}",
        AuditEvent.RECOVER,
        AuditOutcome.BROKEN,
        LogReason.CHAIN_BROKEN,
        problems[0],
        {
            "problems": str(len(problems)),
            **({"second": problems[1]} if len(problems) > 1 else {}),
            "keptIn": kept_in.name,
            "lastKnownRecord": str(after.seq),
            "lastKnownHash": after.hash,
        },
    )


def acknowledgement_record(log: Path, broken: Break, by: str, why: str, head: Place) -> Record:
    """Return the record of a person's word that a break was looked at."""
    return _about(
        log,
        f"recover/acknowledged-{broken.id}",
        AuditEvent.RECOVER,
        AuditOutcome.ACKNOWLEDGED,
        LogReason.BREAK_ACKNOWLEDGED,
        why,
        {
            "break": broken.id,
            "found": broken.message,
            "since": broken.time,
            "headRecord": str(head.seq),
            "headHash": head.hash,
        },
        actor=by,
    )


def checkpoint_record(log: Path, last: Place, files: Sequence[Path], days: int) -> Record:
    """Return the record after which files may be removed for their age.

    Args:
        log: the log's current file.
        last: the last record in those files.
        files: what goes.
        days: how long records are kept.
    """
    return _about(
        log,
        f"prune/{last.seq}/{last.hash}",
        AuditEvent.PRUNE,
        AuditOutcome.PRUNED,
        LogReason.RETENTION_ENDED,
        f"Records up to {last.seq} are older than {days} days and were removed.",
        {
            "lastRecord": str(last.seq),
            "lastHash": last.hash,
            "files": ", ".join(path.name for path in files),
            "days": str(days),
        },
    )


def _about(
    log: Path,
    decision_id: str,
    event: AuditEvent,
    outcome: AuditOutcome,
    reason: LogReason,
    message: str,
    details: Mapping[str, str],
    actor: str = OPERATOR_NAME,
) -> Record:
    return Record(
        decision_id=decision_id,
        event=event,
        kind=LOG_KIND,
        namespace="",
        name=log.name,
        uid="",
        outcome=outcome,
        reason=reason,
        message=message,
        actor=actor,
        details=details,
    )
