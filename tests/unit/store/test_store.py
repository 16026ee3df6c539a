"""What a store promises, shown on versitygw (S3), a folder and memory."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.store import ArtifactMissing, Entry, Store, open_store
from tests.unit.store.versitygw import Gateway, write_credentials

MINUTE = timedelta(minutes=1)


def test_what_was_put_is_read_back(store: Store) -> None:
    store.put("runs/1/a.json", b"first")
    store.put("runs/1/a.json", b"second")
    assert store.get("runs/1/a.json") == b"second"
    assert store.get("runs/1/a.json", limit=6) == b"second"


async def test_what_was_put_is_read_back_without_blocking(store: Store) -> None:
    store.put("runs/1/a.json", b"x")
    assert await store.get_async("runs/1/a.json") == b"x"
    store.delete("runs/1/a.json")
    store.delete("runs/1/a.json")
    with pytest.raises(ArtifactMissing, match=r"There is no 'runs/1/a\.json' in"):
        await store.get_async("runs/1/a.json")


async def test_while_a_store_hangs_nothing_else_waits_for_a_thread(tmp_path: Path) -> None:
    """Such as the record of a revocation, which is written in one."""
    ended = asyncio.Event()

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await ended.wait()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(come, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    credentials = write_credentials(tmp_path, "key", "secret")
    hangs = open_store("s3://models", endpoint=address, credentials=credentials)
    reads = [asyncio.create_task(hangs.digest_of_async(f"{number}")) for number in range(64)]
    async with asyncio.timeout(5):
        await asyncio.to_thread(list)
        other = open_store("memory://")
        other.put("a", b"x")
        assert (await other.digest_of_async("a"))[1] == 1
    ended.set()
    found = await asyncio.gather(*reads, return_exceptions=True)
    assert all(isinstance(error, ArtifactError) for error in found)
    server.close()
    await server.wait_closed()


def test_big_objects_are_written_whole_and_hashed_piece_by_piece(store: Store) -> None:
    data = bytes(range(256)) * 4 * 8192  # 8 MiB, more than one part of a multipart upload
    store.put("big", data)
    assert store.digest_of("big") == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
    assert store.put_new("big2", data)
    assert store.get("big2") == data


def test_a_new_object_never_replaces_another(store: Store) -> None:
    assert store.put_new("models/x", b"first")
    assert not store.put_new("models/x", b"second")
    assert store.get("models/x") == b"first"


def test_of_many_writers_at_once_exactly_one_wins(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: store.put_new("models/race", b"%d" % i), range(8)))
    assert won.count(True) == 1
    assert store.get("models/race") == b"%d" % won.index(True)


def test_a_listing_has_every_object_below_a_folder_in_order(store: Store) -> None:
    for path in ("runs/2/b", "runs/1/a", "runs/1/sub/c", "runs-old/x"):
        store.put(path, path.encode())
    assert store.list("runs/1") == (Entry("runs/1/a", 8), Entry("runs/1/sub/c", 12))
    assert [entry.path for entry in store.list("runs/")] == ["runs/1/a", "runs/1/sub/c", "runs/2/b"]
    assert store.list("nothing") == ()


def test_more_bytes_than_the_limit_are_refused(store: Store) -> None:
    store.put("a", b"123456")
    with pytest.raises(ArtifactError, match="longer than the 5 bytes"):
        store.get("a", limit=5)
    with pytest.raises(ArtifactError, match="longer than the 5 bytes"):
        asyncio.run(store.get_async("a", limit=5))


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/a", "a//b", "", ".", "a\nb", "a" * 1025])
def test_a_path_that_could_leave_the_store_is_refused(store: Store, path: str) -> None:
    with pytest.raises(ArtifactError, match="Expected a path of names"):
        store.put(path, b"")


def test_an_object_is_named_by_a_uri(store: Store) -> None:
    assert store.uri_of("models/x/") == f"{store.uri}/models/x"


def test_presigned_urls_read_and_write_exactly_one_object(gateway: Gateway, tmp_path: Path) -> None:
    store = gateway.store(tmp_path.name)
    put = store.sign_put("runs/1/a b.json", MINUTE)
    assert httpx.put(put, content=b"data").status_code == 200
    assert store.get("runs/1/a b.json") == b"data"
    get = store.sign_get("runs/1/a b.json", MINUTE)
    assert httpx.get(get).content == b"data"
    store.put("runs/1/other", b"secret")
    assert httpx.get(get.replace("a%20b.json", "other")).status_code == 403
    assert httpx.put(get, content=b"x").status_code == 403
    assert httpx.put(put.replace("a%20b.json", "other"), content=b"x").status_code == 403
    assert store.get("runs/1/other") == b"secret"


def test_a_presigned_url_ends(gateway: Gateway, tmp_path: Path) -> None:
    store = gateway.store(tmp_path.name)
    store.put("a", b"x")
    # a signature counts whole seconds: an end that is nearer can be past at once
    url = store.sign_get("a", timedelta(seconds=5))
    assert httpx.get(url).status_code == 200
    expired = store.sign_get("a", timedelta(seconds=1))
    asyncio.run(asyncio.sleep(2.1))
    assert httpx.get(expired).status_code == 403


def test_a_store_without_presigned_urls_says_so() -> None:
    with pytest.raises(ConfigurationError, match="cannot make presigned URLs"):
        open_store("memory://").sign_get("a", MINUTE)


def test_wrong_credentials_are_a_sentence_without_the_secret(
    gateway: Gateway, tmp_path: Path
) -> None:
    wrong = write_credentials(tmp_path, "tester", "not-the-secret")
    with pytest.raises(ArtifactError, match="Check the access key") as refused:
        gateway.store("x", credentials=wrong).put("a", b"")
    assert "not-the-secret" not in str(refused.value)


def test_a_store_that_is_away_is_a_sentence(tmp_path: Path) -> None:
    credentials = write_credentials(tmp_path, "a", "b")
    store = open_store("s3://b/p", endpoint="http://127.0.0.1:9", credentials=credentials)
    with pytest.raises(ArtifactError, match="Check that the store's address is right"):
        store.get("a")


def test_plain_http_is_used_only_where_the_endpoint_says_so(tmp_path: Path) -> None:
    credentials = write_credentials(tmp_path, "a", "b")
    secure = open_store("s3://b/p", endpoint="https://store.example", credentials=credentials)
    assert secure.sign_get("a", MINUTE).startswith("https://store.example/b/p/a?")


@pytest.mark.parametrize(
    "uri", ["", "s3://", "http://x/y", "file://relative", "ftp://x", "models/"]
)
def test_an_address_that_is_no_store_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="Expected a store such as"):
        open_store(uri)


def test_missing_credentials_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Expected the files access-key-id"):
        open_store("s3://b", credentials=tmp_path)


def test_google_and_azure_stores_open(tmp_path: Path) -> None:
    write_credentials(tmp_path, "account", "a2V5")
    azure = open_store("az://container/folder", credentials=tmp_path)
    assert "account.blob.core.windows.net/container/folder/a" in azure.sign_get("a", MINUTE)
    with pytest.raises(ConfigurationError, match="gs://bucket cannot be opened"):
        open_store("gs://bucket", credentials=tmp_path)


@pytest.mark.parametrize("uri", ["s3://[", "gs://[::1", "az://[x]y/"])
def test_an_address_that_is_no_url_is_refused_in_a_sentence(uri: str) -> None:
    """The pattern of a ModelPolicy lets it in."""
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        open_store(uri)


@pytest.mark.parametrize(
    "endpoint",
    ["http://[", "http://", "http://:80", "http://a b", "http://a:99999", "http://a:x", "http://é"],
)
def test_an_endpoint_that_is_no_address_is_refused_in_a_sentence(
    endpoint: str, tmp_path: Path
) -> None:
    write_credentials(tmp_path, "x", "y")
    with pytest.raises(ConfigurationError, match="Check its address, endpoint"):
        open_store("s3://bucket", endpoint=endpoint, credentials=tmp_path)


def test_a_panic_of_the_library_is_an_error_like_any_other(tmp_path: Path) -> None:
    write_credentials(tmp_path, "x", "y")
    store = open_store("s3://bucket", endpoint="http://127.0.0.1:9/ b", credentials=tmp_path)
    with pytest.raises(ArtifactError, match="PanicException"):
        store.get("a")
