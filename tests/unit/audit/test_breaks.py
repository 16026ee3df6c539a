"""Whatever is done to the volume or to the anchor is found, named, kept, and not continued."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given, strategies as st

from hallmark.audit import AuditLog
from hallmark.audit.chain import START
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.files import head_path, log_files
from hallmark.audit.head import Head, sign_head
from hallmark.audit.opening import Anchored
from hallmark.audit.record import AuditRecord, hash_of, sign_record
from hallmark.audit.verify import verify_log
from hallmark.errors import ArtifactError, IntegrityError
from tests.examples import examples
from tests.unit.audit.factories import KEY, PUBLIC, decided, head_of, open_log, write_log

RECORDS = 6
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
PROMOTION = {"event": AuditEvent.PROMOTE, "outcome": AuditOutcome.PROMOTED}
REVOCATION = {"event": AuditEvent.REVOKE, "outcome": AuditOutcome.ACCEPTED}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "secure_mlops.log"


def last_of(path: Path) -> dict[str, object]:
    wire: dict[str, object] = json.loads(path.read_text().splitlines()[-1])
    return wire


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def rehash(path: Path, key: ec.EllipticCurvePrivateKey | None, start: int) -> None:
    """Chain the records from one on anew, as who knows the format does, signed with a key."""
    kept = [json.loads(line) for line in lines(path)]
    prev = kept[start - 1]["hash"] if start else START.hash
    out = b"".join(lines(path)[:start])
    for seq, wire in enumerate(kept[start:], start + 1):
        record = AuditRecord.model_validate({**wire, "seq": seq, "prev": prev})
        record = record.model_copy(update={"hash": hash_of(record.to_wire())})
        record = sign_record(record, key) if key else record
        prev, out = record.hash, out + record.line()
    path.write_bytes(out)


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"decision-2", b"decision-x"))


def forge(path: Path) -> None:
    """Rewrite record 3 and chain all that follow anew."""
    edit(path)
    rehash(path, None, 2)


def forge_with_a_head_of_another_key(path: Path) -> None:
    edit(path)
    rehash(path, OTHER_KEY, 2)
    last = last_of(path)
    forged = sign_head(OTHER_KEY, RECORDS, str(last["hash"]), str(last["time"]))
    head_path(path).write_bytes(forged.to_bytes())


def append_forged(path: Path) -> None:
    """Add a record as a crash between the log's sync and the head would leave one."""
    with path.open("ab") as file:
        file.write(lines(path)[-1].replace(b"decision-5", b"decision-6"))
    rehash(path, None, RECORDS)


def append_forged_without_a_head(path: Path) -> None:
    append_forged(path)
    head_path(path).unlink()


def delete(path: Path) -> None:
    path.write_bytes(b"".join(line for at, line in enumerate(lines(path)) if at != 2))


def delete_and_rehash(path: Path) -> None:
    delete(path)
    rehash(path, None, 2)


def insert(path: Path) -> None:
    path.write_bytes(b"".join([*lines(path)[:2], lines(path)[4], *lines(path)[2:]]))


def reorder(path: Path) -> None:
    first, second, *rest = lines(path)
    path.write_bytes(b"".join([second, first, *rest]))


def truncate(path: Path) -> None:
    path.write_bytes(b"".join(lines(path)[:4]))


def truncate_without_a_head(path: Path) -> None:
    truncate(path)
    head_path(path).unlink()


def truncate_within_a_record(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def no_head(path: Path) -> None:
    head_path(path).unlink()


def spoilt_head(path: Path) -> None:
    head_path(path).write_bytes(b"{}")


def head_of_another_key(path: Path) -> None:
    head = head_of(path)
    assert head is not None
    forged = sign_head(OTHER_KEY, head.seq, head.hash, head.time)
    head_path(path).write_bytes(forged.to_bytes())


def empty_log(path: Path) -> None:
    path.write_bytes(b"")


def empty_volume(path: Path) -> None:
    shutil.rmtree(path.parent)


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00" * 99 + b"\n")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "an edited record": (edit, "line 3: record 3 was edited after its hash"),
    "a forged chain": (forge, "line 3: record 3 was not signed with the audit key"),
    "a forged chain with a forged head": (
        forge_with_a_head_of_another_key,
        "line 3: record 3 was not signed with the audit key",
    ),
    "a forged last record": (append_forged, "line 7: record 7 was not signed"),
    "a forged last record and no head": (
        append_forged_without_a_head,
        "line 7: record 7 was not signed",
    ),
    "a deleted record": (delete, "expected record 3, found record 4"),
    "a deleted record, chained anew": (delete_and_rehash, "record 3 was not signed"),
    "an inserted record": (insert, "expected record 3, found record 5"),
    "another order": (reorder, "expected record 1, found record 2"),
    "a cut": (truncate, "the first bad record is 5, which is missing"),
    "a cut without a head": (truncate_without_a_head, "first bad record is 5, which is missing"),
    "a cut within a record": (truncate_within_a_record, "first bad record is 6"),
    "no head": (no_head, "The signed head is missing"),
    "a spoilt head": (spoilt_head, "not a signed head"),
    "a head of another key": (head_of_another_key, "not signed by the given audit key"),
    "an empty log": (empty_log, "the first bad record is 1, which is missing"),
    "an empty volume": (empty_volume, "the first bad record is 1, which is missing"),
    "garbage": (garbage, "line 1: it is not a record"),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_was_done_to_the_volume_is_found_named_and_not_continued(
    path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    anchor = write_log(path, RECORDS)
    damage(path)
    log = open_log(path, anchor=anchor)
    assert log.broken is not None
    assert sentence in log.broken.message
    first = json.loads(path.read_text().splitlines()[0])
    assert (first["reason"], first["seq"]) == ("ChainBroken", log.seq)
    # The new log follows the last record that anybody vouched for or claimed.
    assert log.seq > RECORDS
    assert first["details"]["lastKnownRecord"] == str(log.seq - 1)
    assert {"keptIn", "lastKnownHash", "problems"} <= first["details"].keys()
    check_that_withdrawals_go_on_and_promotions_wait(log)
    log.close()
    kept = path.parent / first["details"]["keptIn"]
    assert sentence in (kept / "why.txt").read_text()


def check_that_withdrawals_go_on_and_promotions_wait(log: AuditLog) -> None:
    assert log.append(decided("a revocation", **REVOCATION)) is not None
    with pytest.raises(IntegrityError, match="No version is promoted while a break"):
        log.append(decided("a promotion", **PROMOTION))
    broken = log.broken
    assert broken is not None
    assert log.acknowledge("0" * 12, "ada", "wrong id") is None
    said = log.acknowledge(broken.id, "ada", "The volume was restored by hand.")
    assert said is not None
    assert (said.actor, said.message) == ("ada", "The volume was restored by hand.")
    assert said.details["found"] == broken.message[: len(said.details["found"]) - 3] + "..." or (
        said.details["found"] == broken.message
    )
    assert log.broken is None
    assert log.append(decided("a promotion", **PROMOTION)) is not None


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES.values(), ids=DAMAGES.keys())
def test_the_verifier_finds_it_too(
    path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    anchor = write_log(path, RECORDS)
    damage(path)
    path.parent.mkdir(exist_ok=True)
    assert not verify_log(path, PUBLIC, anchor.to_bytes()).ok


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_break_stays_until_it_is_acknowledged_and_the_evidence_for_ever(
    path: Path, restarts: int
) -> None:
    anchor: Anchored = write_log(path, RECORDS)
    before = path.read_bytes()
    truncate(path)
    cut = path.read_bytes()
    assert before.startswith(cut)
    for _ in range(restarts):
        log = open_log(path, anchor=anchor)
        assert log.broken is not None
        broken, anchor = log.broken, log.head()
        log.close()
    log = open_log(path, anchor=anchor)
    assert log.broken == broken
    verdict = verify_log(path, PUBLIC)
    assert not verdict.ok
    assert f"Nobody has acknowledged the break {broken.id} yet" in verdict.problems[0]
    log.acknowledge(broken.id, "ada", "Seen.")
    head = log.head()
    log.close()
    assert head is not None
    verdict = verify_log(path, PUBLIC, head.to_bytes())
    assert verdict.ok
    assert any("ada acknowledged the break" in note for note in verdict.notes)
    assert any("begins anew with record 7" in note for note in verdict.notes)
    log = open_log(path, anchor=head)
    assert log.broken is None
    log.close()
    (kept,) = path.parent.glob("*.broken-*")
    assert (kept / path.name).read_bytes() == cut


def test_a_crash_between_the_new_log_and_its_anchor_is_no_second_break(path: Path) -> None:
    anchor = write_log(path, RECORDS)
    truncate(path)
    log = open_log(path, anchor=anchor)
    broken = log.broken
    log.close()
    log = open_log(path, anchor=anchor)
    assert log.broken == broken
    log.close()


def copy_of(path: Path, folder: Path) -> Path:
    return Path(shutil.copytree(path.parent, folder))


COPIED = {
    "the log": lambda name, path: not name.endswith(".head"),
    "the head": lambda name, path: name.endswith(".head"),
    "log and head": lambda name, path: True,
}


@pytest.mark.parametrize("what", COPIED)
def test_an_older_copy_is_found(path: Path, tmp_path: Path, what: str) -> None:
    write_log(path, RECORDS)
    older = copy_of(path, tmp_path / "older")
    log = open_log(path)
    for number in range(RECORDS, RECORDS + 3):
        log.append(decided(f"decision-{number}"))
    anchor = log.head()
    log.close()
    for file in older.iterdir():
        if COPIED[what](file.name, path):
            shutil.copy(file, path.parent / file.name)
    log = open_log(path, anchor=anchor)
    if what == "the head":
        # Each later record is signed by itself: this is what a crash leaves, and nothing is lost.
        assert log.broken is None
    else:
        assert log.broken is not None
        assert "the first bad record is 7, which is missing" in log.broken.message
    log.close()


def test_segments_that_were_swapped_after_a_rotation_are_found(path: Path) -> None:
    anchor = write_log(path, RECORDS, rotate_at=1500)
    first, second, *_ = log_files(path)
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    log = open_log(path, anchor=anchor)
    assert log.broken is not None
    assert "no checkpoint says so" in log.broken.message or "expected" in log.broken.message
    log.close()


def test_a_removed_first_segment_is_found(path: Path) -> None:
    anchor = write_log(path, RECORDS, rotate_at=1500)
    log_files(path)[0].unlink()
    log = open_log(path, anchor=anchor)
    assert log.broken is not None
    assert "expected record 1" in log.broken.message
    assert "no checkpoint says so" in log.broken.message
    log.close()


def other_seq(head: Head) -> Head:
    return sign_head(OTHER_KEY, head.seq, head.hash, head.time)


ANCHORS: dict[str, tuple[Callable[[Head], Anchored], str]] = {
    "it is gone": (lambda head: None, "The anchor outside the volume is missing"),
    "it cannot be read": (lambda head: "It is no head.", "It is no head."),
    "it is of another key": (other_seq, "was not signed by the given audit key"),
    "it names a record that never was": (
        lambda head: sign_head(KEY, head.seq, START.hash, head.time),
        "record 6 is another one",
    ),
    "it is ahead": (
        lambda head: sign_head(KEY, head.seq + 3, head.hash, head.time),
        "first bad record is 7",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), ANCHORS.values(), ids=ANCHORS.keys())
def test_what_was_done_to_the_anchor_is_found(
    path: Path, change: Callable[[Head], Anchored], sentence: str
) -> None:
    anchor = write_log(path, RECORDS)
    log = open_log(path, anchor=change(anchor))
    assert log.broken is not None
    assert sentence in log.broken.message
    log.close()


def test_an_anchor_that_lags_behind_is_what_a_crash_leaves(path: Path) -> None:
    anchor = write_log(path, 3)
    log = open_log(path)
    log.append(decided("decision-3"))
    log.close()
    log = open_log(path, anchor=anchor)
    assert log.broken is None
    log.close()


def test_nothing_recorded_yet_is_a_new_log_whatever_a_crash_left(path: Path) -> None:
    genesis = sign_head(KEY, *START, "2026-06-01T12:00:00Z")
    for anchor in (None, genesis):
        log = open_log(path, anchor=anchor)
        assert (log.broken, log.seq) == (None, 0)
        log.close()
    head_path(path).unlink()
    log = open_log(path, anchor=genesis)
    assert log.broken is None
    log.close()


STRANGERS: dict[str, Callable[[Path], object]] = {
    "bytes after ours": lambda path: path.write_bytes(path.read_bytes() + b"stranger\n"),
    "a file in its place": lambda path: (path.unlink(), path.write_bytes(b"")),
    "no file": lambda path: path.unlink(),
    "a cut": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "another name": lambda path: path.rename(path.with_name("elsewhere")),
}


@pytest.mark.parametrize("change", STRANGERS.values(), ids=STRANGERS.keys())
def test_a_change_while_it_is_open_begins_a_new_log_and_stops_no_withdrawal(
    path: Path, change: Callable[[Path], object]
) -> None:
    log = open_log(path)
    log.append(decided("a"))
    change(path)
    with pytest.raises(IntegrityError, match="while the operator had it open"):
        log.append(decided("b", **PROMOTION))
    assert log.append(decided("c", **REVOCATION)) is not None
    assert log.append(decided("a")) is None  # What was recorded is remembered.
    head = log.head()
    log.close()
    assert head is not None
    assert [json.loads(line)["seq"] for line in path.read_text().splitlines()] == [2, 3]
    log = open_log(path, anchor=head)
    assert log.broken is not None
    log.close()


@pytest.mark.parametrize("at", range(8))
def test_a_full_disk_while_a_log_begins_anew_loses_no_evidence(path: Path, at: int) -> None:
    anchor = write_log(path, RECORDS)
    truncate(path)
    evidence = path.read_bytes()
    calls = [0]

    def sync(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == at + 1:
            raise OSError(28, "No space left on device")

    log = open_log_patiently(path, anchor, sync)
    assert log.broken is not None
    assert "first bad record is 5" in log.broken.message
    log.close()
    (kept,) = path.parent.glob("*.broken-*")
    assert (kept / path.name).read_bytes() == evidence


def open_log_patiently(path: Path, anchor: Head, sync: Callable[[int], None]) -> AuditLog:
    log = AuditLog(path, KEY, sync=sync)
    for _ in range(3):
        try:
            log.verify_rest(anchor)
        except ArtifactError:
            assert not log.ready
    assert log.ready
    return log


def unsigned(text: bytes) -> bytes:
    """Return a log's file without the signatures of its records."""
    return re.sub(rb'"signature":"[A-Za-z0-9+/=]*",', b"", text)


@examples(150)
@example(rotated=False, which=0, place=124, cut=0, noise=b"/")
@given(
    rotated=st.booleans(),
    which=st.integers(0, 9),
    place=st.integers(0, 1000),
    cut=st.sampled_from([0, 1, 7, 200, 5000]),
    noise=st.binary(max_size=8) | st.sampled_from([b"\n", b"{}\n", b"x" * 900]),
)
def test_any_mutation_of_any_file_is_a_break_or_a_torn_record(
    rotated: bool, which: int, place: int, cut: int, noise: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs" / "log"
        anchor = write_log(path, RECORDS, rotate_at=1500 if rotated else 1 << 20)
        files = [*log_files(path), head_path(path)]
        file = files[which % len(files)]
        before = file.read_bytes()
        # The end is a place of its own: signatures differ in length, fractions do not.
        at = len(before) * place // 1000
        after = before[:at] + noise + before[at + cut :]
        file.write_bytes(after)
        found = not verify_log(path, PUBLIC, anchor.to_bytes()).ok
        log = open_log(path, anchor=anchor)
        torn = any(path.parent.glob("*.torn-*"))
        assert found == (before != after)
        assert found or (log.broken is None and not torn)
        if log.broken is None:
            # What it goes on with may differ in a signature that a signed head makes up for.
            assert torn or unsigned(before) == unsigned(after)
            assert log.seq == RECORDS + torn, "what the operator wrote is all there"
        log.close()
