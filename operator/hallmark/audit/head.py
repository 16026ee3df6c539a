"""The signed head: how far the log reached, so that a cut or rewritten log is found."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field

from hallmark.api.common import FileModel, Timestamp, canonical_json
from hallmark.audit.record import Hash
from hallmark.keys import is_signature, key_id, sign

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
    head = Head(seq=seq, hash=hash_, time=time, key_id=key_id(key), signature="A")
    signature = sign(key, _signed_bytes(head))
    return head.model_copy(update={"signature": base64.b64encode(signature).decode()})


def is_signed_by(head: Head, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Tell whether the key's owner signed this head."""
    try:
        signature = base64.b64decode(head.signature, validate=True)
    except ValueError:
        return False
    return head.key_id == key_id(public_key) and is_signature(
        public_key, signature, _signed_bytes(head)
    )


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


def _signed_bytes(head: Head) -> bytes:
    wire = head.to_wire()
    del wire["signature"]
    return _CONTEXT + canonical_json(wire)
