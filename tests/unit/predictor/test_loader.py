import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from hallmark.api.files import MODEL_ONNX, SERVED_FILES
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark_predictor.loader import load
from hallmark_predictor.model import Model
from hallmark_predictor.verification import Refused
from tests.unit.predictor.factories import NOW, sealed, write_settings
from tests.unit.predictor.servers import FileStore

WHOLE = sealed()


@pytest.fixture
def store() -> Iterator[FileStore]:
    with FileStore(WHOLE.files).running() as found:
        yield found


def test_a_sealed_and_approved_model_is_loaded(tmp_path: Path, store: FileStore) -> None:
    found = load(write_settings(tmp_path, WHOLE.trust, store.urls), NOW)
    assert isinstance(found, Model)
    assert found.trust == WHOLE.trust
    assert store.requests == list(SERVED_FILES), "nothing but what it serves is downloaded"


def test_an_unapproved_model_is_not_even_downloaded(tmp_path: Path, store: FileStore) -> None:
    unapproved = sealed(approvals=[])
    found = load(write_settings(tmp_path, unapproved.trust, store.urls), NOW)
    assert isinstance(found, Refused)
    assert store.requests == []


@pytest.mark.parametrize("name", SERVED_FILES)
def test_other_bytes_in_the_store_are_refused_at_once(
    tmp_path: Path, store: FileStore, name: str
) -> None:
    data = store.files[name]
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data + b"x" * 10**6, b""):
        store.files[name] = wrong
        found = load(write_settings(tmp_path, WHOLE.trust, store.urls), NOW)
        assert isinstance(found, Refused)
        assert f"'{name}' is not the one that was sealed" in found.message


def test_a_replaced_trust_file_is_refused(tmp_path: Path, store: FileStore) -> None:
    settings = write_settings(tmp_path, WHOLE.trust, store.urls)
    settings.trust_file.write_bytes(sealed(version=8).trust.to_bytes())
    found = load(settings, NOW)
    assert isinstance(found, Refused)
    assert "The ConfigMap was replaced" in found.message


@pytest.mark.parametrize(
    "failures",
    [
        pytest.param([503, 500], id="the store fails for a while"),
        pytest.param([403], id="the URL had ended"),
        pytest.param([0], id="the download breaks off"),
    ],
)
def test_a_failure_that_passes_is_waited_for(
    tmp_path: Path, store: FileStore, failures: list[int]
) -> None:
    store.failures = failures
    said: list[str] = []
    found = load(write_settings(tmp_path, WHOLE.trust, store.urls), NOW, said.append)
    assert isinstance(found, Model)
    assert len(said) >= 1
    assert all(MODEL_ONNX in each for each in said)


def test_what_is_asked_while_the_store_is_away_does_not_pile_up(
    tmp_path: Path, store: FileStore
) -> None:
    store.failures = [503]
    collects: list[bool] = []
    gc.disable()  # as the process does at its start
    try:
        load(
            write_settings(tmp_path, WHOLE.trust, store.urls),
            NOW,
            lambda _: collects.append(gc.isenabled()),
        )
    finally:
        gc.enable()
    assert collects == [True]


def test_urls_are_read_anew_for_each_try(tmp_path: Path, store: FileStore) -> None:
    settings = write_settings(tmp_path, WHOLE.trust, {})

    def refresh(sentence: str) -> None:
        assert "There is no download URL" in sentence
        write_settings(tmp_path, WHOLE.trust, store.urls)

    assert isinstance(load(settings, NOW, refresh), Model)


def test_a_store_that_stays_away_is_given_up_without_telling_the_url(tmp_path: Path) -> None:
    gone = {name: f"http://127.0.0.1:9/{name}?X-Amz-Signature=secret" for name in SERVED_FILES}
    with pytest.raises(ArtifactError, match="could not be reached") as raised:
        load(write_settings(tmp_path, WHOLE.trust, gone, load_seconds=0.6), NOW)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "", "http://[::bad/"])
def test_only_http_urls_are_opened(tmp_path: Path, url: str) -> None:
    urls = dict.fromkeys(SERVED_FILES, url)
    with pytest.raises(ArtifactError):
        load(write_settings(tmp_path, WHOLE.trust, urls, load_seconds=0), NOW)


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda path: (path / "trust.json").unlink(), id="no trust file"),
        pytest.param(lambda path: (path / "urls.json").unlink(), id="no list of URLs"),
        pytest.param(lambda path: (path / "urls.json").write_text("[]"), id="a broken list"),
    ],
)
def test_a_file_that_is_not_mounted_is_an_error_in_the_set_up(
    tmp_path: Path, store: FileStore, break_it: object
) -> None:
    settings = write_settings(tmp_path, WHOLE.trust, store.urls, load_seconds=0)
    assert callable(break_it)
    break_it(tmp_path)
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        load(settings, NOW)
