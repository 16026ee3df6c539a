"""A person's hold: whatever could move the traffic, held and not; its bounds and its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hallmark.api.model_deployment import (
    Action,
    ActionName,
    Hold,
    ModelDeploymentStatus,
    RolloutState,
)
from hallmark.api.model_policy import DeploymentBounds, ModelPolicy
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment import look_serving
from hallmark.policies.model_deployment.actions import Acted, act
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.look import look
from hallmark.policies.model_deployment.triggers import (
    NoTarget,
    Overdue,
    Ready,
    RollBack,
    Stepped,
    Stop,
    TargetReady,
)
from hallmark.policies.model_deployment.withdrawal import must_give_way
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    at,
    candidate_status,
    drifted,
    entry,
    going_back_status,
    policy,
    serving_status,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.test_triggers import CASES
from tests.unit.policies.model_deployment.trigger_views import FIRST, SERVING2

MOVING = (Ready, Stepped, TargetReady, RollBack, NoTarget, Stop, Overdue)
V1, V2, V3 = version(1), version(2), version(3)
SERVING = serving_status(entry(2, start=10), entry(1, end=10))


def hold(since: datetime = NOW, seconds: float = 600, by: str = "otto") -> Hold:
    until = timestamp(since + timedelta(seconds=seconds))
    return Hold(id="h", by=by, reason="Quarter's end.", since=timestamp(since), until=until)


def held(given: View, what: Hold | None = None) -> View:
    """Return the same with a hold that lasts, if not told otherwise."""
    status = given.status.replace(hold=what or hold(given.inputs.now))
    on = given.inputs.deployment.replace(status=status)
    return replace(given, inputs=replace(given.inputs, deployment=on), status=status)


@pytest.mark.parametrize("given", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_whatever_moves_the_traffic_waits_but_for_what_must_not_serve(given: View) -> None:
    free, found = look(given), look(held(given))
    if must_give_way(given) is not None or given.ending:
        assert found == free
        return
    assert not isinstance(found, MOVING)
    waits = isinstance(found, Wait) and found.reason == "OnHold"
    about_to_move = given.rollout.state in {RolloutState.STARTING, RolloutState.ROLLING_BACK}
    assert found == free or (waits and about_to_move) or isinstance(free, MOVING)


@pytest.mark.parametrize("given", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_no_decision_makes_another_version_serve(given: View) -> None:
    decided = decide(held(given).inputs)
    if not isinstance(decided, DeploymentDecision) or must_give_way(given) is not None:
        return
    assert decided.status.active_digest == given.status.active_digest
    assert decided.status.hold is not None
    told = {update.type: update for update in decided.conditions}
    assert told["OnHold"].status == "True"
    assert "otto" in told["Ready"].message
    assert told["Ready"].message.count("On hold until") == 1


def test_a_held_candidate_waits_and_says_for_whom() -> None:
    found = look(held(view(FIRST, V1, verified=(1,), workloads=(workload(1),))))
    assert isinstance(found, Wait)
    assert (found.reason, found.stalled) == ("OnHold", False)
    assert found.message == (
        "On hold until 2026-11-25T12:10:00Z by otto: Quarter's end. 'credit-v1' takes over after "
        "it, or once somebody lifts it."
    )


ENDS = {"just before": (599.999999, True), "at": (600.0, False), "after": (601.0, False)}


@pytest.mark.parametrize(("seconds", "waits"), ENDS.values(), ids=[f"{k} the end" for k in ENDS])
def test_it_ends_by_itself_at_its_very_moment(seconds: float, *, waits: bool) -> None:
    given = view(FIRST, V1, verified=(1,), workloads=(workload(1),), now=at(seconds))
    decided = decide(held(given, hold()).inputs)
    assert isinstance(decided, DeploymentDecision)
    assert (decided.status.active_digest is None) is waits
    assert (decided.status.hold is None) is not waits
    ended = [record.reason for record in decided.records if record.reason == "HoldEnded"]
    assert ended == ([] if waits else ["HoldEnded"])
    if waits:
        assert decided.requeue is not None
        assert decided.requeue < 1


def test_a_clock_that_goes_back_does_not_revive_what_ended() -> None:
    given = held(view(SERVING2, V1, V2, verified=(1, 2), now=at(700)), hold())
    after = decide(given.inputs)
    assert isinstance(after, DeploymentDecision)
    again = decide(view(after.status, V1, V2, verified=(1, 2), now=at(100)).inputs)
    assert isinstance(again, DeploymentDecision)
    assert (again.status.hold, again.records) == (None, ())


def within(limit: str) -> ModelPolicy:
    under = policy()
    bounds = DeploymentBounds(max_hold=limit)
    return under.replace(spec=under.spec.replace(deployments=bounds))


def test_a_stricter_policy_ends_what_lasts_longer() -> None:
    given = view(SERVING, V1, V2, now=at(61), under=within("1m"))
    assert held(given, hold()).held is None
    assert held(view(SERVING, V1, V2, now=at(59), under=within("1m")), hold()).held is not None


ASKED: dict[str, tuple[dict[str, object], str]] = {
    "an end to come": ({"until": timestamp(at(60))}, "On hold until 2026-11-25T12:01:00Z by ada"),
    "the last moment that is allowed": ({"until": timestamp(at(3600))}, "On hold until"),
    "no end": ({}, "Nothing was done: a hold needs an end"),
    "an end that has passed": ({"until": timestamp(at(-1))}, "Nothing was done: 'until'"),
    "this very moment": ({"until": timestamp(NOW)}, "Nothing was done: 'until'"),
    "longer than allowed": (
        {"until": timestamp(at(3601))},
        "Nothing was done: the ModelPolicy lets a hold last 1h at most",
    ),
    "the end of time": (
        {"until": "9999-12-31T23:59:59Z"},
        "Nothing was done: the ModelPolicy lets a hold last 1h at most",
    ),
    "no reason": (
        {"until": timestamp(at(60)), "reason": " "},
        "Nothing was done: a hold needs a reason",
    ),
}


@pytest.mark.parametrize(("fields", "outcome"), ASKED.values(), ids=ASKED.keys())
def test_what_is_asked(fields: dict[str, object], outcome: str) -> None:
    whole = {"id": "1", "action": "hold", "by": "ada", "reason": "Audit.", **fields}
    found = act(view(SERVING, V1, V2, under=within("1h")), Action.model_validate(whole))
    assert isinstance(found, Acted)
    assert found.outcome.startswith(outcome)
    made = found.status.hold if found.status else None
    assert (made is not None) is not outcome.startswith("Nothing")


def done(given: View, name: str, seconds: float = 60) -> Acted:
    until = timestamp(given.inputs.now + timedelta(seconds=seconds)) if name == "hold" else None
    action = Action(id="1", action=ActionName(name), by="ada", reason="Why.", until=until)
    found = act(given, action)
    assert isinstance(found, Acted)
    return found


def test_another_hold_may_last_longer_and_never_end_one_sooner() -> None:
    given = held(view(SERVING, V1, V2))
    assert done(given, "hold", 599).status is None
    longer = done(given, "hold", 601).status
    assert longer is not None
    assert longer.hold is not None
    assert longer.hold.by == "ada"


MOVED_BY_HAND = {
    "promote": view(
        candidate_status(3, entry(2, start=10), state=RolloutState.STARTING), V2, V3, verified=(3,)
    ),
    "rollback": view(SERVING, V1, V2, verified=(1,)),
}


@pytest.mark.parametrize(("name", "given"), MOVED_BY_HAND.items(), ids=MOVED_BY_HAND.keys())
def test_who_would_move_the_traffic_lifts_the_hold_first(name: str, given: View) -> None:
    refused = done(held(given), name)
    assert refused.outcome.startswith("Nothing was done: lift the hold first (unhold).")
    assert (refused.trigger, refused.status) == (None, None)
    lifted = done(held(given), "unhold").status
    assert lifted is not None
    assert lifted.hold is None
    assert not done(replace(given, status=lifted), name).outcome.startswith("Nothing")


def test_what_is_not_held_is_not_lifted() -> None:
    assert done(view(SERVING, V1, V2), "unhold").outcome == "Nothing was done: there is no hold."


def test_drift_is_told_and_rolls_back_after_the_hold() -> None:
    status = SERVING2.replace(drift_state=drifted(2))
    given = view(status, V1, V2, verified=(1, 2))
    assert isinstance(look(given), RollBack)
    during = decide(held(given).inputs)
    assert isinstance(during, DeploymentDecision)
    assert (during.status.active_digest, during.moved) == (status.active_digest, False)
    after = view(status, V1, V2, verified=(1, 2), now=at(601))
    assert isinstance(look(held(after, hold())), RollBack)


def test_a_rollback_under_way_waits_unless_what_serves_was_withdrawn() -> None:
    status = going_back_status(1, entry(2, start=10), entry(1, end=10))
    given = view(status, V1, V2, verified=(1,), workloads=(workload(1),))
    assert isinstance(look(given), TargetReady)
    found = look(held(given))
    assert isinstance(found, Wait)
    assert found.reason == "OnHold"
    revoked = view(status, V1, version(2, revoked=True), verified=(1,), workloads=(workload(1),))
    assert isinstance(look(held(revoked)), TargetReady)


def test_nothing_is_on_hold_by_default() -> None:
    assert ModelDeploymentStatus().hold is None
    assert view(SERVING, V1, V2).held is None


def test_no_way_to_find_a_trigger_passes_by_a_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else may once ask for a rollback, it waits as well."""
    drifts = RollBack(V1, "Whatever", "Something new was found.")
    monkeypatch.setattr(look_serving, "_look_at_drift", lambda view: drifts)
    given = view(SERVING2, V1, V2, verified=(1, 2))
    assert look(given) == drifts
    found = look(held(given))
    assert isinstance(found, Wait)
    assert found.reason == "OnHold"
