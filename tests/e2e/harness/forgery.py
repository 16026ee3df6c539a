"""Signatures by a key that no policy names."""

import base64
import copy
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e.harness.api import Object


def _pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def foreign_bundle(bundle: Object) -> Object:
    """Return the bundle with the same statement, signed well by a fresh P-256 key."""
    forged = copy.deepcopy(bundle)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hint = hashlib.sha256(public).hexdigest()
    envelope = forged["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    signature = key.sign(_pae(envelope["payloadType"], payload), ec.ECDSA(hashes.SHA256()))
    envelope["signatures"] = [{"sig": base64.b64encode(signature).decode(), "keyid": ""}]
    forged["verificationMaterial"]["publicKey"] = {"hint": hint}
    return forged
