"""Packages of the Go project and of transparency.dev check what is published, and find attacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.tlog.note import Note
from hallmark.audit.tlog.witness import prove
from tests.foreign import HERE, built, needs, said
from tests.unit.audit.published import Installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built from pinned modules."""
    program = tmp_path_factory.mktemp("tlog") / "tlog"
    built([needs("go"), "build", "-mod=readonly", "-o", str(program), "."], HERE / "tlog")
    return program


@pytest.fixture
def one(tmp_path: Path) -> Installation:
    """An installation that published 300 records; another one cosigned."""
    made = Installation(tmp_path / "a")
    made.record(300)
    assert isinstance(made.publish(), Note)
    return made


@pytest.fixture
def two(tmp_path: Path, one: Installation) -> Installation:
    """The other one."""
    made = Installation(
        tmp_path / "b", "hallmark.example/b", ec.generate_private_key(ec.SECP256R1())
    )
    assert isinstance(made.cosign(one), Note)
    return made


def check(
    verifier: Path, one: Installation, two: Installation | None, old: Path | None = None
) -> tuple[int, str]:
    witness = two.witness_key.to_text() if two else "-"
    return said([verifier, one.folder, one.log_key.to_text(), witness, old or "-", "-", "-"])


def test_they_verify_the_log_its_witness_its_growth_and_a_records_proof(
    verifier: Path, one: Installation, two: Installation, tmp_path: Path
) -> None:
    old = shutil.copy(one.folder / "checkpoint", tmp_path / "old")
    assert check(verifier, one, two) == (0, "300 records verify\n")
    one.record(700)
    assert isinstance(one.publish(), Note)
    assert isinstance(two.cosign(one), Note)
    assert check(verifier, one, two, old) == (0, "1000 records verify\n")
    found = prove(one.folder, one.log_key, 257)
    assert not isinstance(found, str)
    record, proof = tmp_path / "record", tmp_path / "proof"
    keys = [one.log_key.to_text(), two.witness_key.to_text()]
    for change, right in ((b"", True), (b" ", False)):
        record.write_bytes(found[0] + change)
        proof.write_text(found[1])
        code, text = said([verifier, one.folder, *keys, old, record, proof])
        assert (code == 0) == right, text


@pytest.mark.parametrize(
    ("story", "count", "expected"),
    [
        ("decision", 299, "cut off: 299 records, and 300 before"),
        ("another", 300, "rewritten"),
        ("another", 700, "rewritten"),
    ],
)
def test_they_find_what_whoever_has_the_key_published_anew(
    verifier: Path, one: Installation, tmp_path: Path, story: str, count: int, expected: str
) -> None:
    old = shutil.copy(one.folder / "checkpoint", tmp_path / "old")
    shutil.rmtree(one.folder)
    one.forget_log()
    one.story = story
    one.record(count)
    assert isinstance(one.publish(), Note)
    assert check(verifier, one, None)[0] == 0, "alone it is a log like any other"
    code, text = check(verifier, one, None, old)
    assert (code, expected in text) == (1, True), text


def test_they_find_a_changed_file(verifier: Path, one: Installation) -> None:
    for path in [path for path in one.folder.rglob("*") if path.is_file()]:
        if path.suffix == ".lock":
            continue
        whole = path.read_bytes()
        path.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
        code, text = check(verifier, one, None)
        assert code == 1, f"{path}: {text}"
        path.write_bytes(whole)
    assert check(verifier, one, None)[0] == 0
