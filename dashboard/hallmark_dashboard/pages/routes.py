"""The pages that are looked at; each reads, makes its view, and shows it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from hallmark.api.generated import to_yaml
from hallmark.cluster.kinds import (
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
)
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.bills import matching as components_of
from hallmark_dashboard.evidence import is_download
from hallmark_dashboard.gather import (
    gather_changes,
    gather_deployment,
    gather_overview,
    gather_review,
    gather_version,
)
from hallmark_dashboard.pages.render import Frame, page
from hallmark_dashboard.pages.resume import KEPT, once, typed_here
from hallmark_dashboard.pages.shown import features, sections, shown_quality
from hallmark_dashboard.problems import Problem, not_found
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import Person
from hallmark_dashboard.views.gates import gate_chart, gate_lines
from hallmark_dashboard.views.model import model_detail, model_rows
from hallmark_dashboard.views.overview import urgent_first
from hallmark_dashboard.views.parts import Part
from hallmark_dashboard.views.rates import rates_by_place
from hallmark_dashboard.views.rows import deployment_row
from hallmark_dashboard.views.run import run_detail
from hallmark_dashboard.views.search import search
from hallmark_dashboard.views.standing import State

router = APIRouter(include_in_schema=False)


@router.get("/")
async def overview(request: Request, caller: Person) -> Response:
    """Show what is wrong and what waits."""
    view = await gather_overview(services_of(request), caller)
    frame = Frame("Overview", "Overview", caller, live="")
    return page(request, "overview.html", frame, view=view)


@router.get("/models")
async def models(request: Request, caller: Person, offset: str = "") -> Response:
    """Show all models."""
    seen = await services_of(request).seen(caller, None, MODEL_VERSION, MODEL_DEPLOYMENT)
    rows = model_rows(seen.versions(), seen.deployments())
    part = Part.of(rows, offset, "/models")
    return page(request, "models.html", Frame("Models", "Models", caller, live=""), part=part)


@router.get("/models/{namespace}/{name}")
async def model(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Show a model: its chain and its versions."""
    seen = await services_of(request).seen(caller, namespace)
    seen.require(MODEL_VERSION, namespace)
    view = model_detail(
        namespace,
        name,
        seen.versions(namespace),
        seen.deployments(namespace),
        seen.runs(namespace),
    )
    if view is None:
        raise not_found("a model", namespace, name)
    frame = Frame(f"Model {name}", "Models", caller, live=f"namespace={namespace}")
    return page(request, "model.html", frame, view=view)


@router.get("/versions/{namespace}/{name}")
async def version(
    request: Request, caller: Person, namespace: str, name: str, component: str = ""
) -> Response:
    """Show a version: is it what it says, and how good is it?"""
    evidence = await gather_version(services_of(request), caller, namespace, name)
    report, bill, policy = evidence.report.content, evidence.bill.content, evidence.policy
    services = services_of(request)
    found = await services.violations(evidence.version, bill, policy, report) if bill else ()
    listed = evidence.manifest.content.files if evidence.manifest.content else []
    others = [
        other.metadata.name
        for other in evidence.seen.versions(namespace)
        if other.spec.model == evidence.version.spec.model and other.metadata.name != name
    ]
    return page(
        request,
        "version.html",
        Frame(f"Version {name}", "Models", caller, live=f"namespace={namespace}"),
        view=evidence.detail,
        evidence=evidence,
        report=report,
        inputs=evidence.inputs,
        shown=sections(report) if report else None,
        bill=bill,
        components=components_of(bill, component[:128]) if bill else (),
        component=component[:128],
        violations=found,
        sbom_state=State.STOPPED if found else State.GOOD,
        others=others[-5:],
        downloads=[file.name for file in listed if is_download(file.name)],
        yaml=_yaml(services_of(request), MODEL_VERSION, namespace, name),
        gates=gate_lines(report.gates, report.metrics) if report else [],
        gate_chart=gate_chart(report.gates, report.metrics) if report else None,
    )


@router.get("/versions/{namespace}/{name}/files/{file}")
async def download(
    request: Request, caller: Person, namespace: str, name: str, file: str
) -> Response:
    """Send a sealed file as it is; a browser keeps it, and never shows it as a page of ours."""
    services = services_of(request)
    seen = await services.seen(caller, namespace, MODEL_VERSION)
    found = seen.version(namespace, name)
    applied = seen.policy(namespace)
    raw = await services.evidence.raw(found, applied.policy.spec if applied.policy else None, file)
    if raw.content is None:
        raise Problem(HTTPStatus.NOT_FOUND, raw.sentence)
    headers = {
        "content-disposition": f'attachment; filename="{file}"',
        "content-security-policy": "sandbox; default-src 'none'",
        "hallmark-digest": raw.digest,
    }
    return Response(raw.content, headers=headers, media_type="application/octet-stream")


@router.get("/versions/{namespace}/{name}/compare")
async def compare(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Show two versions side by side: what differs."""
    services = services_of(request)
    other = request.query_params.get("with", "")
    before = await gather_version(services, caller, namespace, other)
    after = await gather_version(services, caller, namespace, name)
    changes, sentence = await gather_changes(services, before.version, after)
    return page(
        request,
        "compare.html",
        Frame(f"{other} and {name}", "Models", caller),
        before=before.detail,
        after=after.detail,
        changes=changes,
        sentence=sentence,
    )


async def review_page(
    request: Request,
    caller: Caller,
    namespace: str,
    name: str,
    given: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    """Return the review page, with what was typed where it could not be done."""
    view, evidence = await gather_review(services_of(request), caller, namespace, name)
    report = evidence.report.content
    typed = {"decision": "", "reason": "", "targets": "", "notAfter": "", **(given or {})}
    return page(
        request,
        "review.html",
        Frame(f"Review {name}", "Models", caller, live=f"namespace={namespace}"),
        problem=problem,
        note=KEPT if given and not problem else "",
        view=view,
        given=typed,
        report=report,
        inputs=evidence.inputs,
        bill=evidence.bill.content,
        shown=sections(report) if report else None,
        gate_chart=gate_chart(report.gates, report.metrics) if report else None,
    )


@router.get("/reviews/{namespace}/{name}")
async def review(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Show the reviewer's whole task."""
    typed = typed_here(request)
    return once(request, typed, await review_page(request, caller, namespace, name, typed))


async def deployment_page(
    request: Request,
    caller: Caller,
    namespace: str,
    name: str,
    given: dict[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    """Return the page of a ModelDeployment, with what was typed where it could not be done."""
    services = services_of(request)
    evidence = await gather_deployment(services, caller, namespace, name)
    drift = evidence.drift
    states = {"Drift": State.STOPPED, "NoDrift": State.GOOD}
    deeds = evidence.detail.deeds
    targets = [target for deed in deeds for target in deed.targets]
    lacked = [right for right in deeds[0].missing if all(right in one.missing for one in deeds)]
    return page(
        request,
        "deployment.html",
        Frame(f"Deployment {name}", "Overview", caller, live=f"namespace={namespace}"),
        problem=problem,
        note=KEPT if given and not problem else "",
        view=evidence.detail,
        drift=drift,
        drift_state=states.get(drift.verdict, State.UNKNOWN),
        features=features(drift),
        quality=shown_quality(evidence.quality) if evidence.quality else None,
        targets=targets,
        lacked=lacked,
        given={"action": "", "target": "", "reason": "", "until": "", **(given or {})},
        yaml=_yaml(services, MODEL_DEPLOYMENT, namespace, name),
    )


@router.get("/deployments")
async def deployments(request: Request, caller: Person, offset: str = "") -> Response:
    """Show all ModelDeployments, those that need a look first."""
    seen = await services_of(request).seen(caller, None, MODEL_DEPLOYMENT)
    part = Part.of(urgent_first(seen.deployments()), offset, "/deployments")
    rates = rates_by_place(part.rows, services_of(request).watch.traffic)
    frame = Frame("Deployments", "Overview", caller, live="")
    return page(
        request,
        "deployments.html",
        frame,
        part=part,
        rows=map(deployment_row, part.rows),
        rates=rates,
    )


@router.get("/deployments/{namespace}/{name}")
async def deployment(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Show what serves, what is asked for, and why they differ."""
    typed = typed_here(request)
    return once(request, typed, await deployment_page(request, caller, namespace, name, typed))


@router.get("/runs/{namespace}/{name}")
async def run(request: Request, caller: Person, namespace: str, name: str) -> Response:
    """Show what happens in a run, or why it was refused."""
    seen = await services_of(request).seen(caller, namespace, TRAINING_RUN)
    found = seen.run(namespace, name)
    view = run_detail(found, to_yaml({"spec": found.spec.to_wire()}, all_scripts=True))
    frame = Frame(f"Run {name}", "Models", caller, live=f"namespace={namespace}")
    chart = gate_chart(found.status.gates, found.status.metrics)
    return page(request, "run.html", frame, view=view, gate_chart=chart)


@router.get("/search")
async def search_page(request: Request, caller: Person, q: str = "") -> Response:
    """Show the objects whose name or digest holds a text."""
    seen = await services_of(request).seen(caller)
    text = q.strip()[:128]
    found, more = search(text, seen.versions(), seen.deployments(), seen.runs())
    frame = Frame("Search", "", caller)
    return page(request, "search.html", frame, text=text, found=found, more=more)


def _yaml(services: Services, kind: Kind, namespace: str, name: str) -> str:
    return to_yaml(services.watch.cache.get(kind, namespace, name) or {}, all_scripts=True)
