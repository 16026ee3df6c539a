"""Signing in with an OpenID Connect provider: authorization code with PKCE.

The provider's token is the person's token of the cluster: the API server checks who issued it, for
whom, its signature and its end, as for everybody. Here stands only how it is fetched. The code is
bound to this browser by ``state`` and to this sign-in by PKCE (RFC 7636, S256), so that neither a
stolen code nor somebody else's is of use (RFC 9700, 2.1.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from pydantic_core import from_json

from hallmark.api.texts import clip
from hallmark_dashboard.answers import read_at_most
from hallmark_dashboard.problems import Problem

DISCOVERY = "/.well-known/openid-configuration"
LARGEST_ANSWER = 256 * 1024
SECONDS = 600
"""How long a person may take at the provider."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Provider:
    """Where the provider takes people, and where it gives tokens."""

    issuer: str
    authorization: str
    token: str


@dataclass(frozen=True)
class Client:
    """How the provider knows the dashboard."""

    id: str
    secret: str
    redirect: str


@dataclass(frozen=True)
class Attempt:
    """One sign-in under way, kept in the browser's cookie."""

    state: str
    verifier: str
    ends: float

    def wire(self) -> dict[str, object]:
        """Return it as what is sealed."""
        return {"state": self.state, "verifier": self.verifier, "ends": self.ends}


def provider_of(issuer: str, found: Mapping[str, Any]) -> Provider:
    """Return the provider that a discovery document describes.

    Raises:
        Problem: It is another's, or names addresses without TLS.
    """
    if str(found.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise _broken(f"names another issuer than {issuer}")
    places = [str(found.get(f"{name}_endpoint", "")) for name in ("authorization", "token")]
    for place in places:
        parts = urlsplit(place)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise _broken("names addresses without TLS")
    return Provider(issuer, *places)


def begin(now: float) -> Attempt:
    """Return a new attempt."""
    return Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(48), now + SECONDS)


def address(provider: Provider, client: Client, attempt: Attempt) -> str:
    """Return where the browser is sent."""
    challenge = hashlib.sha256(attempt.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.redirect,
        "scope": "openid",
        "state": attempt.state,
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    separator = "&" if urlsplit(provider.authorization).query else "?"
    return f"{provider.authorization}{separator}{urlencode(asked)}"


def attempt_in(sealed: Mapping[str, Any] | None, now: float) -> Attempt | None:
    """Return the attempt in an opened cookie; None where there is none or it took too long."""
    if sealed is None or "verifier" not in sealed:
        return None
    found = Attempt(str(sealed["state"]), str(sealed["verifier"]), float(sealed["ends"]))
    return found if now < found.ends else None


def code_in(answer: Mapping[str, str], attempt: Attempt | None) -> str:
    """Return the code with which the provider sent a browser back.

    Raises:
        Problem: The provider refused, or it is not this browser's sign-in.
    """
    if attempt is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "No sign-in is under way in this browser, or it took too long; begin again.",
        )
    if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
        raise Problem(
            HTTPStatus.BAD_REQUEST, "This is not the sign-in that this browser began; begin again."
        )
    if error := answer.get("error"):
        said = clip(f"{error} {answer.get('error_description', '')}".strip(), 200)
        raise Problem(HTTPStatus.FORBIDDEN, f"The provider did not sign you in: {said}")
    if not (code := answer.get("code")):
        raise _broken("sent no code")
    return code


async def discover(session: aiohttp.ClientSession, issuer: str) -> Provider:
    """Ask a provider where its addresses are.

    Raises:
        Problem: It does not answer, or not as it should.
    """
    found = await _fetched(session.get(issuer.rstrip("/") + DISCOVERY, allow_redirects=False))
    return provider_of(issuer, found)


async def redeem(
    session: aiohttp.ClientSession, provider: Provider, client: Client, code: str, verifier: str
) -> str:
    """Give a code for the person's token.

    Raises:
        Problem: The provider does not take it.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect,
        "client_id": client.id,
        "code_verifier": verifier,
    }
    headers = {"Authorization": _basic(client)} if client.secret else {}
    found = await _fetched(
        session.post(provider.token, data=form, headers=headers, allow_redirects=False)
    )
    token = found.get("id_token")
    if not isinstance(token, str):
        raise _broken("gave no id_token")
    return token


def _basic(client: Client) -> str:
    """Return the client's credentials as RFC 6749, 2.3.1 has them."""
    text = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


async def _fetched(request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - aiohttp's own context
    try:
        async with request as answer:
            if answer.status != HTTPStatus.OK:
                raise _broken(f"answered with status {answer.status}")
            data = await read_at_most(answer, LARGEST_ANSWER)
            if data is None:
                raise _broken(f"answered with more than {LARGEST_ANSWER} bytes")
            found = from_json(data)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _broken(f"does not answer ({type(error).__name__})") from error
    except ValueError as error:
        raise _broken("answered with something else than JSON") from error
    if not isinstance(found, dict):
        raise _broken("answered with something else than an object")
    return found


def _broken(what: str) -> Problem:
    return Problem(
        HTTPStatus.BAD_GATEWAY,
        f"The OpenID provider {what}; sign in with a token, and tell the platform team.",
    )
