"""The FastAPI application: what describes the predictor, and refuses what nobody else answers."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

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
        exception_handlers={HTTPException: _http_error},
    )
    router = endpoints(serving)
    app.include_router(router)
    app.openapi = lambda: document(router.routes, serving.plane)  # type: ignore[method-assign]  # how FastAPI takes another document
    return app


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    status, headers = HTTPStatus.INTERNAL_SERVER_ERROR.value, None
    if isinstance(error, HTTPException):
        status, headers = error.status_code, error.headers
    phrase = HTTPStatus(status).phrase
    sentence = f"{phrase}: this predictor has no such endpoint and method."
    return JSONResponse({"error": sentence}, status, headers)
