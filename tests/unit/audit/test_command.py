"""What is said of a log on the command line, and what is read of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.__main__ import main
from hallmark.audit.command import verify
from hallmark.audit.files import log_files
from hallmark.audit.verify import read_log
from hallmark.errors import ConfigurationError
from hallmark.keys import public_pem
from tests.unit.audit.factories import PUBLIC, decided, open_log, write_log

OTHER = public_pem(ec.generate_private_key(ec.SECP256R1()).public_key())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log" / "secure_mlops.log"
    write_log(path, 3)
    return path


def anchor_of(log: Path, folder: Path) -> Path:
    """Return the head of a log, kept elsewhere."""
    return shutil.copy(log.with_name(f"{log.name}.head"), folder / "anchor")


def longer(log: Path, folder: Path) -> Path:
    """Return the head of the log with a record more, which is then lost."""
    whole = shutil.copytree(log.parent, folder / "longer") / log.name
    writing = open_log(whole)
    writing.append(decided("later"))
    writing.close()
    return anchor_of(whole, folder)


def said(log: Path, key: Path | None, anchor: Path | None = None) -> tuple[bool, list[str]]:
    lines: list[str] = []
    return verify(log, key, anchor, lines.append), lines


def test_a_whole_log(log: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(PUBLIC)
    whole = f"{log}: 3 records, verifies"
    assert said(log, key) == (True, [whole])
    assert said(log, key, anchor_of(log, tmp_path)) == (True, [whole])
    unchecked = " (the head's signature was not checked: no --public-key)"
    assert said(log, None) == (True, [whole + unchecked])


def test_an_older_copy_is_told_by_the_anchor_alone(log: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(PUBLIC)
    found, lines = said(log, key, longer(log, tmp_path))
    assert not found
    assert lines[-1] == f"{log}: 3 records, does not verify"
    assert len(lines) > 1
    assert said(log, key)[0]


def test_beside_the_operator_its_own_key_is_taken(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    monkeypatch.setenv("HALLMARK_AUDIT_KEY", str(secret / "private.pem"))
    (secret / "public.pem").write_text(PUBLIC)
    assert said(log, None) == (True, [f"{log}: 3 records, verifies"])
    (secret / "public.pem").write_text(OTHER)
    assert not said(log, None)[0]
    own = tmp_path / "own.pem"
    own.write_text(PUBLIC)
    assert said(log, own)[0], "a key that is given goes first"


@pytest.mark.parametrize("anchor", [b"", b"no head", b"{}"])
def test_an_anchor_that_is_none_is_refused(log: Path, tmp_path: Path, anchor: bytes) -> None:
    place = tmp_path / "anchor"
    place.write_bytes(anchor)
    with pytest.raises(ConfigurationError, match="Expected the anchor's signed head"):
        said(log, None, place)


def test_the_exit_code_tells_whole_broken_and_unusable(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_text(PUBLIC)
    bad.write_text(OTHER)
    anchor = str(longer(log, tmp_path))
    asked = ["verify", str(log), "--public-key"]
    assert main([*asked, str(good)]) == 0
    assert "3 records, verifies" in capsys.readouterr().out
    assert main([*asked, str(bad)]) == 1
    assert main([*asked, str(good), "--anchor", anchor]) == 1
    assert main([*asked, str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_every_record_is_read_in_order(log: Path, tmp_path: Path) -> None:
    verdict, records = read_log(log, PUBLIC)
    assert verdict.ok
    assert [record.decision_id for record in records] == [f"decision-{n}" for n in range(3)]
    assert not read_log(log, OTHER)[0].ok
    anchor = longer(log, tmp_path).read_bytes()
    verdict, records = read_log(log, PUBLIC, anchor)
    assert (verdict.ok, len(records)) == (False, 3)


def test_a_closed_file_is_named_by_its_first_record_also_after_a_restart(tmp_path: Path) -> None:
    at_once, again = tmp_path / "at-once" / "log", tmp_path / "again" / "log"
    write_log(at_once, 6, rotate_at=1000)
    for start in range(0, 6, 2):
        writing = open_log(again, rotate_at=1000)
        for number in range(start, start + 2):
            writing.append(decided(f"decision-{number}"))
        writing.close()
    names = [file.name for file in log_files(at_once)]
    assert len(names) > 2
    assert [file.name for file in log_files(again)] == names
