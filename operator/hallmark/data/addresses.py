"""Which URLs and network addresses a dataset may come from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from hallmark.data.object_names import ambiguity, is_object, object_name

_AZURE_WIRE_SERVER = ipaddress.ip_address("168.63.129.16")
"""Azure's metadata service: a public address that only means something inside."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ENCODED_SEPARATOR = re.compile(r"%(?:2[ef]|5c|00)", re.IGNORECASE)


def is_allowed_url(url: str, prefixes: Sequence[str]) -> bool:
    """Whether a prefix covers the URL: same scheme, host and port, and a path below it.

    A prefix ends at a segment: ``https://a.example/data`` covers ``/data/x``, not ``/database``.
    A URL with a user, with ``..`` or with encoded separators is never allowed. Names of objects in
    buckets are compared as they are.
    """
    if is_object(url):
        return _is_allowed_object(url, prefixes)
    parts = _split(url)
    if parts is None or parts.username is not None or parts.password is not None:
        return False
    if _ENCODED_SEPARATOR.search(parts.path) or "\\" in parts.path:
        return False
    if {".", ".."} & set(parts.path.split("/")):
        return False
    return any(_covers(_split(prefix), parts) for prefix in prefixes)


def _is_allowed_object(uri: str, prefixes: Sequence[str]) -> bool:
    name = object_name(uri)
    if name is None or ambiguity(name) is not None:
        return False
    folders = (object_name(prefix) for prefix in prefixes)
    return any(folder is not None and folder.covers(name) for folder in folders)


def _split(url: str) -> SplitResult | None:
    if any(ord(character) <= 32 for character in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _covers(prefix: SplitResult | None, url: SplitResult) -> bool:
    if prefix is None or (prefix.scheme, prefix.hostname) != (url.scheme, url.hostname):
        return False
    if (prefix.port or 443) != (url.port or 443):
        return False
    folder = prefix.path if prefix.path.endswith("/") else f"{prefix.path}/"
    return url.path == prefix.path or url.path.startswith(folder)


def is_public_address(text: str) -> bool:
    """Whether an IP address is one of the public Internet.

    Private, loopback, link-local, shared, reserved and metadata addresses are not, nor is an IPv6
    address that stands for such an IPv4 address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public_address(str(embedded))
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and address != _AZURE_WIRE_SERVER
