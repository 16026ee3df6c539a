"""What the operator keeps outside the audit volume, in one object that it alone writes. Pure.

The anchor (the last signed head), withdrawals that the volume would not take, and the admission
policies as they were last seen. Everything is signed with the audit key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.head import read_head_text
from hallmark.audit.opening import ANCHOR, Anchored
from hallmark.audit.record import Record
from hallmark.errors import ArtifactError
from hallmark.keys import is_text_signature, text_signature

HEAD_KEY = "head.json"
BREAK_KEY = "break.json"
PENDING_KEY = "pending.json"
GUARDS_KEY = "guards.json"
"""Keys of the object's data."""

MAX_PENDING = 256 * 1024
"""Bytes of records that wait outside for the volume."""

_CONTEXT = b"hallmark.dev/audit-outside/v1\n"


def anchored(text: str | None) -> Anchored:
    """Return the anchor that stands in the object."""
    if text is None:
        return None
    return read_head_text(text.encode()) or f"The {ANCHOR} is no signed head in canonical form."


def signed_text(key: ec.EllipticCurvePrivateKey, name: str, payload: object) -> str:
    """Return a value with the key's signature over it and its name, as text."""
    body = json.dumps(payload, sort_keys=True).encode()
    signature = text_signature(key, _bytes_to_sign(name, body))
    return json.dumps({"payload": body.decode(), "signature": signature}, sort_keys=True)


def read_signed(public_key: ec.EllipticCurvePublicKey, name: str, text: str | None) -> Any:  # noqa: ANN401
    """Return the value that the key's owner signed under that name; None where there is none."""
    try:
        document = json.loads(text or "")
        body = document["payload"].encode()
        if is_text_signature(public_key, document["signature"], _bytes_to_sign(name, body)):
            return json.loads(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _bytes_to_sign(name: str, body: bytes) -> bytes:
    return _CONTEXT + name.encode() + b"\n" + body


def pending_text(key: ec.EllipticCurvePrivateKey, records: Sequence[Record]) -> str:
    """Return records as they wait outside.

    Raises:
        ArtifactError: they are too large together.
    """
    text = signed_text(key, PENDING_KEY, [asdict(record) for record in records])
    if len(text) > MAX_PENDING:
        raise ArtifactError(
            f"The audit volume takes no record, and {len(records)} records that wait for it are "
            "more than there is room for. Make room on the volume, or mend it."
        )
    return text


def read_pending(public_key: ec.EllipticCurvePublicKey, text: str | None) -> list[Record]:
    """Return the records that wait outside.

    Raises:
        ArtifactError: another version of the operator wrote them, which this one cannot read.
    """
    try:
        return [Record(**record) for record in read_signed(public_key, PENDING_KEY, text) or []]
    except TypeError as error:
        raise ArtifactError(
            "Records that wait outside the audit volume cannot be read by this version; start the "
            "one that wrote them until the log has them."
        ) from error
