"""What every request passes first: how often its address asks, and how long its body is."""

from __future__ import annotations

import json
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hallmark_dashboard.metrics import Metrics
from hallmark_dashboard.problems import MEDIA_TYPE, Problem
from hallmark_dashboard.security.bodies import LARGEST, LARGEST_ROWS
from hallmark_dashboard.security.limits import Buckets, address_key

PROBES = frozenset({"/healthz", "/metrics"})
LARGEST_BY_PATH = {"/predict": LARGEST_ROWS}


class Guard:
    """Refuses what is too much before anything is done for it, and counts what was answered."""

    def __init__(self, app: ASGIApp, addresses: Buckets, metrics: Metrics) -> None:
        self._app = app
        self._addresses = addresses
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, code = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def send_and_look(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            problem = self._refused(scope)
            if problem is not None:
                await _send(problem, send_and_look)
            else:
                await self._app(scope, receive, send_and_look)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.answered(route, scope["method"], code, time.perf_counter() - start)

    def _refused(self, scope: Scope) -> Problem | None:
        path = scope["path"]
        client = scope.get("client")
        if path not in PROBES:
            seconds = self._addresses.take(address_key(client[0] if client else ""))
            if seconds:
                self._metrics.limited.labels("address").inc()
                return Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"Too many requests from this address; try again in {seconds} s.",
                    retry_after=seconds,
                )
        largest = LARGEST_BY_PATH.get(path, LARGEST)
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and (not lengths[0].isdigit() or int(lengths[0]) > largest):
            return Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"Expected a body of at most {largest} bytes, found a longer one.",
            )
        if not lengths and any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            return Problem(HTTPStatus.LENGTH_REQUIRED, "Expected the header Content-Length.")
        return None


async def _send(problem: Problem, send: Send) -> None:
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    if problem.retry_after:
        headers.append((b"retry-after", str(problem.retry_after).encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem.wire()).encode()})
