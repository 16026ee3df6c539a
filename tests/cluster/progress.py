"""Says on standard error which steps run, and for how long."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

HEARTBEAT_SECONDS = 30.0
REDRAW_SECONDS = 0.5
ERASE = "\r\x1b[K"


@dataclass
class Step:
    """What is being done.

    Attributes:
        text: such as "building kube-apiserver".
        started: when it began, in seconds since the progress did.
        detail: how far it is, such as "12 of 40 packages".
    """

    text: str
    started: float
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.text}: {self.detail}" if self.detail else self.text


class Progress:
    """Prints a line when a step begins and one when it ends, with the seconds since the start.

    On a terminal the steps that run share the last line, which is drawn anew all the time, and only
    the line at the end of a step stays. Elsewhere a step that takes long is named again and again.
    Steps may run at the same time, in threads.

    Args:
        quiet: print nothing.
        stream: where to print; by default standard error.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream
        self._started = time.monotonic()
        self._lock = threading.RLock()
        self._steps: list[Step] = []

    @property
    def elapsed(self) -> float:
        """Seconds since this progress began."""
        return time.monotonic() - self._started

    @property
    def _output(self) -> TextIO:
        return self._stream or sys.stderr

    def say(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            if self._quiet:
                return
            erase = ERASE if self._output.isatty() else ""
            self._output.write(f"{erase}[{self.elapsed:6.1f} s] {text}\n")
            self._draw()
            self._output.flush()

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Name a step, and how long it took.

        Args:
            text: what is being done, such as "building kube-apiserver".

        Yields:
            The step, to say how far it is.
        """
        step, done = Step(text, self.elapsed), threading.Event()
        with self._lock:
            self._steps.append(step)
        if not self._output.isatty():
            self.say(f"{text} ...")
        watcher = threading.Thread(target=self._remind, args=(step, done), daemon=True)
        watcher.start()
        end = "broken off"
        try:
            yield step
            end = "done"
        finally:
            done.set()
            watcher.join()
            with self._lock:
                self._steps.remove(step)
                self.say(f"{text}: {end} in {self.elapsed - step.started:.1f} s")

    def _remind(self, step: Step, done: threading.Event) -> None:
        terminal = self._output.isatty()
        while not done.wait(REDRAW_SECONDS if terminal else HEARTBEAT_SECONDS):
            if terminal:
                with self._lock:
                    self._draw()
                    self._output.flush()
            else:
                self.say(f"still {step} ...")

    def _draw(self) -> None:
        """Draw the line of the steps that run, on a terminal."""
        if self._steps and not self._quiet and self._output.isatty():
            line = f"[{self.elapsed:6.1f} s] {' | '.join(map(str, self._steps))} ..."
            width = shutil.get_terminal_size().columns - 1
            self._output.write(f"{ERASE}{line[:width]}")
