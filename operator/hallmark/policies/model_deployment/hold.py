"""A hold: a person's word that the traffic of a ModelDeployment must not move for a while. Pure.

While it lasts nothing is promoted, drift rolls nothing back, and a rollback under way waits. A
denial or revocation wins over it: ``withdrawal.py`` is asked first, and knows of no hold.
"""

from __future__ import annotations

from datetime import datetime

from hallmark.api.model_deployment import (
    Action,
    DeploymentCondition,
    Hold,
    ModelDeployment,
    ModelDeploymentStatus,
)
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp
from hallmark.policies.model_deployment.bounds import bounds_of


def ends_at(hold: Hold, policy: ModelPolicy | None) -> datetime:
    """Return when a hold ends: as its author said, or earlier where the policy allows less."""
    allowed = parse_timestamp(hold.since) + parse_duration(bounds_of(policy).max_hold)
    return min(parse_timestamp(hold.until), allowed)


def hold_in_force(
    status: ModelDeploymentStatus, policy: ModelPolicy | None, now: datetime
) -> Hold | None:
    """Return the hold that lasts, or None; at the very moment of its end it is over."""
    hold = status.hold
    return hold if hold is not None and now < ends_at(hold, policy) else None


def said(hold: Hold, policy: ModelPolicy | None) -> str:
    """Return the sentence that says who holds it, until when and why."""
    end = timestamp(ends_at(hold, policy).replace(microsecond=0)).replace(".000000", "")
    return f"On hold until {end} by {hold.by}: {hold.reason.rstrip('. ')}."


def told(deployment: ModelDeployment, now: datetime) -> str:
    """Return what the operator says of a hold; nothing where there is none, or it has ended."""
    hold, said = deployment.status.hold, deployment.status.condition(DeploymentCondition.ON_HOLD)
    if hold is None or said is None or parse_timestamp(hold.until) <= now:
        return ""
    return said.message


def asked_hold(action: Action, policy: ModelPolicy | None, now: datetime) -> Hold | str:
    """Return the hold that a person asks for, or why it cannot be."""
    most = bounds_of(policy).max_hold
    if action.until is None:
        return f"a hold needs an end; give 'until', a moment within {most} from now."
    if not action.reason.strip():
        return "a hold needs a reason, for those who meet it; give 'reason'."
    until = parse_timestamp(action.until)
    if until <= now:
        return f"'until' ({action.until}) has passed; name a moment to come."
    if until > now + parse_duration(most):
        latest = timestamp((now + parse_duration(most)).replace(microsecond=0))
        return (
            f"the ModelPolicy lets a hold last {most} at most (deployments.maxHold); ask for one "
            f"until {latest.replace('.000000', '')} at the latest."
        )
    return Hold(
        id=action.id, by=action.by, reason=action.reason, since=timestamp(now), until=action.until
    )
