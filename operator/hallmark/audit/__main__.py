"""``python -m hallmark.audit verify FILE``: check an audit log.

The same as ``hallmark audit verify``, for the operator's Pod: nothing of the cluster is loaded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hallmark.audit.command import verify
from hallmark.errors import ConfigurationError


def main(arguments: Sequence[str]) -> int:
    """Verify a log and say what was found; return 0 if it is whole, 1 if not, 2 if unusable."""
    parser = argparse.ArgumentParser(prog="python -m hallmark.audit", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("verify", help="check a log")
    command.add_argument("file", type=Path, help="the log's current file")
    command.add_argument("--public-key", type=Path, help="the audit key's public half in PEM")
    command.add_argument("--anchor", type=Path, help="the head from hallmark-audit-anchor")
    parsed = parser.parse_args(arguments)
    try:
        whole = verify(
            parsed.file,
            parsed.public_key,
            parsed.anchor,
            lambda line: sys.stdout.write(f"{line}\n"),
        )
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
