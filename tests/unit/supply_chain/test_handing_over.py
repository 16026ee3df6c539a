"""What the sealing Job runs of strangers comes by neither the key nor the store's credentials."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hallmark.supply_chain.handing_over import hand_over, remove

PR_CAPBSET_DROP = 24
MARK = "the-secret-of-the-key"

PROGRAM = """
import subprocess, sys, time
from pathlib import Path
from hallmark.supply_chain.handing_over import close_to_children, remove
handed = Path(sys.argv[1])
if sys.argv[2] == "closed":
    close_to_children()
key = (handed / "key/private.pem").read_bytes()
if sys.argv[2] == "closed":
    remove(handed)
command = [sys.executable, "-c", sys.argv[3], str(handed)]
print(subprocess.run(command, capture_output=True, env={}, close_fds=False, text=True).stdout)
assert key
"""
THIEF = """
import os, sys
MARK = b"the-secret-" + b"of-the-key"
parent = f"/proc/{os.getppid()}"
found = []
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        with open(os.path.join(folder, name), "rb") as file:
            found.append("file" if MARK in file.read() else "")
try:
    with open(f"{parent}/maps") as maps, open(f"{parent}/mem", "rb") as memory:
        for line in maps:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if " rw" in line[:80] and end - start < 1 << 28:
                try:
                    memory.seek(start)
                    found.append("memory" if MARK in memory.read(end - start) else "")
                except OSError:
                    pass
except OSError as error:
    found.append(type(error).__name__)
try:
    found.append("environ" if open(f"{parent}/environ", "rb").read() else "")
except OSError as error:
    found.append(type(error).__name__)
print(sorted(set(found) - {""}))
"""


def unprivileged() -> None:
    """As in a container: no capability at all, whoever runs the tests."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def stolen(handed: Path, how: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(handed), how, THIEF],
        env={"PYTHONPATH": os.pathsep.join(part for part in sys.path if part), "HOME": "/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        preexec_fn=unprivileged if os.getuid() == 0 else None,
    )
    return ended.stdout.strip()


@pytest.fixture
def handed(tmp_path: Path) -> Path:
    """Secrets as the kubelet mounts them, handed over."""
    secrets, target = tmp_path / "secrets", tmp_path / "handed"
    target.mkdir()
    for name, file in (("key", "private.pem"), ("store", "secret-access-key")):
        folder = secrets / name
        (folder / "..2026").mkdir(parents=True)
        (folder / "..2026" / file).write_text(f"{MARK}\n")
        (folder / "..data").symlink_to("..2026")
        (folder / file).symlink_to(f"..data/{file}")
    hand_over(secrets, target)
    return target


def test_files_are_handed_over_as_the_jobs_own(handed: Path) -> None:
    files = sorted(path.relative_to(handed).as_posix() for path in handed.rglob("*.*"))
    assert files == ["key/private.pem"]
    for name in ("key/private.pem", "store/secret-access-key"):
        found = handed / name
        assert found.read_text() == f"{MARK}\n"
        assert not found.is_symlink()
        assert found.stat().st_mode & 0o777 == 0o600


def test_a_child_finds_neither_files_nor_memory(handed: Path) -> None:
    assert stolen(handed, "closed") == "['PermissionError']"
    assert [path for path in handed.rglob("*") if not path.is_dir()] == []


def test_it_would_find_them_otherwise(handed: Path) -> None:
    assert stolen(handed, "open") == "['environ', 'file', 'memory']"


def test_nothing_was_handed_over(tmp_path: Path) -> None:
    remove(tmp_path / "none")
