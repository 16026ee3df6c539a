"""The two addresses of a sign-in with an OpenID Connect provider."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hallmark.files import read_line
from hallmark_dashboard.pages.forms import session_of
from hallmark_dashboard.pages.render import Frame, page
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.security.limits import address_key
from hallmark_dashboard.security.openid import (
    SECONDS,
    Client,
    address,
    attempt_in,
    begin,
    code_in,
    discover,
    redeem,
)
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import take

router = APIRouter(include_in_schema=False)

COOKIE = "hallmark-attempt"
BACK = "/sign-in/oidc/done"


@router.get("/sign-in/oidc")
async def start(request: Request) -> Response:
    """Send a browser to the provider, with a sign-in that only this browser can end."""
    services = _with_provider(request)
    host = request.client.host if request.client else ""
    take(services, services.limits.sign_in, address_key(host), "sign_in")
    provider = await discover(services.client(), services.settings.oidc_issuer)
    attempt = begin(services.now().timestamp())
    to = address(provider, _client(services), attempt)
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    _keep(answer, services, services.sessions.seal(attempt.wire(), COOKIE), SECONDS)
    return answer


@router.get(BACK)
async def done(request: Request) -> Response:
    """Take a browser back, and keep the token that its code is worth."""
    services = _with_provider(request)
    sealed = services.sessions.unseal(request.cookies.get(COOKIE, ""), COOKIE)
    attempt = attempt_in(sealed, services.now().timestamp())
    code = code_in(dict(request.query_params), attempt)
    assert attempt is not None  # noqa: S101 - code_in refuses None
    provider = await discover(services.client(), services.settings.oidc_issuer)
    client = _client(services)
    token = await redeem(services.client(), provider, client, code, attempt.verifier)
    cookie = await session_of(services, token)
    # A cookie of SameSite=Strict is not sent while the browser still comes from the provider: the
    # page that this answer shows leads on by itself.
    answer = page(request, "lead_on.html", Frame("Signed in"), to="/sign-in/done")
    answer.headers.append("set-cookie", cookie)
    _keep(answer, services, "", 0)
    return answer


def _with_provider(request: Request) -> Services:
    services = services_of(request)
    if not services.settings.oidc_issuer:
        raise Problem(HTTPStatus.NOT_FOUND, "No OpenID provider is set up; sign in with a token.")
    return services


def _client(services: Services) -> Client:
    settings = services.settings
    secret = _text(settings.oidc_secret) if settings.oidc_secret else ""
    return Client(settings.oidc_client, secret, settings.origin + BACK)


def _text(path: Path) -> str:
    try:
        return read_line(path)
    except OSError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"The client's secret {path} cannot be read ({type(error).__name__}).",
        ) from error


def _keep(answer: Response, services: Services, value: str, seconds: int) -> None:
    """Have the browser keep the attempt; Lax, because it comes back from another site."""
    parts = [f"{COOKIE}={value}", f"Path={BACK}", "HttpOnly", "SameSite=Lax", f"Max-Age={seconds}"]
    parts += ["Secure"] if services.settings.secure else []
    answer.headers.append("set-cookie", "; ".join(parts))
