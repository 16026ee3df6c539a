"""Who asks: from a bearer token or a cookie to somebody whom the API server knows."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.security.forgery import HEADER, require_own_page
from hallmark_dashboard.security.limits import Buckets
from hallmark_dashboard.security.sessions import cookie_name
from hallmark_dashboard.services import Services, services_of

COMMAND = "kubectl create token NAME -n NAMESPACE"
SAFE = frozenset({"GET", "HEAD"})
READING = re.compile(r"/predict|/scan_sbom|(/api)?/policies/[^/]+/what[-_]if")
"""What changes nothing although it has a body."""


async def caller_of(request: Request) -> Caller:
    """Return who asks; a write that a cookie signs in must come from one of our own pages.

    Raises:
        Problem: Nobody is signed in, or asks too often, or another site's page asks.
    """
    services = services_of(request)
    request.state.serial = services.watch.serial
    caller = await _known(request, services)
    take(services, services.limits.identity, caller.name, "identity")
    if request.method not in SAFE and not READING.fullmatch(request.url.path):
        take(services, services.limits.writes, caller.name, "writes")
    return caller


async def api_caller(request: Request) -> Caller:
    """Return who asks by a program or a page's script; its token against forgery is a header.

    Raises:
        Problem: As of ``caller_of``.
    """
    caller = await caller_of(request)
    if caller.csrf and request.method not in SAFE:
        require_own_page(request.headers, caller.csrf, request.headers.get(HEADER, ""))
    return caller


Person = Annotated[Caller, Depends(caller_of)]
ApiCaller = Annotated[Caller, Depends(api_caller)]


async def _known(request: Request, services: Services) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise signed_out("Expected 'Authorization: Bearer TOKEN'.")
        return await services.callers.caller(token.strip())
    cookie = request.cookies.get(cookie_name(secure=services.settings.secure))
    if cookie is None:
        raise signed_out("Nobody is signed in.")
    session = services.sessions.open(cookie)
    if session is None:
        raise signed_out("The sign-in ended.")
    caller = await services.callers.caller(session.token)
    return replace(caller, csrf=session.csrf)


def signed_out(why: str) -> Problem:
    """Return the problem of somebody who must sign in, with how that is done."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        f"{why} Send a token of the cluster, or sign in with one: {COMMAND}",
    )


def take(services: Services, buckets: Buckets, key: str, limit: str) -> None:
    """Count one request against a limit.

    Raises:
        Problem: There were too many.
    """
    seconds = buckets.take(key)
    if seconds:
        services.metrics.limited.labels(limit).inc()
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"Too many requests; try again in {seconds} s.",
            retry_after=seconds,
        )
