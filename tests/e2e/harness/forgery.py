"""Signatures by a key that no policy names."""

import base64
import copy

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.keys import key_id
from hallmark.supply_chain.dsse import IN_TOTO, sign_envelope
from tests.e2e.harness.api import Object


def foreign_bundle(bundle: Object, *, named: bool = True) -> Object:
    """Return the bundle with the same statement, signed well by a fresh P-256 key.

    Args:
        bundle: a Sigstore bundle.
        named: whether it names the fresh key; else it goes on naming the key that signed before.
    """
    forged = copy.deepcopy(bundle)
    key = ec.generate_private_key(ec.SECP256R1())
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    forged["dsseEnvelope"] = sign_envelope(key, IN_TOTO, payload)
    if named:
        forged["verificationMaterial"]["publicKey"]["hint"] = key_id(key)
    return forged
