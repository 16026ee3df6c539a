"""How claimed conditions become a status, and which changes are worth an Event. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hallmark.api.common import Condition, ConditionStatus
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
    merged = {each.type: each for each in old}
    for each in new:
        before = merged.get(each.type)
        flipped = before is None or before.status != each.status
        since = before.last_transition_time if before and not flipped else _seconds(now)
        merged[each.type] = Condition(
            type=each.type,
            status=each.status,
            reason=each.reason,
            message=shorten(each.message, MESSAGE_LIMIT),
            last_transition_time=since,
            observed_generation=generation,
        )
    return [merged[name] for name in sorted(merged)]


def transition_event(old: Iterable[Condition], new: Iterable[Condition]) -> Event | None:
    """Return the Event for a change of Ready's status or reason, or None.

    Ready sums a kind's conditions up, so this is one Event per transition.
    """
    before = next((each for each in old if each.type == "Ready"), None)
    after = next((each for each in new if each.type == "Ready"), None)
    if after is None or (before and (before.status, before.reason) == (after.status, after.reason)):
        return None
    stalled = any(c.type == "Stalled" and c.status is ConditionStatus.TRUE for c in new)
    return Event(reason=after.reason, message=after.message or after.reason, warning=stalled)


def shorten(text: str, limit: int) -> str:
    """Return ``text`` cut to ``limit`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _seconds(moment: datetime) -> str:
    # metav1.Time has whole seconds; kubectl's age column reads nothing else.
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
