"""The command line: ``hallmark``, and ``kubectl hallmark``."""

from __future__ import annotations

import os
import sys

from hallmark.kernels import choose_kernels

choose_kernels()

from hallmark.cli.app import app  # noqa: E402 - numpy takes the kernels as they are
from hallmark.errors import HallmarkError  # noqa: E402 - after what must come first

DEBUG = "HALLMARK_DEBUG"


def main() -> None:
    """Run the command line. An error is a sentence on standard error and exit code 1."""
    try:
        app()
    except (HallmarkError, OSError) as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        kind = type(error).__name__
        sys.exit(
            f"error: an unexpected {kind}: {error}. Set {DEBUG}=1 to see where, and report it."
        )
