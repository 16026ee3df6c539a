"""Which files of a log are old enough to go. Reads their ends alone."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

from hallmark.api.texts import parse_timestamp
from hallmark.audit.files import last_line, log_files, read_lines
from hallmark.audit.head import Place
from hallmark.audit.record import AuditRecord, read_record


def expired(log: Path, before: datetime) -> tuple[list[Path], Place | None]:
    """Return the full files whose last record is older than a moment, and that last record.

    A file that cannot be read, or that the next one does not follow, stays, and so does all after
    it: the next start says what is wrong with it.
    """
    gone: list[Path] = []
    last: Place | None = None
    files = log_files(log)
    for path, following in pairwise(files):
        try:
            ends = read_record(last_line(path))
            follows = _first(following)
        except (ValueError, StopIteration):
            break
        if follows.prev != ends.hash or parse_timestamp(ends.time) >= before:
            break
        gone.append(path)
        last = Place(ends.seq, ends.hash)
    return gone, last


def _first(path: Path) -> AuditRecord:
    return read_record(next(read_lines(path)).data)


def files_up_to(log: Path, last: Place) -> list[Path]:
    """Return the full files that hold no record after ``last``."""
    return [path for path in log_files(log)[:-1] if _last_seq(path) <= last.seq]


def _last_seq(path: Path) -> float:
    try:
        return read_record(last_line(path)).seq
    except ValueError:
        return float("inf")
