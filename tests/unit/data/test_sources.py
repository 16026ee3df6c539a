"""Files, URLs and buckets: each against the real thing, on loopback."""

from __future__ import annotations

import datetime as dt
import http.server
import os
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hallmark.api.dataset import Dataset
from hallmark.api.findings import Finding
from hallmark.data.downloads import Network
from hallmark.data.files import open_below
from hallmark.data.sources import Mounts, SourceRules, fetch, source_name

CSV = b"a,b\n1,2\n"
HOST = "data.example.org"


def content(found: BinaryIO | Finding) -> bytes:
    assert not isinstance(found, Finding), found.sentence()
    with found:
        return found.read()


def sentence(found: BinaryIO | Finding) -> str:
    assert isinstance(found, Finding), found
    return found.sentence()


def test_inline_records() -> None:
    dataset = Dataset.model_validate({"records": CSV.decode()})
    assert content(fetch(dataset, SourceRules(), Mounts())) == CSV


def test_a_config_maps_key_is_read_through_the_kubelets_links(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "a.csv").write_bytes(CSV)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "a.csv").symlink_to("..data/a.csv")
    dataset = Dataset.model_validate({"configMap": {"name": "d", "key": "a.csv"}})
    assert content(fetch(dataset, SourceRules(), Mounts(config_map=tmp_path))) == CSV
    missing = Dataset.model_validate({"configMap": {"name": "d", "key": "b.csv"}})
    assert "No such file" in sentence(fetch(missing, SourceRules(), Mounts(config_map=tmp_path)))


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volume"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "a.csv").write_bytes(CSV)
    (tmp_path / "secret.csv").write_text("secret")
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "folder").symlink_to(tmp_path)
    (root / "inside.csv").symlink_to("deep/er/a.csv")
    os.mkfifo(root / "pipe.csv")
    return root


def test_a_file_on_a_volume(volume: Path) -> None:
    assert content(open_below(volume, "deep/er/a.csv", 100)) == CSV


REFUSED_PATHS = {
    "a way up": "../secret.csv",
    "a way up in the middle": "deep/../../secret.csv",
    "an absolute path": "/etc/passwd",
    "an empty part": "deep//er/a.csv",
    "a NUL byte": "deep\0/a.csv",
    "a link out of the root": "link.csv",
    "a linked folder": "folder/secret.csv",
    "a link within the root": "inside.csv",
    "a folder": "deep",
    "a pipe, without waiting for its other end": "pipe.csv",
    "no such file": "deep/b.csv",
    "a file as a folder": "deep/er/a.csv/x",
}


@pytest.mark.parametrize("path", REFUSED_PATHS.values(), ids=REFUSED_PATHS)
def test_a_path_on_a_volume_is_refused(volume: Path, path: str) -> None:
    assert sentence(open_below(volume, path, 100)).startswith("Source: expected ")


def test_a_file_beyond_the_limit_is_refused(volume: Path) -> None:
    assert "at most 3 bytes" in sentence(open_below(volume, "deep/er/a.csv", 3))


class Site(http.server.BaseHTTPRequestHandler):
    """What the host answers, by path."""

    protocol_version = "HTTP/1.1"
    busy = 0

    def do_GET(self) -> None:
        """Answer by path."""
        path = self.path.split("?")[0].removeprefix("/open/")
        if path == "busy.csv":
            Site.busy -= 1
            self.answer(*((503, b"") if Site.busy >= 0 else (200, CSV)))
            return
        if path.startswith("to-"):
            self.answer(302, b"", Location={
                "to-here": "/open/a.csv",
                "to-there": "https://evil.example/open/a.csv",
                "to-above": "/private.csv",
                "to-plain": f"http://{HOST}/open/a.csv",
                "to-itself": "/open/to-itself",
            }[path])  # fmt: skip
        elif path == "slow.csv":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(20):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        elif path == "cut.csv":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x")
            self.close_connection = True
        elif path == "gzip.csv":
            self.answer(200, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
        elif path in ("a.csv", "%C3%A9%20a%23.csv"):
            self.answer(200, CSV)
        else:
            self.answer(404, b"secret token in the body")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class QuietServer(http.server.ThreadingHTTPServer):
    """Keeps the clients' hang-ups to itself."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


def certificate(folder: Path, host: str) -> Path:
    """Write a self-signed certificate with its key; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "tls.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, ssl.SSLContext]]:
    file = certificate(tmp_path_factory.mktemp("tls"), HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = QuietServer(("127.0.0.1", 0), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, ssl.create_default_context(cafile=str(file))
    server.shutdown()
    server.server_close()
    thread.join()


def download(
    site: tuple[int, ssl.SSLContext],
    path: str,
    *,
    host: str = HOST,
    addresses: tuple[str, ...] = ("127.0.0.1",),
    tls: ssl.SSLContext | None = None,
    **rules: Any,  # noqa: ANN401
) -> BinaryIO | Finding:
    port, trusted = site
    dataset = Dataset.model_validate({"uri": f"https://{host}:{port}/{path}"})
    allowed = [f"https://{host}:{port}/open/"]
    settings = replace(SourceRules(allowed=allowed, allow_private=True), **rules)
    network = Network(resolve=lambda *_: addresses, tls=tls or trusted, pause=lambda _: None)
    return fetch(dataset, settings, Mounts(), network)


def test_a_url_is_read_from_the_address_that_was_checked(
    site: tuple[int, ssl.SSLContext],
) -> None:
    # The system's resolver does not know this host: only the checked address is used.
    assert content(download(site, "open/a.csv?token=secret")) == CSV
    assert content(download(site, "open/to-here")) == CSV


def test_signs_beyond_ascii_are_sent_as_their_bytes(site: tuple[int, ssl.SSLContext]) -> None:
    assert content(download(site, "open/é%20a%23.csv?größe=1")) == CSV


REFUSED_DOWNLOADS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a private address": ("open/a.csv", {"allow_private": False}, "a private, loopback"),
    "one private address among public ones": (
        "open/a.csv",
        {"allow_private": False, "addresses": ("93.184.216.34", "10.0.0.1")},
        "a private, loopback",
    ),
    "a host without address": ("open/a.csv", {"addresses": ()}, "no address"),
    "a URL that is not allowed": ("private.csv", {}, "one of the 1 prefixes"),
    "a policy that allows none": ("open/a.csv", {"allowed": ()}, "one of the 0 prefixes"),
    "a redirect to another host": ("open/to-there", {}, "a redirect to the same host"),
    "a redirect to another path": ("open/to-above", {}, "a redirect to the same host"),
    "a redirect to plain HTTP": ("open/to-plain", {}, "a redirect to the same host"),
    "redirects without end": ("open/to-itself", {}, "at most 3 redirects"),
    "a status": ("open/b.csv?token=secret", {}, "found status 404"),
    "a compressed answer": ("open/gzip.csv", {}, "without content encoding"),
    "too many bytes": ("open/a.csv", {"max_bytes": 3}, "at most 3 bytes"),
    "an answer that drips": ("open/slow.csv", {"deadline": 0.2}, "within the time limit"),
    "an answer that ends early": ("open/cut.csv", {}, "found 999 bytes less"),
    "a certificate of an unknown issuer": (
        "open/a.csv",
        {"tls": ssl.create_default_context()},
        "a certificate that the trainer's image trusts",
    ),
    "a certificate of another host": ("open/a.csv", {"host": "other.example.org"}, "certificate"),
}


@pytest.mark.parametrize("case", REFUSED_DOWNLOADS.values(), ids=REFUSED_DOWNLOADS)
def test_a_download_is_refused(
    site: tuple[int, ssl.SSLContext], case: tuple[str, dict[str, Any], str]
) -> None:
    path, settings, expected = case
    found = sentence(download(site, path, **settings))
    assert expected in found
    assert "secret" not in found


def test_nobody_listens(site: tuple[int, ssl.SSLContext]) -> None:
    _, tls = site
    assert "ConnectionRefusedError" in sentence(download((1, tls), "open/a.csv"))


def test_a_name_that_means_another_address_the_second_time_does_not_get_the_connection(
    site: tuple[int, ssl.SSLContext],
) -> None:
    # The first answer is checked and used; the second one would be the metadata service.
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    port, tls = site
    dataset = Dataset.model_validate({"uri": f"https://{HOST}:{port}/open/a.csv"})
    rules = SourceRules(allowed=[f"https://{HOST}:{port}/open/"], allow_private=True)
    network = Network(resolve=lambda *_: next(answers), tls=tls)
    assert content(fetch(dataset, rules, Mounts(), network)) == CSV
    assert next(answers) == ["169.254.169.254"]


def test_each_redirect_is_checked_anew(site: tuple[int, ssl.SSLContext]) -> None:
    asked: list[str] = []

    def resolver(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    port, tls = site
    dataset = Dataset.model_validate({"uri": f"https://{HOST}:{port}/open/to-here"})
    rules = SourceRules(allowed=[f"https://{HOST}:{port}/open/"], allow_private=True)
    assert content(fetch(dataset, rules, Mounts(), Network(resolve=resolver, tls=tls))) == CSV
    assert asked == [HOST, HOST]


def test_a_host_that_is_busy_is_asked_again(site: tuple[int, ssl.SSLContext]) -> None:
    Site.busy = 2
    assert content(download(site, "open/busy.csv")) == CSV
    Site.busy = 3
    assert "status 503" in sentence(download(site, "open/busy.csv"))


def test_a_config_maps_key_that_leads_out_of_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map").mkdir()
    (tmp_path / "secret.csv").write_text("secret")
    (tmp_path / "map" / "a.csv").symlink_to(tmp_path / "secret.csv")
    for key in ("a.csv", ".."):
        dataset = Dataset.model_validate({"configMap": {"name": "d", "key": key}})
        found = sentence(fetch(dataset, SourceRules(), Mounts(config_map=tmp_path / "map")))
        assert "found a link out of it" in found


NAMES = {
    "a URL without its query": (
        {"uri": "https://a.example/in/a.csv?token=secret#x"},
        "https://a.example/in/a.csv",
    ),
    "a URL without its user": (
        {"uri": "https://u:secret@a.example/a.csv"},
        "https://a.example/a.csv",
    ),
    "a key": ({"configMap": {"name": "d", "key": "a.csv"}}, "'a.csv'"),
    "a path": ({"volumeClaim": {"claimName": "c", "path": "in/a.csv"}}, "'in/a.csv'"),
    "records": ({"records": "a,b"}, "the records"),
    "an object": ({"uri": "s3://data/in/a b.csv"}, "s3://data/in/a b.csv"),
}


@pytest.mark.parametrize("case", NAMES.values(), ids=NAMES)
def test_what_a_file_is_called(case: tuple[dict[str, Any], str]) -> None:
    given, expected = case
    assert source_name(Dataset.model_validate(given)) == expected


def test_a_long_url_is_called_by_its_end() -> None:
    uri = f"https://a.example/{'x' * 900}/a.csv"
    name = source_name(Dataset.model_validate({"uri": uri}))
    assert len(name) == 256
    assert name.startswith("...")
    assert name.endswith("/a.csv")
