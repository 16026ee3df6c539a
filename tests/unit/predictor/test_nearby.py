"""A predictor without its store: files that travel beside the trust, and the Pod's own volume."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from hallmark.api.artifacts import Manifest
from hallmark.api.files import SERVED_FILES
from hallmark.errors import ArtifactError
from hallmark_predictor import nearby
from hallmark_predictor.loader import load
from hallmark_predictor.model import Model
from hallmark_predictor.verification import Refused
from tests.unit.predictor.factories import NOW, sealed, write_settings
from tests.unit.predictor.servers import FileStore

WHOLE = sealed()
MANIFEST = Manifest.model_validate_json(WHOLE.trust.manifest)
NO_STORE = {name: f"http://127.0.0.1:9/{name}" for name in SERVED_FILES}
FOLDERS = pytest.mark.parametrize("folder", ["bundle", "kept"])


def fill(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in SERVED_FILES:
        (folder / name).write_bytes(WHOLE.files[name])


@FOLDERS
def test_files_that_are_nearby_need_no_store(tmp_path: Path, folder: str) -> None:
    settings = write_settings(tmp_path, WHOLE.trust, {}, load_seconds=0)
    settings.urls_file.unlink()
    fill(tmp_path / folder)
    assert isinstance(load(settings, NOW), Model)


def test_a_container_starts_again_from_what_its_pod_downloaded(tmp_path: Path) -> None:
    with FileStore(WHOLE.files).running() as store:
        settings = write_settings(tmp_path, WHOLE.trust, store.urls)
        assert isinstance(load(settings, NOW), Model)
    assert sorted(path.name for path in settings.kept.iterdir()) == sorted(SERVED_FILES)
    assert isinstance(load(settings, NOW), Model), "the store is away"


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte flipped": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "a byte more": lambda data: data + b" ",
    "a megabyte more": lambda data: data + bytes(10**6),
    "cut": lambda data: data[:-1],
    "empty": lambda data: b"",
}


@FOLDERS
@pytest.mark.parametrize("name", SERVED_FILES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_bytes_nearby_are_never_loaded(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    folder: str,
    name: str,
    change: Callable[[bytes], bytes],
) -> None:
    fill(tmp_path / folder)
    file = tmp_path / folder / name
    file.write_bytes(change(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        away = write_settings(tmp_path, WHOLE.trust, NO_STORE, load_seconds=0)
        with pytest.raises(ArtifactError, match=f"'{name}'"):
            load(away, NOW)
    assert f"{folder}/{name} is not the one that was sealed" in caplog.text
    with FileStore(WHOLE.files).running() as store:
        found = load(write_settings(tmp_path, WHOLE.trust, store.urls), NOW)
    assert isinstance(found, Model)
    assert store.requests == [name], "the store is asked for what is wrong alone"


@FOLDERS
def test_the_files_of_another_bundle_are_not_taken(tmp_path: Path, folder: str) -> None:
    other = sealed(files=dict.fromkeys(SERVED_FILES, b"other"))
    fill(tmp_path / folder)
    settings = write_settings(tmp_path, other.trust, NO_STORE, load_seconds=0)
    with pytest.raises(ArtifactError):
        load(settings, NOW)


def test_what_is_nearby_is_not_looked_at_before_the_trust_holds(tmp_path: Path) -> None:
    fill(tmp_path / "bundle")
    unapproved = sealed(approvals=[])
    found = load(write_settings(tmp_path, unapproved.trust, {}, load_seconds=0), NOW)
    assert isinstance(found, Refused)


def test_bytes_that_were_not_sealed_are_not_kept(tmp_path: Path) -> None:
    with FileStore({**WHOLE.files, "schema.json": b"{}"}).running() as store:
        settings = write_settings(tmp_path, WHOLE.trust, store.urls)
        assert isinstance(load(settings, NOW), Refused)
    assert not (settings.kept / "schema.json").exists()


def test_a_volume_that_takes_nothing_keeps_nobody_from_serving(tmp_path: Path) -> None:
    with FileStore(WHOLE.files).running() as store:
        settings = write_settings(tmp_path, WHOLE.trust, store.urls, kept=tmp_path / "missing")
        assert isinstance(load(settings, NOW), Model)


def test_what_would_fill_the_volume_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "KEPT_BYTES", sum(map(len, WHOLE.files.values())) - 1)
    nearby.keep(tmp_path, MANIFEST, WHOLE.files)
    assert list(tmp_path.iterdir()) == []
