"""How many processes answer in a Pod: as many as its limits on processor time and memory allow."""

from __future__ import annotations

from pathlib import Path

from hallmark.files import read_line

MAX_WORKERS = 16
WORKER_ROOM = 48 * 1024 * 1024
"""Bytes that a further process must have for requests, besides what it takes itself."""

_CGROUP = Path("/sys/fs/cgroup")


def worker_count(cpus: float | None, memory: int, claimed: int) -> int:
    """Return how many processes answer.

    Args:
        cpus: The container's limit; None: without one a single process serves.
        memory: The container's limit in bytes.
        claimed: Bytes that this process takes, with the model.
    """
    fit = memory // (claimed + WORKER_ROOM)
    return max(1, min(MAX_WORKERS, int(cpus or 1), fit))


def cpu_limit(cgroup: Path = _CGROUP) -> float | None:
    """Return how many processors the container may keep busy, or None where nothing limits it."""
    quota, period = (_words(cgroup / "cpu.max") or ["", ""])[:2]
    if not quota:
        quota = "".join(_words(cgroup / "cpu/cpu.cfs_quota_us"))
        period = "".join(_words(cgroup / "cpu/cpu.cfs_period_us"))
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None  # "max", or -1
    return int(quota) / int(period)


def _words(path: Path) -> list[str]:
    try:
        return read_line(path).split()
    except OSError:
        return []
