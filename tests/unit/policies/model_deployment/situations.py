"""More situations of a ModelDeployment, for whole decisions: actions, reports, Pods that speak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hallmark.api.drift_report import DriftReport, RequestCounts
from hallmark.api.model_deployment import (
    ActionName,
    LastRollback,
    ModelDeploymentStatus,
    RolloutState,
    Strategy,
)
from hallmark.api.names import ANNOTATION_ACTION, manifest_label
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.drift import judge_drift
from hallmark.policies.model_deployment.inputs import View
from hallmark.refusal import Refusal
from tests.unit.drift.factories import baseline, report, traffic
from tests.unit.policies.model_deployment import test_traffic
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    STRATEGY,
    asked,
    at,
    candidate_status,
    digest,
    entry,
    going_back_status,
    pod,
    serving_status,
    verification,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.test_actions import LED_TO
from tests.unit.policies.model_deployment.test_canary import in_canary
from tests.unit.policies.model_deployment.test_on_hold import held, hold
from tests.unit.policies.model_deployment.trigger_views import BACK1, FIRST, SERVING2

V1, V2 = version(1), version(2)
BOTH = (workload(1), workload(2))
SERVES = view(SERVING2, V1, V2, verified=(1, 2), workloads=BOTH)
SAYS = replace(pod(1, message="ImagePullBackOff"), name="one")
ELSE = replace(pod(2, message="Another version's trouble."), name="two")


def changed(given: View, **inputs: Any) -> View:  # noqa: ANN401
    """Return the same in other surroundings."""
    return replace(given, inputs=replace(given.inputs, **inputs))


def annotated(given: View, text: str) -> View:
    on = given.inputs.deployment
    metadata = on.metadata.replace(annotations={ANNOTATION_ACTION: text})
    return changed(given, deployment=on.replace(metadata=metadata))


def acting(given: View, name: str, target: str | None) -> View:
    action = {"id": "7", "action": name, "by": "ada", "reason": "Why.", "target": target}
    return annotated(given, json.dumps({key: said for key, said in action.items() if said}))


def reporting(said: DriftReport, **more: Any) -> View:  # noqa: ANN401
    """Return what serves, with the report of one of its Pods."""
    given = view(
        serving_status(entry(2, start=10, intent=asked(2)), entry(1, end=10)),
        V1,
        V2,
        verified=(1, 2),
        workloads=BOTH,
        pods=(replace(pod(2, ready=True), name="two"),),
        now=at(4000),
        **more,
    )
    return changed(given, reports={"two": said}, baseline=baseline())


def told(shift: float, *, start: float = 20) -> DriftReport:
    rows = traffic(1000, seed=3, shift=shift)
    return report(rows, start=at(start), digest=digest(2))


def rolled_back(seconds: float) -> ModelDeploymentStatus:
    last = LastRollback(
        from_="credit-v2",
        to="credit-v1",
        from_digest=digest(2),
        to_digest=digest(1),
        reason="DriftRollback",
        message="The traffic drifted.",
        time=timestamp(at(seconds)),
    )
    return serving_status(entry(1, start=seconds, intent=asked(1))).replace(last_rollback=last)


def _ready_after_rollback(strategy: Strategy) -> ModelDeploymentStatus:
    """Return a record with a candidate that could take over a minute after a rollback."""
    status = candidate_status(
        2,
        entry(1, start=0),
        state=RolloutState.STARTING,
        intent_hash=asked(2, strategy=strategy),
    )
    return status.replace(last_rollback=rolled_back(0).last_rollback)


def _actions() -> Iterator[tuple[str, View]]:
    for title, (given, name, target, *_) in LED_TO.items():
        yield f"action: {title}", acting(given, name, target)
        if name in {"rollback", "abort", "promote"}:
            yield f"action on hold: {title}", held(acting(given, name, target))
    for name in ActionName:
        yield f"action: {name} of what serves", acting(SERVES, name, None)
        yield f"action: {name} of what is held", held(acting(SERVES, name, None))
    yield "action: nobody can read it", annotated(SERVES, "{")
    longer = {"id": "8", "action": "hold", "by": "ada", "reason": "Why."}
    longer["until"] = timestamp(NOW + timedelta(hours=1))
    yield "action: hold for long", annotated(SERVES, json.dumps(longer))
    yield "action: hold for less long", held(annotated(SERVES, json.dumps(longer)), _FOR_LONG)
    yield "hold: it has ended", held(SERVES, hold(NOW - timedelta(hours=2)))


_FOR_LONG = hold(NOW, 86_400)


def _reports() -> Iterator[tuple[str, View]]:
    calm, moved = told(0.0), told(1.0)
    yield "reports: calm", reporting(calm)
    yield "reports: drift", reporting(moved)
    yield "reports: drift on hold", held(reporting(moved))
    yield "reports: drift of what may not be rolled back", reporting(moved, max_rollbacks=0)
    yield "reports: of before the promotion", reporting(told(1.0, start=-5000))
    yield (
        "reports: of another version",
        reporting(moved.model_copy(update={"manifest_digest": digest(9)})),
    )
    requests = RequestCounts(uptime=60_000, count=100, failed=10, latency=[90, 0, 0, 0, 10])
    yield "reports: with failed requests", reporting(calm.model_copy(update={"requests": requests}))
    yield "reports: nobody reports", changed(reporting(calm), reports={})
    yield "reports: a Pod is gone", changed(reporting(calm), pods=())


def _pods() -> Iterator[tuple[str, View]]:
    starts = view(FIRST, V1, verified=(1,), pods=(SAYS, ELSE))
    yield "pods: why they do not start", starts
    yield "pods: why they did not start in time", changed(starts, now=at(100_000))
    back = view(BACK1, V1, V2, verified=(1,), workloads=BOTH, pods=(SAYS, ELSE))
    yield "pods: why the target does not start", back
    yield "pods: the target did not start in time", changed(back, now=at(100_000))
    yield (
        "pods: one refuses what it was told to load",
        changed(starts, pods=(pod(1, exit_code=78, message="A byte differs."), ELSE)),
    )
    yield (
        "pods: an unsettled workload",
        changed(
            view(FIRST, V1, verified=(1,)),
            workloads={manifest_label(digest(1)): replace(workload(1), settled=False)},
        ),
    )


def with_share(**record: Any) -> View:  # noqa: ANN401
    made = {digest(number): verification(number) for number in (1, 2)}
    return changed(in_canary(**record), verifications=made)


def _canaries() -> Iterator[tuple[str, View]]:
    yield "canary: begins", with_share()
    yield "canary: its pause is over", changed(with_share(), now=at(70))
    yield "canary: fewer Pods", changed(with_share(), pods=())
    yield (
        "canary: Pods were short long ago",
        changed(with_share(short_since=timestamp(NOW)), pods=(), now=at(100_000)),
    )
    yield "canary: on hold", held(with_share())
    crashed = replace(pod(2), name="two", restarts=3, ended_at=timestamp(at(5)), exit_code=137)
    yield "canary: crashes", changed(with_share(), pods=(crashed,), now=at(60))
    rejected = told(0.0).model_copy(update={"refused_rows": 900})
    yield (
        "canary: rejects rows",
        changed(
            with_share(),
            reports={"two": rejected},
            candidate_baseline=baseline(),
            now=at(60),
        ),
    )
    for shift in (0.0, 1.0):
        yield (
            f"canary: rows moved by {shift}",
            changed(
                with_share(),
                reports={"two": told(shift, start=1)},
                candidate_baseline=baseline(),
                now=at(4000),
            ),
        )


def bare(given: View) -> View:
    """Return the same where no manifest tells how much would travel."""
    known = given.inputs.verifications.items()
    return changed(given, verifications={key: replace(found, manifest="") for key, found in known})


def _stores() -> Iterator[tuple[str, View]]:
    serves = bare(SERVES)
    trusts = [entry.trust_sha256 for entry in SERVING2.history]
    yield "store: nothing travels", changed(serves, carried=frozenset())
    yield "store: what serves travels", changed(serves, carried=frozenset({digest(2)}))
    yield "store: all travel", changed(serves, carried=frozenset({digest(1), digest(2)}))
    for size in (1, 1 << 30):
        yield (
            f"store: {size} bytes to carry",
            changed(serves, carried=frozenset(), carried_sizes=dict.fromkeys(trusts, size)),
        )


def _silence() -> Iterator[tuple[str, View]]:
    """Pods that reported once and are not heard any more."""
    first = reporting(told(0.0))
    judged = judge_drift(
        first.inputs.deployment,
        {},
        first.inputs.pods,
        first.inputs.reports,
        first.inputs.baseline,
        None,
        first.inputs.now,
    )
    assert judged is not None
    status = first.status.replace(drift_state=judged.state)
    on = first.inputs.deployment.replace(status=status)
    later = replace(
        changed(first, deployment=on, drift_memory=judged.memory, now=at(40_000)), status=status
    )
    yield "reports: the Pod is not heard any more", later


def _traffic() -> Iterator[tuple[str, View]]:
    for name, ready in {"comes back": (1, 2), "does not come back": (1,)}.items():
        found = test_traffic.given(*ready, selected=1, verified=(1, 2))
        status = found.status.replace(rollout=found.rollout.replace(stand_in=True))
        on = found.inputs.deployment.replace(status=status)
        yield (
            f"traffic: what serves {name}",
            replace(changed(found, deployment=on), status=status),
        )


def _rest() -> Iterator[tuple[str, View]]:
    for seconds in (0, 60, 86_400):
        yield (
            f"rolled back {seconds} s ago",
            view(rolled_back(-seconds), V1, V2, verified=(1, 2), workloads=BOTH),
        )
    limited: dict[str, dict[str, Any]] = {
        "cool-down": {"cool_down": "10m"},
        "cap": {"max_switches_per_day": 1},
        "cap and cool-down": {"cool_down": "48h", "max_switches_per_day": 1},
    }
    for name, limits in limited.items():
        waits = view(
            _ready_after_rollback(STRATEGY.replace(**limits)),
            V1,
            V2,
            verified=(1, 2),
            workloads=BOTH,
            pods=(replace(pod(2, ready=True), name="two"),),
            now=at(60),
            strategy=STRATEGY.replace(**limits),
        )
        yield f"a candidate waits for the {name}", waits
    crashed = replace(pod(2, message="Killed."), name="two", restarts=3, exit_code=137)
    yield "what serves crashes", changed(SERVES, pods=(crashed,))
    yield "what served crashes", changed(SERVES, pods=(replace(crashed, manifest="other"),))
    trusts = [entry.trust_sha256 for entry in SERVING2.history]
    gives_way = view(SERVING2, V1, version(2, revoked=True), verified=(1,), workloads=BOTH)
    yield (
        "revoked, and its files could travel",
        changed(bare(gives_way), carried=frozenset(), carried_sizes=dict.fromkeys(trusts, 1)),
    )
    starting = candidate_status(2, entry(1), state=RolloutState.STARTING)
    under_way = starting.rollout
    assert under_way is not None
    takes_over = view(
        starting.replace(rollout=under_way.replace(withdrawn_since=timestamp(at(5)))),
        version(1, revoked=True),
        V2,
        verified=(2,),
        workloads=BOTH,
        pods=(replace(pod(2, ready=True), name="two"),),
        now=at(20),
    )
    yield "what serves is revoked while a candidate is ready", takes_over
    broken = Refusal("InvalidSpec", "Expected a number, found a word.")
    yield "a spec that cannot be read", changed(view(SERVING2, V1, V2), unreadable=broken)
    beyond = ("spec.replicas is 99; the policy allows 10, and 10 are run.",)
    yield (
        "a spec beyond the policy",
        changed(view(SERVING2, V1, V2, verified=(1, 2), workloads=BOTH), beyond=beyond),
    )
    yield (
        "promotions wait in this cluster",
        changed(
            view(candidate_status(1, state=RolloutState.STARTING), V1, verified=(1,)),
            hold="The audit volume is full.",
        ),
    )
    revoked = version(2, revoked=True)
    yield (
        "revoked, with a ready target",
        view(
            going_back_status(1, entry(2, start=10), entry(1, end=10)),
            V1,
            revoked,
            verified=(1,),
            workloads=BOTH,
            pods=(replace(pod(1, ready=True), name="one"),),
        ),
    )


SITUATIONS: Mapping[str, View] = dict(
    [
        *_actions(),
        *_reports(),
        *_silence(),
        *_traffic(),
        *_pods(),
        *_canaries(),
        *_stores(),
        *_rest(),
    ]
)
