"""How fast requests come and how they end, by what the Pods that serve told. Pure.

A rate is the difference of two reports that were heard, over the Pod's own time between them: a
single report (after a start of the dashboard) tells of no rate, and an old one of none of today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.drift_report import RefusedFeature
from hallmark.api.model_deployment import ModelDeployment
from hallmark_dashboard.traffic import Sample, Traffic
from hallmark_dashboard.views.words import plural

PERIOD = 120_000
"""Milliseconds that a rate looks back at least, where there are reports of so long ago."""
SLACK = 60.0
"""Seconds that a Pod may be late with its next report."""
_MOST_REASONS = 5


@dataclass(frozen=True)
class Rates:
    """What the Pods of the version that serves told of their requests.

    Attributes:
        sentence: Whom this is from and how old it is; or why nothing is known.
        known: Whether every Pod that is ready told, and lately.
        per_second: Requests for predictions in a second; None: unknown.
        refused: Share of them that were refused, 4xx, from 0 to 1; None: unknown, or none came.
        failed: Share of them that failed, 5xx.
        shed: Share of them that were turned away, 503, because there was too much to do.
        median: Milliseconds that half of them took at most, by the bounds of what is counted.
        most: Milliseconds that 95 of 100 took at most; "more than 500" beyond the last bound.
        reasons: Refused rows since the Pods started, by feature and reason, the most first.
    """

    sentence: str
    known: bool = False
    per_second: float | None = None
    refused: float | None = None
    failed: float | None = None
    shed: float | None = None
    median: str = ""
    most: str = ""
    reasons: tuple[tuple[str, str, int], ...] = ()


UNTOLD = Rates("Unknown: nobody asked the Pods' reports.")


@dataclass(frozen=True)
class _Pod:
    """The difference of a Pod's newest report to an earlier one."""

    seconds: float
    age: float
    count: int
    refused: int
    failed: int
    shed: int
    latency: tuple[int, ...]
    features: tuple[RefusedFeature, ...]


def rates_of(deployment: ModelDeployment, traffic: Traffic) -> Rates:
    """Return the rates of what serves in a ModelDeployment."""
    metadata, status = deployment.metadata, deployment.status
    return rates(
        traffic.requests(metadata.namespace, metadata.name),
        status.active_digest,
        status.ready_replicas or 0,
        traffic.clock(),
    )


def rates_by_place(deployments: Iterable[ModelDeployment], traffic: Traffic) -> dict[str, Rates]:
    """Return the rates of ModelDeployments by ``namespace/name``."""
    return {
        f"{found.metadata.namespace}/{found.metadata.name}": rates_of(found, traffic)
        for found in deployments
    }


def rates(
    samples: Mapping[str, Sequence[Sample]], active_digest: str | None, ready: int, now: float
) -> Rates:
    """Return the rates of the version that serves.

    Args:
        samples: What each Pod told, the newest last.
        active_digest: The version that serves; None where none does.
        ready: How many of its Pods are ready.
        now: The time, as the samples'.
    """
    if active_digest is None or not ready:
        return Rates("No Pod answers.")
    told = [found for kept in samples.values() if (found := _pod(kept, active_digest, now))]
    if not told:
        return Rates(
            "Unknown: since the dashboard started no Pod told of its requests twice and lately. "
            "The next report comes within six minutes, with traffic within 72 seconds."
        )
    age = max(pod.age for pod in told)
    count = sum(pod.count for pod in told)
    heard = f"by {len(told)} of {plural(ready, 'Pod')}; the oldest report is {age:.0f} s old"
    period = max(pod.seconds for pod in told)
    latency = [sum(found) for found in zip(*(pod.latency for pod in told), strict=True)]
    return Rates(
        f"As told {heard}, over {period:.0f} s.",
        known=len(told) >= ready,
        per_second=sum(pod.count / pod.seconds for pod in told),
        refused=sum(pod.refused for pod in told) / count if count else None,
        failed=sum(pod.failed for pod in told) / count if count else None,
        shed=sum(pod.shed for pod in told) / count if count else None,
        median=_quantile(latency, 0.5),
        most=_quantile(latency, 0.95),
        reasons=_reasons(told),
    )


def _pod(kept: Sequence[Sample], digest: str, now: float) -> _Pod | None:
    """Return what a Pod tells; None where it does not serve, told once, or too long ago."""
    if len(kept) < 2:
        return None
    newest = kept[-1]
    if newest.manifest_digest != digest or now - newest.heard > newest.next_within + SLACK:
        return None
    former = _earlier(kept)
    after, before = newest.requests, former.requests
    elapsed = after.uptime - before.uptime
    latency = _difference(after.latency, before.latency)
    counts = (
        after.count - before.count,
        after.refused - before.refused,
        after.failed - before.failed,
        after.shed - before.shed,
    )
    if elapsed <= 0 or min(*counts, *latency) < 0 or counts[0] < sum(counts[1:]):
        return None  # What a Pod tells of itself may be anything.
    return _Pod(elapsed / 1000, now - newest.heard, *counts, latency, newest.refused)


def _earlier(kept: Sequence[Sample]) -> Sample:
    """Return the report to compare the newest with: the last one that is old enough."""
    newest = kept[-1].requests.uptime
    old = [sample for sample in kept[:-1] if newest - sample.requests.uptime >= PERIOD]
    return old[-1] if old else kept[0]


def _difference(after: Sequence[int], before: Sequence[int]) -> tuple[int, ...]:
    buckets = len(LATENCY_BOUNDS) + 1
    padded = ([*found, *[0] * buckets][:buckets] for found in (after, before))
    return tuple(late - early for late, early in zip(*padded, strict=True))


def _quantile(latency: Sequence[int], share: float) -> str:
    """Return the bound in milliseconds below which that share of requests stayed."""
    total, seen = sum(latency), 0
    if not total:
        return ""
    for bound, count in zip(LATENCY_BOUNDS, latency, strict=False):
        seen += count
        if seen >= share * total:
            return f"at most {bound} ms"
    return f"more than {LATENCY_BOUNDS[-1]} ms"


_WAYS = {
    "missing": "Missing",
    "wrong_type": "WrongType",
    "unseen_category": "UnseenCategory",
    "out_of_range": "OutOfRange",
}


def _reasons(told: Iterable[_Pod]) -> tuple[tuple[str, str, int], ...]:
    found: Counter[tuple[str, str]] = Counter()
    for pod in told:
        for one in pod.features:
            for field, reason in _WAYS.items():
                found[one.feature, reason] += getattr(one, field) or 0
    most = [(*key, rows) for key, rows in found.most_common(_MOST_REASONS) if rows]
    return tuple((feature, reason, rows) for feature, reason, rows in most)
