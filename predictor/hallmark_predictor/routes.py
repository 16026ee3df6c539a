"""Who answers a request: the predictions first, FastAPI with what describes them last."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from hallmark_predictor.bodies import SEND_SECONDS, send_in_time
from hallmark_predictor.feedback_route import FeedbackRoute
from hallmark_predictor.metrics import OTHER_ROUTE
from hallmark_predictor.predictions import Predictions
from hallmark_predictor.probes import Probes
from hallmark_predictor.serving import Serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger(__name__)


def routes(serving: Serving, others: ASGIApp) -> ASGIApp:
    """Return what answers all requests.

    Args:
        serving: What is served.
        others: Answers what is neither a prediction, nor feedback, nor a probe (``app``).
    """
    counted = _Counted(Probes(serving, others), serving)
    return Predictions(serving, FeedbackRoute(serving, counted))


class _Counted:
    """Counts each request that does not predict, and ends connections that should go elsewhere."""

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
