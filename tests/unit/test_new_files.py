"""Files and folders that are made whole or not at all, also where the process is killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hallmark.cli import app
from hallmark.local.image import write_context
from hallmark.new_files import new_file, new_folder, write_new

DIES = """
import os, signal, sys
from pathlib import Path
from hallmark.new_files import new_file, new_folder
with {made}(Path(sys.argv[1])) as made:
    {write}
    os.kill(os.getpid(), signal.SIGKILL)
"""
FOLDER = ("new_folder", "(made / 'a').write_text('half')")
FILE = ("new_file", "made.write_text('half')")


def names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


@pytest.mark.parametrize(("made", "write"), [FOLDER, FILE], ids=["folder", "file"])
def test_of_a_killed_process_nothing_is_in_its_place(made: str, write: str, tmp_path: Path) -> None:
    target = tmp_path / "pa[c]k"
    source = DIES.format(made=made, write=write)
    ended = subprocess.run([sys.executable, "-c", source, str(target)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not target.exists()

    if made == "new_folder":
        with new_folder(target) as folder:
            (folder / "a").write_text("whole")
        assert (names(tmp_path), (target / "a").read_text()) == (["pa[c]k"], "whole")
    else:
        write_new(target, b"whole")
        assert (names(tmp_path), target.read_bytes()) == (["pa[c]k"], b"whole")


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_what_fails_midway_leaves_nothing(
    make: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    def half() -> None:
        with make(tmp_path / "out") as made:
            (made / "a" if made.is_dir() else made).write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert names(tmp_path) == []


def test_who_is_at_work_on_the_same_is_let_alone(tmp_path: Path) -> None:
    target, source = tmp_path / "pack", FOLDER[1]
    wait = "print('there', flush=True); sys.stdin.read()"
    script = DIES.format(made="new_folder", write=f"{source}; {wait}")
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        with new_folder(target) as folder:
            (folder / "a").write_text("whole")
        assert len(names(tmp_path)) == 2
        other.kill()
    assert (target / "a").read_text() == "whole"


@pytest.mark.parametrize("make", [new_folder, new_file])
@pytest.mark.parametrize("there", ["of another user", "file", "link to nothing", "own number"])
def test_what_stands_beside_a_place_is_in_nobodys_way(
    make: Callable[[Path], AbstractContextManager[Path]],
    there: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = tmp_path / ".out.partial-x"
    match there:
        case "of another user":
            left.mkdir()

            def refused(left: Path) -> None:  # As for anybody but root.
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(left))

            monkeypatch.setattr("hallmark.new_files._remove_unheld", refused)
        case "file":
            left.write_text("a stranger's")
        case "link to nothing":
            left.symlink_to("nothing")
        case _:
            left = tmp_path / f".out.partial-{os.getpid()}"  # Of a container each is the first.
            left.mkdir()
    with make(tmp_path / "out") as made:
        (made / "a" if made.is_dir() else made).open("x").close()
    assert (tmp_path / "out").exists()


def _to_file(path: Path) -> None:
    write_new(path, b"new")


def _to_folder(path: Path) -> None:
    with new_folder(path) as made:
        (made / "a").write_text("new")


@pytest.mark.parametrize("make", [_to_file, _to_folder])
@pytest.mark.parametrize("there", ["file", "folder with something", "link to nothing"])
def test_what_is_there_is_never_replaced(
    make: Callable[[Path], None], there: str, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    match there:
        case "file":
            target.write_text("old")
        case "link to nothing":
            target.symlink_to("nothing")
        case _:
            (target / "old").mkdir(parents=True)
    with pytest.raises(OSError, match=r"."):
        make(target)
    assert names(tmp_path) == ["out"]
    assert target.is_symlink() or target.is_dir() or target.read_text() == "old"


def test_a_build_context_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot be made"):
        write_context(tmp_path / "context", {"Dockerfile": b"FROM x", "no/such": b""})
    assert names(tmp_path) == []


def test_an_approvers_key_is_whole_and_for_him_alone(tmp_path: Path) -> None:
    target = tmp_path / "key.pem"
    arguments = ["keys", "create", "approve", "--output", str(target)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    before = target.read_bytes()
    assert CliRunner().invoke(app, arguments).exit_code != 0
    assert target.read_bytes() == before
    assert names(tmp_path) == ["key.pem"]


def test_a_volumes_own_folder_is_refused_before_anything_is_written() -> None:
    with (
        pytest.raises(OSError, match="a volume is mounted there: name a new folder in it"),
        new_folder(Path("/proc")),
    ):
        raise AssertionError("nothing is to be written")
