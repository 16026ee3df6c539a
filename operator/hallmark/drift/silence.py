"""Which Pods that serve have stopped reporting. No verdict holds for traffic that nobody tells of.

Each report says within how many seconds the next one comes. A Pod is silent when that has passed,
and some time for retries and for the turns that many Pods take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.api.texts import parse_timestamp, timestamp

LONGEST = timedelta(minutes=6)
"""No report may promise the next one for later, and a Pod that was never heard has so long."""
SLACK = timedelta(minutes=3)
"""For what delays a report: a busy API server, other Pods that take the room."""
NAMED = 64


@dataclass(frozen=True)
class Heard:
    """When a Pod was last heard, and until when the next report must come."""

    at: datetime
    until: datetime


@dataclass(frozen=True)
class Silence:
    """The Pods that should have reported and have not.

    Args:
        heard: by Pod that serves, whether silent or not.
        pods: those that are silent, by name.
        since: when the first of them was last heard; None without any.
        again: when the next Pod will be silent if it is not heard before; None without any.
    """

    heard: Mapping[str, Heard]
    pods: tuple[str, ...] = ()
    since: datetime | None = None
    again: datetime | None = None


def heard_now(report: DriftReport, now: datetime) -> Heard:
    """Return that a Pod was heard. One that promises nothing has the longest time."""
    promised = timedelta(seconds=report.next_within or LONGEST.total_seconds())
    return Heard(now, now + min(promised, LONGEST) + SLACK)


def listen(
    serving: frozenset[str], heard: Mapping[str, Heard], former: DriftState, now: datetime
) -> Silence:
    """Return who is silent.

    Args:
        serving: the ready Pods of the version that has the traffic.
        heard: what is remembered of Pods. One of whom nothing is was not ready before, or the
            operator has been started since: then those that were silent are so until they report.
        former: what is shown now.
        now: the time.
    """
    gone_quiet = parse_timestamp(former.silent_since) if former.silent_since else now
    known = {
        pod: heard.get(pod)
        or (Heard(gone_quiet, now) if pod in former.silent else Heard(now, now + LONGEST + SLACK))
        for pod in sorted(serving)
    }
    silent = tuple(pod for pod, last in known.items() if last.until <= now)
    return Silence(
        heard=known,
        pods=silent,
        since=min((known[pod].at for pod in silent), default=None),
        again=min((last.until for last in known.values() if last.until > now), default=None),
    )


def shown(silence: Silence) -> dict[str, object]:
    """Return what ``status.driftState`` shows of it, by the fields' Python names."""
    return {
        "silent_pods": len(silence.pods),
        "silent": list(silence.pods[:NAMED]),
        "silent_since": timestamp(silence.since) if silence.since else None,
    }


def sentence(state: DriftState) -> str:
    """Return that Pods are silent, since when and which; empty where none is."""
    if not state.silent_pods:
        return ""
    named = ", ".join(f"'{pod}'" for pod in state.silent[:3])
    more = state.silent_pods - min(3, len(state.silent))
    who = f"{named} and {more} more" if more > 0 else named
    verb = "has" if state.silent_pods == 1 else "have"
    return f"{who} {verb} not reported since {(state.silent_since or '')[:19]}Z"
