"""Unmounts what containers leave behind."""

import subprocess
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")


def parse(text: str, folder: Path) -> list[str]:
    """Return the mount points below a folder, the last mounted first.

    Args:
        text: the content of /proc/self/mountinfo.
        folder: the folder.
    """
    points = [line.split()[4].replace("\\040", " ") for line in text.splitlines()]
    return [point for point in reversed(points) if Path(point).is_relative_to(folder)]


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder."""
    for point in parse(MOUNTS.read_text(), folder.resolve()):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
