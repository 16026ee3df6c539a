"""What an HTTPRoute as it stands says: which share it gives, and who has accepted it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.route import ParentRef, Route
from hallmark.cluster.kinds import Obj
from hallmark.policies.model_deployment.route_state import ParentVerdict, RouteState
from hallmark.resources.difference import stands
from hallmark.resources.route import http_route

CONDITIONS = ("Accepted", "ResolvedRefs")
"""Both must hold: the parent takes the route, and finds the Services behind it."""
_MOST_SAID = 300


def route_state(owner: ModelDeployment, route: Route, live: Obj) -> RouteState:
    """Return what an HTTPRoute says.

    Args:
        owner: the ModelDeployment.
        route: as it is asked for.
        live: the HTTPRoute, as the cache keeps it.
    """
    weight = _weight(owner, live)
    as_asked = weight is not None and stands(
        http_route(owner, route, weight)["spec"], live.get("spec")
    )
    return RouteState(weight if as_asked else None, tuple(_verdicts(owner, live)))


def _weight(owner: ModelDeployment, live: Obj) -> int | None:
    """Return the weight of the candidate's Service; what no number can be read from has none."""
    name = names.candidate_name(owner.metadata.name)
    for rule in (live.get("spec") or {}).get("rules") or []:
        for backend in rule.get("backendRefs") or []:
            if backend.get("name") == name and isinstance(backend.get("weight"), int):
                return int(backend["weight"])
    return None


def _verdicts(owner: ModelDeployment, live: Obj) -> Iterator[ParentVerdict]:
    generation = int(live["metadata"].get("generation", 0))
    for said in (live.get("status") or {}).get("parents") or []:
        try:
            parent = ParentRef.model_validate(said.get("parentRef"))
        except ValidationError:
            continue
        current = {
            condition.get("type"): condition
            for condition in said.get("conditions") or []
            if int(condition.get("observedGeneration") or 0) >= generation
        }
        found = [current.get(type_) or {} for type_ in CONDITIONS]
        refused = next((one for one in found if one.get("status") == "False"), None)
        yield ParentVerdict(
            parent=parent.replace(namespace=parent.namespace or owner.metadata.namespace),
            controller=str(said.get("controllerName", "")),
            accepted=all(one.get("status") == "True" for one in found),
            refusal=_said(refused) if refused else "",
        )


def _said(condition: Mapping[str, Any]) -> str:
    text = str(condition.get("message") or "")[:_MOST_SAID]
    return f"{condition.get('type')}=False ({condition.get('reason')}){f': {text}' if text else ''}"
