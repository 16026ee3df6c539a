"""What the operator keeps outside the audit volume, in one object that it alone writes. Pure.

The anchor (the last signed head), withdrawals that the volume would not take, and the admission
policies as they were last seen. Everything is signed with the audit key.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.head import read_head_text
from hallmark.audit.opening import ANCHOR, Anchored
from hallmark.audit.record import Record
from hallmark.errors import ArtifactError
from hallmark.keys import Signer, is_text_signature, text_signature

HEAD_KEY = "head.json"
BREAK_KEY = "break.json"
PENDING_PREFIX = "pending-"
GUARDS_KEY = "guards.json"
"""Keys of the object's data; there may be many pending ones."""
PIECE = 32
"""Records under one key."""

MAX_PENDING = 512 * 1024
"""Bytes of records that wait outside for the volume, packed: some thousand of them."""

_CONTEXT = b"hallmark.dev/audit-outside/v1\n"


def anchored(text: str | None) -> Anchored:
    """Return the anchor that stands in the object."""
    if text is None:
        return None
    return read_head_text(text.encode()) or f"The {ANCHOR} is no signed head in canonical form."


def signed_text(key: Signer, name: str, payload: object) -> str:
    """Return a value with the key's signature over it and its name, as text."""
    body = json.dumps(payload, sort_keys=True).encode()
    signature = text_signature(key, _bytes_to_sign(name, body))
    return json.dumps({"payload": body.decode(), "signature": signature}, sort_keys=True)


def read_signed(keys: Sequence[ec.EllipticCurvePublicKey], name: str, text: str | None) -> Any:  # noqa: ANN401 - any JSON
    """Return the value that one of the keys signed under that name; None where there is none."""
    try:
        document = json.loads(text or "")
        body = document["payload"].encode()
        signature, signed = document["signature"], _bytes_to_sign(name, body)
        if any(is_text_signature(key, signature, signed) for key in keys):
            return json.loads(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _bytes_to_sign(name: str, body: bytes) -> bytes:
    return _CONTEXT + name.encode() + b"\n" + body


def pending_texts(key: Signer, records: Sequence[Record], since: int = 0) -> dict[str, str]:
    """Return records as they wait outside, by key of the object's data.

    They stand in pieces, so that one more record makes one piece anew.

    Args:
        key: the audit key.
        records: all that wait, the newest last.
        since: how many of them stand there already; only pieces with later ones are returned.
    """
    first = since // PIECE
    pieces = range(first, (len(records) + PIECE - 1) // PIECE)
    return {
        _piece(number): _packed(key, number, records[number * PIECE : (number + 1) * PIECE])
        for number in pieces
    }


def is_pending(key: str) -> bool:
    """Tell whether records wait under a key of the object's data."""
    return key.startswith(PENDING_PREFIX)


def read_pending(
    keys: Sequence[ec.EllipticCurvePublicKey], data: Mapping[str, str]
) -> list[Record]:
    """Return the records that wait outside, the newest last.

    Raises:
        ArtifactError: another version of the operator wrote them, which this one cannot read.
    """
    try:
        return [
            Record(**wire)
            for key in sorted(filter(is_pending, data))
            if (packed := read_signed(keys, key, data[key])) is not None
            for wire in json.loads(zlib.decompress(base64.b64decode(packed)))
        ]
    except (TypeError, ValueError, zlib.error) as error:
        raise ArtifactError(
            "Records that wait outside the audit volume cannot be read by this version; start the "
            "one that wrote them until the log has them."
        ) from error


def require_room(data: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Refuse more records outside the volume than there is room for.

    Raises:
        ArtifactError: they are more.
    """
    size = sum(len(text) for key, text in {**data, **texts}.items() if is_pending(key))
    if size > MAX_PENDING:
        raise ArtifactError(
            f"The audit volume takes no record, and what waits for it ({size} bytes, packed) is "
            "more than there is room for. Make room on the volume, or mend it."
        )


def _piece(number: int) -> str:
    return f"{PENDING_PREFIX}{number:06d}.json"


def _packed(key: Signer, number: int, records: Sequence[Record]) -> str:
    plain = json.dumps([asdict(record) for record in records], sort_keys=True).encode()
    packed = base64.b64encode(zlib.compress(plain)).decode()
    return signed_text(key, _piece(number), packed)
