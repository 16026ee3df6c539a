"""The command line: ``hallmark``, and ``kubectl hallmark``."""

from __future__ import annotations

import errno
import os
import sys

from hallmark.kernels import choose_kernels

choose_kernels()

from hallmark.cli.app import app  # noqa: E402 - numpy takes the kernels as they are
from hallmark.cli.output import plain  # noqa: E402 - after what must come first
from hallmark.errors import HallmarkError  # noqa: E402 - after what must come first

DEBUG = "HALLMARK_DEBUG"


_WHAT_TO_DO = {
    errno.ENOENT: "name one that is there",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name a folder",
    errno.EEXIST: "name another one",
    errno.ENAMETOOLONG: "name it in fewer letters",
    errno.EACCES: "ask for the right, or name another one",
    errno.EPERM: "ask for the right, or name another one",
    errno.EROFS: "name one on a volume that can be written",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "make room",
}


def main() -> None:
    """Run the command line. An error is a sentence on standard error and exit code 1."""
    try:
        app()
    except HallmarkError as error:
        _end(str(error))
    except OSError as error:
        _end(unusable(error))
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        kind = type(error).__name__
        _end(f"an unexpected {kind}: {error}. Set {DEBUG}=1 to see where, and report it.")


def unusable(error: OSError) -> str:
    """Return a sentence on a file, an output or a connection that cannot be used."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    what = " or ".join(map(str, names)) or "The output, a file or a connection"
    why = error.strerror or str(error) or type(error).__name__
    to_do = _WHAT_TO_DO.get(error.errno or 0, "put that right")
    return f"{what} cannot be used ({why}); {to_do}, and run it again."


def _end(sentence: str) -> None:
    """End with an error, on one line: others' words may stand in it, and control nothing."""
    sys.exit(f"error: {plain(sentence)}")
