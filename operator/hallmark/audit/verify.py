"""The verifier: reads a log's files and says what is wrong with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain as concatenate
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.chain import Chain
from hallmark.audit.files import lines_of, opened, read_head
from hallmark.audit.head import doubt_about
from hallmark.keys import load_public_key

MAX_PROBLEMS = 100
"""The most problems that a verdict names."""

_PATIENCE = 5
"""How often a log that is just being written is read again."""


@dataclass(frozen=True)
class AuditVerdict:
    """Whether a log is whole, as far as could be checked."""

    ok: bool
    records: int
    problems: tuple[str, ...]
    """Sentences, each with file and line."""


def verify_log(path: Path, public_key_pem: str | None) -> AuditVerdict:
    """Check every record of a log, its rotated files and its head.

    An edit, a removal, a repetition, another order and a cut are found; without the public key a
    rewritten log whose head was rewritten too is not.

    Args:
        path: The log's current file; rotated files and head stand beside it.
        public_key_pem: The audit key's public half.

    Raises:
        ConfigurationError: ``public_key_pem`` is not a public key.
    """
    public_key = load_public_key(public_key_pem) if public_key_pem else None
    for _ in range(_PATIENCE):
        verdict, grew = _verify(path, public_key)
        if verdict.ok or not grew:
            break
        # The operator wrote while this read; what was found may be half a line.
    return verdict


def _verify(path: Path, public_key: ec.EllipticCurvePublicKey | None) -> tuple[AuditVerdict, bool]:
    """Return the verdict, and whether the log grew meanwhile."""
    # The head first: the log may grow while it is read, but never falls behind its head.
    head = read_head(path)
    chain = Chain(head if not isinstance(head, str) else None)
    with opened(path) as files:
        before = [_size(file) for _, file in files]
        lines = concatenate.from_iterable(lines_of(file, name) for name, file in files)
        records = sum(1 for _ in chain.follow(lines))
        grew = [_size(file) for _, file in files] != before
    if isinstance(head, str):
        chain.problems.append(head)
    else:
        doubt = doubt_about(head, public_key) if public_key and records else None
        chain.problems += [doubt] if doubt else []
        chain.finish()
    if not records:
        chain.problems.append(f"There is no record in an audit log {path}.")
    problems = tuple(chain.problems[:MAX_PROBLEMS])
    return AuditVerdict(not problems, records, problems), grew


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
