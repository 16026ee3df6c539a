"""How many reports ``status.drift`` holds, and which of them make room for others.

An object in Kubernetes is bounded (etcd takes 1.5 MiB), and each write of a Pod makes the API
server validate all of it: about 2 microseconds for each byte of counts. So where many Pods run
they take turns: what a report said is remembered in memory, so its entry may go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hallmark.api.bounds import EARLIER_VERSIONS, MAX_WINDOWS, OUTCOME_WINDOWS, SCORE_BINS
from hallmark.api.drift import Drift
from hallmark.api.feedback import Feedback
from hallmark.api.served import BaselineFeature
from hallmark.drift.budget import kept_windows
from hallmark.drift.votes import Vote

MAX_ENTRIES = 64
"""So many properties the schema allows in ``status.drift``."""
MAX_BYTES = 448 * 1024
"""For all reports. The largest entry that admission lets a single Pod write still fits beside
them: 16,384 counts of 19 digits and 1,536 names of 63 characters that JSON escapes,
895 KiB, and 16 KiB of outcomes."""
CHEAP_BYTES = 160 * 1024
"""For all reports of more than a few Pods: a write then takes the API server about 0.3 s."""
FEW_PODS = 8
"""So many have their places as long as they fit at all."""

_TOTAL_DIGITS = 10
"""Of a count since the start: ten billion rows in one bin."""
_BLOCK = 128
"""A block of refusals, or of requests."""
_NAMES_AND_IDS = 512
"""Pod, digest, boot id, numbers and the names of a report's fields."""
_WINDOW_FIELDS = 160
"""Number, rows, times and the names of a window's fields."""
_REFUSED = 320
"""The refused rows of five features, each at fault in one way as a rule."""

_REQUESTS = 544
"""Uptime, requests by how they ended and how long they took, and the same by client."""
_ODD = 544
"""What was odd of clients' rows: counts, and five blocks."""


_OUTCOMES = 128
"""Outcomes since the start."""
_OUTCOME_WINDOW = 320
"""A window of outcomes: number, times, counts and the names of its fields; without bins."""
_EARLIER = 96
"""Outcomes of a version that served before."""
_SCORE_DIGITS = 4
"""What a sum of scores has more than a count."""


def _outcome_bytes(feedback: Feedback | None) -> int:
    if feedback is None:
        return 0
    digits = len(str(feedback.window)) + 1
    groups = sum(64 + len(name) + 2 * digits for name in feedback.groups)
    window = _OUTCOME_WINDOW + SCORE_BINS * (3 * digits + _SCORE_DIGITS) + groups
    return _OUTCOMES + OUTCOME_WINDOWS * window + EARLIER_VERSIONS * _EARLIER


def report_bytes(features: Sequence[BaselineFeature], drift: Drift) -> int:
    """Return how many bytes of JSON a Pod's entry has at most.

    Args:
        features: The watched ones.
        drift: How many windows a report holds, and of how many rows.
    """
    bins = sum(len(feature.counts) for feature in features)
    names = sum(len(feature.name) + len('"":[],') for feature in features)
    in_window = names + bins * (len(str(drift.window)) + 1) + _WINDOW_FIELDS
    in_total = names + bins * (_TOTAL_DIGITS + 1)
    blocks = MAX_WINDOWS * _BLOCK * (bool(drift.rejections) + bool(drift.requests))
    blocks += _outcome_bytes(drift.feedback)
    beside = blocks + _REFUSED + _REQUESTS + _ODD + _NAMES_AND_IDS
    return kept_windows(drift) * in_window + in_total + beside


def places_for(features: Sequence[BaselineFeature], drift: Drift) -> int:
    """Return how many Pods' entries stand in the object at once."""
    size = report_bytes(features, drift)
    return max(2, min(FEW_PODS, MAX_BYTES // size), min(MAX_ENTRIES, CHEAP_BYTES // size))


def take_turns(live: int, places: int) -> bool:
    """Tell whether more Pods live than have a place while some are kept free."""
    return live > places - _reserve(places)


def make_room(
    entries: Collection[str],
    refused: Collection[str],
    votes: Mapping[str, Vote],
    *,
    live: int,
    places: int,
) -> tuple[str, ...]:
    """Return whose entries to remove, so that other Pods find a place; mostly nobody's.

    Only what was judged goes: first what was refused, then the votes by age; those whose newest
    window drifts after all others, for a restarted operator has nothing but the entries.

    Args:
        entries: The living Pods that have an entry.
        refused: The Pods whose entry decides nothing.
        votes: What the other entries say.
        live: How many Pods live, with or without an entry.
        places: How many entries may stand at once.
    """
    free = places - len(entries)
    if free >= _reserve(places) or not take_turns(live, places):
        return ()

    def rank(pod: str) -> tuple[bool, int, str]:
        return votes[pod].state.drifted_windows > 0, votes[pod].turn, pod

    judged = [
        *sorted(pod for pod in entries if pod in refused),
        *sorted((pod for pod in entries if pod in votes and pod not in refused), key=rank),
    ]
    # Down to a half: one removal then serves many newcomers.
    return tuple(judged[: places // 2 - free])


def _reserve(places: int) -> int:
    return max(1, places // 8)
