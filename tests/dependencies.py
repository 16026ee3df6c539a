"""Installs a lock file with uv: `python -m tests.dependencies requirements/dev.txt`.

On a terminal one line shows a bar; elsewhere one line says what was done. It runs before anything
is installed, so that it needs nothing but Python.
"""

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# What uv draws on a terminal: "Preparing packages... (3/45)", later "[3/45]".
COUNTS = re.compile(r"(?:packages\.\.\. \(|\[)(\d+)/(\d+)[)\]]")
PINNED = re.compile(r"^[A-Za-z0-9._-]+==", re.MULTILINE)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR = 30
SHOWN_LINES = 15


def counts(chunk: str) -> tuple[int, int] | None:
    """Return how many packages of how many are done, where a piece of uv's output says so."""
    found = COUNTS.findall(ESCAPE.sub("", chunk))
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def bar(done: int, of: int) -> str:
    """Return a bar that is filled as far as something is done."""
    filled = BAR * done // of if of else 0
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {done} of {of}"


def _chunks(descriptor: int) -> Iterator[str]:
    """Yield what comes from the far end of a terminal, until that is closed."""
    while True:
        try:
            chunk = os.read(descriptor, 1 << 16)
        except OSError:  # so Linux says that nobody has the other end open
            return
        if not chunk:
            return
        yield chunk.decode(errors="replace")


def _install(lock: Path, *, drawn: bool) -> tuple[int, str]:
    """Run uv before a terminal of its own; return its exit code and what it wrote."""
    uv = Path(sys.executable).parent / "uv"
    options = ["--python", sys.executable, "--require-hashes", "--requirement", str(lock)]
    ours, theirs = pty.openpty()
    started, written = time.monotonic(), ""
    with subprocess.Popen(
        [uv, "pip", "install", *options], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        for chunk in _chunks(ours):
            written = (written + chunk)[-(1 << 16) :]
            known = counts(chunk)
            if drawn and known:
                seconds = time.monotonic() - started
                print(f"\r{bar(*known)} Python packages, {seconds:.0f} s\x1b[K", end="", flush=True)
    os.close(ours)
    return process.returncode, written


def main(lock: Path) -> int:
    """Install a lock file.

    Args:
        lock: the file, with hashes.

    Returns:
        The exit code: uv's own.
    """
    started, drawn = time.monotonic(), sys.stdout.isatty()
    code, written = _install(lock, drawn=drawn)
    if drawn:
        print("\r\x1b[K", end="")
    if code:
        lines = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", written)) if line.strip()]
        print("\n".join(["uv could not install " + str(lock), *lines[-SHOWN_LINES:]]))
        return code
    pinned = len(PINNED.findall(lock.read_text()))
    print(f"{pinned} Python packages of {lock} in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; the next run continues from here")
