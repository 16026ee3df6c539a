"""The signed head: how far the log reached, so that a cut or rewritten log is found."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field

from hallmark.api.common import FileModel, Timestamp
from hallmark.api.texts import canonical_json
from hallmark.audit.record import Hash
from hallmark.keys import Signer, is_text_signature, key_id, text_signature

_CONTEXT = b"hallmark.dev/audit-head/v1\n"
"""Keeps a signature over a head from being one over anything else."""


class Place(NamedTuple):
    """A record by its number and hash; what a chain has reached, or must hold."""

    seq: int
    hash: str


class Head(FileModel):
    """The last record when this was written, signed with the audit key.

    One stands beside the log (``<log>.head``), one outside the volume: the anchor.
    """

    schema_version: Literal["hallmark.dev/audit-head/v1"] = "hallmark.dev/audit-head/v1"
    seq: Annotated[int, Field(ge=0)]
    """0: there was no record yet."""
    hash: Hash
    time: Timestamp
    key_id: Annotated[str, Field(pattern=r"^[a-f0-9]{64}$")]
    """SHA-256 (hex) of the audit key's public half in PEM."""
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=128)]
    """ECDSA P-256/SHA-256, DER in base64, over all other fields."""

    @property
    def place(self) -> Place:
        """The record that it names."""
        return Place(self.seq, self.hash)


def sign_head(key: Signer, seq: int, hash_: str, time: str) -> Head:
    """Return the signed head of a log whose last record is ``seq``."""
    head = Head(seq=seq, hash=hash_, time=time, key_id=key_id(key), signature="A")
    return head.model_copy(update={"signature": text_signature(key, _signed_bytes(head))})


def is_signed_by(head: Head, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Tell whether the key's owner signed this head."""
    return head.key_id == key_id(public_key) and is_text_signature(
        public_key, head.signature, _signed_bytes(head)
    )


def read_head_text(data: bytes) -> Head | None:
    """Return a head in canonical form, or None where the bytes are none."""
    try:
        head = Head.model_validate_json(data)
        return head if head.to_bytes() == data else None
    except ValueError:
        return None


def doubt_about(
    head: Head | None, public_key: ec.EllipticCurvePublicKey, what: str = "head"
) -> str | None:
    """Return why a signed head vouches for nothing; None where the key's owner signed it."""
    if head is None:
        return f"The signed {what} is missing: a cut could not be found."
    if not is_signed_by(head, public_key):
        return f"The {what} was not signed by the given audit key; it names the key {head.key_id}."
    return None


def unheld(named: Place, last_seq: int, what: str = "head") -> str:
    """Return the sentence about a log that ends with ``last_seq`` and misses a record."""
    where = (
        f"the first bad record is {last_seq + 1}, which is missing"
        if last_seq < named.seq
        else f"record {named.seq} is another one"
    )
    return (
        f"The {what} names record {named.seq} with {named.hash}, but the log, which ends with "
        f"record {last_seq}, does not hold it; {where}: records were cut off or "
        "rewritten."
    )


def _signed_bytes(head: Head) -> bytes:
    wire = head.to_wire()
    del wire["signature"]
    return _CONTEXT + canonical_json(wire)
