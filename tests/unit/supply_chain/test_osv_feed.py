"""A snapshot that is absent, broken, huge or replaced is a sentence: never 'no vulnerabilities'."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hallmark.supply_chain import osv_feed, osv_files
from hallmark.supply_chain.osv_feed import Feed
from hallmark.supply_chain.vulnerabilities import Known
from tests.unit.supply_chain.osv_entries import NOW, affected, entry, snapshot

PACKAGES = [("Pillow", "1.0"), ("other", "1.0")]


def about(folder: Path) -> Known:
    return Feed(folder).about(PACKAGES, NOW)


@pytest.mark.parametrize("zipped", [False, True])
def test_the_vulnerabilities_of_the_packages_that_are_asked_about_are_found(
    tmp_path: Path, zipped: bool
) -> None:
    entries = [
        entry("GHSA-1", affected("PILLOW")),
        entry("GHSA-2", affected("else")),
        entry("GHSA-3", affected(ecosystem="npm")),
        entry("GHSA-4", affected("else"), affected("pillow")),
    ]
    known = about(snapshot(tmp_path, *entries, zipped=zipped))
    assert [found.id for found in known.found] == ["GHSA-1", "GHSA-4"]
    assert known.trouble is None
    assert known.newest == datetime(2026, 11, 27, 10, 0, 0, 123456, tzinfo=UTC)


def test_entries_in_files_and_in_archives_are_one_snapshot(tmp_path: Path) -> None:
    snapshot(tmp_path, entry("GHSA-1"))
    snapshot(tmp_path, entry("GHSA-2"), zipped=True)
    assert sorted(found.id for found in about(tmp_path).found) == ["GHSA-1", "GHSA-2"]


def _a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "b.json")


def _a_long_entry(folder: Path) -> None:
    (folder / "b.json").write_bytes(b'{"id": "' + b"x" * (50 << 20) + b'"}')


def _a_long_member(folder: Path) -> None:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.json", b" " * (50 << 20))


def _a_damaged_member(folder: Path) -> None:
    snapshot(folder, entry("GHSA-2"), zipped=True)
    data = bytearray((folder / "all.zip").read_bytes())
    data[60] ^= 0xFF
    (folder / "all.zip").write_bytes(data)


def _a_cut_archive(folder: Path) -> None:
    snapshot(folder, entry("GHSA-2"), zipped=True)
    data = (folder / "all.zip").read_bytes()
    (folder / "all.zip").write_bytes(data[: len(data) // 2])


def _a_member_twice(folder: Path) -> None:
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("b.json", json.dumps(entry("GHSA-2")))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("b.json", json.dumps(entry("GHSA-3", affected("else"))))


def _another_method(folder: Path) -> None:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("b.json", json.dumps(entry("GHSA-2")))


def _a_link_out(folder: Path) -> None:
    outside = folder.parent / "outside.json"
    outside.write_text(json.dumps(entry("GHSA-2")))
    (folder / "b.json").symlink_to(outside)


def _a_folder(folder: Path) -> None:
    snapshot(folder / "more", entry("GHSA-2"))


def _unreadable(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "b.json").write_text(text) and None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(_unreadable("{"), "not JSON", id="no JSON"),
        pytest.param(_unreadable(""), "not JSON", id="nothing"),
        pytest.param(_unreadable("[]"), "not an object", id="a list"),
        pytest.param(_unreadable('{"id": "x", "affected": 3}'), "another form", id="another form"),
        pytest.param(_unreadable('{"id": "x", "id": "y"}'), "a name twice", id="a name twice"),
        pytest.param(_unreadable("[" * 100_000), "too deeply", id="nested"),
        pytest.param(_a_long_entry, "at most", id="an entry of 50 MB"),
        pytest.param(_a_long_member, "at most", id="a bomb"),
        pytest.param(_a_pipe, "no regular file", id="a pipe"),
        pytest.param(_a_damaged_member, "damaged", id="a damaged member"),
        pytest.param(_a_cut_archive, "damaged", id="a cut archive"),
        pytest.param(_a_member_twice, "twice", id="a member twice"),
        pytest.param(_another_method, "another method", id="another method"),
        pytest.param(_a_link_out, "leads out", id="a link out"),
        pytest.param(_a_folder, "a folder", id="a folder inside"),
    ],
)
def test_what_cannot_be_read_is_counted_beside_what_was_found(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    folder = snapshot(tmp_path / "osv", entry("GHSA-1"))
    spoil(folder)
    known = about(folder)
    assert "GHSA-1" in {found.id for found in known.found}
    assert known.trouble is not None
    assert "1 of its entries that cannot" in known.trouble[1]
    assert said in known.trouble[1]


def test_a_table_of_contents_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    snapshot(tmp_path, entry("GHSA-1"), zipped=True)
    data = bytearray((tmp_path / "all.zip").read_bytes())
    # Its size is a field of the last record; before it room is made for what it claims.
    padding = bytes(osv_files.DIRECTORY_BYTES)
    data[-10:-6] = (len(padding) + 200).to_bytes(4, "little")
    (tmp_path / "all.zip").write_bytes(padding + data)
    known = about(tmp_path)
    assert known.trouble is not None
    assert "table of contents" in known.trouble[1]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda folder: folder.rmdir(), "no such folder", id="absent"),
        pytest.param(lambda folder: None, "no entry", id="empty"),
        pytest.param(
            lambda folder: (folder / "README.md").write_text("x"), "no entry", id="other files"
        ),
        pytest.param(
            lambda folder: (folder / "a.json").symlink_to(folder / "b"), "a link", id="broken link"
        ),
        pytest.param(
            lambda folder: os.symlink(b"/nowhere", os.fsencode(folder) + b"/\xff.json"),
            "a link to nothing, '?.json'",
            id="broken link whose name is not UTF-8",
        ),
        pytest.param(
            lambda folder: (folder.rmdir(), folder.write_text("x")), "cannot be read", id="a file"
        ),
    ],
)
def test_a_snapshot_that_is_none_says_so(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    folder = tmp_path / "osv"
    folder.mkdir()
    make(folder)
    known = about(folder)
    assert known.trouble is not None
    assert said in known.trouble[1]
    assert known.digest


def test_a_volume_of_kubernetes_is_read_through_its_links(tmp_path: Path) -> None:
    inside = snapshot(tmp_path / "..2026_11_28", entry("GHSA-1"))
    (tmp_path / "..data").symlink_to(inside.name)
    (tmp_path / "GHSA-1.json").symlink_to("..data/GHSA-1.json")
    (tmp_path / "lost+found").mkdir(mode=0)
    known = about(tmp_path)
    assert [found.id for found in known.found] == ["GHSA-1"]
    assert known.trouble is None


def test_entries_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv_feed, "TOTAL_BYTES", 100)
    known = about(snapshot(tmp_path, entry("GHSA-1"), zipped=True))
    assert known.trouble is not None
    assert "of entries" in known.trouble[1]


def test_what_is_found_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osv_feed, "MOST_FOUND", 1)
    feed = Feed(snapshot(tmp_path, entry("GHSA-1"), entry("GHSA-2")))
    known = feed.about(PACKAGES, NOW)
    assert known.trouble == ("at most 1 vulnerabilities of one model", "more")
    assert len(known.found) == 1
    # One model's packages say nothing of the snapshot, by which others are judged.
    assert feed.state is not None
    assert (feed.state.trouble, feed.state.digest) == (None, known.digest)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_snapshot_that_is_replaced_is_read_anew(tmp_path: Path, zipped: bool) -> None:
    feed = Feed(snapshot(tmp_path, entry("GHSA-1"), zipped=zipped))
    assert feed.state is None
    before = feed.about(PACKAGES, NOW)
    assert feed.about(PACKAGES, NOW) == before
    assert feed.state is not None
    assert (feed.state.digest, feed.state.found) == (before.digest, ())
    snapshot(tmp_path, entry("GHSA-22", affected("pillow", versions=["9.0"])), zipped=zipped)
    after = feed.about(PACKAGES, NOW)
    assert after.digest == feed.state.digest != before.digest
    assert "GHSA-22" in {found.id for found in after.found}


def test_the_same_entries_have_the_same_digest_wherever_they_are(tmp_path: Path) -> None:
    one, other = (about(snapshot(tmp_path / name, entry("GHSA-1"))) for name in "ab")
    assert one.digest == other.digest
    changed = about(snapshot(tmp_path / "c", entry("GHSA-1", summary="x")))
    assert changed.digest != one.digest


def test_a_snapshot_that_is_replaced_while_it_is_read_is_never_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is returned is what one of the two says as a whole."""
    snapshot(tmp_path, entry("GHSA-1"), zipped=True)
    contents, replaced = osv_feed.contents, []

    def replacing(*arguments: object) -> object:
        if not replaced:
            replaced.append(True)
            (tmp_path / "all.zip").unlink()
            snapshot(tmp_path, entry("GHSA-7"), entry("GHSA-8"), zipped=True)
        return contents(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(osv_feed, "contents", replacing)
    known = about(tmp_path)
    assert [found.id for found in known.found] == ["GHSA-7", "GHSA-8"]
    assert known.digest == Feed(tmp_path).about((), NOW).digest


def test_a_snapshot_that_never_stands_still_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot(tmp_path, entry("GHSA-1"))
    contents, count = osv_feed.contents, []

    def replacing(*arguments: object) -> object:
        count.append(True)
        (tmp_path / "x.json").write_text(json.dumps(entry(f"GHSA-{len(count)}")))
        os.utime(tmp_path / "x.json", ns=(len(count), len(count)))
        return contents(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(osv_feed, "contents", replacing)
    known = about(tmp_path)
    assert known.trouble is not None
    assert "changes while it is read" in known.trouble[1]


def test_an_entry_from_the_future_keeps_no_snapshot_young(tmp_path: Path) -> None:
    young = entry("GHSA-2", modified="2999-01-01T00:00:00Z")
    known = about(snapshot(tmp_path, entry("GHSA-1", modified="2026-01-01T00:00:00Z"), young))
    assert known.newest == datetime(2026, 1, 1, tzinfo=UTC)
