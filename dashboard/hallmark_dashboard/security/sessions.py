"""The cookie that signs a browser in: the person's token, encrypted, for a while.

There is no session on the server: what is in the cookie is all there is, nobody but the dashboard
can read or make it, and the API server is asked about the token in it again and again.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LONGEST_SECONDS = 8 * 3600
"""A session ends after so long, however long its token lives."""
LARGEST_COOKIE = 3900
"""Browsers keep 4,096 bytes with name and attributes."""
_LARGEST_PLAIN = 64 * 1024
_NONCE = 12
_CONTEXT = "hallmark.dev/dashboard-session/v1"
_SESSION = "session"


@dataclass(frozen=True)
class Session:
    """What a cookie holds."""

    token: str = field(repr=False)
    csrf: str = field(repr=False)
    ends: float
    """Seconds since 1970."""


class Sessions:
    """Makes and opens cookies.

    Args:
        key: 32 bytes; without it one is made, and sessions end with the process.
        clock: seconds since 1970.
    """

    def __init__(self, key: bytes | None, clock: Callable[[], float]) -> None:
        self._cipher = AESGCM(key or AESGCM.generate_key(bit_length=256))
        self._clock = clock

    def begin(self, token: str, seconds: float = LONGEST_SECONDS) -> tuple[Session, str | None]:
        """Return a new session and its cookie; None where the token is too long for one."""
        ends = self._clock() + min(max(seconds, 0.0), LONGEST_SECONDS)
        session = Session(token, secrets.token_urlsafe(24), ends)
        cookie = self.seal({"token": token, "csrf": session.csrf, "ends": ends}, _SESSION)
        return session, cookie if len(cookie) <= LARGEST_COOKIE else None

    def open(self, cookie: str) -> Session | None:
        """Return the session in a cookie; None where it ended or nobody here made it."""
        found = self.unseal(cookie, _SESSION)
        if found is None:
            return None
        session = Session(str(found["token"]), str(found["csrf"]), float(found["ends"]))
        return session if self._clock() < session.ends else None

    def seal(self, content: Mapping[str, object], purpose: str) -> str:
        """Return content as a text that nobody else can read or change, for one purpose alone."""
        nonce = os.urandom(_NONCE)
        plain = zlib.compress(json.dumps(dict(content)).encode(), 9)
        sealed = self._cipher.encrypt(nonce, plain, f"{_CONTEXT}/{purpose}".encode())
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def unseal(self, text: str, purpose: str) -> dict[str, str] | None:
        """Return what was sealed for a purpose; None where it was not sealed here."""
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            context = f"{_CONTEXT}/{purpose}".encode()
            plain = self._cipher.decrypt(data[:_NONCE], data[_NONCE:], context)
            unpacked = zlib.decompressobj().decompress(plain, _LARGEST_PLAIN)
            found: dict[str, str] = json.loads(unpacked)
        except (InvalidTag, ValueError, zlib.error):
            return None
        return found


def cookie_name(*, secure: bool) -> str:
    """Return the cookie's name; with the prefix no other host and no plain HTTP can set it."""
    return "__Host-hallmark" if secure else "hallmark"


def set_cookie(name: str, value: str, seconds: int, *, secure: bool) -> str:
    """Return the header that has a browser keep a cookie; 0 seconds remove it."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Strict", f"Max-Age={seconds}"]
    return "; ".join([*parts, "Secure"] if secure else parts)
