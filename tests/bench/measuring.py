"""Time and memory of a piece of work, for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def clear_peak() -> None:
    """Let this process's peak of memory count from here on."""
    with open("/proc/self/clear_refs", "w") as switch:
        switch.write("5")


def resident(name: str) -> int:
    """Return this process's memory in bytes: ``VmRSS`` is today's, ``VmHWM`` the peak."""
    with open("/proc/self/status") as status:
        line = next(entry for entry in status if entry.startswith(name))
    return int(line.split()[1]) * 1024
