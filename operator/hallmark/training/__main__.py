"""``python -m hallmark.training``: the training Job's entry point."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hallmark.kernels import choose_kernels

choose_kernels()

from hallmark.training.job import Paths, run  # noqa: E402 - numpy takes the kernels as they are

if __name__ == "__main__":
    sys.exit(
        run(Paths(termination=Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log"))))
    )
