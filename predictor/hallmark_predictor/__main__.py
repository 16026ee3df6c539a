"""``python -m hallmark_predictor``: what is set before anything is imported, then the process."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the predictor; return its exit code: 10 is a refusal, which no retry can mend."""
    # One row is microseconds of work: threads for sums would only take memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # pydantic asks each installed package whether it is a plugin for pydantic; none is.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What is imported and loaded stays: until it serves the collector would look at it in vain.
    gc.disable()
    from hallmark_predictor.process import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
