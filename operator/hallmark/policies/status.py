"""How claimed conditions become a status, and which changes are worth an Event. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hallmark.api.conditions import Condition, ConditionStatus, SummaryCondition
from hallmark.policies.conditions import ConditionUpdate
from hallmark.policies.decision import Event

MESSAGE_LIMIT = 2048
"""Characters in a condition's message."""


def merge_conditions(
    old: Iterable[Condition], new: Sequence[ConditionUpdate], now: datetime, generation: int
) -> list[Condition]:
    """Return the conditions after a reconcile, in type order.

    ``lastTransitionTime`` moves only where the status flips. A condition that nobody claimed
    anew stays as it was, with the generation for which it was found.

    Args:
        old: the conditions as they stand.
        new: what was found now, at most one for each type.
        now: the time of a flip.
        generation: of the object that was looked at.
    """
    merged = {condition.type: condition for condition in old}
    for update in new:
        before = merged.get(update.type)
        flipped = before is None or before.status != update.status
        since = before.last_transition_time if before and not flipped else _seconds(now)
        merged[update.type] = Condition(
            type=update.type,
            status=update.status,
            reason=update.reason,
            message=shorten(update.message, MESSAGE_LIMIT),
            last_transition_time=since,
            observed_generation=generation,
        )
    return [merged[name] for name in sorted(merged)]


def transition_event(old: Sequence[Condition], new: Sequence[Condition]) -> Event | None:
    """Return the Event for a change of Ready's status or reason, or None.

    Ready sums a kind's conditions up, so this is one Event per transition.
    """
    before, after = (_of_type(found, SummaryCondition.READY) for found in (old, new))
    if after is None or (before and (before.status, before.reason) == (after.status, after.reason)):
        return None
    stalled = _of_type(new, SummaryCondition.STALLED)
    warning = stalled is not None and stalled.status is ConditionStatus.TRUE
    return Event(reason=after.reason, message=after.message or after.reason, warning=warning)


def _of_type(conditions: Iterable[Condition], name: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == name), None)


def shorten(text: str, limit: int) -> str:
    """Return ``text`` cut to ``limit`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _seconds(moment: datetime) -> str:
    # metav1.Time has whole seconds; kubectl's age column reads nothing else.
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
