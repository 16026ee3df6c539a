"""What others do with a published log: cosign it, and check one record by a short proof."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from hallmark.api.common import FileModel
from hallmark.audit.files import Sync, replace_file
from hallmark.audit.tlog.note import Note, NoteKey, NoteSigner, read_note
from hallmark.audit.tlog.publish import checkpoint_of, read_from, write_checkpoint
from hallmark.audit.tlog.tiles import Read, other_tiles, read_entry, read_tree
from hallmark.audit.tlog.tree import Tree, leaf_hash, root_of_inclusion
from hallmark.files import DOCUMENT_BYTES, read_whole

_PROOF = "c2sp.org/tlog-proof@v1"
_MAX_PROOF = 128 * 1024


class Seen(FileModel):
    """How far a witness saw a log: it cosigns nothing that does not continue that."""

    schema_version: Literal["hallmark.dev/witness/v1"] = "hallmark.dev/witness/v1"
    origin: str
    size: Annotated[int, Field(ge=0)]
    root: Annotated[str, Field(pattern=r"^[a-f0-9]{64}$")]


def cosign(
    folder: Path, log: NoteKey, signer: NoteSigner, memory: Path, time: int, sync: Sync
) -> Note | str:
    """Return a log's checkpoint with a witness's signature, which also stands in its folder then.

    Args:
        folder: the published log.
        log: its key, which the witness knows from elsewhere.
        signer: the witness.
        memory: the file in which the witness keeps how far it saw this log.
        time: seconds since 1970.
        sync: makes a descriptor's data durable.
    """
    read = read_from(folder)
    found = checked(read, log)
    if isinstance(found, str):
        return found
    note, tree = found
    if problem := other_tiles(read, tree):
        return problem
    seen = _seen(memory)
    if isinstance(seen, str):
        return seen
    if seen is not None and (problem := _not_continued(seen, note, tree)):
        return problem
    # What it signs is remembered first: it must never sign two logs of one name.
    now = Seen(origin=log.name, size=tree.size, root=tree.root().hex())
    memory.parent.mkdir(parents=True, exist_ok=True)
    replace_file(memory, now.to_bytes(), sync)
    others = [line for line in note.lines if not signer.key.made(line)]
    signed = Note(note.checkpoint, (*others, signer.line(note.checkpoint.body, time)))
    write_checkpoint(folder, signed, sync)
    return signed


def checked(read: Read, log: NoteKey) -> tuple[Note, Tree] | str:
    """Return a published log's checkpoint and its tree, or a sentence on what is wrong."""
    note = checkpoint_of(read)
    if isinstance(note, str):
        return note
    point = note.checkpoint
    if point.origin != log.name or not note.signed_by(log):
        return (
            f"Expected a checkpoint that '{log.name}' signed, found one of '{point.origin}' "
            "without that signature."
        )
    tree = read_tree(read, point.size)
    if isinstance(tree, str):
        return tree
    if tree.root() != point.root:
        return "Expected tiles with the checkpoint's root, found others."
    return note, tree


def _seen(memory: Path) -> Seen | str | None:
    try:
        return Seen.model_validate_json(read_whole(memory, DOCUMENT_BYTES))
    except FileNotFoundError:
        return None
    except ValidationError:
        return (
            f"Expected in {memory} how far this witness saw the log, found something else; "
            "restore it from a backup: without it the witness could sign two logs of one name."
        )


def _not_continued(seen: Seen, note: Note, tree: Tree) -> str | None:
    point = note.checkpoint
    if seen.origin != point.origin:
        return f"The memory is of the log '{seen.origin}', found '{point.origin}'."
    if tree.size < seen.size:
        return (
            f"Expected at least {seen.size} records, which this witness saw, found {tree.size}: "
            "the log was cut off."
        )
    if tree.root(seen.size).hex() != seen.root:
        return (
            f"Expected the first {seen.size} records as this witness saw them, found others: the "
            "log was rewritten."
        )
    return None


def prove(folder: Path, log: NoteKey, seq: int) -> tuple[bytes, str] | str:
    """Return a record's line and the proof (C2SP tlog-proof) that it is in a published log."""
    read = read_from(folder)
    found = checked(read, log)
    if isinstance(found, str):
        return found
    note, tree = found
    if not 1 <= seq <= tree.size:
        return f"Expected a record from 1 to {tree.size}, found {seq}."
    entry = read_entry(read, seq - 1, tree.size)
    if isinstance(entry, str):
        return entry
    if leaf_hash(entry) != tree.levels[0][seq - 1]:
        return f"Expected record {seq} as the tiles name it, found another one."
    hashes = (base64.b64encode(one).decode() for one in tree.inclusion(seq - 1, tree.size))
    lines = [_PROOF, f"index {seq - 1}", *hashes, "", ""]
    return entry, "\n".join(lines) + note.to_text()


def check_proof(
    record: bytes, proof: bytes, log: NoteKey, witnesses: Sequence[NoteKey], minimum: int
) -> tuple[int, list[str]] | str:
    """Return a record's number and who cosigned, or a sentence on why nothing is proved.

    Args:
        record: its line without the end.
        proof: as ``prove`` returns it.
        log: the log's key.
        witnesses: the keys of witnesses that the verifier trusts.
        minimum: how many of them must have cosigned.
    """
    parsed = _read_proof(proof)
    if isinstance(parsed, str):
        return parsed
    index, hashes, note = parsed
    point = note.checkpoint
    if point.origin != log.name or not note.signed_by(log):
        return f"Expected a checkpoint that '{log.name}' signed, found none."
    if root_of_inclusion(leaf_hash(record), index, point.size, hashes) != point.root:
        return f"Expected record {index + 1} of '{log.name}', found another one."
    names = note.signers(witnesses)
    if len(names) < minimum:
        return f"Expected {minimum} cosignatures of known witnesses, found {len(names)}."
    return index + 1, names


def _read_proof(data: bytes) -> tuple[int, list[bytes], Note] | str:
    wrong = f"Expected a proof ({_PROOF}), found something else."
    head, blank, checkpoint = data.partition(b"\n\n")
    first, *lines = head.decode(errors="replace").split("\n")
    index = lines[0].removeprefix("index ") if lines else ""
    if len(data) > _MAX_PROOF or first != _PROOF or not blank or not index.isascii():
        return wrong
    try:
        place = int(index) if index.isdigit() and len(index) < 20 else -1
        hashes = [base64.b64decode(line, validate=True) for line in lines[1:]]
    except (binascii.Error, ValueError):
        return wrong
    if place < 0 or len(hashes) > 64 or any(len(one) != 32 for one in hashes):
        return wrong
    note = read_note(checkpoint)
    return note if isinstance(note, str) else (place, hashes, note)
