"""Where a dataset's bytes come from: the only input and output of this package.

Every way ends in bytes or in a finding. No finding repeats a URL, for it may hold a token.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from hallmark.api.artifacts import Finding
from hallmark.api.training_run import Dataset
from hallmark.data.addresses import is_allowed_url, is_public_address

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_CHUNK = 1 << 20
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IO_TIMEOUT = 30.0
_DEFAULT_REGION = "us-east-1"
_MAX_NAME = 256

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError."""


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses by the system's resolver.

    Raises:
        OSError: the host is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


@dataclass(frozen=True)
class SourceRules:
    """What the policy allows, and the limits.

    Attributes:
        allowed: URL prefixes; without one no URL is allowed.
        allow_private: Whether addresses outside the public Internet are.
        endpoint: Of ``s3://`` datasets, where it is not Amazon's.
        max_bytes: What is read at most.
        deadline: Seconds for the whole of a download.
    """

    allowed: Sequence[str] = ()
    allow_private: bool = False
    endpoint: str | None = None
    max_bytes: int = 1 << 30
    deadline: float = 600.0


@dataclass(frozen=True)
class Mounts:
    """Where the Job's volumes are."""

    config_map: Path = Path("/data/configmap")
    volume: Path = Path("/data/volume")
    credentials: Path = Path("/var/run/hallmark/credentials")


@dataclass(frozen=True)
class Network:
    """How names become addresses and whose certificates are trusted."""

    resolve: Resolver = resolve
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


def source_name(dataset: Dataset) -> str:
    """Return what findings call the dataset's file: a URL without what may hold a token."""
    if dataset.uri is not None:
        url = urlsplit(dataset.uri)
        bare = url._replace(netloc=url.netloc.rpartition("@")[2], query="", fragment="").geturl()
        return bare if len(bare) <= _MAX_NAME else f"...{bare[3 - _MAX_NAME :]}"
    if dataset.volume_claim is not None:
        return f"'{dataset.volume_claim.path}'"[-_MAX_NAME:]
    if dataset.config_map is not None:
        return f"'{dataset.config_map.key}'"[-_MAX_NAME:]
    return "the records"


def fetch(
    dataset: Dataset, rules: SourceRules, mounts: Mounts, network: Network | None = None
) -> bytes | Finding:
    """Return the dataset's bytes, or why there are none.

    Args:
        dataset: Exactly one source.
        rules: What is allowed.
        mounts: Where files are.
        network: For URLs; by default the system's resolver and certificates.
    """
    if dataset.records is not None:
        return dataset.records.encode()
    if dataset.config_map is not None:
        # The kubelet makes a ConfigMap's key a link into a folder that it swaps.
        return _read(mounts.config_map / dataset.config_map.key, rules.max_bytes)
    if dataset.volume_claim is not None:
        return read_below(mounts.volume, dataset.volume_claim.path, rules.max_bytes)
    if dataset.uri is None:
        return _finding("a dataset's source", "none")
    if not is_allowed_url(dataset.uri, rules.allowed):
        return _finding(
            f"a URL below one of the {len(rules.allowed)} prefixes that the policy allows",
            "another one",
        )
    network = network or Network()
    if dataset.uri.startswith("https://"):
        return _download(dataset.uri, rules, network)
    return _get_object(urlsplit(dataset.uri), rules, mounts.credentials, network)


def _finding(expected: str, found: str) -> Finding:
    return Finding(check="Source", expected=expected[:256], found=found[:256])


def _too_big(limit: int) -> Finding:
    return _finding(f"at most {limit} bytes", "more")


def _read(path: Path, limit: int) -> bytes | Finding:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _finding("a file that can be read", os.strerror(error.errno or 0))
    return _read_descriptor(descriptor, limit)


def read_below(root: Path, path: str, limit: int) -> bytes | Finding:
    """Return a file below a folder, following no link on the way.

    Args:
        root: The folder.
        path: Relative to it; ``..`` is refused.
        limit: Bytes at most.
    """
    parts = path.split("/")
    if path.startswith("/") or "\0" in path or not set(parts).isdisjoint({"", ".", ".."}):
        return _finding("a relative path without '.', '..' or empty parts", "another one")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for position, part in enumerate(parts, start=1):
            folder = os.O_DIRECTORY if position < len(parts) else 0
            try:
                deeper = os.open(part, flags | folder, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = deeper
    except OSError as error:
        return _finding(
            "a file on the volume, reached without a link", os.strerror(error.errno or 0)
        )
    return _read_descriptor(descriptor, limit)


def _read_descriptor(descriptor: int, limit: int) -> bytes | Finding:
    """Return what an open file holds, and close it."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return _finding("a regular file", "a folder, pipe or device")
    with os.fdopen(descriptor, "rb") as file:
        data = b"" if status.st_size > limit else file.read(limit + 1)
    return _too_big(limit) if max(status.st_size, len(data)) > limit else data


class _PinnedConnection(http.client.HTTPSConnection):
    """Connects to the address that was checked; the certificate is that of the host."""

    def __init__(self, host: str, port: int, address: str, tls: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_IO_TIMEOUT, context=tls)
        self._address = address
        self._tls = tls

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), timeout=_IO_TIMEOUT)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _checked_address(host: str, port: int, rules: SourceRules, network: Network) -> str | Finding:
    """Return an address of the host, provided that all of them are allowed."""
    try:
        addresses = network.resolve(host, port)
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        return _finding("a host that can be resolved", "no address")
    if not rules.allow_private and not all(map(is_public_address, addresses)):
        return _finding(
            "a host with public addresses (or a policy with allowPrivateAddresses)",
            "a private, loopback, link-local or reserved one",
        )
    return addresses[0]


def _download(url: str, rules: SourceRules, network: Network) -> bytes | Finding:
    ends = time.monotonic() + rules.deadline
    for _ in range(_MAX_REDIRECTS + 1):
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        address = _checked_address(host, port, rules, network)
        if isinstance(address, Finding):
            return address
        connection = _PinnedConnection(host, port, address, network.tls)
        try:
            answer = _request(connection, parts)
            if answer.status not in _REDIRECTS:
                return _body(answer, rules.max_bytes, ends)
            target = urljoin(url, answer.headers.get("Location", ""))
        except ssl.SSLCertVerificationError:
            return _finding("a certificate that the trainer's image trusts", "another one")
        except (OSError, http.client.HTTPException) as error:
            return _finding("an answer from the host", type(error).__name__)
        finally:
            connection.close()
        if _origin(target) != _origin(url) or not is_allowed_url(target, rules.allowed):
            return _finding(
                "a redirect to the same host below an allowed prefix", "one to elsewhere"
            )
        url = target
    return _finding(f"at most {_MAX_REDIRECTS} redirects", "more")


def _origin(url: str) -> tuple[str, str | None, int]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or 443
    except ValueError:
        return "", None, 0


def _request(connection: _PinnedConnection, parts: SplitResult) -> http.client.HTTPResponse:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept-Encoding": "identity", "User-Agent": "hallmark-trainer"}
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def _body(answer: http.client.HTTPResponse, limit: int, ends: float) -> bytes | Finding:
    if answer.status != 200:
        return _finding("HTTP status 200", f"status {answer.status}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return _finding("an answer without content encoding", "an encoded one")
    if (answer.length or 0) > limit:
        return _too_big(limit)
    data = bytearray()
    while chunk := answer.read1(_CHUNK):
        data += chunk
        if len(data) > limit:
            return _too_big(limit)
        if time.monotonic() > ends:
            return _finding("a download within the time limit", "a slower one")
    if answer.length:
        return _finding("the whole answer", f"{answer.length} bytes less")
    return bytes(data)


def _get_object(
    uri: SplitResult, rules: SourceRules, credentials: Path, network: Network
) -> bytes | Finding:
    """Return an object of a bucket.

    Without credentials the request is not signed: no metadata service is ever asked for some.
    """
    import obstore
    from obstore.exceptions import (
        BaseError,
        NotFoundError,
        PermissionDeniedError,
        UnauthenticatedError,
    )

    if rules.endpoint:
        endpoint = urlsplit(rules.endpoint)
        port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
        address = _checked_address(endpoint.hostname or "", port, rules, network)
        if isinstance(address, Finding):
            return address
    try:
        store = open_bucket(uri, rules, credentials)
        answer = obstore.get(store, uri.path.lstrip("/"))
        if answer.meta["size"] > rules.max_bytes:
            return _too_big(rules.max_bytes)
        return bytes(answer.bytes())
    except (NotFoundError, FileNotFoundError):
        return _finding("an object in the bucket", "none of this name")
    except (PermissionDeniedError, UnauthenticatedError):
        return _finding("credentials that may read the object", "a refusal by the store")
    except (BaseError, OSError, ValueError) as error:
        return _finding("an answer from the object store", type(error).__name__)


def open_bucket(uri: SplitResult, rules: SourceRules, credentials: Path) -> ObjectStore:
    """Return the bucket of an ``s3://``, ``gs://`` or ``az://`` URL; nothing is sent yet.

    Args:
        uri: Its host is the bucket's name.
        rules: Endpoint and time limit.
        credentials: A folder with ``access-key-id`` and ``secret-access-key`` (for ``az``: the
            account's name and key) or, for ``gs``, ``service-account.json``.

    Raises:
        ValueError: the credentials cannot be read.
    """
    from obstore.store import from_url

    scheme = uri.scheme
    names = {
        "s3": {"access_key_id": "access-key-id", "secret_access_key": "secret-access-key"},
        "az": {"account_name": "access-key-id", "account_key": "secret-access-key"},
        "gs": {"service_account_key": "service-account.json"},
    }[scheme]
    found = {key: _credential(credentials, file) for key, file in names.items()}
    # obstore types the settings of each cloud apart.
    config: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    if len(config) < len(names):
        config["skip_signature"] = "true"
    if scheme == "s3":
        config["region"] = _DEFAULT_REGION
        if rules.endpoint:
            config["endpoint"] = rules.endpoint
    client: ClientConfig = {
        "timeout": timedelta(seconds=rules.deadline),
        "allow_http": (rules.endpoint or "").startswith("http://"),
    }
    retry: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=_IO_TIMEOUT)}
    settings: dict[str, Any] = {"config": config, "client_options": client, "retry_config": retry}
    store: ObjectStore = from_url(f"{scheme}://{uri.netloc}", **settings)
    return store


def _credential(folder: Path, name: str) -> str | None:
    try:
        return (folder / name).read_text().strip() or None
    except FileNotFoundError:
        return None
