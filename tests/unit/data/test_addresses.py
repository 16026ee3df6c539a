from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from hallmark.data.addresses import is_allowed_url, is_public_address

PREFIXES = ["https://data.example.org/open/", "https://a.example:8443/x", "s3://bucket/in"]

ALLOWED = [
    "https://data.example.org/open/a.csv",
    "https://DATA.example.org:443/open/a/b.csv?version=2",
    "https://a.example:8443/x",
    "https://a.example:8443/x/y.csv",
    "s3://bucket/in/a.csv",
]
NOT_ALLOWED = {
    "another host": "https://evil.example/open/a.csv",
    "a host that only begins alike": "https://data.example.org.evil.example/open/a.csv",
    "another scheme": "http://data.example.org/open/a.csv",
    "another port": "https://data.example.org:8443/open/a.csv",
    "a path that only begins alike": "https://a.example:8443/xyz",
    "a path above": "https://data.example.org/a.csv",
    "dots": "https://data.example.org/open/../a.csv",
    "encoded dots": "https://data.example.org/open/%2e%2e/a.csv",
    "an encoded separator": "https://data.example.org/open%2f..%2fa.csv",
    "a backslash": "https://data.example.org/open/..\\a.csv",
    "a user": "https://data.example.org@evil.example/open/a.csv",
    "a user at the right host": "https://me:secret@data.example.org/open/a.csv",
    "a line end": "https://data.example.org/open/a.csv\r\nHost: evil.example",
    "a port that is none": "https://data.example.org:x/open/a.csv",
    "a bucket that only begins alike": "s3://bucket-2/in/a.csv",
    "no host": "https:///open/a.csv",
}


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed(url: str) -> None:
    assert is_allowed_url(url, PREFIXES)


@pytest.mark.parametrize("url", NOT_ALLOWED.values(), ids=NOT_ALLOWED)
def test_not_allowed(url: str) -> None:
    assert not is_allowed_url(url, PREFIXES)


def test_without_prefixes_nothing_is_allowed() -> None:
    assert not is_allowed_url(ALLOWED[0], [])


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    assert is_allowed_url(f"https://{text}", PREFIXES) in (True, False)
    assert not is_allowed_url(text, [text]) or "://" in text


PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"]
NOT_PUBLIC = {
    "loopback": "127.0.0.1",
    "loopback elsewhere": "127.9.9.9",
    "IPv6 loopback": "::1",
    "unspecified": "0.0.0.0",  # noqa: S104 - an address to refuse
    "private": "10.1.2.3",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "shared": "100.64.0.1",
    "link-local and metadata": "169.254.169.254",
    "Alibaba's metadata": "100.100.100.200",
    "Azure's metadata": "168.63.129.16",
    "AWS's metadata by IPv6": "fd00:ec2::254",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv4 in IPv6": "::ffff:169.254.169.254",
    "6to4": "2002:7f00:1::",
    "NAT64": "64:ff9b::a9fe:a9fe",
    "Teredo": "2001:0:53aa:64c:0:fbfe:7f00:1",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "documentation": "192.0.2.1",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize("address", NOT_PUBLIC.values(), ids=NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public_address(address)


@given(st.ip_addresses(network="10.0.0.0/8"))
def test_a_private_address_is_not_public_in_any_dress(address: ipaddress.IPv4Address) -> None:
    assert not is_public_address(f"::ffff:{address}")
    assert not is_public_address(
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address)))
    )
