"""Situations of a candidate beside what serves: by an HTTPRoute, and with copies of requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hallmark.api.canary import Canary, CanaryStep
from hallmark.api.drift_report import DriftReport, FairCounts, RequestCounts
from hallmark.api.mirror import MirrorReport
from hallmark.api.model_deployment import RolloutState
from hallmark.api.route import ParentRef, Route
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.route_state import ParentVerdict, RouteState
from tests.unit.drift.factories import baseline, report, traffic
from tests.unit.policies.model_deployment import test_mirror
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    asked,
    at,
    candidate_status,
    digest,
    entry,
    pod,
    verification,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.test_canary import ANALYSIS, STRATEGY, in_canary
from tests.unit.policies.model_deployment.test_on_hold import held

PARENT = ParentRef(name="public", namespace="gateways")
STEPS = [CanaryStep(weight=1, pause="60s"), CanaryStep(weight=40, pause="60s")]
BY_ROUTE = STRATEGY.replace(
    canary=Canary(steps=STEPS, analysis=ANALYSIS, route=Route(parent_refs=[PARENT]))
)
REFUSED = "Accepted: False (NotAllowedByListeners)"
BEGAN = timestamp(NOW)


def routed(weight: int | None, refusal: str = "", *, said: bool = True) -> RouteState:
    """Return a route of which its parent says something, or nothing yet."""
    verdict = ParentVerdict(PARENT, "example.com/gateway", not refusal, refusal)
    return RouteState(weight, (verdict,) if said else ())


def by_route(route: RouteState | None, **inputs: Any) -> View:  # noqa: ANN401
    """Return a candidate in the first step of a canary by an HTTPRoute."""
    record = {} if inputs.pop("unrouted", False) else {"routed_since": BEGAN}
    return _with(in_canary(strategy=BY_ROUTE, **record), route=route, **inputs)


def _with(given: View, **inputs: Any) -> View:  # noqa: ANN401
    now = inputs.get("now", NOW)
    made = {digest(number): verification(number, moment=now) for number in (1, 2)}
    changed = {"verifications": made, "candidate_baseline": baseline(), **inputs}
    return replace(given, inputs=replace(given.inputs, **changed))


def told(failed: int = 0) -> DriftReport:
    """Return what a Pod tells that answered enough rows and requests of many clients."""
    fair = FairCounts(
        rows=900, refused=0, requests=900, failed=failed, timed=[900] * 5, late=[0] * 5
    )
    counts = RequestCounts(
        uptime=60_000, count=900 + failed, failed=failed, work=[900, 0, 0, 0, 0, 0], fair=fair
    )
    return _of(2).model_copy(update={"rows": 900, "requests": counts})


def _of(number: int) -> DriftReport:
    return report(traffic(1000, seed=3), start=at(20), digest=digest(number))


def _routes() -> Iterator[tuple[str, View]]:
    starting = candidate_status(
        2, entry(1), state=RolloutState.STARTING, intent_hash=asked(2, strategy=BY_ROUTE)
    )
    ready = view(
        starting,
        version(1),
        version(2),
        workloads=(workload(1), workload(2)),
        pods=(replace(pod(2, ready=True), name="two"), replace(pod(1, ready=True), name="one")),
        strategy=BY_ROUTE,
    )
    yield "route: a candidate is ready and the route is not there", _with(ready)
    yield "route: a candidate is ready and a parent refuses", _with(ready, route=routed(0, REFUSED))
    yield "route: a candidate is ready and has its first share", _with(ready, route=routed(0))
    yield "route: no such kind here", _with(ready, no_routes="The Gateway API is not installed.")
    yield "route: is gone", by_route(None)
    yield "route: was changed by somebody", by_route(routed(None))
    yield "route: has another weight", by_route(routed(0))
    yield "route: nobody has accepted it", by_route(routed(1, said=False))
    yield "route: a parent refuses", by_route(routed(1, REFUSED))
    yield "route: its share is in force from now on", by_route(routed(1), unrouted=True)
    yield "route: on hold", held(by_route(routed(1)))
    yield "route: silence", by_route(routed(1), now=at(70))
    passed = {"reports": {"two": told()}, "now": at(70)}
    yield "route: its step is over", by_route(routed(1), **passed)
    yield "route: its step is over and a parent refuses", by_route(routed(1, REFUSED), **passed)
    yield "route: fails requests", by_route(routed(1), reports={"two": told(300)}, now=at(30))


def _copies() -> Iterator[tuple[str, View]]:
    enough = test_mirror.counts(**test_mirror.ENOUGH)
    other = test_mirror.counts(**{**test_mirror.ENOUGH, "other": 500})
    for name, counts in {"agrees": enough, "disagrees": other}.items():
        compared = MirrorReport(candidate=digest(2), since=BEGAN, all=counts, fair=counts)
        says = _of(1).model_copy(update={"mirror": compared})
        for seconds in (60, 6000):
            yield (
                f"copies: it {name}, after {seconds} s",
                _with(test_mirror.mirroring(), reports={"one": says}, now=at(seconds)),
            )
    yield "copies: silence", _with(test_mirror.mirroring(), now=at(6000))


BESIDE: Mapping[str, View] = {**dict(_routes()), **dict(_copies())}
"""By what is the matter."""
