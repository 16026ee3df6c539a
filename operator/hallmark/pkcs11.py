"""A private key that stays in a PKCS#11 token: a hardware module, a card, a cloud's key service."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.files import read_line
from hallmark.token_uri import KeyPlace, unusable

_COORDINATE = 32
"""Bytes of a number on P-256."""


class TokenKey:
    """A private key on P-256 that its token keeps."""

    def __init__(self, place: KeyPlace) -> None:
        """Find the key.

        Raises:
            ConfigurationError: The token or the key is not there, or it is of another kind.
        """
        self._place = place
        self._lock = threading.Lock()
        """A token's session does one thing at a time."""
        self._private, self._public = _find(place)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half."""
        return self._public

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return a signature in DER, as cryptography's own keys do.

        Raises:
            ArtifactError: The token does not sign (any longer).
            ValueError: Another algorithm than ECDSA with SHA-256 is asked for.
        """
        asked = signature_algorithm.algorithm
        if getattr(asked, "name", "") != "sha256":
            raise ValueError("A token's key signs with ECDSA and SHA-256 alone.")
        digest = hashlib.sha256(data).digest()
        with self._lock:
            raw = _sign(self._private, digest) or self._sign_anew(digest)
        return encode_dss_signature(
            int.from_bytes(raw[:_COORDINATE]), int.from_bytes(raw[_COORDINATE:])
        )

    def _sign_anew(self, digest: bytes) -> bytes:
        """Sign in another session: a token that was taken out and put in again ends its own."""
        try:
            self._private, _ = _find(self._place)
        except ConfigurationError as error:
            raise ArtifactError(str(error)) from error
        raw = _sign(self._private, digest)
        if raw is None:
            raise ArtifactError(
                f"The key in the PKCS#11 token '{self._place.token}' does not sign; see whether "
                f"the token allows ECDSA, and whether its PIN is locked."
            )
        return raw


def _sign(key: Any, digest: bytes) -> bytes | None:  # noqa: ANN401 - any key that signs
    """Return the two numbers of a signature, one after the other, or None where there is none."""
    import pkcs11

    try:
        raw = bytes(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
    except pkcs11.PKCS11Error:
        return None
    return raw if len(raw) == 2 * _COORDINATE else None


def _find(place: KeyPlace) -> tuple[Any, ec.EllipticCurvePublicKey]:
    try:
        import pkcs11
    except ImportError as error:
        raise unusable("expected the Python package python-pkcs11 (extra 'hsm')") from error
    from pkcs11.util.ec import encode_ec_public_key

    pin = _pin(place.pin_file)
    named: dict[str, Any] = {}
    if place.label is not None:
        named["label"] = place.label
    if place.id is not None:
        named["id"] = place.id
    try:
        session = _session(pkcs11.lib(str(place.module)).get_token(token_label=place.token), pin)
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, **named)
        public: Any = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, **named)
        key = load_der_public_key(encode_ec_public_key(public))
    except (pkcs11.PKCS11Error, RuntimeError, OSError, ValueError) as error:
        raise unusable(
            f"token '{place.token}' by {place.module}: {type(error).__name__} {error}".rstrip()
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise unusable("expected a key on the curve P-256, found another kind")
    return private, key


def _session(token: Any, pin: str | None) -> Any:  # noqa: ANN401 - any token's
    """Open a session; the sessions of a process share one login to a token."""
    from pkcs11 import UserAlreadyLoggedIn

    try:
        return token.open(user_pin=pin)
    except UserAlreadyLoggedIn:
        return token.open()


def _pin(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return read_line(file)
    except OSError as error:
        raise unusable(f"the PIN's file {file} cannot be read ({error.strerror})") from error
