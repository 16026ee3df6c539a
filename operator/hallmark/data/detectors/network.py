"""Addresses of devices: IP and MAC."""

from __future__ import annotations

import ipaddress
import re

import polars as pl

from hallmark.api.pii import PIIDetector
from hallmark.data.detectors.column import TextColumn, only, vocabulary

_GLOBAL_V6 = tuple(
    ipaddress.ip_network(network) for network in ("2000::/3", "fc00::/7", "fe80::/10")
)


class IPAddress:
    """An address of the Internet Protocol, version 4 or 6; not a software's version.

    Loopback, unspecified, multicast and netmasks lead to nobody.
    """

    kind = PIIDetector.IP_ADDRESS
    _versions = vocabulary("version versions release build firmware software oid section chapter")
    _named = vocabulary("ip ipaddress ipaddr ipv address host client server source destination")
    _pattern = (
        r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]"
        r"|[0-9A-Fa-f]::|::[0-9A-Fa-f]"
    )
    _alone = r"^\s*(?:[0-9]{1,3}\.){3}[0-9]{1,3}\s*$"
    _token = re.compile(
        r"(?i)(?<![0-9A-Za-z.:_])(?<!version )(?<!release )(?<!build )(?<!firmware )"
        r"[0-9a-f:.]{3,45}(?:%[0-9a-z]+)?(?![0-9A-Za-z:_]|\.[0-9A-Za-z])"
    )

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an address."""
        if column.is_named(self._versions):
            return column.nothing()
        hits = only(column.matching(self._pattern), self._holds)
        alone = hits.filter(hits.str.contains(self._alone))
        if len(alone) > 2 and not column.is_named(self._named) and _are_versions(alone):
            return hits.filter(~hits.str.contains(self._alone))
        return hits

    def _holds(self, text: str) -> bool:
        return any(_leads_to_somebody(token.rstrip(".:")) for token in self._token.findall(text))


def _are_versions(quads: pl.Series) -> bool:
    """Whether no part of any is above 30: addresses use the whole range."""
    parts = quads.str.strip_chars().str.split(".").explode().cast(pl.Int64, strict=False)
    return bool((parts <= 30).all())


def _leads_to_somebody(token: str) -> bool:
    if token.count(".") != 3 and token.count(":") < 2:
        return False
    try:
        address = ipaddress.ip_address(token)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.packed[0] not in (0, 255)
    # 'dead::beef' may be two names of a program; addresses in use begin otherwise.
    return address.ipv4_mapped is not None or any(address in network for network in _GLOBAL_V6)


class MACAddress:
    """The address of a network card; neither broadcast nor multicast, and no time code."""

    kind = PIIDetector.MAC_ADDRESS
    _names = vocabulary(
        "mac macaddress macaddr hardwareaddress hwaddr bssid wifimac ethernetaddress"
    )
    _core = (
        r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}"
        r"|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"
    )
    _pattern = rf"(?:^|[^0-9A-Za-z:.\-])(?:{_core})(?:$|[^0-9A-Za-z:\-])"
    _exact = re.compile(rf"(?<![0-9A-Za-z:.\-])(?:{_core})(?![0-9A-Za-z:\-]|\.[0-9A-Za-z])")
    _bare = r"^\s*[0-9A-Fa-f]{12}\s*$"

    def find(self, column: TextColumn) -> pl.Series:
        """Return the texts with an address."""
        named = column.is_named(self._names)
        hits = only(column.matching(self._pattern), lambda text: self._holds(text, named=named))
        if named and not len(hits):
            return column.mostly(column.shaped(self._bare))
        return hits

    def _holds(self, text: str, *, named: bool) -> bool:
        for match in self._exact.findall(text):
            digits = re.sub("[^0-9A-Fa-f]", "", match)
            multicast = int(digits[:2], 16) & 1
            if not multicast and digits.strip("0") and (named or not digits.isdigit()):
                return True
        return False
