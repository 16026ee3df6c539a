"""Datasets in object stores: against the real thing, on loopback."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hallmark.api.dataset import Dataset
from hallmark.api.findings import Finding
from hallmark.data.buckets import object_url
from hallmark.data.downloads import Network
from hallmark.data.object_names import ObjectName
from hallmark.data.sources import Mounts, SourceRules, fetch
from tests.unit.data.test_sources import CSV, QuietServer, content, sentence


class Bucket(http.server.BaseHTTPRequestHandler):
    """As much of S3 as a GET needs; it tells what it was asked with."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer by path."""
        path, _, query = self.path.partition("?")
        self.asked.append(query or self.headers.get("Authorization", "unsigned"))
        status, body = (200, CSV) if path == "/datasets/in/a.csv" else (404, b"<Error/>")
        if path == "/datasets/in/forbidden.csv":
            status = 403
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def bucket() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Bucket,), {"asked": asked})
    server = QuietServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def get(endpoint: str, key: str, credentials: Path, **rules: Any) -> BinaryIO | Finding:  # noqa: ANN401
    dataset = Dataset.model_validate({"uri": f"s3://datasets/{key}"})
    settings = SourceRules(allowed=["s3://datasets/in/"], allow_private=True, endpoint=endpoint)
    return fetch(dataset, replace(settings, **rules), Mounts(credentials=credentials))


def test_an_object_is_asked_for_with_the_mounted_credentials(
    bucket: tuple[str, list[str]], tmp_path: Path
) -> None:
    endpoint, asked = bucket
    (tmp_path / "access-key-id").write_text("AKIDEXAMPLE\n")
    (tmp_path / "secret-access-key").write_text("secret\n")
    assert content(get(endpoint, "in/a.csv", tmp_path)) == CSV
    assert "X-Amz-Credential=AKIDEXAMPLE%2F" in asked[0]


def test_without_credentials_the_request_is_not_signed(
    bucket: tuple[str, list[str]], tmp_path: Path
) -> None:
    endpoint, asked = bucket
    assert content(get(endpoint, "in/a.csv", tmp_path)) == CSV
    assert asked == ["unsigned"]


REFUSED_OBJECTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such object": ("in/b.csv", {}, "none of this name"),
    "no right to it": ("in/forbidden.csv", {}, "a refusal by the store"),
    "a prefix that is not allowed": ("out/a.csv", {}, "one of the 1 prefixes"),
    "a private endpoint": ("in/a.csv", {"allow_private": False}, "a private, loopback"),
    "too many bytes": ("in/a.csv", {"max_bytes": 3}, "at most 3 bytes"),
}


@pytest.mark.parametrize("case", REFUSED_OBJECTS.values(), ids=REFUSED_OBJECTS)
def test_an_object_is_refused(
    bucket: tuple[str, list[str]], tmp_path: Path, case: tuple[str, dict[str, Any], str]
) -> None:
    key, settings, expected = case
    assert expected in sentence(get(bucket[0], key, tmp_path, **settings))


RSA_KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
SERVICE_ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "private_key": RSA_KEY.decode(),
        "private_key_id": "1",
        "client_email": "reader@example.org",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
)
CLOUDS = {
    "S3": (
        "s3",
        {"access-key-id": "AKIDEXAMPLE", "secret-access-key": "c2VjcmV0"},
        "https://s3.us-east-1.amazonaws.com/datasets/in/a%20b.csv?X-Amz-",
    ),
    "S3 without credentials": (
        "s3",
        {},
        "https://s3.us-east-1.amazonaws.com/datasets/in/a%20b.csv",
    ),
    "Google": (
        "gs",
        {"service-account.json": SERVICE_ACCOUNT},
        "https://storage.googleapis.com/datasets/in/a%20b.csv?X-Goog-",
    ),
    "Google without credentials": (
        "gs",
        {},
        "https://storage.googleapis.com/datasets/in/a%20b.csv",
    ),
    "Azure": (
        "az",
        {"access-key-id": "account", "secret-access-key": "c2VjcmV0"},
        "https://account.blob.core.windows.net/datasets/in/a%20b.csv?",
    ),
    "Azure with an account's name alone": (
        "az",
        {"access-key-id": "account"},
        "https://account.blob.core.windows.net/datasets/in/a%20b.csv",
    ),
}


@pytest.mark.parametrize("case", CLOUDS.values(), ids=CLOUDS)
def test_an_objects_url_is_signed_where_there_are_credentials(
    case: tuple[str, dict[str, str], str], tmp_path: Path
) -> None:
    scheme, files, expected = case
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    url = object_url(ObjectName(scheme, "datasets", "in/a b.csv"), None, tmp_path, 600)
    assert url.startswith(expected)
    assert ("?" in url) == expected.endswith(("?", "-"))
    assert "c2VjcmV0" not in url


def test_credentials_of_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "service-account.json").write_text("no JSON, but secret")
    dataset = Dataset.model_validate({"uri": "gs://datasets/a.csv"})
    rules = SourceRules(allowed=["gs://datasets/"])
    found = sentence(fetch(dataset, rules, Mounts(credentials=tmp_path)))
    assert "found some that cannot be read" in found
    assert "secret" not in found


def test_an_endpoint_that_moves_to_a_private_address_is_refused(tmp_path: Path) -> None:
    dataset = Dataset.model_validate({"uri": "s3://datasets/in/a.csv"})
    rules = SourceRules(allowed=["s3://datasets/"])
    network = Network(resolve=lambda *_: ["10.0.0.1"])
    assert "a private, loopback" in sentence(
        fetch(dataset, rules, Mounts(credentials=tmp_path), network)
    )
