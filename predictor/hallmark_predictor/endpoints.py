"""The HTTP endpoints: thin, from a request to the data plane and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.requests import ClientDisconnect

from hallmark.api.common import VERSION
from hallmark_predictor.bodies import UNREAD, Unread, read_body
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.logs import place_of
from hallmark_predictor.metrics import CONTENT_TYPE
from hallmark_predictor.problems import BadRequest
from hallmark_predictor.serving import Serving

LOG = logging.getLogger(__name__)

INLINE_BODY = 64 * 1024
"""A bigger body is answered in a thread, so that the others need not wait for it; one at a time,
for it becomes many times its size."""

Method = Callable[[DataPlane, bytes], Answer | BadRequest]
Handler = Callable[[Request], Awaitable[Response]]


def endpoints(serving: Serving) -> APIRouter:
    """Return all routes over what is served."""
    at = _Endpoints(serving)
    model = "/v2/models/{name}"
    # Routes are tried in order: what is asked most stands first.
    routes: list[tuple[str, str, Handler, str]] = [
        ("POST", "/predict", at.predict, "Predict from rows of named features."),
        ("GET", "/healthz", at.live, "Whether the process lives."),
        ("GET", "/readyz", at.ready, "Whether a verified model serves; else why not."),
        ("GET", "/metrics", at.metrics, "Metrics for Prometheus."),
        ("GET", "/v2", at.server, "Server metadata."),
        ("GET", "/v2/health/live", at.live, "Whether the process lives."),
        ("GET", "/v2/health/ready", at.ready, "Whether a verified model serves; else why not."),
    ]
    for path in (model, model + "/versions/{version}"):
        routes += [
            ("POST", path + "/infer", at.infer, "Predict from tensors."),
            ("GET", path, at.metadata, "Model metadata."),
            ("GET", path + "/ready", at.model_ready, "Whether the model serves."),
        ]
    router = APIRouter()
    for verb, path, handler, summary in routes:
        router.add_api_route(path, handler, methods=[verb], summary=summary)
    return router


class _Endpoints:
    """The handlers, each thin."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._one_at_a_time = asyncio.Lock()

    async def live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        reason = self._serving.not_ready
        if reason:
            return JSONResponse({"ready": False, "error": reason}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"ready": True})

    async def metrics(self, request: Request) -> Response:
        return PlainTextResponse(self._serving.metrics.exposition(), media_type=CONTENT_TYPE)

    async def server(self, request: Request) -> Response:
        return JSONResponse({"name": "hallmark", "version": VERSION, "extensions": []})

    async def metadata(self, request: Request) -> Response:
        plane = self._plane(request)
        return JSONResponse(plane.metadata()) if isinstance(plane, DataPlane) else plane

    async def model_ready(self, request: Request) -> Response:
        plane = self._plane(request)
        return await self.ready(request) if isinstance(plane, DataPlane) else plane

    async def predict(self, request: Request) -> Response:
        return await self._answer(request, DataPlane.predict)

    async def infer(self, request: Request) -> Response:
        return await self._answer(request, DataPlane.infer)

    def _plane(self, request: Request) -> DataPlane | Response:
        """Return the data plane that the path names, or why there is none."""
        plane = self._serving.plane
        if plane is None:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, self._serving.waiting_for)
        name = request.path_params.get("name", plane.name)
        version = request.path_params.get("version", plane.version)
        if (name, version) == (plane.name, plane.version):
            return plane
        sentence = f"This predictor serves '{plane.name}', version '{plane.version}', alone."
        return _error(HTTPStatus.NOT_FOUND, sentence)

    async def _answer(self, request: Request, method: Method) -> Response:
        plane = self._plane(request)
        if not isinstance(plane, DataPlane):
            return plane
        try:
            answer = await self._ask(plane, request, method)
        except ClientDisconnect:
            return _error(HTTPStatus.BAD_REQUEST, "The client went away.")
        except Exception as error:
            # Neither the log nor the answer gets the error's text: it may hold a value.
            LOG.error("A request could not be answered: %s.", place_of(error))
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "The request could not be answered.")
        trust = plane.model.trust
        headers = {
            "hallmark-model-version": trust.model_version,
            "hallmark-manifest-digest": trust.manifest_digest,
        }
        client = request.client.host if request.client else ""
        if isinstance(answer, BadRequest):
            self._serving.refused(answer.refusals, client)
            if answer.status in UNREAD:
                return Unread(answer, headers)
            return JSONResponse(answer.body(), answer.status, headers)
        self._serving.answered(answer.rows, client)
        return Response(answer.body, HTTPStatus.OK, headers, "application/json")

    async def _ask(self, plane: DataPlane, request: Request, method: Method) -> Answer | BadRequest:
        body = await read_body(request, plane, self._serving.room)
        if isinstance(body, BadRequest):
            return body
        if len(body) <= INLINE_BODY:
            return method(plane, body)
        async with self._one_at_a_time:
            return await asyncio.to_thread(method, plane, body)


def _error(status: HTTPStatus, message: str) -> Response:
    return JSONResponse({"error": message}, status)
