"""Objects of S3, Google Cloud Storage and Azure as plain downloads.

obstore signs the URL; the download goes the same way as every other, to the address that was
checked and within the same limits. Without credentials the URL is not signed: no metadata service
is ever asked for some.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote

_REGION = "us-east-1"
_FILES = {
    "s3": {"access_key_id": "access-key-id", "secret_access_key": "secret-access-key"},
    "az": {"account_name": "access-key-id", "account_key": "secret-access-key"},
    "gs": {"service_account_key": "service-account.json"},
}

REFUSALS: Mapping[int, tuple[str, str]] = {
    404: ("an object in the bucket", "none of this name"),
    403: ("credentials that may read the object", "a refusal by the store"),
    401: ("credentials that may read the object", "a refusal by the store"),
}
"""What the stores' statuses mean."""


def object_url(uri: SplitResult, endpoint: str | None, credentials: Path, seconds: float) -> str:
    """Return an HTTP URL for an object; nothing is sent.

    Args:
        uri: ``s3://``, ``gs://`` or ``az://``; its host is the bucket's (container's) name.
        endpoint: Of S3, where it is not Amazon's.
        credentials: A folder with ``access-key-id`` and ``secret-access-key`` (for ``az``: the
            account's name and key) or, for ``gs``, ``service-account.json``.
        seconds: How long a signature holds.

    Raises:
        ValueError: the credentials cannot be used.
    """
    names = _FILES[uri.scheme]
    config = {key: _credential(credentials, file) for key, file in names.items()}
    key = uri.path.lstrip("/")
    if None in config.values():
        account = config.get("account_name")
        return f"{_base(uri, endpoint, account)}/{quote(uri.netloc)}/{quote(key)}"
    return _sign(uri, key, endpoint, config, seconds)


def _sign(
    uri: SplitResult, key: str, endpoint: str | None, config: dict[str, Any], seconds: float
) -> str:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    if uri.scheme == "s3":
        config |= {"region": _REGION, **({"endpoint": endpoint} if endpoint else {})}
    settings: dict[str, Any] = {"config": config, "client_options": {"allow_http": True}}
    try:
        store: Any = from_url(f"{uri.scheme}://{uri.netloc}", **settings)
        return str(obstore.sign(store, "GET", key, timedelta(seconds=seconds)))
    except BaseError as error:
        raise ValueError(type(error).__name__) from None


def _base(uri: SplitResult, endpoint: str | None, account: str | None) -> str:
    if uri.scheme == "s3":
        return (endpoint or f"https://s3.{_REGION}.amazonaws.com").rstrip("/")
    if uri.scheme == "gs":
        return "https://storage.googleapis.com"
    if account is None:
        raise ValueError("no account")
    return f"https://{quote(account)}.blob.core.windows.net"


def _credential(folder: Path, name: str) -> str | None:
    try:
        return (folder / name).read_text().strip() or None
    except FileNotFoundError:
        return None
