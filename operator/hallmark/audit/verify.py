"""The verifier: reads a log's files and says what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as concatenate
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.chain import MAX_PROBLEMS, Chain, Expected, Line
from hallmark.audit.files import lines_of, opened, read_head
from hallmark.audit.head import Head, read_head_text
from hallmark.audit.opening import ANCHOR, HEAD
from hallmark.audit.record import AuditRecord
from hallmark.audit.succession import Succession, changes_in
from hallmark.errors import ConfigurationError
from hallmark.keys import load_public_key

_PATIENCE = 5
"""How often a log that is just being written is read again."""


@dataclass(frozen=True)
class AuditVerdict:
    """Whether a log is whole, as far as could be checked."""

    ok: bool
    records: int
    problems: tuple[str, ...]
    """Sentences, each with file and line."""
    notes: tuple[str, ...] = ()
    """Sentences about what is in order: what was pruned, breaks that were acknowledged."""


def verify_log(path: Path, public_key_pem: str | None, anchor: bytes | None = None) -> AuditVerdict:
    """Check every record of a log, its rotated files and its head.

    An edit, a removal, a repetition, another order and a cut are found; without the public key a
    rewritten log whose head was rewritten too is not, and without the anchor an older copy of the
    log with its head is not.

    Args:
        path: The log's current file; rotated files and head stand beside it.
        public_key_pem: The public half of an audit key. Keys that handed the log over to it, or
            got it from it, are learned from the log.
        anchor: The head that is kept outside the volume, as it stands in its ConfigMap.

    Raises:
        ConfigurationError: ``public_key_pem`` is not a public key, or ``anchor`` no head.
    """
    return _verified(path, public_key_pem, anchor, None)


def read_log(
    path: Path, public_key_pem: str | None, anchor: bytes | None = None
) -> tuple[AuditVerdict, list[AuditRecord]]:
    """Return what ``verify_log`` does, and every record that can be read, in order."""
    records: list[AuditRecord] = []
    return _verified(path, public_key_pem, anchor, records), records


def _verified(
    path: Path, public_key_pem: str | None, anchor: bytes | None, keep: list[AuditRecord] | None
) -> AuditVerdict:
    public_key = load_public_key(public_key_pem) if public_key_pem else None
    outside = None
    if anchor is not None:
        outside = read_head_text(anchor.strip())
        if outside is None:
            raise ConfigurationError("Expected the anchor's signed head, found something else.")
    for _ in range(_PATIENCE):
        try:
            verdict, grew = _verify(path, public_key, outside, keep)
        except OSError as error:
            return _unread(path, error, keep)
        if verdict.ok or not grew:
            break
        # The operator wrote while this read; what was found may be half a line.
    return verdict


def _verify(
    path: Path,
    public_key: ec.EllipticCurvePublicKey | None,
    anchor: Head | None,
    keep: list[AuditRecord] | None,
) -> tuple[AuditVerdict, bool]:
    """Return the verdict, and whether the log grew meanwhile."""
    # The head first: the log may grow while it is read, but never falls behind its head.
    head = read_head(path)
    with opened(path) as files:
        before = [_size(file) for _, file in files]
        expected = _expected(head, anchor, _succession(files, public_key))
        chain = Chain(expected, every_signature=True)
        lines = _lines(files)
        records = 0
        if keep is not None:
            keep.clear()
        for record in chain.follow(lines):
            records += 1
            if keep is not None:
                keep.append(record)
        grew = [_size(file) for _, file in files] != before
    chain.finish()
    problems = [*chain.problems, *(expected.doubts() if records else [])]
    if isinstance(head, str):
        problems.append(head)
    if chain.broken is not None:
        problems.append(
            f"Nobody has acknowledged the break {chain.broken.id} yet: {chain.broken.message}"
        )
    if not records:
        problems.append(f"There is no record in an audit log {path}.")
    named = tuple(problems[:MAX_PROBLEMS])
    return AuditVerdict(not named, records, named, tuple(chain.notes)), grew


def _unread(path: Path, error: OSError, keep: list[AuditRecord] | None) -> AuditVerdict:
    """Return the verdict on a log of which a file cannot be read: it proves nothing."""
    if keep is not None:
        keep.clear()
    name = Path(os.fsdecode(error.filename or path)).name
    found = f"Expected a regular file {name} that can be read, found otherwise ({error.strerror})."
    return AuditVerdict(False, 0, (found,))


def _lines(files: Sequence[tuple[str, BinaryIO]]) -> Iterator[Line]:
    return concatenate.from_iterable(lines_of(file, name) for name, file in files)


def _succession(
    files: Sequence[tuple[str, BinaryIO]], trusted: ec.EllipticCurvePublicKey | None
) -> Succession | None:
    """Return the keys that hang together with the trusted one; the files are as they were."""
    if trusted is None:
        return None
    found = Succession(trusted, changes_in(line.data for line in _lines(files)))
    for _, file in files:
        file.seek(0)
    return found


def _expected(head: Head | str | None, anchor: Head | None, keys: Succession | None) -> Expected:
    """Return what is checked; without keys nothing can be said about who signed."""
    found = {HEAD: head, ANCHOR: anchor}
    heads = {what: named for what, named in found.items() if isinstance(named, Head)}
    lost = "The signed head is missing: a cut could not be found."
    return Expected(heads, (lost,) if head is None and keys is not None else (), keys)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
