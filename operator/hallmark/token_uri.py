"""The URI (RFC 7512) of a private key that stays in a PKCS#11 token, instead of the key itself.

It has the token, the key's label or id, and the module to load:
``pkcs11:token=hallmark;object=sealing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/pin``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from hallmark.errors import ConfigurationError

SCHEME = "pkcs11:"
"""How a key's file begins that names a key in a token instead of holding one."""
MOST = 4096
"""Characters of a URI."""
_PATH = frozenset({"token", "object", "id", "serial", "manufacturer", "model", "type"})
_QUERY = frozenset({"module-path", "pin-source"})


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
        raise unusable(f"expected a URI of at most {MOST} characters that begins '{SCHEME}'")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    named, asked = _attributes(path, ";", _PATH), _attributes(query, "&", _QUERY)
    missing = [name for name in ("token",) if name not in named]
    missing += [name for name in ("module-path",) if name not in asked]
    if "object" not in named and "id" not in named:
        missing.append("object or id")
    if missing:
        raise unusable(f"expected the attributes {' and '.join(missing)} as well")
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
            raise unusable(
                f"expected each of {', '.join(sorted(known))} at most once, found '{name[:32]}'"
            )
        found[name] = value
    return found


def unusable(why: str) -> ConfigurationError:
    """Return the error of a key that cannot be used."""
    return ConfigurationError(f"The key in a PKCS#11 token cannot be used: {why}.")
