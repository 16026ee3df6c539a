"""A log that its operator publishes by itself: a part at a time, from where it stands.

What is published says how far it came, so that nothing else must be remembered: a crash or a store
that is away at any write leaves a checkpoint whose tiles are there, and the next step goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hallmark.audit.files import lines_of, opened
from hallmark.audit.record import AuditRecord, hash_of, read_record
from hallmark.audit.tlog.note import NoteSigner
from hallmark.audit.tlog.publish import checkpoint_of, entries_before, full, grow, is_of, signed
from hallmark.audit.tlog.tiles import CHECKPOINT, Read, read_tree
from hallmark.audit.tlog.tree import Tree

MOST_AT_ONCE = 4096
"""Records that one step publishes; of a longer log more steps follow."""


@dataclass(frozen=True)
class Place:
    """Where a log is published.

    Args:
        read: returns a file's bytes, None where there is none; raises what a store raises.
        write: puts a file there, whole.
        remove: removes the files below a path, where there are any.
    """

    read: Read
    write: Callable[[str, bytes], None]
    remove: Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """How far a log is published.

    Args:
        size: how many of its records.
        problem: why it is not published any further; empty where nothing is in the way.
    """

    size: int
    problem: str = ""


class Publisher:
    """Brings what is published up to a log that only this process writes."""

    def __init__(self, log: Path, place: Place, signer: NoteSigner) -> None:
        """Know of the log; nothing is read before the first step.

        Args:
            log: its current file.
            place: where it is published.
            signer: signs the checkpoints, in the log's name.
        """
        self._log = log
        self._place = place
        self._signer = signer
        self._tree: Tree | None = None

    def step(self, seq: int, time: int) -> Published:
        """Publish some more records, up to one, and say how far that came.

        Args:
            seq: the number of the last record that is on the disk.
            time: seconds since 1970.

        Raises:
            ArtifactError: the store failed; the next step goes on from what is there.
            OSError: the log's files cannot be read.
        """
        tree, self._tree = self._tree, None  # What fails half way is read again.
        found = tree or self._read()
        if isinstance(found, str):
            return Published(0, found)
        if found.size < seq:
            problem = self._grow(found, seq, time)
        elif found.size > seq:
            cut = "Expected the log up to record {}, which was published, found it up to {}."
            problem = cut.format(found.size, seq)
        else:
            problem = ""
        if not problem:
            self._tree = found
        return Published(found.size, problem)

    def _read(self) -> Tree | str:
        """Return the tree of what is published, which may be nothing."""
        data = self._place.read(CHECKPOINT)
        if data is None:
            return Tree()
        note = checkpoint_of(self._place.read)
        if isinstance(note, str) or not is_of(note, self._signer):
            return "Expected a checkpoint of this log by this audit key, found another one."
        tree = read_tree(self._place.read, note.checkpoint.size)
        if isinstance(tree, Tree) and tree.root() != note.checkpoint.root:
            return "Expected tiles with the checkpoint's root, found others."
        return tree

    def _grow(self, tree: Tree, seq: int, time: int) -> str:
        before = tree.size
        records = records_from(self._log, before + 1, min(seq, before + MOST_AT_ONCE))
        if not records or records[0].seq != before + 1:
            first = f"from record {records[0].seq}" if records else "without it"
            return (
                f"Expected the log from record {before + 1}, which is to be published next, found "
                f"it {first}: what was removed cannot be published any more."
            )
        if problem := self._another(tree, records[0]) or _torn(records):
            return problem
        files = grow(self._place.read, tree, records)
        if isinstance(files, str):
            return files
        for path, data in files:
            self._place.write(path, data)
        self._place.write(CHECKPOINT, signed(tree, self._signer, time).to_text().encode())
        for path in full(files):
            self._place.remove(f"{path}.p/")
        return ""

    def _another(self, tree: Tree, first: AuditRecord) -> str:
        """Return how a record does not follow the last one that was published, or nothing."""
        before = tree.size
        last = entries_before(self._place.read, tree, max(before - 1, 0), before)
        if isinstance(last, str):
            return last
        if not last or read_record(last[0]).hash == first.prev:
            return ""
        return (
            f"Expected record {first.seq} after record {before} as it was published, found one "
            f"that follows another: the log was rewritten, or began anew after a break."
        )


def _torn(records: Sequence[AuditRecord]) -> str:
    """Return which record is missing or another one in the files, or nothing.

    They were whole when the process started, and may have been changed since then.
    """
    for former, record in pairwise(records):
        if (record.seq, record.prev) != (former.seq + 1, former.hash):
            return (
                f"Expected record {former.seq + 1} after record {former.seq}, found record "
                f"{record.seq} that does not follow it: the log's files were changed or removed."
            )
    for record in records:
        if hash_of(record.to_wire()) != record.hash:
            return f"Expected record {record.seq} as it was hashed, found another: it was changed."
    return ""


def records_from(log: Path, first: int, last: int) -> list[AuditRecord]:
    """Return the records of a log from one number to another, as far as its files have them.

    Only the files that hold them are read beyond their first line.

    Raises:
        OSError: the files cannot be read.
    """
    found: list[AuditRecord] = []
    with opened(log) as files:
        for name, file in reversed(files):
            here: list[AuditRecord] = []
            begins = 0
            for number, line in enumerate(lines_of(file, name)):
                begins = begins or read_record(line.data).seq
                if begins + number > last:
                    break
                if begins + number >= first:
                    here.append(read_record(line.data))
            found = here + found
            if 0 < begins <= first:
                break
    return found
