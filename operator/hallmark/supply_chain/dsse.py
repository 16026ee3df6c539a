"""DSSE v1 envelopes with one ECDSA P-256/SHA-256 signature.

https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.keys import Signer, is_signature, sign

IN_TOTO = "application/vnd.in-toto+json"
"""Payload type of in-toto statements."""


class MalformedEnvelope(ValueError):
    """The envelope is not of the form that is read here; the message names what was found."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding, which is what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(key: Signer, payload_type: str, payload: bytes) -> dict[str, Any]:
    """Return the envelope as a JSON object."""
    signature = sign(key, pae(payload_type, payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
    }


def open_envelope(envelope: object, payload_type: str) -> tuple[bytes, bytes]:
    """Return payload and signature of an envelope, neither of them verified yet.

    Raises:
        MalformedEnvelope: Another payload type, not exactly one signature, an unknown field, or
            text that is not canonical base64.
    """
    body = take(envelope, "the envelope", {"payload", "payloadType", "signatures"})
    if body["payloadType"] != payload_type:
        raise MalformedEnvelope("another payload type")
    signatures = body["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        count = len(signatures) if isinstance(signatures, list) else "no list of"
        raise MalformedEnvelope(f"{count} signatures where exactly one is read")
    signature = take(signatures[0], "the signature", {"sig"}, {"keyid"})
    if signature.get("keyid", "") != "":
        raise MalformedEnvelope("a keyid, which nothing protects")
    return _base64(body["payload"]), _base64(signature["sig"])


def is_signed_by(
    key: ec.EllipticCurvePublicKey, payload_type: str, payload: bytes, signature: bytes
) -> bool:
    """Tell whether the key's owner signed this payload of this type."""
    return is_signature(key, signature, pae(payload_type, payload))


def take(
    value: object, what: str, required: set[str], optional: set[str] | None = None
) -> dict[str, Any]:
    """Return ``value`` if it is an object with the required names and none but the optional.

    Raises:
        MalformedEnvelope: It is not.
    """
    if not isinstance(value, dict):
        raise MalformedEnvelope(f"{what} is not an object")
    if missing := required - value.keys():
        raise MalformedEnvelope(f"{what} without '{min(missing)}'")
    if value.keys() - required - (optional or set()):
        raise MalformedEnvelope(f"{what} with an unknown field")
    return value


def _base64(text: object) -> bytes:
    if isinstance(text, str) and text.isascii():
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            data = b""
        if data and base64.b64encode(data).decode() == text:
            return data
    raise MalformedEnvelope("text that is not base64")
