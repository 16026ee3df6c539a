"""What a person was about to do when the sign-in ended: where to, and what stood in the form.

It is kept in the person's own browser, sealed, so that no link and no other site can put words into
a form; it fills the form once and records nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hallmark_dashboard.pages.render import Frame, page
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.security.bodies import form_of, read_body
from hallmark_dashboard.security.forgery import FIELD, is_own_site
from hallmark_dashboard.security.sessions import LARGEST_COOKIE, LONGEST_SECONDS, set_cookie
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import COMMAND

COOKIE = "hallmark-resume"
KEPT = "What stands in the form was typed before the sign-in ended; nothing was recorded yet."
SECONDS = 1800
TYPED = frozenset({"reason", "targets", "notAfter", "target", "until", "spec"})
"""Fields that are kept; what was chosen is chosen anew."""
LARGEST_FORM = 64 * 1024
_FORMS = re.compile(r"/(reviews|deployments)/[^/]+/[^/]+|/policies/[^/]+/what-if")
_LONGEST_PATH = 1024


@dataclass(frozen=True)
class Kept:
    """Where a person was going, and what stood in the form there."""

    to: str
    fields: dict[str, str] = field(default_factory=dict)


async def sign_in_first(request: Request, problem: Problem) -> Response:
    """Return the way to the sign-in, from which the browser comes back to where it was."""
    if request.method == "GET":
        return _from_elsewhere(request) or _to_sign_in(request)
    if not (_FORMS.fullmatch(request.url.path) and is_own_site(request.headers)):
        return sign_in_page(request, problem)
    typed = form_of(await read_body(request, LARGEST_FORM))
    typed.pop(FIELD, None)
    fields = {name: text for name, text in typed.items() if name in TYPED and text}
    to = request.url.path.removesuffix("/what-if")
    cookie = _sealed(request, Kept(to, fields))
    said = "Nothing was recorded. Sign in again: what you typed is kept for the form."
    if not cookie:
        cookie = _sealed(request, Kept(to))
        said = "Nothing was recorded, and the text is too long to be kept: go back and copy it."
    answer = sign_in_page(request, Problem(problem.status, f"The sign-in ended. {said}"))
    answer.headers.append("set-cookie", cookie)
    return answer


def _from_elsewhere(request: Request) -> Response | None:
    """Return a page that leads on by itself where a link of another site was followed.

    The browser does not send the cookie of the sign-in then (SameSite=Strict), but with the next
    request, which comes from a page of ours.
    """
    if request.headers.get("sec-fetch-site") != "cross-site":
        return None
    return page(request, "lead_on.html", Frame("Hallmark"), to=_path(request))


def _to_sign_in(request: Request) -> Response:
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    kept = _kept(request)
    is_page = not request.url.path.startswith("/sign-in")
    is_asked_for = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    if is_page and is_asked_for and not (kept and kept.fields):
        answer.headers.append("set-cookie", _sealed(request, Kept(_path(request))))
    return answer


def sign_in_page(request: Request, problem: Problem | None = None) -> HTMLResponse:
    """Return the page that says how to sign in."""
    return page(
        request,
        "sign_in.html",
        Frame("Sign in"),
        problem=problem,
        command=COMMAND,
        hours=LONGEST_SECONDS // 3600,
        oidc=services_of(request).settings.oidc_issuer,
    )


def destination(request: Request) -> str:
    """Return where a person was going before signing in."""
    kept = _kept(request)
    return kept.to if kept else "/"


def typed_here(request: Request) -> dict[str, str]:
    """Return what was typed into this page's form before the sign-in ended."""
    kept = _kept(request)
    return kept.fields if kept and kept.to == request.url.path else {}


def forget(services: Services, answer: Response) -> Response:
    """Have the browser forget it."""
    header = set_cookie(COOKIE, "", 0, secure=services.settings.secure)
    answer.headers.append("set-cookie", header)
    return answer


def once(request: Request, typed: dict[str, str], answer: Response) -> Response:
    """Have the browser forget what it kept for a form that it is shown in now."""
    return forget(services_of(request), answer) if typed else answer


def _path(request: Request) -> str:
    """Return the address on this host that was asked for; one that is too long is left out."""
    query = f"?{request.url.query}" if request.url.query else ""
    raw: bytes = request.scope["raw_path"]
    path = f"/{raw.decode('latin-1').lstrip('/')}{query}"
    return path if len(path) <= _LONGEST_PATH and path.isascii() and "\\" not in path else "/"


def _sealed(request: Request, kept: Kept) -> str:
    """Return the header that keeps it; nothing where it is too long for a cookie."""
    services = services_of(request)
    content = {"to": kept.to, "fields": json.dumps(kept.fields)}
    value = services.sessions.seal(content, COOKIE)
    if len(value) > LARGEST_COOKIE:
        return ""
    return set_cookie(COOKIE, value, SECONDS, secure=services.settings.secure)


def _kept(request: Request) -> Kept | None:
    found = services_of(request).sessions.unseal(request.cookies.get(COOKIE, ""), COOKIE)
    return Kept(found["to"], json.loads(found["fields"])) if found else None
