"""From a log's files to a folder that any static server publishes, and back. Thin I/O."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.files import Sync, locked, replace_file
from hallmark.audit.record import AuditRecord
from hallmark.audit.tlog.note import (
    MAX_NOTE,
    Checkpoint,
    Note,
    NoteSigner,
    log_signer,
    read_note,
    sign_checkpoint,
)
from hallmark.audit.tlog.tiles import (
    CHECKPOINT,
    WIDTH,
    Read,
    grown_bundles,
    grown_tiles,
    read_entry,
    read_tree,
)
from hallmark.audit.tlog.tree import Tree, leaf_hash
from hallmark.audit.verify import read_log
from hallmark.keys import public_pem

_MAX_FILE = WIDTH * (64 * 1024 + 2)


def entry_of(record: AuditRecord) -> bytes:
    """Return the entry of a record: its line without the end."""
    return record.to_bytes()


def publish(
    log: Path, folder: Path, key: ec.EllipticCurvePrivateKey, origin: str, time: int, sync: Sync
) -> Note | str:
    """Bring a published log up to its files, and return its checkpoint.

    What was published stays: a log that does not begin with exactly that is not published, and a
    sentence says which record is missing or another one.

    Args:
        log: the log's current file.
        folder: what is published; it is made where there is none.
        key: the audit key.
        origin: the log's name for everybody, such as ``example.org/hallmark``.
        time: seconds since 1970.
        sync: makes a descriptor's data durable.

    Raises:
        ConfigurationError: the folder is used by another process, or the name cannot be used.
        OSError: the folder takes nothing.
    """
    signer = log_signer(key, origin)
    verdict, records = read_log(log, public_pem(key.public_key()))
    if not verdict.ok:
        return f"Expected a log that verifies, found one that does not: {verdict.problems[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    lock = locked(folder / "publish")
    try:
        published = _published(folder, signer)
        if isinstance(published, str):
            return published
        tree, note = published
        if problem := _continued(tree, records):
            return problem
        if note is not None and tree.size == records[-1].seq:
            return note
        return _grow(folder, tree, records, signer, time, sync)
    finally:
        os.close(lock)


def read_from(folder: Path) -> Read:
    """Return what reads the regular files of a folder that somebody else may have written."""

    def read(name: str) -> bytes | None:
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(folder / name, flags)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_FILE:
                return None
            return file.read(_MAX_FILE)

    return read


def write_checkpoint(folder: Path, note: Note, sync: Sync) -> None:
    """Replace a published log's checkpoint."""
    replace_file(folder / CHECKPOINT, note.to_text().encode(), sync)


def checkpoint_of(read: Read) -> Note | str:
    """Return a published log's checkpoint, or a sentence."""
    data = read(CHECKPOINT)
    if data is None or len(data) > MAX_NOTE:
        return "Expected a file 'checkpoint', found none."
    return read_note(data)


def _published(folder: Path, signer: NoteSigner) -> tuple[Tree, Note | None] | str:
    """Return what was published so far: its tree, and its checkpoint where there is one."""
    read = read_from(folder)
    if not (folder / CHECKPOINT).exists():
        return Tree(), None
    note = checkpoint_of(read)
    if isinstance(note, str):
        return f"{folder}: {note}"
    found = note.checkpoint
    if not is_of(note, signer):
        return (
            f"{folder}: expected a checkpoint of '{signer.key.name}' by this audit key, found one "
            f"of '{found.origin}'. After a change of the key publish under another name, into "
            "another folder."
        )
    tree = read_tree(read, found.size)
    if isinstance(tree, str):
        return f"{folder}: {tree}"
    if tree.root() != found.root:
        return f"{folder}: expected tiles with the checkpoint's root, found others."
    return tree, note


def _continued(tree: Tree, records: list[AuditRecord]) -> str | None:
    """Return how a log is not the one that was published, or None."""
    first, last = records[0].seq, records[-1].seq
    if first > tree.size + 1:
        return (
            f"Expected the log from record {tree.size + 1}, which is to be published next, found "
            f"it from record {first}: what was removed before cannot be published any more. "
            "Publish under another name from a copy that has it."
        )
    if last < tree.size:
        return (
            f"Expected the log up to record {tree.size}, which was published, found it up to "
            f"record {last}: records were cut off."
        )
    for record in records:
        if record.seq <= tree.size and leaf_hash(entry_of(record)) != _leaf(tree, record):
            return (
                f"Expected record {record.seq} as it was published, found another one: the log "
                "was rewritten."
            )
    return None


def _leaf(tree: Tree, record: AuditRecord) -> bytes:
    return tree.levels[0][record.seq - 1]


def _grow(
    folder: Path,
    tree: Tree,
    records: list[AuditRecord],
    signer: NoteSigner,
    time: int,
    sync: Sync,
) -> Note | str:
    files = grow(read_from(folder), tree, records)
    if isinstance(files, str):
        return f"{folder}: {files}"
    for path, data in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        replace_file(folder / path, data, sync)
    note = signed(tree, signer, time)
    write_checkpoint(folder, note, sync)
    for path in full(files):
        shutil.rmtree(folder / f"{path}.p", ignore_errors=True)
    return note


def grow(read: Read, tree: Tree, records: Sequence[AuditRecord]) -> list[tuple[str, bytes]] | str:
    """Add records to a tree; return the files that are new, or a sentence.

    Args:
        read: returns files of what was published, for entries that the records do not have.
        tree: of what was published; it grows.
        records: up to the newest; from the next one, or from an earlier one.
    """
    before, first = tree.size, records[0].seq
    start = before // WIDTH * WIDTH
    known = entries_before(read, tree, start, min(first - 1, before))
    if isinstance(known, str):
        return known
    entries = {start + place: entry for place, entry in enumerate(known)}
    entries |= {one.seq - 1: entry_of(one) for one in records if one.seq > start}
    for record in records[before - first + 1 :]:
        tree.append(leaf_hash(entries[record.seq - 1]))

    def between(low: int, high: int) -> list[bytes]:
        return [entries[place] for place in range(low, high)]

    return [*grown_bundles(between, before, tree.size), *grown_tiles(tree, before)]


def full(files: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """Yield the paths of full tiles: they are read in place of their parts, by everybody."""
    for path, _ in files:
        if ".p/" not in path:
            yield path


def signed(tree: Tree, signer: NoteSigner, time: int) -> Note:
    """Return the checkpoint of a tree, signed at a time (seconds since 1970)."""
    return sign_checkpoint(Checkpoint(signer.key.name, tree.size, tree.root()), [signer], time)


def is_of(note: Note, signer: NoteSigner) -> bool:
    """Tell whether a checkpoint is of the log that a signer signs."""
    return note.checkpoint.origin == signer.key.name and note.signed_by(signer.key)


def entries_before(read: Read, tree: Tree, start: int, end: int) -> list[bytes] | str:
    """Return published entries from one place to before another, or a sentence.

    They are held against the tree, so that it does not matter who can write where they are.
    """
    found: list[bytes] = []
    for place in range(start, end):
        entry = read_entry(read, place, end)
        if isinstance(entry, str):
            return entry
        if leaf_hash(entry) != tree.levels[0][place]:
            return f"Expected record {place + 1} as the published tiles name it, found another one."
        found.append(entry)
    return found
