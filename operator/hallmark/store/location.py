"""From a store's address and credentials to a ``Store``."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, ObjectStore, S3Store

from hallmark.errors import ConfigurationError
from hallmark.files import read_line
from hallmark.store.store import Store

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

_RETRY: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def open_store(
    uri: str,
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    credentials: Path | None = None,
) -> Store:
    """Return the store at ``uri``; nothing is sent yet.

    Args:
        uri: ``s3://bucket/folder``, ``gs://bucket/folder``, ``az://container/folder``,
            ``file:///folder`` or ``memory://``.
        endpoint: The address of an S3-compatible store, such as ``http://store:7070``; plain HTTP
            only where it says so. Buckets are then part of the path.
        region: The region of an S3 bucket.
        credentials: A folder with the files ``access-key-id`` and ``secret-access-key``; for Azure
            these hold the account and its key; for Google a ``service-account.json``. Without it,
            what the environment offers (such as a Pod's cloud identity) is used.

    Raises:
        ConfigurationError: The address or the credentials cannot be used.
    """
    try:
        parts = urlsplit(uri)
        prefix = parts.path.strip("/") or None
        match parts.scheme:
            case "s3" if parts.netloc:
                backend: ObjectStore = _s3(parts.netloc, prefix, endpoint, region, credentials)
            case "gs" if parts.netloc:
                backend = _gcs(parts.netloc, prefix, credentials)
            case "az" if parts.netloc:
                backend = _azure(parts.netloc, prefix, credentials)
            case "file" if parts.path.startswith("/"):
                backend = LocalStore(parts.path, automatic_cleanup=True, mkdir=True)
            case "memory":
                backend = MemoryStore()
            case _:
                raise ConfigurationError(
                    "Expected a store such as s3://bucket/folder, gs://bucket, az://container or "
                    f"file:///folder; found {uri[:256]!r}."
                )
        return Store(backend, uri, Path(parts.path) if parts.scheme == "file" else None)
    except OSError as error:
        raise ConfigurationError(
            f"The store's credentials in {credentials} cannot be read ({type(error).__name__}). "
            "Expected the files access-key-id and secret-access-key."
        ) from error
    except (BaseError, ValueError) as error:
        raise ConfigurationError(
            f"The store {uri} cannot be opened ({type(error).__name__}). "
            "Check its address, endpoint, region and credentials."
        ) from error


def _s3(
    bucket: str, prefix: str | None, endpoint: str | None, region: str, credentials: Path | None
) -> S3Store:
    config: S3Config = {"region": region, "virtual_hosted_style_request": endpoint is None}
    if endpoint:
        _require_address(endpoint)
        config["endpoint"] = endpoint
    if keys := _keys(credentials):
        config["access_key_id"], config["secret_access_key"] = keys
    client = _client(allow_http=bool(endpoint and endpoint.startswith("http://")))
    return S3Store(bucket, prefix=prefix, config=config, client_options=client, retry_config=_RETRY)


def _require_address(endpoint: str) -> None:
    """Raise ValueError where an endpoint has no host or no port that is one: the library panics."""
    parts = urlsplit(endpoint)
    if not _HOST.fullmatch(parts.hostname or "") or parts.username or parts.port == 0:
        raise ValueError("an endpoint that is no address")


_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")


def _gcs(bucket: str, prefix: str | None, credentials: Path | None) -> GCSStore:
    config: GCSConfig = {}
    if credentials:
        config["service_account"] = str(credentials / "service-account.json")
    return GCSStore(
        bucket, prefix=prefix, config=config, client_options=_client(), retry_config=_RETRY
    )


def _azure(container: str, prefix: str | None, credentials: Path | None) -> AzureStore:
    config: AzureConfig = {}
    if keys := _keys(credentials):
        config["account_name"], config["account_key"] = keys
    return AzureStore(
        container, prefix=prefix, config=config, client_options=_client(), retry_config=_RETRY
    )


def _client(*, allow_http: bool = False) -> ClientConfig:
    return {
        "allow_http": allow_http,
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(seconds=60),
    }


def _keys(folder: Path | None) -> tuple[str, str] | None:
    if folder is None:
        return None
    return (
        read_line(folder / "access-key-id"),
        read_line(folder / "secret-access-key"),
    )
