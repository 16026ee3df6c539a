"""What machines ask time and again: health, readiness and metrics, answered without FastAPI.

So are predictions that come before there is a model. A Pod that predicts and is watched never
imports FastAPI, a fifth of its start, which describes these routes with the others (``endpoints``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from hallmark_predictor.bodies import RETRY_AFTER
from hallmark_predictor.metrics import Rejection
from hallmark_predictor.serving import Serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Told:
    """An answer.

    Attributes:
        body: Its bytes.
        status: Of HTTP.
        media_type: Of the body.
        more: Further headers.
    """

    body: bytes
    status: int = HTTPStatus.OK
    media_type: str = "application/json"
    more: tuple[tuple[bytes, bytes], ...] = ()


Probe = Callable[[Serving], Awaitable[Told]]


async def live(serving: Serving) -> Told:
    """Tell whether the process lives."""
    return Told(b'{"live":true}')


async def ready(serving: Serving) -> Told:
    """Tell whether a verified model serves; else why not."""
    reason = serving.not_ready
    if reason is None:
        return Told(b'{"ready":true}')
    body = msgspec.json.encode({"ready": False, "error": reason})
    return Told(body, HTTPStatus.SERVICE_UNAVAILABLE)


async def metrics(serving: Serving) -> Told:
    """Tell the metrics for Prometheus."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    return Told(await serving.exposition(), media_type=CONTENT_TYPE_LATEST)


async def loading(serving: Serving) -> Told:
    """Tell who wants a prediction that there is no model yet, and why."""
    serving.metrics.rejected(Rejection.LOADING)
    body = msgspec.json.encode({"error": serving.waiting_for})
    retry = (b"retry-after", b"%d" % RETRY_AFTER)
    return Told(body, HTTPStatus.SERVICE_UNAVAILABLE, more=(retry,))


PROBES: Mapping[str, Probe] = {
    "/healthz": live,
    "/readyz": ready,
    "/metrics": metrics,
    "/v2/health/live": live,
    "/v2/health/ready": ready,
}


@dataclass(frozen=True)
class _Route:
    """By what the route of a request is counted, as Starlette has it in the scope."""

    path: str


class Probes:
    """Answers the probes, and all that is posted before there is a model; else another does."""

    def __init__(self, serving: Serving, others: ASGIApp) -> None:
        """Answer about what is served."""
        self._serving = serving
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        probe = self._probe(scope)
        if probe is None:
            await self._others(scope, receive, send)
            return
        told = await probe(self._serving)
        headers = [
            (b"content-type", told.media_type.encode()),
            (b"content-length", b"%d" % len(told.body)),
            *told.more,
        ]
        await send({"type": "http.response.start", "status": told.status, "headers": headers})
        await send({"type": "http.response.body", "body": told.body})

    def _probe(self, scope: Scope) -> Probe | None:
        if scope["type"] != "http":
            return None
        if scope["method"] == "POST":
            return loading if self._serving.plane is None else None
        probe = PROBES.get(scope["path"]) if scope["method"] == "GET" else None
        if probe is not None:
            scope["route"] = _Route(scope["path"])
        return probe
