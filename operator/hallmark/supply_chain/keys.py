"""Keys: ECDSA on P-256, and nothing else."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hallmark.errors import ConfigurationError


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


def key_id(pem: str) -> str:
    """Return the id of a public key: the SHA-256 (hex) of its SubjectPublicKeyInfo in PEM.

    Raises:
        ConfigurationError: ``pem`` is not a public key on P-256.
    """
    return hashlib.sha256(public_pem(load_public_key(pem)).encode()).hexdigest()
