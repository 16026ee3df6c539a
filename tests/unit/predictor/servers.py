"""The two servers that a predictor talks to, on loopback.

The store is a plain HTTP server. The API server knows one ConfigMap, one status and the rules
that matter to a client (TLS, token, watch, merge patch); the end-to-end tests have the real one.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hallmark_predictor.settings import ApiServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes, media_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: clients that go away are part of the tests."""


@contextmanager
def _running(server: _Quiet) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class FileStore:
    """Serves files by name; the first answers may be failures."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.failures: list[int] = []
        """Status codes that the next requests get; 0 breaks off in the middle of the body."""
        self.requests: list[str] = []
        self.urls: dict[str, str] = {}

    @contextmanager
    def running(self) -> Iterator[FileStore]:
        """Serve on a free port."""
        store = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                store.requests.append(name)
                failure = store.failures.pop(0) if store.failures else None
                if failure:
                    self.answer(failure, b"")
                elif failure == 0:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(store.files[name])))
                    self.end_headers()
                    self.wfile.write(store.files[name][:10])
                    self.close_connection = True
                elif name in store.files:
                    self.answer(200, store.files[name])
                else:
                    self.answer(404, b"")

        server = _Quiet(("127.0.0.1", 0), Handler)
        self.urls = {n: f"http://127.0.0.1:{server.server_port}/{n}" for n in self.files}
        with _running(server):
            yield self


class FakeApiServer:
    """Takes drift reports and serves one ConfigMap to list and watch."""

    def __init__(self, folder: Path) -> None:
        self.credentials = folder
        self.token = "first-token"
        self.reports: list[dict[str, Any]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.paths: list[str] = []
        self.refusals: list[tuple[int, str]] = []
        """What the next patches are answered with instead."""
        self.connections = 0
        self.watched = threading.Semaphore(0)
        """Counts the watches that were opened."""
        self._config_map: dict[str, Any] | None = None
        self._events: list[dict[str, Any]] = []
        """All that happened; a resource version is how many of these had happened."""
        self._watches: list[queue.Queue[dict[str, Any] | None]] = []
        self._lock = threading.Lock()
        self._answers = threading.Event()
        self._answers.set()
        self._server: _Quiet | None = None

    @property
    def address(self) -> ApiServer:
        """Where it listens, and its credentials."""
        assert self._server
        return ApiServer("127.0.0.1", self._server.server_port, self.credentials)

    def name_active(self, digest: str | None, *, mirror: str | None = None) -> None:
        """Create, change or (None) delete the ConfigMap; ``mirror`` is what is to be copied."""
        with self._lock:
            kind = "DELETED" if digest is None else "MODIFIED" if self._config_map else "ADDED"
            changed = self._config_map or {}
            if digest is not None:
                data = {"manifestDigest": digest}
                changed = {"data": data if mirror is None else {**data, "mirror": mirror}}
            self._config_map = None if digest is None else changed
            self._events.append({"type": kind, "object": changed})
            for each in self._watches:
                each.put(self._events[-1])

    def end_watches(self, last: dict[str, Any] | None = None) -> None:
        """End all watches, as the API server does from time to time."""
        with self._lock:
            for each in self._watches:
                if last:
                    each.put(last)
                each.put(None)

    def hang(self) -> None:
        """Answer no patch any more, until the server ends."""
        self._answers.clear()

    def change_token(self, token: str) -> None:
        """Take, and write down, another token."""
        self.token = token
        (self.credentials / "token").write_text(token + "\n")

    @contextmanager
    def running(self) -> Iterator[FakeApiServer]:
        """Serve on a free port."""
        api = self

        class Handler(_Handler):
            def setup(self) -> None:
                api.connections += 1
                super().setup()

            def do_GET(self) -> None:
                api.get(self)

            def do_PATCH(self) -> None:
                api.patch(self)

        self._server = server = _Quiet(("127.0.0.1", 0), Handler)
        server.socket = _certified(self.credentials).wrap_socket(server.socket, server_side=True)
        self.change_token(self.token)
        with _running(server):
            try:
                yield self
            finally:
                self._answers.set()
                self.end_watches()

    def authorized(self, handler: _Handler) -> bool:
        """Refuse a request without the token."""
        if handler.headers["Authorization"] == f"Bearer {self.token}":
            return True
        handler.answer(401, b'{"message": "Unauthorized"}')
        return False

    def patch(self, handler: _Handler) -> None:
        """Take a drift report."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if not self._answers.is_set():
            self._answers.wait()
            return
        if not self.authorized(handler):
            return
        if self.refusals:
            status, message = self.refusals.pop(0)
            handler.answer(status, json.dumps({"message": message}).encode())
            return
        assert handler.headers["Content-Type"] == "application/merge-patch+json"
        parts = urlsplit(handler.path)
        self.paths.append(parts.path)
        self.queries.append(parse_qs(parts.query))
        self.reports.append(json.loads(body))
        handler.answer(200, b"{}")

    def get(self, handler: _Handler) -> None:
        """List or watch the ConfigMap."""
        if not self.authorized(handler):
            return
        query = parse_qs(urlsplit(handler.path).query)
        assert query["fieldSelector"] == ["metadata.name=loans-active"]
        if "watch" in query:
            self._watch(handler, int(query["resourceVersion"][0]))
            return
        with self._lock:
            items = [self._config_map] if self._config_map else []
            found = {"metadata": {"resourceVersion": str(len(self._events))}, "items": items}
        handler.answer(200, json.dumps(found).encode())

    def _watch(self, handler: _Handler, version: int) -> None:
        events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        with self._lock:
            self._watches.append(events)
            for each in self._events[version:]:
                events.put(each)
        self.watched.release()
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while event := events.get():
            line = json.dumps(event).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")


def _certified(folder: Path) -> ssl.SSLContext:
    """Write ``ca.crt`` (a self-signed certificate for 127.0.0.1) and return its server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "ca.crt").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context
