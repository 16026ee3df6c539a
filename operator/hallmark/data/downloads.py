"""Downloads over HTTP into a temporary file, from the very address that was checked."""

from __future__ import annotations

import http.client
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import quote, urljoin, urlsplit

from hallmark.api.findings import Finding
from hallmark.data.addresses import is_public_address
from hallmark.data.files import source_finding, too_big

_CHUNK = 1 << 20
_ASCII = "".join(map(chr, range(33, 127)))
"""What a URL may hold as it is; other signs are sent as their bytes in UTF-8, percent-encoded."""
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_IO_TIMEOUT = 30.0
_PAUSES = (1.0, 4.0)
"""Seconds before the second and the third try."""

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError."""


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses by the system's resolver.

    Raises:
        OSError: the host is not known.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(frozen=True)
class Network:
    """The resolver, the trusted certificates and the pause between two tries."""

    resolve: Resolver = resolve
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    pause: Callable[[float], object] = time.sleep


@dataclass(frozen=True)
class Transfer:
    """The limits of a download, and its refusals.

    Attributes:
        max_bytes: What is read at most.
        deadline: Seconds for the whole, tries and redirects included.
        allow_private: Whether addresses outside the public Internet are allowed.
        may_follow: Whether a redirect to this URL on the same host is followed.
        refusals: By HTTP status: what was expected and found, where that can be said better.
    """

    max_bytes: int
    deadline: float
    allow_private: bool = False
    may_follow: Callable[[str], bool] = lambda _: False
    refusals: Mapping[int, tuple[str, str]] = field(default_factory=dict)


class _TransientError(Exception):
    """A failure that may not come again."""

    def __init__(self, finding: Finding) -> None:
        super().__init__("transient")
        self.finding = finding


def download(url: str, transfer: Transfer, network: Network) -> BinaryIO | Finding:
    """Return what the URL answers as an open temporary file, or why there is nothing.

    Nothing in a finding repeats the URL, for it may hold a token.
    """
    ends = time.monotonic() + transfer.deadline
    for pause in (*_PAUSES, None):
        try:
            return _follow(url, transfer, network, ends)
        except _TransientError as failure:
            if pause is None or time.monotonic() + pause > ends:
                return failure.finding
            network.pause(pause)
    raise AssertionError("the last try returns")


def _follow(url: str, transfer: Transfer, network: Network, ends: float) -> BinaryIO | Finding:
    for _ in range(_MAX_REDIRECTS + 1):
        answer = _ask(url, transfer, network, ends)
        if not isinstance(answer, str):
            return answer
        target = urljoin(url, answer)
        if _origin(target) != _origin(url) or not transfer.may_follow(target):
            return source_finding(
                "a redirect to the same host below an allowed prefix", "one to elsewhere"
            )
        url = target
    return source_finding(f"at most {_MAX_REDIRECTS} redirects", "more")


def _ask(url: str, transfer: Transfer, network: Network, ends: float) -> BinaryIO | Finding | str:
    """Return the body, a redirect's target, or why there is neither."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    address = checked_address(host, port, transfer.allow_private, network)
    if isinstance(address, Finding):
        return address
    connection = _PinnedConnection(host, port, address, network.tls if secure else None)
    # Whoever drips bytes keeps each single read alive; the whole ends all the same.
    watch = threading.Timer(max(0.0, ends - time.monotonic()), connection.interrupt)
    watch.daemon = True
    watch.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept-Encoding": "identity", "User-Agent": "hallmark-trainer"}
        connection.request("GET", quote(path, safe=_ASCII), headers=headers)
        answer = connection.getresponse()
        if answer.status in _REDIRECTS:
            return answer.headers.get("Location", "")
        return _body(answer, transfer, ends)
    except ssl.SSLCertVerificationError:
        return source_finding("a certificate that the trainer's image trusts", "another one")
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= ends:
            return _too_slow()
        raise _TransientError(
            source_finding("an answer from the host", type(error).__name__)
        ) from None
    finally:
        watch.cancel()
        connection.close()


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to the address that was checked; the certificate is that of the host."""

    def __init__(self, host: str, port: int, address: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=_IO_TIMEOUT)
        self._address = address
        self._tls = tls
        # Left out of the Host header, and so of what a signature covers.
        self.default_port = 443 if tls else 80

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), timeout=_IO_TIMEOUT)
        self.sock = plain
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def interrupt(self) -> None:
        """End a read that is under way in another thread."""
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def checked_address(host: str, port: int, allow_private: bool, network: Network) -> str | Finding:
    """Return an address of the host, provided that all of them are allowed."""
    try:
        addresses = network.resolve(host, port)
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        return source_finding("a host that can be resolved", "no address")
    if not allow_private and not all(map(is_public_address, addresses)):
        return source_finding(
            "a host with public addresses (or a policy with allowPrivateAddresses)",
            "a private, loopback, link-local or reserved one",
        )
    return addresses[0]


def _origin(url: str) -> tuple[str, str | None, int]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or 443
    except ValueError:
        return "", None, 0


def _body(answer: http.client.HTTPResponse, transfer: Transfer, ends: float) -> BinaryIO | Finding:
    if answer.status != 200:
        expected, found = transfer.refusals.get(
            answer.status, ("HTTP status 200", f"status {answer.status}")
        )
        finding = source_finding(expected, found)
        if answer.status in _TRANSIENT:
            raise _TransientError(finding)
        return finding
    if answer.headers.get("Content-Encoding", "identity") not in ("identity", ""):
        return source_finding("an answer without content encoding", "an encoded one")
    if (answer.length or 0) > transfer.max_bytes:
        return too_big(transfer.max_bytes)
    with ExitStack() as on_failure:
        file = on_failure.enter_context(tempfile.TemporaryFile())
        failed = _copy(answer, file, transfer, ends)
        if failed is not None:
            return failed
        on_failure.pop_all()
    file.seek(0)
    return file


def _copy(
    answer: http.client.HTTPResponse, file: BinaryIO, transfer: Transfer, ends: float
) -> Finding | None:
    size = 0
    while chunk := answer.read1(_CHUNK):
        size += file.write(chunk)
        if size > transfer.max_bytes:
            return too_big(transfer.max_bytes)
        if time.monotonic() > ends:
            return _too_slow()
    if not answer.length:
        return None
    if time.monotonic() >= ends:
        return _too_slow()
    raise _TransientError(source_finding("the whole answer", f"{answer.length} bytes less"))


def _too_slow() -> Finding:
    return source_finding("a download within the time limit", "a slower one")
