"""The HTTPRoute of a ModelDeployment, and the Service of its candidate."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.route import GROUP, Route
from hallmark.resources import predictor

Obj = dict[str, Any]


def http_route(owner: ModelDeployment, route: Route, weight: int) -> Obj:
    """Return the HTTPRoute, with all that the API server would add, so that it can be compared.

    Args:
        owner: the ModelDeployment.
        route: where it is attached.
        weight: per cent of the requests that go to the candidate's Service.
    """
    name = owner.metadata.name
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": predictor.metadata(owner, name),
        "spec": {
            "parentRefs": [parent.to_wire() for parent in route.parent_refs],
            # Empty ones too: a stranger's would keep requests away.
            "hostnames": list(route.hostnames),
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [
                        _backend(name, 100 - weight),
                        _backend(names.candidate_name(name), weight),
                    ],
                }
            ],
        },
    }


def _backend(service: str, weight: int) -> Obj:
    port = predictor.SERVICE_PORT
    return {"group": "", "kind": "Service", "name": service, "port": port, "weight": weight}


def candidate_service(owner: ModelDeployment, manifest: str) -> Obj:
    """Return the Service to which the route sends the candidate's share.

    Args:
        owner: the ModelDeployment.
        manifest: the manifest label of the candidate; of what serves while none has a share.
    """
    return predictor.service(owner, manifest, names.candidate_name(owner.metadata.name))
