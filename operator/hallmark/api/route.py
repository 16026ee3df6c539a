"""Where an HTTPRoute of a ModelDeployment is attached: gateways and hostnames (Gateway API)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.common import ApiModel
from hallmark.api.rules import SET, cel, rule

GROUP = "gateway.networking.k8s.io"
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = rf"{_LABEL}(\.{_LABEL})*"

Subdomain = Annotated[str, Field(pattern=f"^{_NAME}$", min_length=1, max_length=253)]
"""A DNS subdomain, as objects and listeners are named."""
Hostname = Annotated[str, Field(pattern=rf"^(\*\.)?{_NAME}$", min_length=1, max_length=253)]
"""A hostname, or one of which the first label may be any: ``*.example.com``."""

_HERE = "(has({0}.__namespace__) ? {0}.__namespace__ : '')"
_SECTION = "(has({0}.sectionName) ? {0}.sectionName : '')"
_SAME = (
    "p.group == q.group && p.kind == q.kind && p.name == q.name && "
    f"{_HERE.format('p')} == {_HERE.format('q')}"
)


class ParentRef(ApiModel):
    """A Gateway (or what else takes HTTPRoutes), as in an HTTPRoute's own ``parentRefs``."""

    group: Annotated[str, Field(pattern=f"^$|^{_NAME}$", max_length=253)] = GROUP
    """Empty for the core group: the parent is then a Service of a mesh."""
    kind: Annotated[
        str, Field(pattern="^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$", min_length=1, max_length=63)
    ] = "Gateway"
    namespace: Annotated[str, Field(pattern=f"^{_LABEL}$", min_length=1, max_length=63)] | None = (
        None
    )
    """Where it is, if not here; its listener must allow routes from this namespace."""
    name: Subdomain
    section_name: Subdomain | None = None
    """One of its listeners; none: all that fit."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """A port that the listener must have."""


class Route(ApiModel):
    """An HTTPRoute that the operator makes, named like the ModelDeployment, and keeps.

    Its weights are the canary's: shares of requests, whatever the numbers of Pods. It stays when
    the canary is over. Whoever asks for it needs the right to create HTTPRoutes here himself.
    """

    parent_refs: Annotated[
        list[ParentRef],
        Field(
            min_length=1,
            max_length=8,
            json_schema_extra=cel(
                rule(
                    f"self.all(p, self.exists_one(q, {_SAME} && "
                    f"{_SECTION.format('p')} == {_SECTION.format('q')}))",
                    "Each parent must be named once, or with another 'sectionName' each time.",
                ),
                rule(
                    f"self.all(p, self.all(q, !({_SAME}) || "
                    "has(p.sectionName) == has(q.sectionName)))",
                    "A parent that is named twice must be named with a 'sectionName' each time.",
                ),
            ),
        ),
    ]
    """The Gateways; a step begins, and counts, once all of them have accepted the route."""
    hostnames: Annotated[list[Hostname], Field(max_length=16, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """For which hosts; none: for all that the listeners have."""
