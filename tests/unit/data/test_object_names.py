"""An object's name is read as it stands, or refused: on a real S3 store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, strategies as st

from hallmark.api.dataset import Dataset
from hallmark.api.findings import Finding
from hallmark.data.buckets import object_url
from hallmark.data.object_names import ObjectName, ambiguity, object_name
from hallmark.data.sources import Mounts, SourceRules, fetch, source_name
from tests.examples import examples
from tests.unit.store.versitygw import BUCKET, Gateway, running

SIGNS = "ab/.#?%&=+ ~*'()!;:@,$[]{}|^`\"<>\\é\u0301日😀-_0"
KEYS = st.text(st.sampled_from(SIGNS), min_size=1, max_size=12) | st.sampled_from(
    [
        *("c#d.csv", "c", "a.csv?versionId=3", "a.csv", "a b.csv", "a%20b.csv", "a+b.csv"),
        *("%2e%2e/a", "a/%2F/b", "..a", "a..", "...", "a/.b", " a", "a ", "100%", "a%", "?", "#"),
        *("a/b/c", "a//b", "/a", "a/", "./a", "a/../b", "..", ".", "a\tb", "a\nb", "a\x7fb"),
    ]
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("names")) as gateway:
        yield gateway


def read(gateway: Gateway, key: str, allowed: str = f"s3://{BUCKET}") -> bytes | Finding:
    rules = SourceRules(allowed=[allowed], allow_private=True, endpoint=gateway.endpoint)
    dataset = Dataset.model_construct(uri=f"s3://{BUCKET}/{key}")
    found = fetch(dataset, rules, Mounts(credentials=gateway.credentials))
    if isinstance(found, Finding):
        return found
    with found:
        return found.read()


def content(key: str) -> bytes:
    return hashlib.sha256(key.encode()).hexdigest().encode()


def put(gateway: Gateway, key: str) -> bool:
    """Write the object's file as the store would; whether the folder can hold it."""
    file = gateway.folder / BUCKET / key
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(key))
    except OSError:  # a folder is where the file would be, or the other way round
        return False
    return True


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=KEYS)
def test_exactly_this_object_is_read_or_the_name_is_refused(gateway: Gateway, key: str) -> None:
    why = ambiguity(ObjectName("s3", BUCKET, key))
    if why is not None:
        found = read(gateway, key)
        assert isinstance(found, Finding)
        assert "an object's name that every store reads as it stands" in found.sentence()
        return
    if put(gateway, key):
        assert read(gateway, key) == content(key)


def test_no_other_object_is_read_in_place_of_one_that_is_not_there(gateway: Gateway) -> None:
    for key in ("only", "only.csv", "a b", "x/y"):
        put(gateway, key)
    for key in ("only#d.csv", "only.csv?versionId=3", "a%20b", "a+b", "only.csv#", "x%2Fy", "ONLY"):
        found = read(gateway, key)
        assert isinstance(found, Finding), key
        assert "exactly this name" in found.sentence()


REFUSED = {
    "an empty part": "a//b",
    "a slash first": "/a",
    "a slash last": "a/",
    "a dot": "a/./b",
    "two dots": "../a",
    "a line end": "a\nb",
    "a NUL": "a\0b",
    "a name too long": "é" * 513,
}


@pytest.mark.parametrize("key", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_an_ambiguous_name_is_refused_in_a_sentence(scheme: str, key: str, tmp_path: Path) -> None:
    dataset = Dataset.model_construct(uri=f"{scheme}://datasets/{key}")
    found = fetch(dataset, SourceRules(allowed=[f"{scheme}://datasets"]), Mounts(tmp_path))
    assert isinstance(found, Finding)
    assert "reads as it stands" in found.sentence()
    assert found.sentence().isprintable()


def test_azure_does_not_keep_backslashes_and_last_dots() -> None:
    for key in ("a\\b", "a./b", "a."):
        assert ambiguity(ObjectName("az", "data", key)) is not None
        assert ambiguity(ObjectName("s3", "data", key)) is None


@pytest.mark.parametrize("uri", ["s3:///a", "s3://me@b/a", "s3://b:80/a", "s3://b?x/a", "s3://é/a"])
def test_a_buckets_name_is_one(uri: str, tmp_path: Path) -> None:
    assert object_name(uri) is None
    found = fetch(Dataset.model_construct(uri=uri), SourceRules(allowed=[uri]), Mounts(tmp_path))
    assert isinstance(found, Finding)
    assert "a bucket's name" in found.sentence()


FOLDERS = {
    "the folder": ("s3://b/in", "s3://b/in/a", True),
    "the folder with its slash": ("s3://b/in/", "s3://b/in/a", True),
    "the bucket": ("s3://b", "s3://b/in/a", True),
    "the bucket with a slash": ("s3://b/", "s3://b/in/a", True),
    "the object": ("s3://b/in/a", "s3://b/in/a", True),
    "a folder with signs": ("s3://b/a b#c", "s3://b/a b#c/d?e", True),
    "a folder that only begins alike": ("s3://b/in", "s3://b/inner/a", False),
    "a folder in other signs": ("s3://b/a%20b", "s3://b/a b/c", False),
    "a folder before a question mark": ("s3://b/in", "s3://b/in?x/a", False),
    "another bucket": ("s3://b", "s3://bb/a", False),
    "another scheme": ("gs://b", "s3://b/a", False),
}


@pytest.mark.parametrize("case", FOLDERS.values(), ids=FOLDERS)
def test_which_objects_a_folder_covers(case: tuple[str, str, bool]) -> None:
    folder, name, covered = case
    given_folder, given_name = object_name(folder), object_name(name)
    assert given_folder is not None
    assert given_name is not None
    assert given_folder.covers(given_name) == covered


@given(KEYS, st.sampled_from(["s3", "gs", "az"]))
def test_a_url_has_the_key_in_its_path(key: str, scheme: str) -> None:
    name = ObjectName(scheme, "datasets", key)
    if ambiguity(name) is not None:
        return
    folder = Path(__file__).parent / "none"
    if scheme == "az":
        return  # without an account there is no URL
    parts = urlsplit(object_url(name, None, folder, 60))
    assert (unquote(parts.path), parts.query, parts.fragment) == (f"/datasets/{key}", "", "")


def test_a_message_leaves_out_what_may_be_a_token() -> None:
    for uri, told in {
        "s3://b/a.csv?X-Amz-Signature=secret": "s3://b/a.csv...",
        "s3://b/a#secret": "s3://b/a...",
        "https://me:secret@a.example/b?c#d": "https://a.example/b",
        "https://a.example?token=secret": "https://a.example",
    }.items():
        assert source_name(Dataset.model_construct(uri=uri)) == told


UNCLEAR = {
    "a fragment": ("https://a.example/c#d.csv", "'#' in a path is written %23"),
    "a space": ("https://a.example/a b.csv", "a path is written %20"),
    "a line end": ("https://a.example/a\nb.csv", "a path is written %20"),
}


@pytest.mark.parametrize("case", UNCLEAR.values(), ids=UNCLEAR)
def test_a_url_keeps_the_rules_of_urls(case: tuple[str, str], tmp_path: Path) -> None:
    uri, words = case
    rules = SourceRules(allowed=["https://a.example/"])
    found = fetch(Dataset.model_construct(uri=uri), rules, Mounts(tmp_path))
    assert isinstance(found, Finding)
    assert words in found.sentence()
