"""The verifier: nothing can be done to a log that it does not find."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.texts import canonical_json
from hallmark.audit import AuditLog
from hallmark.audit.files import head_path, log_files
from hallmark.audit.head import sign_head
from hallmark.audit.record import AuditRecord, hash_of
from hallmark.audit.verify import verify_log
from hallmark.errors import ConfigurationError
from tests.unit.audit.factories import KEY, NOW, PUBLIC, decided, write_log

RECORDS = 6
_SOURCE = Path(tempfile.mkdtemp(prefix="audit-"))
WHOLE, ROTATED = _SOURCE / "whole" / "log", _SOURCE / "rotated" / "log"


@pytest.fixture(scope="module", autouse=True)
def _logs() -> object:
    write_log(WHOLE, RECORDS)
    write_log(ROTATED, RECORDS, rotate_at=1000)
    yield
    shutil.rmtree(_SOURCE)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return copy(WHOLE, tmp_path)


def copy(log: Path, folder: Path) -> Path:
    return shutil.copytree(log.parent, folder / "copy") / log.name


def problems(log: Path, key: str | None = PUBLIC) -> str:
    verdict = verify_log(log, key)
    assert verdict.ok == (not verdict.problems)
    return "\n".join(verdict.problems)


@pytest.mark.parametrize("source", [WHOLE, ROTATED], ids=["one file", "rotated files"])
def test_a_whole_log_verifies(source: Path) -> None:
    assert problems(source) == ""
    assert problems(source, None) == ""
    assert verify_log(source, PUBLIC).records == RECORDS


@pytest.mark.parametrize("minutes", [-120, -2, -0.5, 0, 60])
def test_a_clock_that_was_set_back_is_noted_once_and_breaks_nothing(
    minutes: float, tmp_path: Path
) -> None:
    moments = [NOW, NOW + timedelta(minutes=minutes), NOW + timedelta(minutes=minutes + 1)]
    writer = AuditLog(tmp_path / "log", KEY, clock=lambda: moments[0])
    writer.verify_rest(None)
    for number in range(3):
        writer.append(decided(f"decision-{number}"))
        moments = moments[1:] or moments
    writer.close()
    verdict = verify_log(tmp_path / "log", PUBLIC)
    assert verdict.ok
    notes = [note for note in verdict.notes if "set back" in note]
    assert len(notes) == (minutes < -1)
    assert all("Record 2" in note for note in notes)


def rehash(log: Path, lines: list[dict[str, object]]) -> None:
    """Write records as somebody would who knows the format but has no key."""
    prev = "sha256:" + "0" * 64
    out = b""
    for seq, wire in enumerate(lines, 1):
        record = AuditRecord.model_validate({**wire, "seq": seq, "prev": prev})
        record = record.model_copy(update={"hash": hash_of(record.to_wire())})
        prev = record.hash
        out += record.line()
    log.write_bytes(out)


def edit_lines(change: Callable[[list[bytes]], object]) -> Callable[[Path], None]:
    def apply(log: Path) -> None:
        lines = log.read_bytes().splitlines(keepends=True)
        change(lines)
        log.write_bytes(b"".join(lines))

    return apply


def edit_and_rehash(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Path], None]:
    def apply(log: Path) -> None:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        change(lines)
        rehash(log, lines)

    return apply


def swap(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def edit_field(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b"hallmark-operator", b"hallmark-operatoR")


def spaced(lines: list[bytes]) -> None:
    lines[2] = json.dumps(json.loads(lines[2])).encode() + b"\n"


def forge_head(log: Path) -> None:
    """Rewrite the log and sign its head with another key's name left in place."""
    edit_and_rehash(lambda lines: lines.pop())(log)
    last = json.loads(log.read_text().splitlines()[-1])
    head = json.loads(head_path(log).read_bytes())
    head_path(log).write_bytes(canonical_json({**head, "seq": last["seq"], "hash": last["hash"]}))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(edit_lines(edit_field), "line 3: record 3 was edited", id="an edited field"),
        pytest.param(edit_lines(lambda x: x.pop(2)), "expected record 3, found 4", id="a removal"),
        pytest.param(edit_lines(lambda x: x.pop(0)), "expected record 1, found 2", id="a headless"),
        pytest.param(edit_lines(swap), "expected record 2, found record 3", id="another order"),
        pytest.param(
            edit_lines(lambda x: x.insert(2, x[1])), "repeats a decision", id="a repetition"
        ),
        pytest.param(edit_lines(lambda x: x.pop()), "cut off or rewritten", id="a cut"),
        pytest.param(edit_lines(lambda x: x.clear()), "cut off or rewritten", id="an empty log"),
        pytest.param(edit_lines(spaced), "record 3 was edited", id="another form"),
        pytest.param(
            edit_lines(lambda x: x.append(b"\n")), "line 7: it is not a record", id="an empty line"
        ),
        pytest.param(
            edit_lines(lambda x: x.append(b"x" * 200_000)), "not a record", id="a long line"
        ),
        pytest.param(
            edit_and_rehash(lambda x: x.pop(2)), "cut off or rewritten", id="a rehashed removal"
        ),
        pytest.param(
            edit_and_rehash(lambda x: x[3].update(actor="eve")),
            "cut off or rewritten",
            id="a rehashed edit",
        ),
        pytest.param(forge_head, "not signed by the given audit key", id="a rewritten head"),
        pytest.param(lambda log: head_path(log).unlink(), "head is missing", id="no head"),
        pytest.param(
            lambda log: head_path(log).write_bytes(b"{}"), "not a signed head", id="a broken head"
        ),
        pytest.param(
            lambda log: head_path(log).write_bytes(
                head_path(log).read_bytes().replace(b'"seq":', b'"seq":9007199254740993')
            ),
            "not a signed head",
            id="a head with a number that canonical JSON cannot express",
        ),
        pytest.param(lambda log: log.unlink(), "There is no record", id="no log"),
    ],
)
def test_damage_is_found(log: Path, damage: Callable[[Path], None], sentence: str) -> None:
    damage(log)
    assert sentence.replace("found 4", "found record 4").replace(
        "found 2", "found record 2"
    ) in problems(log)


def test_a_missing_or_exchanged_rotated_file_is_found(tmp_path: Path) -> None:
    log = copy(ROTATED, tmp_path)
    first, second, *_ = log_files(log)
    kept = first.read_bytes()
    first.unlink()
    assert "expected record 1" in problems(log)
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert "another order" in problems(log)


def test_a_head_of_an_older_time_is_no_problem_while_the_log_holds_its_record(log: Path) -> None:
    third = json.loads(log.read_text().splitlines()[2])
    head = sign_head(KEY, 3, third["hash"], third["time"])
    head_path(log).write_bytes(head.to_bytes())
    assert problems(log) == ""


@given(st.sampled_from([WHOLE, ROTATED]), st.data())
def test_any_single_mutation_of_any_file_is_found(source: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = copy(source, Path(folder))
        file = data.draw(st.sampled_from([*log_files(log), head_path(log)]))
        before = file.read_bytes()
        at = data.draw(st.integers(0, len(before)))
        cut = data.draw(st.integers(0, 40))
        noise = data.draw(st.binary(max_size=8))
        after = before[:at] + noise + before[at + cut :]
        file.write_bytes(after)
        assert verify_log(log, PUBLIC).ok == (before == after)


@given(st.permutations(range(RECORDS)))
def test_any_other_order_is_found(order: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = copy(WHOLE, Path(folder))
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(lines[each] for each in order))
        assert verify_log(log, PUBLIC).ok == (order == sorted(order))


@given(st.binary(max_size=400))
def test_any_bytes_may_be_a_log(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = copy(WHOLE, Path(folder))
        log.write_bytes(noise)
        assert not verify_log(log, PUBLIC).ok


def test_a_key_that_is_none_is_refused(log: Path) -> None:
    with pytest.raises(ConfigurationError, match="Expected a public key"):
        verify_log(log, "no key")


def command(log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "hallmark.audit", "verify", str(log), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_the_command_says_and_returns_what_was_found(log: Path, tmp_path: Path) -> None:
    key = tmp_path / "public.pem"
    key.write_text(PUBLIC)
    done = command(log, "--public-key", str(key))
    assert (done.returncode, done.stdout) == (0, f"{log}: 6 records, verifies\n")
    done = command(log)
    assert done.returncode == 0
    assert "was not checked" in done.stdout
    log.write_bytes(log.read_bytes()[:-10])
    done = command(log, "--public-key", str(key))
    assert done.returncode == 1
    assert "does not verify" in done.stdout
    assert command(log, "--public-key", str(tmp_path / "none")).returncode == 2
