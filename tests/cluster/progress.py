"""Says on standard error which step runs, and for how long."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_SECONDS = 30.0


class Progress:
    """Prints one line per step, each with the seconds since the start.

    Args:
        quiet: print nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since this progress began."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print one line."""
        if not self._quiet:
            print(f"[{self.elapsed:6.1f} s] {text}", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Name a step; one that takes long is named again from time to time.

        Args:
            text: what is being done, such as "building kube-apiserver".
        """
        self.say(f"{text} ...")
        done = threading.Event()
        watcher = threading.Thread(target=self._remind, args=(text, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _remind(self, text: str, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            self.say(f"still {text} ...")
