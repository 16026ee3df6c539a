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
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.logs import place_of
from hallmark_predictor.metrics import CONTENT_TYPE
from hallmark_predictor.problems import BadRequest, refuse
from hallmark_predictor.serving import Serving

LOG = logging.getLogger(__name__)

MAX_BODY = 8 * 1024 * 1024
"""Bytes that a request may have."""

INLINE_BODY = 64 * 1024
"""A bigger body is answered in a thread, so that the others need not wait for it."""

Handler = Callable[[Request], Awaitable[Response]]
Method = Callable[[DataPlane, bytes], Answer | BadRequest]


def endpoints(serving: Serving) -> APIRouter:
    """Return all routes over what is served."""
    router = APIRouter()

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        reason = serving.not_ready
        if reason:
            return JSONResponse({"ready": False, "error": reason}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"ready": True})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(serving.metrics.exposition(), media_type=CONTENT_TYPE)

    async def server(request: Request) -> Response:
        return JSONResponse({"name": "hallmark", "version": VERSION, "extensions": []})

    def on_model(handle: Callable[[DataPlane, Request], Awaitable[Response]]) -> Handler:
        async def handler(request: Request) -> Response:
            if serving.plane is None:
                return _error(HTTPStatus.SERVICE_UNAVAILABLE, serving.waiting_for)
            unknown = _unknown(serving.plane, request)
            if unknown:
                return _error(HTTPStatus.NOT_FOUND, unknown)
            return await handle(serving.plane, request)

        return handler

    async def metadata(plane: DataPlane, request: Request) -> Response:
        return JSONResponse(plane.metadata())

    async def model_ready(plane: DataPlane, request: Request) -> Response:
        return await ready(request)

    async def predict(plane: DataPlane, request: Request) -> Response:
        return await _answer(serving, plane, request, DataPlane.predict)

    async def infer(plane: DataPlane, request: Request) -> Response:
        return await _answer(serving, plane, request, DataPlane.infer)

    model = "/v2/models/{name}"
    version = model + "/versions/{version}"
    # Routes are tried in order: what is asked most stands first.
    routes: list[tuple[str, str, Handler, str]] = [
        ("POST", "/predict", on_model(predict), "Predict from rows of named features."),
        ("GET", "/healthz", live, "Whether the process lives."),
        ("GET", "/readyz", ready, "Whether a verified model serves; else why not."),
        ("GET", "/metrics", metrics, "Metrics for Prometheus."),
        ("GET", "/v2", server, "Server metadata."),
        ("GET", "/v2/health/live", live, "Whether the process lives."),
        ("GET", "/v2/health/ready", ready, "Whether a verified model serves; else why not."),
    ]
    for path in (model, version):
        routes += [
            ("POST", path + "/infer", on_model(infer), "Predict from tensors."),
            ("GET", path, on_model(metadata), "Model metadata."),
            ("GET", path + "/ready", on_model(model_ready), "Whether the model serves."),
        ]
    for verb, path, handler, summary in routes:
        router.add_api_route(path, handler, methods=[verb], summary=summary)
    return router


async def _answer(serving: Serving, plane: DataPlane, request: Request, method: Method) -> Response:
    try:
        body = await _read_body(request)
        if isinstance(body, bytes) and len(body) > INLINE_BODY:
            answer = await asyncio.to_thread(method, plane, body)
        else:
            answer = method(plane, body) if isinstance(body, bytes) else body
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
    if isinstance(answer, BadRequest):
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            headers["connection"] = "close"  # What is left of the body is not worth reading.
        return JSONResponse(answer.body(), answer.status, headers)
    if serving.recorder:
        serving.recorder.record(answer.rows)
    serving.metrics.rows.inc(len(answer.rows))
    return Response(answer.body, HTTPStatus.OK, headers, "application/json")


async def _read_body(request: Request) -> bytes | BadRequest:
    headers = request.headers
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return refuse(
            "Content-Type", "application/json", "another", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    for name in ("content-encoding", "inference-header-content-length"):
        if headers.get(name, "identity") != "identity":
            return refuse(
                name, "no such header: plain JSON", "one", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            )
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > MAX_BODY:
        return _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return _too_large()
    return bytes(body)


def _too_large() -> BadRequest:
    return refuse(
        "the body", f"at most {MAX_BODY} bytes", "more", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    )


def _unknown(plane: DataPlane, request: Request) -> str | None:
    name = request.path_params.get("name", plane.name)
    version = request.path_params.get("version", plane.version)
    if (name, version) == (plane.name, plane.version):
        return None
    return f"This predictor serves '{plane.name}', version '{plane.version}', alone."


def _error(status: HTTPStatus, message: str) -> Response:
    return JSONResponse({"error": message}, status)
