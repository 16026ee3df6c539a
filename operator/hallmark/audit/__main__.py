"""``python -m hallmark.audit``: check an audit log, publish it, cosign another one.

The same as ``hallmark audit``, for the operator's Pod: nothing of the cluster is loaded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hallmark.audit.command import verify
from hallmark.audit.tlog.command import cosign_log, publish_log, tell_names
from hallmark.errors import ConfigurationError


def main(arguments: Sequence[str]) -> int:
    """Do it and say what was found; return 0 if all is well, 1 if not, 2 if it is unusable."""
    given = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], bool] = given.run
    try:
        return 0 if run(given) else 1
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hallmark.audit", description=__doc__)
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("verify", help="check a log")
    check.add_argument("file", type=Path, help="the log's current file")
    check.add_argument("--public-key", type=Path, help="the audit key's public half in PEM")
    check.add_argument("--anchor", type=Path, help="the head from hallmark-audit-anchor")
    check.set_defaults(run=lambda given: verify(given.file, given.public_key, given.anchor, _say))
    public = commands.add_parser("publish", help="publish a log as tiles (C2SP tlog-tiles)")
    public.add_argument("file", type=Path, help="the log's current file")
    public.add_argument("folder", type=Path, help="what is published")
    public.set_defaults(
        run=lambda given: publish_log(given.file, given.folder, given.key, given.name, _say)
    )
    other = commands.add_parser("cosign", help="cosign another installation's published log")
    other.add_argument("folder", type=Path, help="the published log")
    other.add_argument("--log", required=True, help="its key, as 'names' says it there")
    other.add_argument("--memory", type=Path, required=True, help="how far it was seen: a file")
    other.set_defaults(
        run=lambda given: cosign_log(
            given.folder, given.log, given.key, given.name, given.memory, _say
        )
    )
    names = commands.add_parser("names", help="the public keys for 'cosign' and 'check'")
    names.set_defaults(run=lambda given: tell_names(given.key, given.name, _say))
    for command in (public, other, names):
        command.add_argument("--name", required=True, help="such as example.org/hallmark")
        command.add_argument("--key", type=Path, help="the audit key (default: the mounted one)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
