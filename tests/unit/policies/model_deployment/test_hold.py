"""While a break of the audit log waits for a person nothing is promoted, and nothing else waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hallmark.api.model_policy import OnRevocation
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.look import look
from hallmark.policies.model_deployment.triggers import Ready, RollBack, Stop, TargetReady
from tests.unit.policies.model_deployment.rollouts import (
    candidate_status,
    entry,
    going_back_status,
    policy,
    serving_status,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.trigger_views import FIRST, PINNED

HOLD = "Record 3 was edited."
V1, V2 = version(1), version(2)
READY = view(FIRST, V1, verified=(1,), workloads=(workload(1),))


def held(given: View) -> View:
    return replace(given, inputs=replace(given.inputs, hold=HOLD))


def test_a_ready_candidate_waits_and_says_why() -> None:
    assert isinstance(look(READY), Ready)
    found = look(held(READY))
    assert isinstance(found, Wait)
    assert (found.reason, found.message, found.stalled) == ("AuditBroken", HOLD, True)
    decided = decide(held(READY).inputs)
    assert isinstance(decided, DeploymentDecision)
    shown = {update.type: update for update in decided.conditions}
    assert (shown["Stalled"].status, shown["Ready"].reason) == ("True", "AuditBroken")
    assert decided.records == ()


SERVING = serving_status(entry(2, start=10), entry(1, end=10))
REVOKED2 = version(2, revoked=True)
GOES_ON: dict[str, tuple[View, type[object]]] = {
    "a rollback from what was revoked": (
        view(SERVING, V1, REVOKED2, verified=(1,), **PINNED),
        RollBack,
    ),
    "a stop of what was revoked": (
        view(
            SERVING,
            V1,
            REVOKED2,
            under=policy(on_revocation=OnRevocation.STOP),
            **PINNED,
        ),
        Stop,
    ),
    "a rollback that is under way": (
        view(
            going_back_status(1, entry(2, start=10), entry(1, end=10)),
            V1,
            V2,
            verified=(1,),
            workloads=(workload(1),),
        ),
        TargetReady,
    ),
}


@pytest.mark.parametrize(("given", "trigger"), GOES_ON.values(), ids=GOES_ON.keys())
def test_what_takes_traffic_away_does_not_wait(given: View, trigger: type[object]) -> None:
    assert isinstance(look(given), trigger)
    assert isinstance(look(held(given)), trigger)


def test_a_candidate_starts_all_the_same() -> None:
    given = view(candidate_status(1), V1, verified=(1,))
    assert look(held(given)) == look(given)
