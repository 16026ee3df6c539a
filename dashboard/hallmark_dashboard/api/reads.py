"""Reads: the registry, versions, runs, drift, audit records, bills of materials."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic_core import to_json
from starlette.responses import Response

from hallmark.api.generated import to_yaml
from hallmark.api.texts import timestamp
from hallmark.audit.record import AuditRecord
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
)
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.audits import AuditQuery, Soundness, matching, visible
from hallmark_dashboard.bills import BillComponent, matching as components_of
from hallmark_dashboard.gather import (
    gather_deployment,
    gather_overview,
    gather_review,
    gather_version,
)
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.seen import Seen
from hallmark_dashboard.services import services_of
from hallmark_dashboard.signed_in import ApiCaller
from hallmark_dashboard.views.deployment import DeploymentDetail
from hallmark_dashboard.views.drift import DriftDetail
from hallmark_dashboard.views.overview import Overview
from hallmark_dashboard.views.quality import QualityDetail
from hallmark_dashboard.views.registry import registry
from hallmark_dashboard.views.review import Review
from hallmark_dashboard.views.rows import (
    DeploymentRow,
    RunRow,
    VersionRow,
    deployment_row,
    run_row,
    version_row,
)
from hallmark_dashboard.views.run import RunDetail, run_detail
from hallmark_dashboard.views.version import VersionDetail

Item = TypeVar("Item")

router = APIRouter(tags=["reads"])


@dataclass(frozen=True)
class Paging:
    """A part of a list."""

    limit: Annotated[int, Query(ge=1, le=500, description="Items at most.")] = 100
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="Items that are left out.")] = 0


Page = Annotated[Paging, Depends()]


@dataclass(frozen=True)
class Listed(Generic[Item]):
    """A part of a list, how long the whole is, and where it goes on."""

    items: tuple[Item, ...]
    total: int
    next: int | None
    age_seconds: float
    """How old what was read may be."""


def part(items: list[Item], page: Paging, age: float = 0.0) -> Listed[Item]:
    """Return a part of a list."""
    end = page.offset + page.limit
    return Listed(
        tuple(items[page.offset : end]),
        len(items),
        end if end < len(items) else None,
        round(age, 1),
    )


async def _seen(request: Request, caller: Caller, kind: Kind, namespace: str) -> Seen:
    """Return what a caller may see of a kind, in all namespaces unless one is named."""
    seen = await services_of(request).seen(caller, namespace or None, kind)
    if namespace:
        seen.require(kind, namespace)
    return seen


@router.get("/registry.json", summary="Every model with its versions, as a file.")
async def registry_file(request: Request, caller: ApiCaller) -> Response:
    """Return the registry of all that the caller may see."""
    seen = await services_of(request).seen(caller, None, MODEL_VERSION, MODEL_DEPLOYMENT)
    found = registry(seen.versions(), seen.deployments(), timestamp(seen.now))
    return Response(to_json(found), media_type="application/json")


@router.get("/api/overview", summary="What is wrong, and what waits for you.")
async def overview(request: Request, caller: ApiCaller) -> Overview:
    """Return the first page."""
    return await gather_overview(services_of(request), caller)


@router.get("/api/versions", summary="ModelVersions, the newest number first in each model.")
async def versions(
    request: Request, caller: ApiCaller, page: Page, namespace: str = "", model: str = ""
) -> Listed[VersionRow]:
    """Return the versions that the caller may see."""
    seen = await _seen(request, caller, MODEL_VERSION, namespace)
    found = [version_row(version) for version in seen.versions(namespace or None)]
    rows = [row for row in found if not model or row.model == model]
    rows.sort(key=lambda row: (row.namespace, row.model, -row.version))
    return part(rows, page, seen.age)


@router.get("/api/versions/{namespace}/{name}", summary="One ModelVersion, and what is unmet.")
async def version(request: Request, caller: ApiCaller, namespace: str, name: str) -> VersionDetail:
    """Return what is said of a version."""
    return (await gather_version(services_of(request), caller, namespace, name)).detail


@router.get("/api/reviews/{namespace}/{name}", summary="What a reviewer must know.")
async def review(request: Request, caller: ApiCaller, namespace: str, name: str) -> Review:
    """Return the review of a version."""
    return (await gather_review(services_of(request), caller, namespace, name))[0]


@router.get("/api/runs", summary="TrainingRuns, the newest first.")
async def runs(
    request: Request, caller: ApiCaller, page: Page, namespace: str = "", model: str = ""
) -> Listed[RunRow]:
    """Return the runs that the caller may see."""
    seen = await _seen(request, caller, TRAINING_RUN, namespace)
    found = [run_row(run) for run in seen.runs(namespace or None)]
    rows = [row for row in found if not model or row.model == model]
    rows.sort(key=lambda row: row.created, reverse=True)
    return part(rows, page, seen.age)


@router.get("/train/{namespace}/{run}", summary="One TrainingRun: progress, or the refusal.")
async def run(request: Request, caller: ApiCaller, namespace: str, run: str) -> RunDetail:
    """Return what is said of a run."""
    seen = await services_of(request).seen(caller, namespace, TRAINING_RUN)
    found = seen.run(namespace, run)
    return run_detail(found, to_yaml({"spec": found.spec.to_wire()}, all_scripts=True))


@router.get("/api/deployments", summary="ModelDeployments.")
async def deployments(
    request: Request, caller: ApiCaller, page: Page, namespace: str = ""
) -> Listed[DeploymentRow]:
    """Return the ModelDeployments that the caller may see."""
    seen = await _seen(request, caller, MODEL_DEPLOYMENT, namespace)
    rows = [deployment_row(found) for found in seen.deployments(namespace or None)]
    return part(rows, page, seen.age)


@router.get("/api/deployments/{namespace}/{name}", summary="One ModelDeployment.")
async def deployment(
    request: Request, caller: ApiCaller, namespace: str, name: str
) -> DeploymentDetail:
    """Return what is said of a ModelDeployment."""
    return (await gather_deployment(services_of(request), caller, namespace, name)).detail


@router.get("/api/drift/{namespace}/{name}", summary="Drift of a ModelDeployment, with its course.")
async def drift(request: Request, caller: ApiCaller, namespace: str, name: str) -> DriftDetail:
    """Return the drift of what serves."""
    return (await gather_deployment(services_of(request), caller, namespace, name)).drift


@router.get(
    "/api/quality/{namespace}/{name}",
    summary="What became true of a ModelDeployment's answers; null where no feedback is declared.",
)
async def quality(
    request: Request, caller: ApiCaller, namespace: str, name: str
) -> QualityDetail | None:
    """Return the realised quality of what serves, beside the sealed one."""
    return (await gather_deployment(services_of(request), caller, namespace, name)).quality


@router.get("/api/sbom/{namespace}/{name}", summary="The bill of materials of a version.")
async def sbom(
    request: Request, caller: ApiCaller, page: Page, namespace: str, name: str, search: str = ""
) -> Listed[BillComponent]:
    """Return the components whose name, version or licence holds a text."""
    services = services_of(request)
    seen = await services.seen(caller, namespace, MODEL_VERSION)
    found = seen.version(namespace, name)
    applied = seen.policy(namespace)
    bill = await services.evidence.bill(found, applied.policy.spec if applied.policy else None)
    if bill.content is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, bill.sentence)
    return part(list(components_of(bill.content, search)), page)


@dataclass(frozen=True)
class AuditFilter:
    """What is looked for in the audit log; an empty field is everything."""

    actor: Annotated[str, Query(max_length=253)] = ""
    namespace: Annotated[str, Query(max_length=63)] = ""
    name: Annotated[str, Query(max_length=253)] = ""
    event: Annotated[str, Query(max_length=64)] = ""
    since: Annotated[str, Query(max_length=40)] = ""
    until: Annotated[str, Query(max_length=40)] = ""

    def query(self) -> AuditQuery:
        """Return it as the log's reader takes it."""
        return AuditQuery(**vars(self))


@router.get("/api/audit", summary="Records of the audit log, the newest first.")
async def audit(
    request: Request, caller: ApiCaller, page: Page, wanted: Annotated[AuditFilter, Depends()]
) -> Listed[AuditRecord]:
    """Return the records about objects that the caller may see."""
    services = services_of(request)
    records, problem = await services.audits.records()
    if problem:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, problem)
    spaces = {record.namespace for record in records if record.namespace}
    sight = await services.rights.sight(caller, spaces)
    try:
        found = matching(visible(records, sight), wanted.query())
    except ValueError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "since, until: expected moments such as 2027-01-31T00:00:00Z.",
        ) from error
    return part(found[::-1], page)


@router.get("/api/audit/verify", summary="Whether the whole audit log is sound.")
async def audit_verify(request: Request, caller: ApiCaller) -> Soundness:
    """Return the verdict over the log, at most half a minute old."""
    services = services_of(request)
    seen = await services.seen(caller, None, MODEL_APPROVAL)
    try:
        return await services.audits.soundness(seen.policies(), await services.anchor())
    except OSError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"The audit log {services.audits.path} cannot be read ({type(error).__name__}).",
        ) from error
