"""What the demo prints: numbered steps, commands, what matters of their output, times."""

import json
import shlex
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

INDENT = "         "
WIDTH = 100


class Screen:
    """Prints a story in steps to standard output.

    Args:
        steps: how many steps there will be.
    """

    def __init__(self, steps: int) -> None:
        self._steps, self._done = steps, 0
        self.facts: list[dict[str, object]] = []

    @property
    def steps_done(self) -> int:
        """How many steps have ended well."""
        return self._done

    @contextmanager
    def step(self, title: str, what: str) -> Iterator[None]:
        """Print a step's number, title and sentence, and afterwards its time."""
        started = time.monotonic()
        self._line(f"\n[{self._done + 1:2}/{self._steps} ] {title}")
        self.say(what)
        yield
        self._done += 1
        seconds = time.monotonic() - started
        self.say(f"({seconds:.1f} s)")
        self.facts.append({"step": title, "seconds": round(seconds, 1)})

    def say(self, text: str) -> None:
        """Print a sentence."""
        for line in textwrap.wrap(text, WIDTH - len(INDENT)):
            self._line(INDENT + line)

    def command(self, program: str, arguments: tuple[str, ...]) -> None:
        """Print a command as a user types it."""
        self._line(f"{INDENT}$ {shlex.join((program, *arguments))}")

    def output(self, text: str, lines: int = 12, width: int | None = 160) -> None:
        """Print what a command wrote, shortened to what matters; or what to type, whole."""
        shown = [line for line in text.splitlines() if line.strip()]
        for line in shown[:lines]:
            self._line(f"{INDENT}  {line[:width]}")
        if len(shown) > lines:
            self._line(f"{INDENT}  ... {len(shown) - lines} more lines")

    def measure(self, name: str, seconds: float) -> None:
        """Print and remember a measured time."""
        self.facts.append({"measure": name, "seconds": round(seconds, 2)})
        self.say(f"Measured: {name}: {seconds:.2f} s")

    def summary(self) -> None:
        """Print everything measured, one JSON object a line."""
        for fact in self.facts:
            self._line(json.dumps(fact))

    @staticmethod
    def _line(text: str) -> None:
        print(text, flush=True)
