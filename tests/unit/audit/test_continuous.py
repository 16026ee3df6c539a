"""A log that is published by itself: in parts, cut at any write, and never another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.files import log_files
from hallmark.audit.tlog import continuous
from hallmark.audit.tlog.continuous import Place, Published, Publisher, records_from
from hallmark.audit.tlog.note import log_signer
from hallmark.audit.tlog.tiles import CHECKPOINT, WIDTH
from hallmark.audit.tlog.witness import checked
from hallmark.errors import ArtifactError
from tests.unit.audit.factories import KEY, write_log
from tests.unit.audit.published import TIME, Installation

NAME = "hallmark.example/a"


@dataclass
class Bucket:
    """A store that can be away from its next writes on."""

    files: dict[str, bytes] = field(default_factory=dict)
    left: int | None = None
    """Writes until it is away; None: it never is."""

    def write(self, path: str, data: bytes) -> None:
        """Put a file, or raise what a store raises."""
        if self.left == 0:
            raise ArtifactError("The store is away.")
        self.left = None if self.left is None else self.left - 1
        self.files[path] = data

    def remove(self, path: str) -> None:
        """Remove what is below a path."""
        self.files = {name: data for name, data in self.files.items() if not name.startswith(path)}

    def publisher(self, log: Path, key: ec.EllipticCurvePrivateKey = KEY) -> Publisher:
        """Return what publishes a log here, in a new process."""
        place = Place(self.files_of, self.write, self.remove)
        return Publisher(log, place, log_signer(key, NAME))

    def files_of(self, path: str) -> bytes | None:
        """Return a file's bytes, or None."""
        return self.files.get(path)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def in_parts(installation: Installation, sizes: Sequence[int], bucket: Bucket) -> Published:
    publisher, found = bucket.publisher(installation.log), Published(0)
    for size in sizes:
        installation.record(size)
        found = publisher.step(installation.recorded, TIME)
    return found


@pytest.mark.parametrize(
    "sizes", [(1,), (3, 4), (WIDTH,), (WIDTH - 1, 1), (WIDTH, 1), (200, 200, 200), (1, 2 * WIDTH)]
)
def test_in_parts_it_is_what_it_is_at_once(
    installation: Installation, sizes: tuple[int, ...]
) -> None:
    bucket = Bucket()
    assert in_parts(installation, sizes, bucket) == Published(sum(sizes))
    installation.publish()
    folder = installation.folder
    at_once = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
    assert {name: bucket.files[name] for name in at_once} == at_once
    seen = checked(bucket.files_of, installation.log_key)
    assert not isinstance(seen, str)
    assert seen[1].size == sum(sizes)


def test_cut_at_any_write_it_goes_on_from_what_is_there(installation: Installation) -> None:
    installation.record(WIDTH - 2)
    whole = Bucket()
    whole.publisher(installation.log).step(installation.recorded, TIME)
    before = dict(whole.files)
    installation.record(5)
    assert whole.publisher(installation.log).step(installation.recorded, TIME).problem == ""
    for writes in range(12):
        bucket = Bucket(dict(before), left=writes)
        publisher = bucket.publisher(installation.log)
        try:
            publisher.step(installation.recorded, TIME)
        except ArtifactError:
            size = checked(bucket.files_of, installation.log_key)
            assert not isinstance(size, str), "What others see holds at every moment."
        bucket.left = None
        again = publisher if writes % 2 else bucket.publisher(installation.log)
        assert again.step(installation.recorded, TIME) == Published(installation.recorded)
        assert {name: bucket.files[name] for name in whole.files} == whole.files


def test_a_step_is_bounded_and_more_of_them_come_to_the_end(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuous, "MOST_AT_ONCE", 7)
    installation.record(20)
    publisher = Bucket().publisher(installation.log)
    sizes = [publisher.step(20, TIME).size for _ in range(4)]
    assert sizes == [7, 14, 20, 20]


def test_what_is_not_on_the_disk_yet_is_not_published(installation: Installation) -> None:
    installation.record(10)
    assert Bucket().publisher(installation.log).step(6, TIME) == Published(6)


def test_another_log_is_never_put_in_its_place(installation: Installation) -> None:
    bucket = Bucket()
    in_parts(installation, [5], bucket)
    before = dict(bucket.files)
    installation.forget_log()
    installation.story = "another"
    installation.record(3)
    publisher = bucket.publisher(installation.log)
    assert (
        "up to record 5, which was published, found it up to 3" in publisher.step(3, TIME).problem
    )
    installation.record(4)
    for found in (publisher.step(7, TIME), bucket.publisher(installation.log).step(7, TIME)):
        assert "the log was rewritten" in found.problem
    assert bucket.files == before


def test_nor_under_another_key_or_over_tiles_that_are_not_its_own(
    installation: Installation,
) -> None:
    bucket = Bucket()
    in_parts(installation, [5], bucket)
    stranger = bucket.publisher(installation.log, ec.generate_private_key(ec.SECP256R1()))
    assert "by this audit key, found another one" in stranger.step(5, TIME).problem
    installation.record(1)
    for name in list(bucket.files):
        damaged = Bucket({**bucket.files, name: b"x" * len(bucket.files[name])})
        assert damaged.publisher(installation.log).step(6, TIME).problem, name
        missing = Bucket({other: data for other, data in bucket.files.items() if other != name})
        if name != CHECKPOINT:
            assert missing.publisher(installation.log).step(6, TIME).problem


def test_an_entry_that_was_changed_where_it_is_published_is_not_published_again(
    installation: Installation,
) -> None:
    """Who can write the store changes a record that the next bundle has as well."""
    bucket = Bucket()
    in_parts(installation, [5], bucket)
    installation.record(1)
    (name,) = [name for name in bucket.files if name.startswith("tile/entries")]
    for place in range(0, len(bucket.files[name]), 97):
        data = bytearray(bucket.files[name])
        data[place] ^= 1
        damaged = Bucket({**bucket.files, name: bytes(data)})
        found = damaged.publisher(installation.log).step(6, TIME)
        assert found.problem
        assert damaged.files[CHECKPOINT] == bucket.files[CHECKPOINT]


def test_what_retention_removed_stays_published(installation: Installation) -> None:
    bucket = Bucket()
    installation.record(5)
    bucket.publisher(installation.log).step(3, TIME)
    lines = installation.log.read_bytes().splitlines(keepends=True)
    installation.log.write_bytes(b"".join(lines[2:]))
    assert bucket.publisher(installation.log).step(5, TIME) == Published(5)
    late = Bucket().publisher(installation.log).step(5, TIME)
    assert "what was removed cannot be published any more" in late.problem


@pytest.mark.parametrize("published", [0, 1])
@pytest.mark.parametrize("file", [1, 2])
def test_a_file_that_was_removed_between_others_ends_the_publishing(
    tmp_path: Path, published: int, file: int
) -> None:
    log, bucket = tmp_path / "audit.log", Bucket()
    write_log(log, 9, rotate_at=1500)
    bucket.publisher(log).step(published, TIME)
    log_files(log)[file].unlink()
    before = dict(bucket.files)
    found = bucket.publisher(log).step(9, TIME)
    assert "that does not follow it" in found.problem
    assert bucket.files == before


def test_a_record_that_was_changed_on_the_disk_is_not_published(installation: Installation) -> None:
    bucket = Bucket()
    installation.record(5)
    data = installation.log.read_bytes()
    lines = data.splitlines(keepends=True)
    for place in range(5):
        changed = lines[place].replace(b"decision-", b"decisive-")
        assert changed != lines[place]
        installation.log.write_bytes(b"".join([*lines[:place], changed, *lines[place + 1 :]]))
        found = bucket.publisher(installation.log).step(5, TIME)
        assert f"Expected record {place + 1} as it was hashed" in found.problem
        assert bucket.files == {}
    installation.log.write_bytes(data)
    assert bucket.publisher(installation.log).step(5, TIME) == Published(5)


@pytest.mark.parametrize(("first", "last"), [(1, 9), (4, 4), (9, 20), (1, 1), (10, 12), (5, 4)])
def test_records_are_read_from_the_files_that_have_them(
    tmp_path: Path, first: int, last: int
) -> None:
    log = tmp_path / "audit.log"
    write_log(log, 9, rotate_at=1500)
    assert len(log_files(log)) > 2
    found = [record.seq for record in records_from(log, first, last)]
    assert found == [seq for seq in range(1, 10) if first <= seq <= last]
