"""The log as tiles: roots and proofs, publishing, and witnesses who notice what was rewritten."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from hallmark.audit.__main__ import main
from hallmark.audit.tlog.note import Note, read_key, read_note
from hallmark.audit.tlog.publish import read_from
from hallmark.audit.tlog.tiles import WIDTH, entries_of, read_tree, tile_path
from hallmark.audit.tlog.tree import Tree, leaf_hash, root_of_inclusion
from hallmark.audit.tlog.witness import check_proof, checked, prove
from hallmark.errors import ConfigurationError
from hallmark.keys import private_pem
from tests.unit.audit.factories import KEY
from tests.unit.audit.published import Installation

OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 6962 defines it, by recursion."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    both = naive_root(leaves[:middle]) + naive_root(leaves[middle:])
    return hashlib.sha256(b"\x01" + both).digest()


def test_the_root_of_the_vectors_of_certificate_transparency() -> None:
    texts = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
             "606162636465666768696a6b6c6d6e6f")  # fmt: skip
    tree = Tree(leaf_hash(bytes.fromhex(text)) for text in texts)
    assert tree.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.integers(0, 70), st.data())
def test_roots_and_proofs_of_any_part_of_a_tree(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(size)]
    tree = Tree(map(leaf_hash, leaves))
    part = data.draw(st.integers(0, size))
    root = tree.root(part)
    assert root == naive_root(leaves[:part])
    if not part:
        return
    index = data.draw(st.integers(0, part - 1))
    proof = tree.inclusion(index, part)
    assert root_of_inclusion(leaf_hash(leaves[index]), index, part, proof) == root
    others = [
        (leaf_hash(b"other"), index, part, proof),
        (leaf_hash(leaves[index]), index, part, [*proof, root]),
        *[(leaf_hash(leaves[index]), place, part, proof) for place in range(-1, part + 2)],
    ]
    for other in others:
        if other[1] != index or other[0] != leaf_hash(leaves[index]) or other[3] != proof:
            assert root_of_inclusion(*other) != root


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, WIDTH, "tile/0/000"),
        (1, 999, 7, "tile/1/999.p/7"),
        (0, 1234067, WIDTH, "tile/0/x001/x234/067"),
        ("entries", 1000, 255, "tile/entries/x001/000.p/255"),
    ],
)
def test_where_a_tile_is(level: int | str, number: int, width: int, path: str) -> None:
    assert tile_path(level, number, width) == path


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_what_grows_is_what_is_published_at_once(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    steps = (1, 254, 1, 1, 255, 10)
    for step in steps:
        one.record(step)
        note = one.publish()
        assert isinstance(note, Note), note
        assert note.checkpoint.size == one.recorded
    again = Installation(tmp_path / "again")
    shutil.copytree(one.log.parent, again.log.parent)
    assert isinstance(again.publish(), Note)
    assert set(files_of(again.folder)) == {
        "checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/10", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/10",
    }  # fmt: skip
    grown = files_of(one.folder)
    assert {name: grown[name] for name in files_of(again.folder)} == files_of(again.folder)
    lines = one.log.read_bytes().splitlines()
    assert list(entries_of(grown["tile/entries/000"])) == lines[:WIDTH]

    before = grown["checkpoint"]
    assert isinstance(one.publish(), Note)
    assert files_of(one.folder)["checkpoint"] == before


def published(tmp_path: Path, count: int = 20) -> Installation:
    """Return an installation that recorded and published."""
    made = Installation(tmp_path / "a")
    made.record(count)
    assert isinstance(made.publish(), Note)
    return made


def cut(one: Installation) -> None:
    one.forget_log()
    one.record(12)


def rewrite(one: Installation) -> None:
    one.forget_log()
    one.story = "another"
    one.record(25)


def lose_the_beginning(one: Installation) -> None:
    one.forget_log()
    one.record(30)
    lines = one.log.read_bytes().splitlines(keepends=True)
    one.log.write_bytes(b"".join(lines[25:]))


def rename(one: Installation) -> None:
    one.name = "hallmark.example/b"


def change_a_tile(one: Installation) -> None:
    path = one.folder / "tile/0/000.p/20"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    one.record(1)


def lose_a_tile(one: Installation) -> None:
    (one.folder / "tile/0/000.p/20").unlink()
    one.record(1)


def change_the_checkpoint(one: Installation) -> None:
    path = one.folder / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n20\n", b"\n19\n"))


ATTACKS: dict[Callable[[Installation], None], str] = {
    cut: "records were cut off",
    rewrite: "Expected record 1 as it was published, found another one",
    lose_the_beginning: "does not",
    rename: "expected a checkpoint of 'hallmark.example/b'",
    change_a_tile: "expected tiles with the checkpoint's root",
    lose_a_tile: "found none",
    change_the_checkpoint: "expected a checkpoint of",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_log_that_is_not_what_was_published_is_not_published(
    attack: Callable[[Installation], None], tmp_path: Path
) -> None:
    one = published(tmp_path)
    attack(one)
    before = files_of(one.folder)
    found = one.publish()
    assert isinstance(found, str)
    assert ATTACKS[attack] in found
    assert files_of(one.folder) == before


def test_two_installations_cosign_each_other(tmp_path: Path) -> None:
    one = published(tmp_path, 300)
    two = Installation(tmp_path / "b", "hallmark.example/b", OTHER_KEY, story="theirs")
    two.record(3)
    assert isinstance(two.publish(), Note)
    for _ in range(2):
        for witness, log in ((one, two), (two, one)):
            note = witness.cosign(log)
            assert isinstance(note, Note), note
            assert note.signed_by(log.log_key)
            assert note.signers([witness.witness_key]) == [witness.name]
            assert len(note.lines) == 2
        for grown in (one, two):
            grown.record(5)
            assert isinstance(grown.publish(), Note)


@pytest.mark.parametrize(
    ("story", "count", "said"),
    [
        ("decision", 19, "Expected at least 20 records, which this witness saw, found 19"),
        ("another", 19, "found 19: the log was cut off"),
        ("another", 20, "the log was rewritten"),
        ("another", 300, "the log was rewritten"),
    ],
)
def test_a_witness_notices_what_whoever_has_the_key_published_anew(
    story: str, count: int, said: str, tmp_path: Path
) -> None:
    one = published(tmp_path)
    two = Installation(tmp_path / "b", "hallmark.example/b", OTHER_KEY)
    assert isinstance(two.cosign(one), Note)
    shutil.rmtree(one.folder)
    one.forget_log()
    one.story = story
    one.record(count)
    assert isinstance(one.publish(), Note), "the key signs anything"
    found = two.cosign(one)
    assert isinstance(found, str)
    assert said in found


def test_a_witness_signs_nothing_else(tmp_path: Path) -> None:
    one = published(tmp_path)
    two = Installation(tmp_path / "b", "hallmark.example/b", OTHER_KEY)
    for name in files_of(one.folder):
        path = one.folder / name
        whole = path.read_bytes()
        for changed in (whole[:-40], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
            path.write_bytes(changed)
            assert isinstance(two.cosign(one), str), name
        path.unlink()
        path.symlink_to("/dev/zero")
        assert isinstance(two.cosign(one), str), name
        path.unlink()
        path.write_bytes(whole)
    assert isinstance(two.cosign(one), Note)
    (memory,) = (two.root / "seen").iterdir()
    memory.write_text("{}")
    assert "restore it from a backup" in str(two.cosign(one))


def test_a_record_has_a_short_proof_that_stands_alone(tmp_path: Path) -> None:
    one = published(tmp_path, 300)
    two = Installation(tmp_path / "b", "hallmark.example/b", OTHER_KEY)
    assert isinstance(two.cosign(one), Note)
    for seq in (1, 256, 257, 300):
        found = prove(one.folder, one.log_key, seq)
        assert not isinstance(found, str), found
        record, proof = found
        assert len(proof) < 1024
        answer = check_proof(record, proof.encode(), one.log_key, [two.witness_key], 1)
        assert answer == (seq, [two.name])
        assert check_proof(record, proof.encode(), one.log_key, [], 0) == (seq, [])
        assert isinstance(check_proof(record, proof.encode(), one.log_key, [], 1), str)
        assert isinstance(check_proof(record, proof.encode(), two.log_key, [], 0), str)
    assert isinstance(prove(one.folder, one.log_key, 301), str)
    assert isinstance(prove(one.folder, one.log_key, 0), str)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, bytes, bytes]:
    """An installation with a log of 20 records, the record 7 and its proof."""
    one = published(tmp_path_factory.mktemp("proved"))
    found = prove(one.folder, one.log_key, 7)
    assert not isinstance(found, str)
    return one, found[0], found[1].encode()


@given(data=st.data())
def test_no_changed_proof_proves(
    proved: tuple[Installation, bytes, bytes], data: st.DataObject
) -> None:
    one, *parts = proved
    which = data.draw(st.integers(0, 1))
    place = data.draw(st.integers(0, len(parts[which]) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "drop", "double"]))
    old = parts[which]
    new = {
        "flip": old[:place] + bytes([old[place] ^ data.draw(st.integers(1, 255))])
        + old[place + 1 :],
        "cut": old[:place],
        "drop": old[:place] + old[place + 1 :],
        "double": old[:place] + old[place : place + 1] + old[place:],
    }[how]  # fmt: skip
    parts[which] = new
    found = check_proof(parts[0], parts[1], one.log_key, [], 0)
    # What cosigned and nobody relies on, and what base64 leaves open, may be another text.
    assert new == old or isinstance(found, str) or (which == 1 and found == (7, []))


@given(st.binary(max_size=300))
def test_any_bytes_may_be_a_checkpoint_or_a_proof(
    proved: tuple[Installation, bytes, bytes], data: bytes
) -> None:
    assert isinstance(read_note(data), str)
    assert isinstance(check_proof(proved[1], data, proved[0].log_key, [], 0), str)


@pytest.mark.parametrize("text", ["", "a", "a+b+c", "a+00000000+AQ==", "a b+00000000+" + "A" * 44])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="Expected a log's or witness's key"):
        read_key(text)


def test_a_key_of_a_note_follows_from_the_audit_key_and_is_another_for_each_use() -> None:
    one = Installation(Path())
    again = Installation(Path())
    assert read_key(one.log_key.to_text()) == again.log_key
    assert one.log_key.public != one.witness_key.public
    assert Installation(Path(), key=OTHER_KEY).log_key.public != one.log_key.public


def test_an_older_checkpoint_is_still_in_the_tiles(tmp_path: Path) -> None:
    one = published(tmp_path)
    old = (one.folder / "checkpoint").read_bytes()
    one.record(500)
    assert isinstance(one.publish(), Note)
    note = read_note(old)
    assert isinstance(note, Note)
    tree = read_tree(read_from(one.folder), note.checkpoint.size)
    assert isinstance(tree, Tree)
    assert tree.root() == note.checkpoint.root
    (one.folder / "checkpoint").write_bytes(old)
    assert not isinstance(checked(read_from(one.folder), one.log_key), str)


def test_the_pods_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = Installation(tmp_path / "a")
    one.record(2)
    key = tmp_path / "key.pem"
    key.write_bytes(private_pem(KEY))
    mine = ["--key", str(key), "--name", one.name]
    assert main(["publish", str(one.log), str(one.folder), *mine]) == 0
    assert capsys.readouterr().out == f"{one.name}: 2 records\n"
    assert main(["names", *mine]) == 0
    said = capsys.readouterr().out
    assert f"log      {one.log_key.to_text()}\n" in said
    asked = ["--log", one.log_key.to_text(), "--memory", str(tmp_path / "seen")]
    assert main(["cosign", str(one.folder), *mine, *asked]) == 0
    note = read_note((one.folder / "checkpoint").read_bytes())
    assert isinstance(note, Note)
    assert note.signed_by(one.log_key)
    assert note.signed_by(one.witness_key), "a witness has its own line, whatever its name is"
    one.forget_log()
    one.record(1)
    capsys.readouterr()
    assert main(["publish", str(one.log), str(one.folder), *mine]) == 1
    assert "records were cut off" in capsys.readouterr().out
    assert main(["publish", str(one.log), str(one.folder), "--name", "a b", "--key", str(key)]) == 2
