"""Time and memory of a piece of work or of a process, for the benchmarks."""

from __future__ import annotations

import os
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


def resident(name: str, process: int | str = "self") -> int:
    """Return a process's memory in bytes: ``VmRSS`` is today's, ``VmHWM`` the peak."""
    with open(f"/proc/{process}/status") as status:
        line = next(line for line in status if line.startswith(name))
    return int(line.split()[1]) * 1024


def processor_seconds(process: int | str = "self") -> float:
    """Return how long a process has kept a core busy, in seconds."""
    with open(f"/proc/{process}/stat") as file:
        # The name, in brackets, may hold spaces.
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
