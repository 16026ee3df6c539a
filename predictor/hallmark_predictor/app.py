"""The FastAPI application: what describes the predictor, and refuses what nobody else answers."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from hallmark_predictor.endpoints import endpoints
from hallmark_predictor.openapi import document
from hallmark_predictor.routes import routes
from hallmark_predictor.serving import Serving


def create_app(serving: Serving) -> ASGIApp:
    """Return the whole application over what is served."""
    return routes(serving, framework(serving))


def framework(serving: Serving) -> ASGIApp:
    """Return what answers all routes that do not predict, and describes all."""
    app = FastAPI(
        docs_url=None,  # FastAPI's page loads scripts from elsewhere; ours is in ``docs_page``.
        redoc_url=None,
        redirect_slashes=False,  # where to is taken from a header that anybody may set
        exception_handlers={HTTPException: _http_error},
    )
    router = endpoints(serving)
    app.include_router(router)
    app.openapi = lambda: document(router.routes, serving.plane)  # type: ignore[method-assign]  # how FastAPI takes another document
    return _Heads(app)


class _Heads:
    """Answers who asks for the head alone as who asks for all; the server leaves away the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send)
        finally:
            if "route" in asked:  # by which it is counted
                scope["route"] = asked["route"]


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    status, headers = HTTPStatus.INTERNAL_SERVER_ERROR.value, None
    if isinstance(error, HTTPException):
        status, headers = error.status_code, error.headers
    phrase = HTTPStatus(status).phrase
    sentence = f"{phrase}: this predictor has no such endpoint and method."
    return JSONResponse({"error": sentence}, status, headers)
