"""What can happen to what serves, in a rollback and while it bakes."""

from __future__ import annotations

from hallmark.api.bounds import Oddity
from hallmark.api.feedback import QualityState
from hallmark.api.model_deployment import (
    ModelDeploymentStatus,
    RolloutState,
)
from hallmark.policies.model_deployment.inputs import View
from tests.unit.policies.model_deployment.rollouts import (
    asked,
    at,
    candidate_status,
    drifted,
    entry,
    going_back_status,
    pod,
    policy,
    serving_status,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.trigger_views import (
    AWAITING,
    BACK1,
    BAKING,
    BLOCK,
    PINNED,
    RAW2,
    REVOKED2,
    SERVING1,
    SERVING2,
    V1,
    V2,
    V3,
    served,
    with_drift,
)

BACK_OF_THREE = going_back_status(
    2, entry(3, start=20), entry(2, start=10, end=20), entry(1, end=10)
)


def rejections(then: str) -> dict[str, object]:
    """Return the part of a spec that says what refused rows lead to."""
    return {"rejections": {"then": then}}


def with_rejections(then: str) -> ModelDeploymentStatus:
    """Return the record of version 2, which refuses too many rows."""
    intent = asked(2, drift=rejections(then))
    status = serving_status(entry(2, start=10, intent=intent), entry(1, end=10))
    return status.replace(drift_state=drifted(2, "NoDrift").replace(input_rejected=True))


def probing(then: str, clients: int = 1) -> dict[str, object]:
    """Return the part of a spec that says what probing leads to."""
    return {"probing": {"then": then, "clients": clients}}


def with_odd_rows(drift: dict[str, object], *kinds: Oddity) -> ModelDeploymentStatus:
    """Return the record of version 2, of which a client asks odd rows."""
    intent = asked(2, drift=drift)
    status = serving_status(entry(2, start=10, intent=intent), entry(1, end=10))
    clients = 1 if Oddity.PROBING in kinds else 0
    state = drifted(2, "NoDrift").replace(odd=list(kinds), probing_clients=clients)
    return status.replace(drift_state=state)


def feedback(then: str) -> dict[str, object]:
    """Return the part of a spec that says what answers lead to that do not come true."""
    return {"feedback": {"minimumAccuracy": "0.9", "then": then}}


def below_floor(then: str) -> ModelDeploymentStatus:
    """Return the record of version 2, whose answers do not come true as declared."""
    intent = asked(2, drift=feedback(then))
    status = serving_status(entry(2, start=10, intent=intent), entry(1, end=10))
    state = drifted(2, "NoDrift").replace(quality=QualityState(below_floor=True))
    return status.replace(drift_state=state)


SERVED: dict[str, tuple[View, str]] = {
    # It serves.
    "what serves as it is asked for is left alone": (view(SERVING2, V1, V2), "nothing"),
    "a newer version is an intent": (view(SERVING1, V1, V2), "Intended"),
    "what serves needs no policy": (view(SERVING1, V1, unruled=True), "nothing"),
    "refused rows roll back where the spec says so": (
        view(with_rejections("Rollback"), V1, V2, verified=(1,), drift=rejections("Rollback")),
        "RollBack DriftRollback credit-v1",
    ),
    "refused rows only alert elsewhere": (
        view(with_rejections("Alert"), V1, V2, verified=(1,), drift=rejections("Alert")),
        "nothing",
    ),
    **{
        f"probing {what}": (
            view(with_odd_rows(drift, *kinds), V1, V2, verified=(1,), drift=drift),
            expected,
        )
        for what, drift, kinds, expected in (
            (
                "rolls back where the spec says so",
                probing("Rollback"),
                [Oddity.PROBING],
                "RollBack DriftRollback credit-v1",
            ),
            (
                "of fewer clients than declared does not",
                probing("Rollback", 2),
                [Oddity.PROBING],
                "nothing",
            ),
            ("only alerts elsewhere", probing("Alert"), [Oddity.PROBING], "nothing"),
            ("that nothing is declared of only alerts", {}, [Oddity.PROBING], "nothing"),
            (
                "is not what borderline applicants do",
                probing("Rollback"),
                [Oddity.BORDERLINE, Oddity.OUTSIDE],
                "nothing",
            ),
        )
    },
    "answers that do not come true roll back where the spec says so": (
        view(below_floor("Rollback"), V1, V2, verified=(1,), drift=feedback("Rollback")),
        "RollBack DriftRollback credit-v1",
    ),
    "answers that do not come true only alert elsewhere": (
        view(below_floor("Alert"), V1, V2, verified=(1,), drift=feedback("Alert")),
        "nothing",
    ),
    "drift rolls back": (
        view(with_drift(SERVING2, 2), V1, V2, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    "drift of another version does nothing": (
        view(with_drift(SERVING2, 1), V1, V2, verified=(1,)),
        "nothing",
    ),
    "drift only tells where rollback is manual": (
        view(
            with_drift(serving_status(entry(2, intent=asked(2, rollback="Manual"))), 2),
            V2,
            verified=(2,),
            rollback="Manual",
        ),
        "nothing",
    ),
    "drift rolls back once": (
        view(with_drift(SERVING2, 2, drift_rollback_spent=True), V1, V2, verified=(1,)),
        "nothing",
    ),
    "drift of what was stopped does nothing": (
        view(
            with_drift(SERVING2, 2, state=RolloutState.HELD, cause="Stopped"),
            V1,
            V2,
            verified=(1,),
        ),
        "nothing",
    ),
    "a new intent cannot hide drift": (
        view(with_drift(SERVING2, 2), V1, V2, V3, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    # A rollback is under way.
    "a target that runs takes over": (
        view(BACK1, V1, V2, verified=(1,), workloads=(workload(1),)),
        "TargetReady",
    ),
    "a target scaled to zero takes over at once": (
        view(BACK1, V1, V2, verified=(1,), replicas=0),
        "TargetReady",
    ),
    "a target's Pods with another trust do not count": (
        view(BACK1, V1, V2, verified=(1,), workloads=(workload(1, trust="f" * 64),)),
        "wait RollingBack",
    ),
    "a target that runs is verified once more": (
        view(BACK1, V1, V2, workloads=(workload(1),)),
        "verify credit-v1",
    ),
    "a target that starts is waited for": (view(BACK1, V1, V2, verified=(1,)), "wait RollingBack"),
    "a target that is revoked gives way to another": (
        view(BACK_OF_THREE, V1, REVOKED2, V3, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    "a target that is gone gives way to another": (
        view(BACK_OF_THREE, V1, V3, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    "a target that does not start gives way to another": (
        view(BACK_OF_THREE, V1, V2, V3, verified=(1, 2), now=at(30)),
        "RollBack DriftRollback credit-v1",
    ),
    "a target that refuses and is the last one is missed": (
        view(BACK1, V1, V2, verified=(1,), pods=(pod(1, exit_code=10),)),
        "NoTarget DriftRollback",
    ),
    "a new intent waits for the rollback": (
        view(BACK1, V1, V2, V3, verified=(1,)),
        "wait RollingBack",
    ),
    # It bakes.
    "what baked is stable": (view(BAKING, V1, now=at(10)), "Settled"),
    "what bakes is left alone": (view(BAKING, V1, now=at(9)), "nothing"),
    "what drifted does not bake": (
        view(with_drift(BAKING, 1, drift_rollback_spent=True), V1, now=at(10)),
        "nothing",
    ),
    "a revoked version does not bake": (
        view(BAKING, version(1, revoked=True), now=at(10), under=policy(on_revocation=BLOCK)),
        "nothing",
    ),
    "what serves bakes while a candidate waits": (
        view(
            candidate_status(
                2, entry(1, stable=False), state=AWAITING, intent_hash=asked(2, **PINNED)
            ),
            V1,
            RAW2,
            verified=(2,),
            now=at(10),
            **PINNED,
        ),
        "Settled",
    ),
    "a stable version is settled again after an acknowledgement": (
        view(serving_status(served(1), state=RolloutState.IDLE), V1),
        "Settled",
    ),
}
