"""What keeps a ModelDeployment from going back and forth: a cool-down, a cap for a day. Pure.

Both hold back what is new alone. What must not serve, or drifts, gives way at any time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp
from hallmark.policies.model_deployment.inputs import View, Wait

DAY = timedelta(days=1)


def cools_down(view: View) -> Wait | None:
    """Return until when a candidate that is ready waits, or None.

    A person's promotion waits for nothing, nor does what takes the place of nothing.
    """
    if view.head is None or view.stopped or view.rollout.released:
        return None
    ends = [found for found in (_after_rollback(view), _after_cap(view)) if found is not None]
    if not ends:
        return None
    end, why = max(ends)
    return Wait(
        DeploymentReason.COOLING_DOWN,
        f"'{view.rollout.model_version}' is ready and waits until {_short(end)}: {why}. Promote it "
        f"by an action to wait no longer.",
        again=(end - view.inputs.now).total_seconds() + 0.05,
    )


def _after_rollback(view: View) -> tuple[datetime, str] | None:
    """Return when the time after the last rollback ends, and why it counts."""
    length, last = view.inputs.deployment.spec.strategy.cool_down, view.status.last_rollback
    if length is None or last is None:
        return None
    end = parse_timestamp(last.time) + parse_duration(length)
    why = f"'{last.from_}' was rolled back at {last.time}, and coolDown is {length}"
    return (end, why) if end > view.inputs.now else None


def _after_cap(view: View) -> tuple[datetime, str] | None:
    """Return when so many switches are a day old that another may follow."""
    cap = view.inputs.deployment.spec.strategy.max_switches_per_day
    if cap is None or len(view.status.history) < cap:
        return None
    end = parse_timestamp(view.status.history[cap - 1].from_) + DAY
    why = f"the traffic moved {cap} times within a day, which is maxSwitchesPerDay"
    return (end, why) if end > view.inputs.now else None


def _short(moment: datetime) -> str:
    return timestamp(moment.replace(microsecond=0)).replace(".000000", "")
