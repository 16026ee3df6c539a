"""A private key that stays in a PKCS#11 token: a hardware module, a card, a cloud's key service.

A key is named by a URI (RFC 7512) with the token, the key's label or id, and the module to load:
``pkcs11:token=hallmark;object=sealing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/pin``.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hallmark.errors import ArtifactError, ConfigurationError

SCHEME = "pkcs11:"
"""How a key's file begins that names a key in a token instead of holding one."""
MOST = 4096
"""Characters of a URI."""
_PATH = frozenset({"token", "object", "id", "serial", "manufacturer", "model", "type"})
_QUERY = frozenset({"module-path", "pin-source"})
_COORDINATE = 32
"""Bytes of a number on P-256."""


@dataclass(frozen=True)
class KeyPlace:
    """Where a key is.

    Args:
        module: the token's library.
        token: its label.
        label: the key's label, or None.
        id: the key's id, or None.
        pin_file: holds the user's PIN, or None where the token asks for none.
    """

    module: Path
    token: str
    label: str | None
    id: bytes | None
    pin_file: Path | None


def names_token(text: str | bytes) -> bool:
    """Tell whether what stands where a key stands is a URI: the key is in a token."""
    return text.startswith(SCHEME) if isinstance(text, str) else text.startswith(SCHEME.encode())


def read_uri(text: str) -> KeyPlace:
    """Return what a URI names.

    Raises:
        ConfigurationError: It is no such URI, or it does not say enough. A PIN in the URI is
            refused: what names a key may be seen by all.
    """
    if not names_token(text) or len(text) > MOST or not text.isprintable():
        raise _unusable(f"expected a URI of at most {MOST} characters that begins '{SCHEME}'")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    named, asked = _attributes(path, ";", _PATH), _attributes(query, "&", _QUERY)
    missing = [name for name in ("token",) if name not in named]
    missing += [name for name in ("module-path",) if name not in asked]
    if "object" not in named and "id" not in named:
        missing.append("object or id")
    if missing:
        raise _unusable(f"expected the attributes {' and '.join(missing)} as well")
    pin = unquote(asked["pin-source"]).removeprefix("file:") if "pin-source" in asked else None
    return KeyPlace(
        module=Path(unquote(asked["module-path"])),
        token=unquote(named["token"]),
        label=unquote(named["object"]) if "object" in named else None,
        id=unquote_to_bytes(named["id"]) if "id" in named else None,
        pin_file=Path(pin) if pin else None,
    )


def _attributes(text: str, separator: str, known: frozenset[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if not equals or name in found or name not in known:
            # The value may be a PIN.
            raise _unusable(
                f"expected each of {', '.join(sorted(known))} at most once, found '{name[:32]}'"
            )
        found[name] = value
    return found


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
        raise _unusable("expected the Python package python-pkcs11 (extra 'hsm')") from error
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
        raise _unusable(
            f"token '{place.token}' by {place.module}: {type(error).__name__} {error}".rstrip()
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unusable("expected a key on the curve P-256, found another kind")
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
        return file.read_text().strip()
    except OSError as error:
        raise _unusable(f"the PIN's file {file} cannot be read ({error.strerror})") from error


def _unusable(why: str) -> ConfigurationError:
    return ConfigurationError(f"The key in a PKCS#11 token cannot be used: {why}.")
