"""Keys of the policy: which of them count, and why the others do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hallmark.api.texts import parse_timestamp
from hallmark.api.trust import TrustedKey
from hallmark.errors import ConfigurationError
from hallmark.keys import (
    KeyFault,
    UnusableKey,
    is_signature,
    key_id,
    load_private_key,
    private_pem,
    public_pem,
    sign,
    usable_key,
)

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = public_pem(KEY.public_key())
OTHER = ec.generate_private_key(ec.SECP384R1())
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def trusted(**changes: str) -> TrustedKey:
    return TrustedKey.model_construct(**{"key_id": key_id(PEM), "public_key": PEM, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="one without an end"),
        pytest.param({"valid_from": "2026-06-01T12:00:00Z"}, id="one that begins now"),
        pytest.param({"valid_until": "2026-06-01T12:00:01Z"}, id="one that ends in a second"),
        pytest.param({"revoked_at": "2026-06-01T12:00:01Z"}, id="one that will be revoked"),
    ],
)
def test_a_valid_key_is_usable(changes: dict[str, str]) -> None:
    usable = usable_key(trusted(**changes), NOW)
    assert isinstance(usable, ec.EllipticCurvePublicKey)
    assert public_pem(usable) == PEM


@pytest.mark.parametrize(
    ("changes", "why", "fault"),
    [
        pytest.param(
            {"public_key": "no key"}, "cannot be used", KeyFault.MISCONFIGURED, id="no key at all"
        ),
        pytest.param(
            {"public_key": public_pem(OTHER.public_key())},
            "P-256",
            KeyFault.MISCONFIGURED,
            id="another curve",
        ),
        pytest.param(
            {"key_id": "0" * 64}, "as its id", KeyFault.MISCONFIGURED, id="the id of another key"
        ),
        pytest.param(
            {"public_key": "no key", "revoked_at": "2026-06-01T12:00:00Z"},
            "was revoked",
            KeyFault.REVOKED,
            id="one revoked by its id alone",
        ),
        pytest.param(
            {"revoked_at": "2026-06-01T12:00:00Z"},
            "was revoked",
            KeyFault.REVOKED,
            id="one revoked now",
        ),
        pytest.param(
            {"valid_from": "2026-06-01T12:00:01Z"},
            "not valid before",
            KeyFault.OUT_OF_VALIDITY,
            id="one of later",
        ),
        pytest.param(
            {"valid_until": "2026-06-01T12:00:00Z"},
            "was valid until",
            KeyFault.OUT_OF_VALIDITY,
            id="one that ends",
        ),
    ],
)
def test_any_other_key_is_refused_with_its_reason(
    changes: dict[str, str], why: str, fault: KeyFault
) -> None:
    refused = usable_key(trusted(**changes), NOW)
    assert isinstance(refused, UnusableKey)
    assert why in refused.why
    assert refused.fault is fault


RETIRED = {"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-03-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("seen_at", "usable"),
    [
        ("2026-01-31T23:59:59Z", False),
        ("2026-02-01T00:00:00Z", True),
        ("2026-02-28T23:59:59Z", True),
        ("2026-03-01T00:00:00Z", False),
        (None, False),
    ],
)
def test_a_retired_key_is_good_for_what_was_seen_while_it_was_valid(
    seen_at: str | None, usable: bool
) -> None:
    seen = parse_timestamp(seen_at) if seen_at else None
    found = usable_key(trusted(**RETIRED), NOW, seen)
    assert isinstance(found, UnusableKey) is not usable


def test_a_revoked_key_is_good_for_nothing_whenever_it_was_seen() -> None:
    key = trusted(**RETIRED, revoked_at="2026-06-01T12:00:00Z")
    found = usable_key(key, NOW, parse_timestamp("2026-02-02T00:00:00Z"))
    assert isinstance(found, UnusableKey)
    assert found.fault is KeyFault.REVOKED


def test_a_signature_is_one_over_exactly_these_bytes_by_this_key() -> None:
    signature = sign(KEY, b"data")
    public = KEY.public_key()
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert is_signature(public, signature, b"data")
    assert not is_signature(public, signature, b"Data")
    assert not is_signature(public, b"no signature", b"data")
    assert not is_signature(stranger, signature, b"data")


def test_a_key_has_one_id_in_every_form() -> None:
    assert key_id(PEM) == key_id(KEY) == key_id(KEY.public_key())
    assert key_id(load_private_key(private_pem(KEY))) == key_id(PEM)


@pytest.mark.parametrize(
    ("pem", "sentence"),
    [
        pytest.param(b"no key", "unencrypted PKCS#8", id="no key at all"),
        pytest.param(
            KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "unencrypted PKCS#8",
            id="a public key",
        ),
        pytest.param(
            KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")),
            "unencrypted PKCS#8",
            id="an encrypted key",
        ),
        pytest.param(private_pem(OTHER), "P-256", id="another curve"),
        pytest.param(
            ed25519.Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "P-256",
            id="another algorithm",
        ),
    ],
)
def test_a_file_without_a_private_key_on_p256_is_refused(pem: bytes, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        load_private_key(pem)
