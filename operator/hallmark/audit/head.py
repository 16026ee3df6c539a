"""The signed head: how far the log reached, so that a cut or rewritten log is found."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import Field

from hallmark.api.common import FileModel, Timestamp, canonical_json
from hallmark.audit.record import Hash
from hallmark.errors import ConfigurationError

_CONTEXT = b"hallmark.dev/audit-head/v1\n"
"""Keeps a signature over a head from being one over anything else."""


class Head(FileModel):
    """``<log>.head``: the last record when it was written, signed with the audit key."""

    schema_version: Literal["hallmark.dev/audit-head/v1"] = "hallmark.dev/audit-head/v1"
    seq: Annotated[int, Field(ge=1)]
    hash: Hash
    time: Timestamp
    key_id: Annotated[str, Field(pattern=r"^[a-f0-9]{64}$")]
    """SHA-256 (hex) of the audit key's public half in PEM."""
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=128)]
    """ECDSA P-256/SHA-256, DER in base64, over all other fields."""


def sign_head(key: ec.EllipticCurvePrivateKey, seq: int, hash_: str, time: str) -> Head:
    """Return the signed head of a log whose last record is ``seq``."""
    head = Head(seq=seq, hash=hash_, time=time, key_id=_key_id(key.public_key()), signature="A")
    signature = key.sign(_signed_bytes(head), ec.ECDSA(SHA256()))
    return head.model_copy(update={"signature": base64.b64encode(signature).decode()})


def is_signed_by(head: Head, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Tell whether the key's owner signed this head."""
    try:
        signature = base64.b64decode(head.signature, validate=True)
        public_key.verify(signature, _signed_bytes(head), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return head.key_id == _key_id(public_key)


def doubt_about(head: Head | None, public_key: ec.EllipticCurvePublicKey) -> str | None:
    """Return why a log's head vouches for nothing; None where the key's owner signed it."""
    if head is None:
        return "The signed head is missing: a cut could not be found."
    if not is_signed_by(head, public_key):
        return f"The head was not signed by the given audit key; it names the key {head.key_id}."
    return None


def unheld(head: Head, last_seq: int) -> str:
    """Return the sentence about a log that ends with ``last_seq`` and misses its head's record."""
    return (
        f"The head names record {head.seq} with {head.hash}, but the log, which ends with record "
        f"{last_seq}, does not hold it: records were cut off or rewritten."
    )


def load_private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the audit key.

    Raises:
        ConfigurationError: It is not an unencrypted private key on P-256.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "Expected the audit key as an unencrypted private key in PEM; found something else. "
            "Make one with 'hallmark keys init'."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError("Expected an audit key on the curve P-256; found another kind.")
    return key


def load_public_key(pem: str) -> ec.EllipticCurvePublicKey:
    """Return the public half of an audit key.

    Raises:
        ConfigurationError: It is not a public key on P-256.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "Expected the audit key's public half in PEM; found something else."
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError("Expected an audit key on the curve P-256; found another kind.")
    return key


def _key_id(key: ec.EllipticCurvePublicKey) -> str:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _signed_bytes(head: Head) -> bytes:
    wire = head.to_wire()
    del wire["signature"]
    return _CONTEXT + canonical_json(wire)
