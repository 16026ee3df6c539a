"""What each answer carries, and how much a request may hold: ASGI middleware without state."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, nothing inline: a name that is markup stays a name."""

HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
NOT_STORED = ("cache-control", "no-store")
_STRICT_TRANSPORT = ("strict-transport-security", "max-age=31536000")


class EveryAnswer:
    """Adds the headers; what a route says itself stays.

    Args:
        app: what answers.
        secure: whether browsers come over TLS.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        added = [*HEADERS, NOT_STORED] + ([_STRICT_TRANSPORT] if secure else [])
        self._added = [(name.encode(), value.encode()) for name, value in added]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers") or [])
                names = {name.lower() for name, _ in given}
                more = [(name, value) for name, value in self._added if name not in names]
                message = {**message, "headers": [*given, *more]}
            await send(message)

        await self._app(scope, receive, send_more)
