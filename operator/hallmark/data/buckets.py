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
from urllib.parse import quote

from hallmark.data.object_names import ObjectName
from hallmark.files import read_line

_REGION = "us-east-1"
_FILES = {
    "s3": {"access_key_id": "access-key-id", "secret_access_key": "secret-access-key"},
    "az": {"account_name": "access-key-id", "account_key": "secret-access-key"},
    "gs": {"service_account_key": "service-account.json"},
}

REFUSALS: Mapping[int, tuple[str, str]] = {
    404: (
        "an object in the bucket of exactly this name ('#', '?' and '%' belong to it)",
        "none of this name",
    ),
    403: ("credentials that may read the object", "a refusal by the store"),
    401: ("credentials that may read the object", "a refusal by the store"),
}
"""What the stores' statuses mean."""


def object_url(name: ObjectName, endpoint: str | None, credentials: Path, seconds: float) -> str:
    """Return an HTTP URL for an object; nothing is sent.

    Args:
        name: The object; its key is one that every store reads as it stands.
        endpoint: Of S3, where it is not Amazon's.
        credentials: A folder with ``access-key-id`` and ``secret-access-key`` (for ``az``: the
            account's name and key) or, for ``gs``, ``service-account.json``.
        seconds: How long a signature holds.

    Raises:
        ValueError: the credentials cannot be used.
    """
    files = _FILES[name.scheme]
    config = {key: _credential(credentials, file) for key, file in files.items()}
    if None in config.values():
        base = _base(name.scheme, endpoint, config.get("account_name"))
        return f"{base}/{quote(name.bucket)}/{quote(name.key)}"
    return _sign(name, endpoint, config, seconds)


def _sign(name: ObjectName, endpoint: str | None, config: dict[str, Any], seconds: float) -> str:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    if name.scheme == "s3":
        config |= {"region": _REGION, **({"endpoint": endpoint} if endpoint else {})}
    settings: dict[str, Any] = {"config": config, "client_options": {"allow_http": True}}
    try:
        store: Any = from_url(f"{name.scheme}://{name.bucket}", **settings)
        return str(obstore.sign(store, "GET", name.key, timedelta(seconds=seconds)))
    except BaseError as error:
        raise ValueError(type(error).__name__) from None


def _base(scheme: str, endpoint: str | None, account: str | None) -> str:
    if scheme == "s3":
        return (endpoint or f"https://s3.{_REGION}.amazonaws.com").rstrip("/")
    if scheme == "gs":
        return "https://storage.googleapis.com"
    if account is None:
        raise ValueError("no account")
    return f"https://{quote(account)}.blob.core.windows.net"


def _credential(folder: Path, name: str) -> str | None:
    try:
        return read_line(folder / name) or None
    except FileNotFoundError:
        return None
