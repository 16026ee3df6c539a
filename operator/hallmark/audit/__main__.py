"""``python -m hallmark.audit verify FILE``: check an audit log."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hallmark.audit.verify import verify_log
from hallmark.errors import ConfigurationError


def main(arguments: Sequence[str]) -> int:
    """Verify a log and say what was found; return 0 if it is whole, 1 if not, 2 if unusable."""
    parser = argparse.ArgumentParser(prog="python -m hallmark.audit", description=__doc__)
    verify = parser.add_subparsers(required=True).add_parser("verify", help="check a log")
    verify.add_argument("file", type=Path, help="the log's current file")
    verify.add_argument(
        "--public-key",
        type=Path,
        help="the audit key's public half in PEM (default: beside the operator's own key)",
    )
    parsed = parser.parse_args(arguments)
    try:
        key = parsed.public_key or _own_public_key()
        verdict = verify_log(parsed.file, key.read_text() if key else None)
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for each in verdict.problems:
        sys.stdout.write(f"{each}\n")
    signed = "" if key else " (the head's signature was not checked: no --public-key)"
    word = "verifies" if verdict.ok else "does not verify"
    sys.stdout.write(f"{parsed.file}: {verdict.records} records, {word}{signed}\n")
    return 0 if verdict.ok else 1


def _own_public_key() -> Path | None:
    """Return the public key in the operator's own Secret, where this runs beside it."""
    private = os.environ.get("HALLMARK_AUDIT_KEY", "/var/run/hallmark/audit/private.pem")
    public = Path(private).with_name("public.pem")
    return public if public.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
