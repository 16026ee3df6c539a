"""The cgroup that holds everything a node runs, so that nothing of it can get lost.

With cgroup v1 there is one folder per controller, with v2 one folder in all. The components are
in its child `host` and the Pods in its child `kubepods`.
"""

import os
import signal
from pathlib import Path

from tests.cluster.processes import signal_process, wait_until

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "io")
EMPTY_SECONDS = 10.0


def is_v2() -> bool:
    """Return whether the machine has the unified hierarchy only."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Return the top folders below which groups are made."""
    if is_v2():
        return [ROOT]
    folders = {entry.resolve() for entry in ROOT.iterdir() if entry.is_dir()}
    return sorted(folder for folder in folders if os.path.ismount(folder))


def _delegate(folder: Path) -> None:
    """Let the children of a v2 group use the controllers that there are."""
    available = (folder / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in CONTROLLERS if name in available)
    (folder / "cgroup.subtree_control").write_text(wanted)


def _create_group(hierarchy: Path, name: str) -> None:
    group = hierarchy / name
    group.mkdir(exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):
        # A new cpuset of v1 is empty, and an empty one takes no process.
        if not is_v2() and (group / file).exists():
            (group / file).write_text((hierarchy / file).read_text())


def create(name: str) -> Path:
    """Make the group.

    Args:
        name: the group's name.

    Returns:
        The `cgroup.procs` file that the components join.
    """
    for hierarchy in hierarchies():
        _create_group(hierarchy, name)
    if is_v2():
        _delegate(ROOT)
        _delegate(ROOT / name)
        host = ROOT / name / "host"
    else:
        host = ROOT / "pids" / name / "host"
    host.mkdir(exist_ok=True)
    return host / "cgroup.procs"


def _groups(name: str) -> list[Path]:
    """Return the group and all below it, in every hierarchy, the deepest first."""
    found: list[Path] = []
    for hierarchy in hierarchies():
        found += [Path(folder) for folder, _, _ in os.walk(hierarchy / name, topdown=False)]
    return found


def members(name: str) -> set[int]:
    """Return the pids of all processes in the group and below it."""
    pids: set[int] = set()
    for group in _groups(name):
        try:
            pids |= {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
        except OSError:
            continue
    return pids


def _kill_all(name: str) -> bool:
    pids = members(name)
    for pid in pids:
        signal_process(pid, signal.SIGKILL)
    return not pids


def empty(name: str) -> bool:
    """Kill whatever is left in the group; return whether it became empty."""
    return wait_until(lambda: _kill_all(name), EMPTY_SECONDS)


def remove(name: str) -> None:
    """Remove the group, which must be empty."""
    for group in _groups(name):
        try:
            group.rmdir()
        except FileNotFoundError:
            continue
