"""Programs that are not ours, built from the public registries, to agree with what is ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def needs(program: str) -> str:
    """Return where a program is; the test is skipped where there is none."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"'{program}' is not installed")
    return found


def built(command: list[str], cwd: Path, **environment: str) -> None:
    """Run what installs or builds, at the lowest priority; the first time it asks a registry."""
    done = subprocess.run(
        ["nice", "-n", "19", *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def said(command: list[str | Path]) -> tuple[int, str]:
    """Return how a program ended, and what it wrote."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr
