"""The HTTP endpoints: thin, from a request to the data plane and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from hallmark.api.texts import VERSION
from hallmark_predictor.bodies import RETRY_AFTER
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.metrics import Rejection
from hallmark_predictor.probes import PROBES, Told, ready
from hallmark_predictor.protocol import EXTENSIONS
from hallmark_predictor.serving import Serving

Handler = Callable[[Request], Awaitable[Response]]


def endpoints(serving: Serving) -> APIRouter:
    """Return all routes over what is served."""
    at = _Endpoints(serving)
    model = "/v2/models/{name}"
    # Routes are tried in order: what is asked most stands first.
    routes: list[tuple[str, str, Handler, str]] = [
        ("POST", "/predict", at.no_prediction, "Predict from rows of named features."),
        ("GET", "/healthz", at.probe, "Whether the process lives."),
        ("GET", "/readyz", at.probe, "Whether a verified model serves; else why not."),
        ("GET", "/metrics", at.probe, "Metrics for Prometheus."),
        ("GET", "/v2", at.server, "Server metadata."),
        ("GET", "/v2/health/live", at.probe, "Whether the process lives."),
        ("GET", "/v2/health/ready", at.probe, "Whether a verified model serves; else why not."),
    ]
    routes += [
        ("POST", "/v1/models/{name}:predict", at.no_prediction, "Predict, as KServe's v1 asks."),
        ("POST", "/feedback", at.no_feedback, "Tell what became true of answers."),
        ("GET", "/v1/models/{name}", at.first_ready, "Whether the model serves, as v1 asks."),
    ]
    for path in (model, model + "/versions/{version}"):
        routes += [
            ("POST", path + "/infer", at.no_prediction, "Predict from tensors."),
            ("GET", path, at.metadata, "Model metadata."),
            ("GET", path + "/ready", at.model_ready, "Whether the model serves."),
        ]
    router = APIRouter()
    router.add_api_route("/docs", at.docs, methods=["GET"], include_in_schema=False)
    for verb, path, handler, summary in routes:
        router.add_api_route(path, handler, methods=[verb], summary=summary)
    return router


class _Endpoints:
    """The handlers, each thin."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def probe(self, request: Request) -> Response:
        told = await PROBES[request.url.path](self._serving)
        return _told(told)

    async def docs(self, request: Request) -> Response:
        from hallmark_predictor import docs_page

        serving, described = self._serving, request.app.openapi()
        text = docs_page.page(described, serving.plane, serving.waiting_for)
        return HTMLResponse(text, headers=docs_page.HEADERS)

    async def server(self, request: Request) -> Response:
        return JSONResponse(
            {"name": "hallmark", "version": VERSION, "extensions": list(EXTENSIONS)}
        )

    async def metadata(self, request: Request) -> Response:
        plane = self._plane(request)
        return JSONResponse(plane.metadata()) if isinstance(plane, DataPlane) else plane

    async def model_ready(self, request: Request) -> Response:
        plane = self._plane(request)
        if not isinstance(plane, DataPlane):
            return plane
        told = await ready(self._serving)
        return _told(told)

    async def first_ready(self, request: Request) -> Response:
        plane = self._plane(request)
        if not isinstance(plane, DataPlane):
            return plane
        reason = self._serving.not_ready
        status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
        return JSONResponse({"name": plane.name, "ready": reason is None}, status)

    async def no_prediction(self, request: Request) -> Response:
        """Say why a prediction's route is not answered by ``Predictions``."""
        plane = self._plane(request)
        if isinstance(plane, DataPlane):
            # It was loaded while this request was on its way here.
            sentence = "The model was being loaded when this came; send the request again."
            plane = _error(HTTPStatus.SERVICE_UNAVAILABLE, sentence)
        loading = plane.status_code != HTTPStatus.NOT_FOUND
        self._serving.metrics.rejected(Rejection.LOADING if loading else Rejection.OTHER_MODEL)
        if loading:
            plane.headers["retry-after"] = str(RETRY_AFTER)
        return plane

    async def no_feedback(self, request: Request) -> Response:
        """Say why feedback is not taken by ``FeedbackRoute``."""
        if self._serving.plane is None:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, self._serving.waiting_for)
        return _error(
            HTTPStatus.NOT_FOUND,
            "Expected 'drift.feedback' in the Deployment, found none: no feedback is taken here.",
        )

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


def _told(told: Told) -> Response:
    return Response(told.body, told.status, media_type=told.media_type)


def _error(status: HTTPStatus, message: str) -> Response:
    return JSONResponse({"error": message}, status)
