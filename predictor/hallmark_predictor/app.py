"""The HTTP application: routes, errors as JSON, and what concerns every request."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hallmark_predictor.bodies import SEND_SECONDS, send_in_time
from hallmark_predictor.endpoints import ROUTE, endpoints
from hallmark_predictor.metrics import OTHER_ROUTE
from hallmark_predictor.predictions import Predictions
from hallmark_predictor.serving import Serving

LOG = logging.getLogger(__name__)


def create_app(serving: Serving) -> ASGIApp:
    """Return the application over what is served."""
    app = Starlette(
        routes=endpoints(serving),
        middleware=[Middleware(_EveryRequest, serving=serving)],
        exception_handlers={HTTPException: _http_error},
    )
    return Predictions(serving, app)


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
            route = scope.get(ROUTE, OTHER_ROUTE)
            self._serving.metrics.request(route, code, time.perf_counter() - start)
