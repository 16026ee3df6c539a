"""The writer: durable before it answers, once for each decision, whole after any crash."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hallmark.audit import AuditLog
from hallmark.audit.files import head_path, log_files
from hallmark.audit.head import sign_head
from hallmark.audit.record import FIRST_PREVIOUS, AuditRecord, build_record
from hallmark.audit.verify import verify_log
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.keys import private_pem
from tests.unit.audit.factories import (
    KEY,
    PUBLIC,
    decided,
    head_of,
    open_log,
    open_unverified,
    write_log,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "secure_mlops.log"


def decisions(path: Path) -> list[str]:
    return [
        json.loads(line)["decisionId"]
        for file in log_files(path)
        for line in file.read_text().splitlines()
    ]


def expect_whole(path: Path, records: int) -> None:
    verdict = verify_log(path, PUBLIC)
    assert verdict.problems == ()
    assert (verdict.ok, verdict.records) == (True, records)


def test_a_record_holds_the_decision_and_names_the_one_before(path: Path) -> None:
    log = open_log(path)
    first = log.append(decided("a"))
    second = log.append(decided("b", actor="ada"))
    assert first is not None
    assert second is not None
    assert second.prev == first.hash
    wire = json.loads(path.read_text().splitlines()[1])
    assert wire["actor"] == "ada"
    assert wire["details"] == {"manifestDigest": "sha256:ab"}
    assert wire["time"] == "2026-06-01T12:00:00.000000Z"
    log.close()
    expect_whole(path, 2)


def test_a_decision_is_written_once_also_after_a_restart_and_a_rotation(path: Path) -> None:
    write_log(path, 8, rotate_at=1000)
    assert len(log_files(path)) > 2
    log = open_log(path, rotate_at=1000)
    assert log.append(decided("decision-0", message="again")) is None
    assert log.append(decided("decision-8")) is not None
    assert log.append(decided("decision-8")) is None
    log.close()
    assert decisions(path) == [f"decision-{number}" for number in range(9)]
    expect_whole(path, 9)


@pytest.mark.parametrize("restarts", [True, False], ids=["after restarts", "in one process"])
@pytest.mark.parametrize(
    ("said", "recorded"),
    [("AA", "A"), ("AB", "AB"), ("ABA", "ABA"), ("ABBAABA", "ABABA"), ("BABAB", "BABAB")],
)
def test_a_decision_on_a_run_that_became_another_one_and_itself_again_is_recorded_again(
    path: Path, said: str, recorded: str, *, restarts: bool
) -> None:
    log = open_log(path)
    for outcome in said:
        if restarts:
            log.close()
            log = open_log(path)
        for uid in ("run-1", "run-2"):
            run = {"event": "seal", "kind": "TrainingRun", "outcome": outcome, "uid": uid}
            log.append(decided(f"seal:{uid}:{outcome}", **run))
        other = {"event": "approve", "kind": "ModelVersion", "outcome": outcome}
        log.append(decided(f"approve:{outcome}", **other))
    log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for uid in ("run-1", "run-2"):
        assert "".join(line["outcome"] for line in lines if line["uid"] == uid) == recorded
    once = "".join(dict.fromkeys(said))
    assert "".join(line["outcome"] for line in lines if line["uid"] == "uid-1") == once
    expect_whole(path, len(lines))


def test_it_is_on_the_disk_before_append_returns(path: Path) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        os.fsync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    log = open_log(path, sync=sync)
    synced.clear()
    log.append(decided("a"))
    assert synced[0] == path.stat().st_ino
    log.close()


def test_what_was_decided_together_is_written_once_and_in_order_with_one_sync(path: Path) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        os.fsync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    log = open_log(path, sync=sync)
    log.append(decided("b"))
    synced.clear()
    written = log.append_all([decided(name) for name in ("a", "b", "a", "c", "a", "d")])
    assert [record.decision_id for record in written] == ["a", "c", "d"]
    assert synced.count(path.stat().st_ino) == 1
    assert log.append_all([decided("d"), decided("a")]) == []
    assert log.append_all([]) == []
    log.close()
    assert decisions(path) == ["b", "a", "c", "d"]
    expect_whole(path, 4)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.34, 0.5, 0.67, 0.9, 1.0])
def test_what_was_decided_together_and_came_in_part_is_completed(path: Path, share: float) -> None:
    killed = [False]

    def sync(descriptor: int) -> None:
        if killed[0]:
            raise KeyboardInterrupt
        os.fsync(descriptor)

    together = [decided(name) for name in ("a", "b", "c")]
    log = open_log(path, sync=sync)
    log.append(decided("first"))
    before = path.stat().st_size
    killed[0] = True
    with pytest.raises(KeyboardInterrupt):
        log.append_all(together)
    os.truncate(path, before + int(share * (path.stat().st_size - before)))
    killed[0] = False
    log.close()

    log = open_log(path)
    assert log.broken is None
    log.append_all(together)
    log.close()
    assert [name for name in decisions(path) if name in "abc"] == ["a", "b", "c"]
    assert verify_log(path, PUBLIC).ok


def test_many_tasks_at_once_write_one_chain(path: Path) -> None:
    log = open_log(path, rotate_at=4000)

    async def write_all() -> None:
        ids = [f"d{number % 40}" for number in range(80)]
        await asyncio.gather(*(asyncio.to_thread(log.append, decided(each)) for each in ids))

    asyncio.run(write_all())
    log.close()
    assert sorted(decisions(path)) == sorted(f"d{number}" for number in range(40))
    expect_whole(path, 40)


def test_it_verifies_while_it_is_written_and_rotated(path: Path) -> None:
    log = open_log(path, rotate_at=2000)
    log.append(decided("first"))
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(lambda: [log.append(decided(f"d{i}")) for i in range(60)])
        verdicts = [verify_log(path, PUBLIC)]
        while not done.done():
            verdicts.append(verify_log(path, PUBLIC))
    log.close()
    assert [each.problems for each in verdicts if not each.ok] == []
    expect_whole(path, 61)


def test_texts_are_bounded_and_on_one_line(path: Path) -> None:
    log = open_log(path)
    details = {f"k{number}" * 40: "\U0001f512" * 900 for number in range(50)}
    record = log.append(decided("x" * 900, message="a\n\ud800" + "b" * 5000, details=details))
    assert log.append(decided("x" * 900)) is None
    log.close()
    assert record is not None
    assert len(record.message) == 1024
    assert record.message.startswith("a??b")
    assert len(path.read_bytes()) < 64 * 1024
    expect_whole(path, 1)


def test_long_or_strange_ids_stay_different(path: Path) -> None:
    log = open_log(path)
    ids = ["x" * 600 + "a", "x" * 600 + "b", "y\n", "y?", "\ud800", "\ud801"]
    for _ in range(2):
        for each in ids:
            log.append(decided(each))
    log.close()
    expect_whole(path, len(ids))


def test_a_second_writer_is_refused(path: Path) -> None:
    log = open_log(path)
    with pytest.raises(ArtifactError, match="Another process writes"):
        open_log(path)
    log.close()
    open_log(path).close()


TORN: dict[str, Callable[[bytes], bytes]] = {
    "half a record": lambda line: line[: len(line) // 2],
    "a record without its line end": lambda line: line[:-1],
    "zeros, as some file systems leave": lambda line: bytes(40),
    "bytes that are no text": lambda line: b"\xff\xfe",
}


@pytest.mark.parametrize("tear", TORN.values(), ids=TORN.keys())
def test_an_unfinished_record_is_set_aside_and_said(
    path: Path, tear: Callable[[bytes], bytes]
) -> None:
    write_log(path, 3)
    torn = tear(path.read_bytes().splitlines(keepends=True)[-1])
    with path.open("ab") as file:
        file.write(torn)
    assert not verify_log(path, PUBLIC).ok
    for _ in range(2):
        log = open_log(path)
        log.append(decided("decision-3"))
        log.close()
    (aside,) = path.parent.glob("*.torn-*")
    assert aside.read_bytes() == torn
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["event"] for each in records] == ["promote"] * 3 + ["recover", "promote"]
    assert aside.name in records[3]["message"]
    assert records[3]["details"] == {"sha256": hashlib.sha256(torn).hexdigest()}
    expect_whole(path, 5)


def test_bytes_that_were_set_aside_before_a_crash_are_still_said(path: Path) -> None:
    write_log(path, 1)
    path.with_name(f"{path.name}.torn-0123456789ab").write_bytes(b"torn")
    path.with_name(f"{path.name}.torn-ba9876543210.partial").write_bytes(b"half of it")
    open_log(path).close()
    assert decisions(path) == ["decision-0", "recover/0123456789ab"]


@pytest.mark.parametrize(("size", "kept"), [(0, False), (1, True), (40_000, True), (40_001, False)])
def test_evidence_stands_in_a_record_where_it_fits(size: int, kept: bool) -> None:
    record = build_record(
        decided("drift", evidence="e" * size), 1, "2026-06-01T12:00:00Z", FIRST_PREVIOUS
    )
    assert record.evidence == ("e" * size if kept else None)


def test_texts_of_a_record_are_clipped_to_what_its_form_takes() -> None:
    long = decided("d" * 900, uid="u" * 900, name="n" * 900, namespace="s" * 900, kind="k" * 900)
    record = build_record(long, 1, "2026-06-01T12:00:00Z", FIRST_PREVIOUS)
    assert AuditRecord.model_validate(record.model_dump(by_alias=True)) == record
    assert (len(record.uid), len(record.name)) == (64, 253)


def test_a_rotation_that_came_half_way_is_completed(path: Path) -> None:
    write_log(path, 2)
    path.rename(path.with_name(f"{path.name}.000000000001"))
    log = open_log(path)
    log.append(decided("decision-2"))
    log.close()
    assert decisions(path) == ["decision-0", "decision-1", "decision-2"]
    expect_whole(path, 3)


@pytest.mark.parametrize(
    ("at", "together"),
    [*((at, each) for at in range(4) for each in (1, 2)), (0, 9), (1, 9)],
)
def test_a_decision_that_cannot_be_written_does_not_take_effect(
    path: Path, at: int, together: int
) -> None:
    broken = [False]
    calls = [0]

    def sync(descriptor: int) -> None:
        calls[0] += 1
        if broken[0] and calls[0] > at:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.fsync(descriptor)

    log = open_log(path, sync=sync, rotate_at=1000)
    log.append(decided("a"))
    broken[0], calls[0] = True, 0

    def append_all() -> None:
        for first in range(0, 9, together):
            numbers = range(first, min(first + together, 9))
            log.append_all([decided(f"b{number}") for number in numbers])

    with pytest.raises(ArtifactError, match="No space left on device"):
        append_all()
    assert "No space left on device" in log.trouble
    broken[0] = False
    append_all()
    assert log.trouble == ""
    assert log.broken is None
    log.close()
    assert decisions(path) == ["a", *(f"b{number}" for number in range(9))]
    expect_whole(path, 10)


def test_no_decision_is_recorded_before_the_whole_log_is_verified(path: Path) -> None:
    write_log(path, 3)
    log = open_unverified(path)
    assert not log.ready
    for decision_id in ("decision-1", "decision-3"):
        with pytest.raises(ArtifactError, match="still being verified"):
            log.append(decided(decision_id))
    log.verify_rest(head_of(path))
    assert log.ready
    assert log.append(decided("decision-1")) is None
    log.verify_rest(head_of(path))
    assert log.append(decided("decision-3")) is not None
    log.close()
    expect_whole(path, 4)


def test_a_log_that_is_closed_meanwhile_is_verified_no_further(path: Path) -> None:
    write_log(path, 3)
    log = open_unverified(path)
    log.close()
    log.verify_rest(head_of(path))
    assert not log.ready
    with pytest.raises(ArtifactError, match="found it closed"):
        log.append(decided("decision-3"))


@pytest.mark.parametrize("behind", range(3))
def test_records_that_a_crash_kept_from_the_head_are_no_change(path: Path, behind: int) -> None:
    write_log(path, 3, rotate_at=700)
    third = json.loads(log_files(path)[2 - behind].read_text())
    head = sign_head(KEY, third["seq"], third["hash"], third["time"])
    head_path(path).write_bytes(head.to_bytes())
    log = open_log(path)
    assert log.broken is None
    log.append(decided("decision-3"))
    log.close()
    expect_whole(path, 4)


def test_it_opens_with_the_key_in_a_file(path: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "private.pem"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        AuditLog.open(path, key_file)
    key_file.write_bytes(b"no key")
    with pytest.raises(ConfigurationError, match="Expected an unencrypted PKCS#8 private key"):
        AuditLog.open(path, key_file)
    key_file.write_bytes(private_pem(KEY))
    log = AuditLog.open(path, key_file)
    log.verify_rest(None)
    log.append(decided("a"))
    log.close()
    expect_whole(path, 1)


WRITER = """
import sys
from pathlib import Path
from tests.unit.audit.factories import decided, head_of
from hallmark.audit import AuditLog
log = AuditLog.open(Path(sys.argv[1]), Path(sys.argv[2]))
log.verify_rest(head_of(log.path))
for number in range(100_000):
    log.append(decided(f"{sys.argv[3]}-{number}"))
    sys.stdout.write(f"{sys.argv[3]}-{number}\\n")
    sys.stdout.flush()
"""


def test_after_sigkill_every_acknowledged_decision_is_there(path: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "private.pem"
    key_file.write_bytes(private_pem(KEY))
    acknowledged: list[str] = []
    for turn in ("a", "b", "c"):
        command = [sys.executable, "-c", WRITER, str(path), str(key_file), turn]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline().strip() for _ in range(20)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += writer.stdout.read().split()
    log = open_log(path)
    assert log.broken is None
    log.close()
    written = decisions(path)
    assert set(acknowledged) <= set(written)
    expect_whole(path, len(written))


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a volume that is soon full."""
    folder = tmp_path / "volume"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small volume")
def test_a_volume_that_is_really_full_loses_nothing(small_volume: Path) -> None:
    path = small_volume / "secure_mlops.log"
    log = open_log(path)

    def fill() -> None:
        for number in range(1000):
            log.append(decided(f"decision-{number}", message="x" * 900))

    with pytest.raises(ArtifactError, match="No space left on device"):
        fill()
    written = log.seq
    assert written > 5
    for _ in range(3):
        with pytest.raises(ArtifactError, match="No space left on device"):
            log.append(decided("too much", message="x" * 900))
    log.close()
    log = open_log(path)
    assert (log.broken, log.seq) == (None, written)
    subprocess.run(["mount", "-o", "remount,size=256k", str(small_volume)], check=True)
    log.append(decided("too much", message="x" * 900))
    log.close()
    expect_whole(path, written + 1)


def test_what_a_stranger_writes_there_takes_no_memory(path: Path) -> None:
    write_log(path, 2)
    anchor = head_of(path)
    path.write_bytes(b"\n" * 5_000_000)
    head_path(path).write_bytes(b"{" * 5_000_000)
    path.with_name(f"{path.name}.torn-0123456789ab").write_bytes(b"x" * 5_000_000)
    log = open_log(path, anchor=anchor)
    assert log.broken is not None
    assert log.broken.message.endswith("line 1: it is not a record.")
    first = json.loads(path.read_text().splitlines()[0])
    assert int(first["details"]["problems"]) < 200
    log.close()
