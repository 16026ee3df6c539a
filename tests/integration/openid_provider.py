"""A small OpenID Connect provider on loopback: discovery, authorization code, PKCE, one client."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

CLIENT, SECRET = "hallmark", "client-secret"


@dataclass
class Provider:
    """What the provider knows, and what a test may have it do.

    Attributes:
        redirect: The one address that it sends people back to.
        token: The id_token that it gives.
        issuer: What it says of itself.
        refuses: Whether the person says no.
    """

    redirect: str
    token: str
    url: str = ""
    issuer: str = ""
    refuses: bool = False
    codes: dict[str, str] = field(default_factory=dict)
    """The challenge by code; each code works once."""

    def authorize(self, asked: dict[str, str]) -> str | None:
        """Return where the browser is sent, or None where the request is not allowed."""
        expected = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self.redirect,
            "scope": "openid",
            "code_challenge_method": "S256",
        }
        if any(asked.get(name) != value for name, value in expected.items()):
            return None
        answer = {"state": asked["state"]}
        if self.refuses:
            answer |= {"error": "access_denied", "error_description": "<b>no</b>"}
        else:
            answer["code"] = secrets.token_urlsafe(8)
            self.codes[answer["code"]] = asked["code_challenge"]
        return f"{self.redirect}?{urlencode(answer)}"

    def redeem(self, authorization: str, form: dict[str, str]) -> str | None:
        """Return the token that a code is worth, or None."""
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = (
            authorization == f"Basic {basic}"
            and form.get("grant_type") == "authorization_code"
            and form.get("redirect_uri") == self.redirect
            and challenge is not None
            and proof == challenge
        )
        return self.token if right else None


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    """Serve a provider until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """Answer discovery and authorization."""
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                places = {
                    f"{one}_endpoint": f"{provider.url}/{one}" for one in ("authorization", "token")
                }
                self._json(200, {"issuer": provider.issuer, **places})
                return
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            to = provider.authorize(asked) if parts.path == "/authorization" else None
            if to is None:
                self._json(400, {"error": "invalid_request"})
                return
            self.send_response(302)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            """Answer the token endpoint."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            token = provider.redeem(self.headers.get("Authorization", ""), dict(parse_qsl(body)))
            if token is None:
                self._json(400, {"error": "invalid_grant"})
            else:
                self._json(200, {"id_token": token, "access_token": "x", "token_type": "Bearer"})

        def _json(self, status: int, content: dict[str, str]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_port}"
    provider.issuer = provider.url
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
