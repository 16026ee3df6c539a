"""What is too old goes, after a record that says so, and never in silence."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hallmark.audit import AuditLog
from hallmark.audit.files import log_files
from hallmark.audit.head import Head, Place
from hallmark.audit.verify import verify_log
from tests.unit.audit.factories import KEY, NOW, PUBLIC, decided, head_of, open_log

DAYS = 30
YEAR = timedelta(days=365)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "secure_mlops.log"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def opened(path: Path, clock: Clock, anchor: Head | None = None) -> AuditLog:
    log = AuditLog(path, KEY, clock=clock, rotate_at=1500, sync=lambda _: None)
    log.verify_rest(anchor or head_of(path))
    assert log.broken is None
    return log


def aged(path: Path, clock: Clock, *, old: int = 6, new: int = 3) -> AuditLog:
    """Return a log with files of a year ago, and younger ones."""
    log = opened(path, clock)
    for number in range(old):
        log.append(decided(f"old-{number}"))
    clock.now += YEAR
    for number in range(new):
        log.append(decided(f"new-{number}"))
    return log


def anchored(log: AuditLog) -> Place:
    head = log.head()
    assert head is not None
    return head.place


def seqs(path: Path) -> list[int]:
    return [
        json.loads(line)["seq"]
        for file in log_files(path)
        for line in file.read_text().splitlines()
    ]


def test_old_files_go_after_a_checkpoint_and_the_log_still_verifies(path: Path) -> None:
    clock = Clock()
    log = aged(path, clock)
    before = seqs(path)
    said = log.checkpoint(DAYS)
    assert said is not None
    assert seqs(path) == [*before, said.seq], "nothing goes before the record is written"
    gone = log.drop(anchored(log))
    assert gone
    assert [path.exists() for path in gone] == [False] * len(gone)
    left = seqs(path)
    assert left[0] == int(said.details["lastRecord"]) + 1
    assert {name.strip() for name in said.details["files"].split(",")} == {p.name for p in gone}
    head = log.head()
    log.close()
    assert head is not None
    verdict = verify_log(path, PUBLIC, head.to_bytes())
    assert verdict.problems == ()
    assert f"Records up to {left[0] - 1} were removed" in verdict.notes[0]
    log = opened(path, clock, head)
    assert log.append(decided("new-0")) is None
    log.close()


def test_nothing_goes_that_is_young_or_before_the_anchor_is_beyond_the_checkpoint(
    path: Path,
) -> None:
    clock = Clock()
    log = aged(path, clock)
    assert log.checkpoint(366) is None
    assert log.drop(anchored(log)) == []
    behind = anchored(log)
    said = log.checkpoint(DAYS)
    assert said is not None
    last = Place(int(said.details["lastRecord"]), said.details["lastHash"])
    assert log.drop(last) == []
    assert log.drop(behind)
    log.close()


def test_it_is_said_once(path: Path) -> None:
    clock = Clock()
    log = aged(path, clock)
    assert log.checkpoint(DAYS) is not None
    assert log.checkpoint(DAYS) is None
    log.drop(anchored(log))
    assert log.checkpoint(DAYS) is None
    log.close()


@pytest.mark.parametrize("removed", [1, 2])
def test_a_removal_that_came_half_way_is_completed(path: Path, removed: int) -> None:
    clock = Clock()
    log = aged(path, clock, old=9)
    said = log.checkpoint(DAYS)
    assert said is not None
    head = log.head()
    log.close()
    for file in log_files(path)[:removed]:
        file.unlink()
    log = opened(path, clock, head)
    log.drop(anchored(log))
    assert seqs(path)[0] == int(said.details["lastRecord"]) + 1
    log.close()


def test_more_than_the_checkpoint_says_is_missed(path: Path) -> None:
    clock = Clock()
    log = aged(path, clock, new=9)
    log.checkpoint(DAYS)
    log.drop(anchored(log))
    head = log.head()
    log.close()
    log_files(path)[0].unlink()
    assert not verify_log(path, PUBLIC).ok
    log = open_log(path, anchor=head)
    assert log.broken is not None
    assert "no checkpoint says so" in log.broken.message
    log.close()


def test_a_checkpoint_that_was_cut_off_vouches_for_nothing(path: Path) -> None:
    clock = Clock()
    log = aged(path, clock)
    before = head_of(path)
    log.checkpoint(DAYS)
    log.drop(anchored(log))
    log.close()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    log = open_log(path, anchor=before)
    assert log.broken is not None
    log.close()


def test_a_file_that_was_changed_is_not_removed(path: Path) -> None:
    clock = Clock()
    log = aged(path, clock)
    first = log_files(path)[0]
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:-1]) + b"garbage\n")
    assert log.checkpoint(DAYS) is None
    assert first.exists()
    log.close()


def test_a_broken_log_is_not_pruned(path: Path) -> None:
    clock = Clock()
    log = aged(path, clock)
    log.close()
    os.truncate(path, 10)
    log = open_log(path, anchor=head_of(path), rotate_at=1500)
    assert log.broken is not None
    assert log.checkpoint(DAYS) is None
    log.close()
