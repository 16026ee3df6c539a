"""How a candidate's answers to copies of requests compare with what serves. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.bounds import LATENCY_BOUNDS, SCORE_BOUNDS
from hallmark.api.mirror import MirrorCounts
from hallmark.api.model_deployment import ModelDeployment


@dataclass(frozen=True)
class Comparison:
    """What Pods of the version that serves have seen of a candidate, all clients included.

    Attributes:
        candidate: the version.
        facts: numbers by what they count, such as ("rows with another label", "12 of 800").
        dropped: copies that were not made, or did not reach it.
    """

    candidate: str
    facts: tuple[tuple[str, str], ...]
    dropped: int


def comparison(deployment: ModelDeployment) -> Comparison | None:
    """Return what is said while a candidate gets copies of requests; None where none does."""
    rollout = deployment.status.rollout
    if rollout is None or rollout.mirror is None:
        return None
    record = rollout.mirror
    return Comparison(rollout.model_version or "", tuple(_facts(record.all)), record.dropped)


def _facts(seen: MirrorCounts) -> list[tuple[str, str]]:
    return [
        ("copies failed", _of(seen.failed, seen.requests)),
        ("copies refused", _of(seen.refused, seen.taken)),
        ("rows with another label", _of(seen.other, seen.rows)),
        *(
            (f"scores more than {bound} apart", _of(apart, whole))
            for bound, whole, apart in zip(SCORE_BOUNDS, seen.scored, seen.apart, strict=False)
            if apart
        ),
        *(
            (f"answers after more than {bound} ms", _of(late, whole))
            for bound, whole, late in zip(LATENCY_BOUNDS, seen.timed, seen.late, strict=False)
            if late
        ),
    ]


def _of(part: int, whole: int) -> str:
    share = f" ({100 * part / whole:.1f} %)" if whole else ""
    return f"{part:,} of {whole:,}{share}"
