"""What the cluster shows of a ModelDeployment's HTTPRoute."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.route import ParentRef


@dataclass(frozen=True)
class ParentVerdict:
    """What one controller says of the route, as it is now, for one parent."""

    parent: ParentRef
    """With its namespace."""
    controller: str
    accepted: bool
    """It takes the route and has found the backends (conditions Accepted and ResolvedRefs)."""
    refusal: str = ""
    """Which condition is False, and why; empty: none of the current generation is."""


@dataclass(frozen=True)
class RouteState:
    """The HTTPRoute as it stands."""

    weight: int | None
    """Per cent of the requests that go to the candidate's Service; None where anything else of the
    route is not as it is asked for."""
    verdicts: tuple[ParentVerdict, ...] = ()
