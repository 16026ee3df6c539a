"""What ``hallmark audit verify`` and ``python -m hallmark.audit verify`` do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hallmark.audit.verify import verify_log
from hallmark.files import KEY_BYTES, read_line, read_whole


def verify(
    log: Path, public_key: Path | None, anchor: Path | None, say: Callable[[str], object]
) -> bool:
    """Verify an audit log, say line by line what was found, and tell whether it is whole.

    Args:
        log: The log's current file.
        public_key: The audit key's public half in PEM; without one, the operator's own is taken
            where this runs beside it.
        anchor: The head that is kept outside the volume; without it an older copy is not noticed.
        say: Writes a line.

    Raises:
        ConfigurationError: ``public_key`` is no public key, or ``anchor`` no head.
        OSError: One of them cannot be read.
    """
    key = public_key or _own_public_key()
    verdict = verify_log(
        log,
        read_line(key) + "\n" if key else None,
        read_whole(anchor, KEY_BYTES) if anchor else None,
    )
    for sentence in (*verdict.problems, *verdict.notes):
        say(sentence)
    word = "verifies" if verdict.ok else "does not verify"
    unsigned = "" if key else " (the head's signature was not checked: no --public-key)"
    say(f"{log}: {verdict.records} records, {word}{unsigned}")
    return verdict.ok


def mounted_key() -> Path:
    """Return where the audit key is, where this runs beside the operator."""
    return Path(os.environ.get("HALLMARK_AUDIT_KEY", "/var/run/hallmark/audit/private.pem"))


def _own_public_key() -> Path | None:
    """Return the public key in the operator's own Secret, where this runs beside it."""
    public = mounted_key().with_name("public.pem")
    return public if public.exists() else None
