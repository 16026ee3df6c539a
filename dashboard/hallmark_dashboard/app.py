"""The application: routes, what concerns every request, and errors as problems or pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from hallmark.cluster.cluster import ApiError
from hallmark_dashboard.api import decisions, reads
from hallmark_dashboard.metrics import CONTENT_TYPE
from hallmark_dashboard.pages import audit, forms, live, openid, policies, routes
from hallmark_dashboard.pages.render import error_page
from hallmark_dashboard.pages.resume import sign_in_first
from hallmark_dashboard.problems import (
    MEDIA_TYPE,
    Problem,
    ProblemModel,
    from_api_error,
)
from hallmark_dashboard.security.bodies import problem_of
from hallmark_dashboard.security.guard import Guard
from hallmark_dashboard.security.headers import EveryAnswer
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import ApiCaller, caller_of

log = structlog.get_logger("hallmark")

DESCRIPTION = """
Every call acts with the caller's own rights: send a token of the cluster as
`Authorization: Bearer TOKEN` (`kubectl create token NAME -n NAMESPACE` makes one). RBAC and
admission decide; what is missing is named as a verb on an object. Every write is an object or an
annotation that kubectl could write. Errors are problem+json (RFC 9457).
"""

_PROBLEMS = {
    status: {"model": ProblemModel, "description": HTTPStatus(status).phrase}
    for status in (401, 403, 404, 409, 422, 429, 503)
}


def create_app(services: Services) -> FastAPI:
    """Return the application over its services."""
    app = FastAPI(
        title="Hallmark",
        summary="Models that must be trusted: registry, decisions, deployments.",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        exception_handlers={
            Problem: _problem,
            ApiError: _api_error,
            RequestValidationError: _wrong_fields,
            HTTPException: _http_error,
            Exception: _unexpected,
        },
    )
    app.state.services = services
    for router in (reads.router, decisions.router):
        app.include_router(router, responses=dict(_PROBLEMS))  # type: ignore[arg-type]  # FastAPI asks for more general keys
    for router in (
        routes.router,
        policies.router,
        forms.router,
        openid.router,
        audit.router,
        live.router,
    ):
        app.include_router(router)
    _own_routes(app)
    app.mount("/static", _Static(packages=[("hallmark_dashboard", "static")]))
    app.add_middleware(Guard, addresses=services.limits.address, metrics=services.metrics)
    app.add_middleware(EveryAnswer, secure=services.settings.secure)
    return app


def _own_routes(app: FastAPI) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz(request: Request) -> Response:
        """Tell whether the memory of the cluster is filled and followed."""
        watch = services_of(request).watch
        if watch.problem:
            return PlainTextResponse(watch.problem, HTTPStatus.SERVICE_UNAVAILABLE)
        if not watch.synced:
            return PlainTextResponse("The first lists are read.", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok")

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        """Tell counts and ages to Prometheus; no name of anybody's object is among them."""
        return Response(services_of(request).metrics.exposition(), media_type=CONTENT_TYPE)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request, caller: ApiCaller) -> Response:
        """Describe the API."""
        del caller
        return JSONResponse(request.app.openapi())


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    following = asyncio.create_task(services.watch.run())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await services.close()


class _Static(StaticFiles):
    """Files whose URLs change with their bytes."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # as it was called
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


async def _problem(request: Request, error: Exception) -> Response:
    problem = error if isinstance(error, Problem) else Problem(500, "")
    if not _is_page(request):
        return answer_of(problem)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return await _signed_out(request, problem)
    try:
        caller = await caller_of(request)
    except (Problem, ApiError):
        caller = None
    page = error_page(request, problem, caller)
    if problem.retry_after:
        page.headers["retry-after"] = str(problem.retry_after)
    return page


async def _signed_out(request: Request, problem: Problem) -> Response:
    try:
        return await sign_in_first(request, problem)
    except Problem as wrong:
        return error_page(request, wrong, None)


def answer_of(problem: Problem) -> JSONResponse:
    """Return a problem as JSON."""
    headers = {"retry-after": str(problem.retry_after)} if problem.retry_after else {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="hallmark"'
    return JSONResponse(problem.wire(), problem.status, headers, media_type=MEDIA_TYPE)


def _is_page(request: Request) -> bool:
    """Whether a browser asks for something to look at."""
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and "authorization" not in request.headers


async def _api_error(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, ApiError) else ApiError("")
    return await _problem(request, from_api_error(known))


async def _wrong_fields(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    # FastAPI says first where a field is from: the body, the query or the path.
    inner = [{**problem, "loc": problem["loc"][1:]} for problem in found]
    return await _problem(request, problem_of(inner))


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = {
        404: "There is nothing under this address.",
        405: "This address does not take this method.",
    }.get(status, str(getattr(error, "detail", "")) or HTTPStatus(status).phrase)
    return await _problem(request, Problem(status, detail))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("A request failed.", path=request.url.path, kind=type(error).__name__, exc_info=error)
    detail = "Something unexpected happened in the dashboard; its log says what. Nothing is known."
    return answer_of(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
