"""How the sealing Job comes by its secrets: by files that are gone before anything is checked.

The check of the served form runs a file of strangers in a child process of the same user. A Secret
volume cannot be closed to it: it is read-only, also for who would remove it. So the volumes are
mounted in an init container alone, which runs this module: it copies them to a volume in memory.
The sealing process takes what is there, and from then on nobody reads its memory.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from hallmark.errors import ConfigurationError
from hallmark.files import create, read_whole

SECRETS = Path("/var/run/hallmark/secrets")
"""Where the init container finds a folder for each Secret."""
HANDED = Path("/var/run/hallmark/handed")
"""Where the sealing process finds copies."""

SECRET_BYTES = 1 << 20
"""No Secret is longer."""
_PR_SET_DUMPABLE = 4


def hand_over(secrets: Path, handed: Path) -> None:
    """Copy each Secret's files; the kubelet's links and hidden folders stay behind.

    Raises:
        ConfigurationError: a file cannot be read, or its copy not written.
    """
    try:
        _copy(secrets, handed)
    except OSError as error:
        raise ConfigurationError(
            f"Expected Secrets in {secrets} that can be copied to {handed}, found that "
            f"{error.filename} cannot be ({error.strerror}); the operator mounts both."
        ) from error


def _copy(secrets: Path, handed: Path) -> None:
    for folder in sorted(path for path in secrets.iterdir() if path.is_dir()):
        target = handed / folder.name
        target.mkdir(mode=0o700, exist_ok=True)
        for file in folder.iterdir():
            if not file.name.startswith(".") and file.is_file():
                with create(target / file.name, 0o600) as copy:
                    copy.write(read_whole(file, SECRET_BYTES))


def close_to_children() -> None:
    """Keep processes of the same user out of this one's memory and environment.

    Raises:
        ConfigurationError: the kernel does not do it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ConfigurationError(
            f"The sealing process cannot be closed to its children "
            f"({os.strerror(ctypes.get_errno())}); run it on Linux."
        )


def remove(folder: Path) -> None:
    """Remove the copies, so that no child finds them.

    Raises:
        ConfigurationError: they cannot be removed.
    """
    try:
        for file in [path for path in folder.rglob("*") if not path.is_dir()]:
            file.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"The secrets in {folder} cannot be removed ({type(error).__name__}), so that what is "
            f"checked could read them; the operator mounts them in memory."
        ) from error


if __name__ == "__main__":
    try:
        hand_over(*(Path(argument) for argument in sys.argv[1:3]))
    except ConfigurationError as error:
        sys.exit(str(error))
