"""A candidate's share of the requests by an HTTPRoute: how much, and whether it is in force. Pure.

Two Services always stand behind the route: the ModelDeployment's own, and the candidate's, which
leads to what serves while no candidate may have a share. So what a gateway has not taken back yet
is answered by what serves. What no parent has accepted, as it is now, is not in force: no step
begins or counts meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.canary import CanaryRecord
from hallmark.api.model_deployment import Rollout
from hallmark.api.reasons import DeploymentReason
from hallmark.api.route import ParentRef
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment import analysis, canary
from hallmark.policies.model_deployment.inputs import View, Wait


@dataclass(frozen=True)
class Routed:
    """What the HTTPRoute gives."""

    candidate: str
    """Whose Pods the candidate's Service selects: a manifest digest."""
    weight: int
    """Per cent of the requests that go there."""


def planned(view: View, answering: str) -> Routed | None:
    """Return what the route must give now; None: there must be none.

    Args:
        view: the inputs and the record.
        answering: the manifest digest that the ModelDeployment's own Service selects.
    """
    if canary.route_of(view) is None:
        return None
    candidate, weight = canary.sharing(view), share(view)
    return Routed(candidate if candidate and weight else answering, weight)


def share(view: View) -> int:
    """Return per cent of the requests that the candidate may have now.

    A step's weight comes with the Pods that it needs, and not during a hold; what it had before
    stays while it is short of some. Without a ready Pod it has none, nor where the route or the
    Service behind it is gone: that Service's name may be a stranger's by now.
    """
    record, candidate, route = view.rollout.canary, canary.sharing(view), view.inputs.route
    if record is None or candidate is None or route is None:
        return 0
    if not view.inputs.ready_pods(candidate, view.rollout.trust_sha256):
        return 0
    weights = [step.weight for step in view.inputs.deployment.spec.strategy.canary_or_default.steps]
    asked = weights[min(record.step, len(weights) - 1)]
    if canary.has_its_pods(view) and view.held is None:
        return asked
    before = weights[min(record.step, len(weights)) - 1] if record.step else 0
    return min(asked, max(before, route.weight or 0))


def awaited(view: View, weight: int) -> Wait | None:
    """Return why the candidate does not have that share of the requests (yet), or None.

    Args:
        view: the inputs and the record; the spec asks for a route.
        weight: per cent of the requests.
    """
    inputs, asked = view.inputs, canary.route_of(view)
    name, state = f"HTTPRoute '{inputs.name}'", inputs.route
    if inputs.no_routes:
        return Wait(DeploymentReason.GATEWAY_API_MISSING, inputs.no_routes, stalled=True)
    if asked is None or state is None or state.weight != weight:
        return Wait(DeploymentReason.ROUTE_PENDING, f"{name} is not written yet as it is to be.")
    here = inputs.deployment.metadata.namespace
    for parent in asked.parent_refs:
        placed = parent.replace(namespace=parent.namespace or here)
        said = [verdict for verdict in state.verdicts if verdict.parent == placed]
        refused = next((verdict for verdict in said if verdict.refusal), None)
        if refused is not None:
            return Wait(
                DeploymentReason.ROUTE_NOT_ACCEPTED,
                f"Expected {_named(placed)} to accept {name}, found {refused.refusal} (said by "
                f"'{refused.controller}'). Let its listener take routes of this namespace and "
                f"these hostnames, or change spec.strategy.canary.route.",
                stalled=True,
            )
        if not any(verdict.accepted for verdict in said):
            return Wait(
                DeploymentReason.ROUTE_PENDING,
                f"{_named(placed)} has not accepted {name} as it is now (yet); where that lasts, "
                f"see whether it exists and its controller runs.",
            )
    return None


def _named(parent: ParentRef) -> str:
    section = f" (listener '{parent.section_name}')" if parent.section_name else ""
    return f"{parent.kind} '{parent.namespace}/{parent.name}'{section}"


def now(view: View) -> Wait | None:
    """Return why the route, as it is to be now, is not in force (yet), or None."""
    return awaited(view, share(view))


def observed(view: View) -> Rollout | None:
    """Return the rollout that says since when the step's share has been in force.

    What came before counts for nothing in the step.
    """
    rollout, record = view.status.rollout, view.rollout.canary
    if rollout is None or record is None or canary.route_of(view) is None:
        return rollout
    step = canary.step_of(view)
    if step is None or awaited(view, step.weight) is not None:
        return rollout.replace(canary=record.replace(routed_since=None))
    if record.routed_since is not None:
        return rollout
    seen = analysis.evidence(view)
    begun = CanaryRecord(
        step=record.step,
        started=record.started,
        short_since=record.short_since,
        routed_since=timestamp(view.inputs.now),
        fair=seen.fair,
        **seen.all.model_dump(),
    )
    return rollout.replace(canary=begun)
