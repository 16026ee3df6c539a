"""The pages of policies: what is demanded of every model, and whom it stops."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from hallmark.api.generated import to_yaml
from hallmark.cluster.kinds import MODEL_POLICY, MODEL_VERSION
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.pages.render import Frame, page
from hallmark_dashboard.pages.resume import KEPT, once, typed_here
from hallmark_dashboard.problems import Problem, not_found
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import Person
from hallmark_dashboard.views.policy import PolicyDetail, policy_detail
from hallmark_dashboard.views.what_if import WhatIf

router = APIRouter(include_in_schema=False)


@router.get("/policies")
async def policies(request: Request, caller: Person) -> Response:
    """Show all policies."""
    views = await _policies(services_of(request), caller)
    frame = Frame("Policies", "Policies", caller)
    return page(request, "policies.html", frame, views=views)


@router.get("/policies/{name}")
async def policy(request: Request, caller: Person, name: str) -> Response:
    """Show what a policy demands, and whom it stops."""
    typed = typed_here(request)
    shown = await policy_page(request, caller, name, typed.get("spec", ""))
    return once(request, typed, shown)


async def policy_page(
    request: Request,
    caller: Caller,
    name: str,
    text: str = "",
    found: WhatIf | None = None,
    problem: Problem | None = None,
) -> Response:
    """Return the page of a policy, with what another spec would stop where that was asked."""
    services = services_of(request)
    views = await _policies(services, caller)
    view = next((one for one in views if one.name == name), None)
    if view is None:
        raise not_found("ModelPolicy", None, name)
    current = services.watch.cache.get(MODEL_POLICY, None, name) or {}
    return page(
        request,
        "policy.html",
        Frame(f"Policy {name}", "Policies", caller),
        problem=problem,
        note=KEPT if text and not (found or problem) else "",
        view=view,
        found=found,
        text=text or to_yaml(current.get("spec") or {}, all_scripts=True),
    )


async def _policies(services: Services, caller: Caller) -> list[PolicyDetail]:
    seen = await services.seen(caller, None, MODEL_VERSION)
    versions = seen.versions()
    spaces = sorted({found.metadata.namespace for found in versions})
    under = {space: seen.policy(space).name for space in spaces}
    return [
        policy_detail(
            found,
            [space for space in spaces if under[space] == found.metadata.name],
            [
                version
                for version in versions
                if under[version.metadata.namespace] == found.metadata.name
            ],
        )
        for found in seen.policies()
    ]
