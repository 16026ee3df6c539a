"""Keys: ECDSA with SHA-256 on P-256, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hallmark.api.texts import clip, parse_timestamp
from hallmark.errors import ConfigurationError
from hallmark.token_uri import names_token, read_uri

if TYPE_CHECKING:
    from hallmark.api.trust import TrustedKey


class Signer(Protocol):
    """Signs with a private key on P-256, wherever that is kept: cryptography's own keys do."""

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half."""

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return a signature in DER.

        Raises:
            ArtifactError: The key does not sign (any longer).
        """


class Purpose(StrEnum):
    """What a key is trusted for."""

    SEAL = "seal"
    AUDIT = "audit"
    APPROVE = "approve"


class KeyFault(Enum):
    """What is wrong with a key of the policy."""

    MISCONFIGURED = auto()
    """The policy's entry is wrong."""
    REVOKED = auto()
    """Somebody else may have had it."""
    OUT_OF_VALIDITY = auto()
    """It has ended, or is not yet valid."""


@dataclass(frozen=True)
class UnusableKey:
    """Why a key of the policy counts for nothing."""

    why: str
    """A sentence without its end, about the key."""
    fault: KeyFault


def open_signer(content: bytes) -> Signer:
    """Return what signs by what a key's file holds: a private key in PEM, or a PKCS#11 URI.

    Raises:
        ConfigurationError: There is no such key.
    """
    if names_token(content):
        from hallmark.pkcs11 import TokenKey

        return TokenKey(read_uri(content.decode(errors="replace").strip()))
    return load_private_key(content)


def load_private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the private key in an unencrypted PEM file.

    Raises:
        ConfigurationError: There is no such key in it, or it is not on P-256.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "Expected an unencrypted PKCS#8 private key in PEM; found something else. "
            "Make one with 'hallmark keys init'."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError("Expected a private key on the curve P-256; found another kind.")
    return key


@lru_cache(maxsize=256)
def load_public_key(pem: str) -> ec.EllipticCurvePublicKey:
    """Return the public key in a PEM text.

    Raises:
        ConfigurationError: There is no such key in it, or it is not on P-256.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "Expected a public key (SubjectPublicKeyInfo) in PEM; found something else."
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError("Expected a public key on the curve P-256; found another kind.")
    return key


def public_pem(key: ec.EllipticCurvePublicKey) -> str:
    """Return the key's SubjectPublicKeyInfo in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the key in unencrypted PKCS#8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_id(key: ec.EllipticCurvePublicKey | Signer | str) -> str:
    """Return the id of a key: the SHA-256 (hex) of its public half's PEM.

    Args:
        key: The key, or its public half in PEM.

    Raises:
        ConfigurationError: A text is not a public key on P-256.
    """
    public = load_public_key(key) if isinstance(key, str) else key
    if not isinstance(public, ec.EllipticCurvePublicKey):
        public = public.public_key()
    return hashlib.sha256(public_pem(public).encode()).hexdigest()


def sign(key: Signer, data: bytes) -> bytes:
    """Return the key's signature over ``data``, in DER."""
    return key.sign(data, ec.ECDSA(SHA256()))


def is_signature(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether the key's owner made this signature over ``data``."""
    try:
        key.verify(signature, data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def text_signature(key: Signer, data: bytes) -> str:
    """Return the key's signature over ``data``, DER in base64."""
    return base64.b64encode(sign(key, data)).decode()


def is_text_signature(key: ec.EllipticCurvePublicKey, text: str, data: bytes) -> bool:
    """Tell whether a text is a signature of the key's owner over ``data``, in its one form."""
    try:
        signature = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    # Base64 has texts that differ and mean the same bytes.
    return base64.b64encode(signature).decode() == text and is_signature(key, signature, data)


def moments_of(keys: Iterable[TrustedKey], now: datetime) -> list[datetime]:
    """Return when a key begins, ends or is revoked, as far as that is still to come."""
    texts = [text for key in keys for text in (key.valid_from, key.valid_until, key.revoked_at)]
    moments = [parse_timestamp(text) for text in texts if text is not None]
    return [moment for moment in moments if moment > now]


def usable_key(
    key: TrustedKey, now: datetime, seen_at: datetime | None = None
) -> ec.EllipticCurvePublicKey | UnusableKey:
    """Return a key of the policy if it reads, has the id it claims, and was valid when it signed.

    Never raises, whatever the policy holds. A revocation holds for the id, whatever else the entry
    says, and for all that the key ever signed.

    Args:
        key: The policy's entry.
        now: The time, at which the key must not be revoked (aware).
        seen_at: When the signature was first seen by somebody who is trusted with that: the API
            server, the operator or the signed log. No signature has a time of its own; None where
            nobody says, and then the key must be valid now.
    """
    try:
        if key.revoked_at and parse_timestamp(key.revoked_at) <= now:
            why = f"was revoked at {key.revoked_at}; nothing that it signed counts"
            return UnusableKey(why, KeyFault.REVOKED)
        public = load_public_key(key.public_key)
        if key_id(public) != key.key_id:
            why = "does not have the SHA-256 of its public key in PEM as its id"
            return UnusableKey(why, KeyFault.MISCONFIGURED)
        if ended := _out_of_validity(key, seen_at or now):
            return UnusableKey(ended, KeyFault.OUT_OF_VALIDITY)
    except (ConfigurationError, ValueError) as error:
        why = f"cannot be used: {clip(str(error)).rstrip('.')}"
        return UnusableKey(why, KeyFault.MISCONFIGURED)
    return public


def _out_of_validity(key: TrustedKey, moment: datetime) -> str | None:
    if key.valid_from and moment < parse_timestamp(key.valid_from):
        return f"is not valid before {key.valid_from}"
    if key.valid_until and parse_timestamp(key.valid_until) <= moment:
        return f"was valid until {key.valid_until}"
    return None
