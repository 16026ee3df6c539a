"""The HTTP endpoints: thin, from a request to the data plane and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from hallmark_predictor.probes import Told, no_prediction, probe_at, said
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
        ("GET", "/v2", at.probe, "Server metadata."),
        ("GET", "/v2/health/live", at.probe, "Whether the process lives."),
        ("GET", "/v2/health/ready", at.probe, "Whether a verified model serves; else why not."),
    ]
    routes += [
        ("POST", "/v1/models/{name}:predict", at.no_prediction, "Predict, as KServe's v1 asks."),
        ("POST", "/feedback", at.no_feedback, "Tell what became true of answers."),
        ("GET", "/v1/models/{name}", at.probe, "Whether the model serves, as v1 asks."),
    ]
    for path in (model, model + "/versions/{version}"):
        routes += [
            ("POST", path + "/infer", at.no_prediction, "Predict from tensors."),
            ("GET", path, at.probe, "Model metadata."),
            ("GET", path + "/ready", at.probe, "Whether the model serves."),
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
        """Answer as ``Probes`` does, which comes before and knows all of these paths."""
        found = probe_at(request.url.path)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return _told(await found[1](self._serving))

    async def docs(self, request: Request) -> Response:
        from hallmark_predictor import docs_page

        serving, described = self._serving, request.app.openapi()
        text = docs_page.page(described, serving.plane, serving.waiting_for)
        return HTMLResponse(text, headers=docs_page.HEADERS)

    async def no_prediction(self, request: Request) -> Response:
        """Say why a prediction's route is not answered by ``Predictions``."""
        path = request.path_params
        return _told(no_prediction(self._serving, path.get("name"), path.get("version")))

    async def no_feedback(self, request: Request) -> Response:
        """Say why feedback is not taken by ``FeedbackRoute``."""
        status, sentence = HTTPStatus.SERVICE_UNAVAILABLE, self._serving.waiting_for
        if self._serving.plane is not None:
            status = HTTPStatus.NOT_FOUND
            sentence = (
                "Expected 'drift.feedback' in the Deployment, found none: no feedback is taken "
                "here."
            )
        return _told(said({"error": sentence}, status))


def _told(told: Told) -> Response:
    headers = {name.decode(): value.decode() for name, value in told.more}
    return Response(told.body, told.status, headers, told.media_type)
