"""Runs programs, and several things at the same time: where one fails, the others are ended."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.errors import ClusterError

PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.1
SHOWN_LINES = 15
First, Second = TypeVar("First"), TypeVar("Second")


class _Running:
    """The programs that run for one call of `together`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[str]] = []
        self._ended = False

    def add(self, process: subprocess.Popen[str]) -> None:
        """Remember a program; one that was started too late is ended at once."""
        with self._lock:
            self._processes.append(process)
            if self._ended:
                _signal(process, signal.SIGKILL)

    def end(self) -> None:
        """End all programs, and those that are still started."""
        with self._lock:
            self._ended = True
            processes = list(self._processes)
        _end(*processes)


_running: ContextVar[_Running | None] = ContextVar("_running", default=None)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a program and to what it started, as far as that still runs."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(*processes: subprocess.Popen[str]) -> None:
    """Ask programs to end as Ctrl-C does, then insist.

    What a shell runs in the background does not hear that, and may outlive the shell.
    """
    unfinished = [process for process in processes if process.poll() is None]
    for process in unfinished:
        _signal(process, signal.SIGINT)
    for process in unfinished:
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_SECONDS)
        _signal(process, signal.SIGKILL)


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    failure: str = "",
    is_message: Callable[[str], bool] = lambda line: True,
    to_the_end: bool = False,
) -> str:
    """Run a program and return its standard output.

    Args:
        command: the program and its arguments.
        folder: where it runs; by default where this process does.
        environment: its variables; by default those of this process.
        failure: what the error begins with; by default that the command failed.
        is_message: told each line of its standard error as it comes; returns whether the line
            belongs into an error.
        to_the_end: an interruption, or a failure beside it, waits for it instead of ending it.

    Raises:
        ClusterError: with the end of what it wrote, if it fails.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        messages = _follow(process, is_message, to_the_end=to_the_end)
        output.seek(0)
        written = output.read()
    if process.returncode:
        end = [*written.splitlines(), *messages][-SHOWN_LINES:]
        what = failure or f"{' '.join(command[:2])} failed"
        raise ClusterError("\n".join([f"{what}:", *end]))
    return written.strip()


def _follow(
    process: subprocess.Popen[str], is_message: Callable[[str], bool], *, to_the_end: bool
) -> list[str]:
    """Wait until a program ends, and return the lines of its standard error that are messages."""
    running = _running.get()
    if running and not to_the_end:
        running.add(process)
    assert process.stderr
    with process.stderr:
        try:
            lines = (line.rstrip("\n") for line in process.stderr)
            messages = [line for line in lines if is_message(line)]
            process.wait()
        except BaseException:
            if to_the_end:
                process.communicate()
            else:
                _end(process)
            raise
    return messages


@contextmanager
def _heard(*numbers: signal.Signals) -> Iterator[list[int]]:
    """Note signals instead of being interrupted by them, perhaps while a lock is taken."""
    heard: list[int] = []

    def note(number: int, frame: object) -> None:
        del frame
        heard.append(number)

    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def together(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Do two things at the same time, from the main thread.

    Where one fails, or the user interrupts, the programs that the other runs are ended.

    Args:
        first: the one.
        second: the other.

    Returns:
        What the two return.

    Raises:
        ClusterError: the first failure.
        KeyboardInterrupt: if Ctrl-C, SIGTERM or SIGHUP came.
    """
    running, context = _Running(), copy_context()
    context.run(_running.set, running)
    with (
        _heard(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as heard,
        ThreadPoolExecutor(2) as threads,
    ):
        one = threads.submit(context.copy().run, first)
        other = threads.submit(context.copy().run, second)
        try:
            _wait({one, other}, heard)
        except BaseException:
            running.end()
            raise
    return one.result(), other.result()


def _wait(unfinished: "set[Future[Any]]", heard: list[int]) -> None:
    """Wait until all is done, and raise the first failure or an interruption."""
    while unfinished:
        done, unfinished = wait(unfinished, POLL_SECONDS, FIRST_EXCEPTION)
        for future in done:
            future.result()
        if heard:
            raise KeyboardInterrupt
