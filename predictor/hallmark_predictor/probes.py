"""What machines ask time and again, answered without FastAPI: health, metrics, what is served.

So are predictions that come before there is a model, or are asked of another one. A Pod that
predicts and is watched never imports FastAPI, a third of its start, which describes these routes
with the others (``endpoints``).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hallmark.api.texts import VERSION
from hallmark_predictor.bodies import RETRY_AFTER
from hallmark_predictor.metrics import Rejection
from hallmark_predictor.protocol import EXTENSIONS
from hallmark_predictor.serving import Serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hallmark_predictor.data_plane import DataPlane


_RETRY = ((b"retry-after", b"%d" % RETRY_AFTER),)
_BUSY = "Expected the metrics of all processes within seconds, found none; ask again."


class Told(Struct, frozen=True):
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


def said(content: object, status: int = HTTPStatus.OK) -> Told:
    """Return an answer in JSON."""
    return Told(msgspec.json.encode(content), status)


async def live(serving: Serving) -> Told:
    """Tell whether the process lives."""
    return Told(b'{"live":true}')


async def ready(serving: Serving) -> Told:
    """Tell whether a verified model serves; else why not."""
    reason = serving.not_ready
    if reason is None:
        return Told(b'{"ready":true}')
    return said({"ready": False, "error": reason}, HTTPStatus.SERVICE_UNAVAILABLE)


async def metrics(serving: Serving) -> Told:
    """Tell the metrics for Prometheus."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    try:
        body = await serving.exposition()
    except TimeoutError:
        return said({"error": _BUSY}, HTTPStatus.SERVICE_UNAVAILABLE)
    return Told(body, media_type=CONTENT_TYPE_LATEST)


async def server(serving: Serving) -> Told:
    """Tell what the server is."""
    return said({"name": "hallmark", "version": VERSION, "extensions": EXTENSIONS})


async def loading(serving: Serving) -> Told:
    """Tell who wants a prediction that there is no model yet, and why."""
    serving.metrics.rejected(Rejection.LOADING)
    body = msgspec.json.encode({"error": serving.waiting_for})
    return Told(body, HTTPStatus.SERVICE_UNAVAILABLE, more=_RETRY)


def model_named(serving: Serving, name: str | None, version: str | None) -> DataPlane | Told:
    """Return the model, or why it is not the one that a path names.

    Args:
        serving: What is served.
        name: In the path, if it names a model.
        version: In the path, if it names a version.
    """
    plane = serving.plane
    if plane is None:
        return said({"error": serving.waiting_for}, HTTPStatus.SERVICE_UNAVAILABLE)
    if (name or plane.name, version or plane.version) == (plane.name, plane.version):
        return plane
    sentence = f"This predictor serves '{plane.name}', version '{plane.version}', alone."
    return said({"error": sentence}, HTTPStatus.NOT_FOUND)


PROBES = {
    "/healthz": live,
    "/readyz": ready,
    "/metrics": metrics,
    "/v2": server,
    "/v2/health/live": live,
    "/v2/health/ready": ready,
}
"""By path."""
_V2 = re.compile(r"/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?(?P<ready>/ready)?")
_V1 = re.compile(r"/v1/models/(?P<name>[^/]+)")
_INFER = re.compile(r"/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?/infer")
_PREDICT = re.compile(r"/v1/models/(?P<name>[^/]+):predict")


def probe_at(path: str) -> tuple[str, Probe] | None:
    """Return the route of a path as it is described, and what answers; None where none does."""
    if path in PROBES:
        return path, PROBES[path]
    if found := _V2.fullmatch(path):
        version = "/versions/{version}" if found["version"] else ""
        route = f"/v2/models/{{name}}{version}{found['ready'] or ''}"
        return route, _of_model(found["name"], found["version"], _ready if found["ready"] else _v2)
    if found := _V1.fullmatch(path):
        return "/v1/models/{name}", _of_model(found["name"], None, _v1)
    return None


def prediction_at(path: str) -> tuple[str, Probe] | None:
    """Return the route of predictions with a named model, and what says that it is another one."""
    if found := _INFER.fullmatch(path):
        version = "/versions/{version}" if found["version"] else ""
        return f"/v2/models/{{name}}{version}/infer", _other(found["name"], found["version"])
    if found := _PREDICT.fullmatch(path):
        return "/v1/models/{name}:predict", _other(found["name"], None)
    return None


def _other(name: str, version: str | None) -> Probe:
    async def probe(serving: Serving) -> Told:
        return no_prediction(serving, name, version)

    return probe


def no_prediction(serving: Serving, name: str | None, version: str | None) -> Told:
    """Tell why ``Predictions`` does not answer, and count it.

    Args:
        serving: What is served.
        name: In the path, if it names a model.
        version: In the path, if it names a version.
    """
    found = model_named(serving, name, version)
    if isinstance(found, Told) and found.status == HTTPStatus.NOT_FOUND:
        serving.metrics.rejected(Rejection.OTHER_MODEL)
        return found
    if not isinstance(found, Told):
        # It was loaded while this request was on its way here.
        sentence = "The model was being loaded when this came; send the request again."
        found = said({"error": sentence}, HTTPStatus.SERVICE_UNAVAILABLE)
    serving.metrics.rejected(Rejection.LOADING)
    return Told(found.body, found.status, more=_RETRY)


def _of_model(
    name: str, version: str | None, tell: Callable[[Serving, DataPlane], Awaitable[Told]]
) -> Probe:
    async def probe(serving: Serving) -> Told:
        plane = model_named(serving, name, version)
        return plane if isinstance(plane, Told) else await tell(serving, plane)

    return probe


async def _ready(serving: Serving, plane: DataPlane) -> Told:
    return await ready(serving)


async def _v2(serving: Serving, plane: DataPlane) -> Told:
    return said(plane.metadata())


async def _v1(serving: Serving, plane: DataPlane) -> Told:
    is_ready = serving.not_ready is None
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return said({"name": plane.name, "ready": is_ready}, status)


class _Route(Struct, frozen=True):
    """By what the route of a request is counted, as Starlette has it in the scope."""

    path: str


class Probes:
    """Answers the probes, and all that is posted before there is a model; else another does."""

    def __init__(self, serving: Serving, others: ASGIApp) -> None:
        """Answer about what is served."""
        self._serving = serving
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server leaves away the body where it was asked for the head."""
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
        method = scope["method"]
        if method == "POST" and self._serving.plane is None:
            return loading
        if method == "POST":
            found = prediction_at(scope["path"])
        else:
            found = probe_at(scope["path"]) if method in ("GET", "HEAD") else None
        if found is None:
            return None
        scope["route"] = _Route(found[0])
        return found[1]
