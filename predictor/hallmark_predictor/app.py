"""The HTTP application: routes, errors as JSON, and what concerns every request."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hallmark_predictor.bodies import SEND_SECONDS, send_in_time
from hallmark_predictor.endpoints import endpoints
from hallmark_predictor.feedback_route import FeedbackRoute
from hallmark_predictor.metrics import OTHER_ROUTE
from hallmark_predictor.openapi import document
from hallmark_predictor.predictions import Predictions
from hallmark_predictor.serving import Serving

LOG = logging.getLogger(__name__)


def create_app(serving: Serving) -> ASGIApp:
    """Return the application over what is served: FastAPI, with the predictions before it."""
    return Predictions(serving, FeedbackRoute(serving, framework(serving)))


def framework(serving: Serving) -> ASGIApp:
    """Return what answers all routes that do not predict, and describes all."""
    app = FastAPI(
        docs_url=None,  # FastAPI's page loads scripts from elsewhere; ours is in ``docs_page``.
        redoc_url=None,
        exception_handlers={HTTPException: _http_error},
    )
    router = endpoints(serving)
    app.include_router(router)
    app.add_middleware(_EveryRequest, serving=serving)
    app.openapi = lambda: document(router.routes, serving.plane)  # type: ignore[method-assign]
    return app


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    phrase = HTTPStatus(status).phrase
    return JSONResponse(
        {"error": f"{phrase}: this predictor has no such endpoint and method."}, status
    )


class _EveryRequest:
    """Counts each other request, and ends connections that should go elsewhere."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self._app = app
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        code: int = HTTPStatus.INTERNAL_SERVER_ERROR

        async def send_and_look(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                if self._serving.ends_connections:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send_in_time(send, message)

        try:
            await self._app(scope, receive, send_and_look)
        except TimeoutError:
            # Without an end to its answer the server closes the connection.
            LOG.warning("A client did not take its answer in %g seconds.", SEND_SECONDS)
        finally:
            route = getattr(scope.get("route"), "path", OTHER_ROUTE)
            self._serving.metrics.request(route, code, time.perf_counter() - start)
