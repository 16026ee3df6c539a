"""A ModelPolicy that demands how new versions take over, told to the real controller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hallmark.policies.model_version.demands import read_demands
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_canary import BASE, STRATEGY as CANARY, pass_step, step
from tests.unit.controllers.test_deployment_crashes import cut_each_state
from tests.unit.controllers.test_deployment_mirror import (
    CANARY as MIRROR_FIRST,
    STRATEGY as MIRROR,
    pass_mirror,
)

STEPWISE = {"canary": {"maxFirstStep": 25, "maxStep": 50, "minPause": "20s", "drift": True}}
COPIED = {"mirror": {"minPause": "20s", "maxDisagreement": "0.05"}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, replicas=3, strategy=BASE)


def stable(world: World) -> World:
    """Let version 1 serve until it is stable."""
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    assert (world.serving, world.state) == (1, "Stable")
    return world


def came(world: World) -> World:
    """Let version 2 be there, approved."""
    world.seal(2)
    world.settle()
    return world


def held_back(world: World, serving: int) -> str:
    """Assert that what serves goes on alone, and return what is said of the other one."""
    assert set(world.shared) == ({serving} if serving else set())
    assert world.condition("Stalled") == "True/InvalidSpec"
    events = [obj for obj in world.cluster.objects.values() if obj["kind"] == "Event"]
    assert any(event["reason"] == "InvalidSpec" for event in events)
    return world.message("Ready")


@pytest.mark.parametrize("later", ["1s", "59s", "2m"])
@pytest.mark.parametrize("when", ["the author", "the policy"])
def test_what_bakes_bakes_as_long_as_is_demanded(world: World, later: str, when: str) -> None:
    """Whatever an author asks for once it serves, and whenever the policy came to demand it."""
    stable(world)
    if when == "the author":
        world.set_policy(rollout={"minBake": "1m"})
        world.ask(strategy={**BASE, "bake": "60s"})
    came(world)
    assert (world.serving, world.state) == (2, "Promoted")
    world.set_policy(rollout={"minBake": "1m"})
    world.ask(strategy={**BASE, "bake": later})
    world.settle()
    for _ in range(3):
        world.wait(18)
        world.settle()
        assert world.status.history[0].outcome == "Serving"
    world.wait(75 if later == "2m" else 8)
    world.settle()
    assert (world.serving, world.status.history[0].outcome) == (2, "Stable")


@pytest.mark.parametrize(
    ("demands", "meets", "state", "said"),
    [
        (STEPWISE, CANARY, "Canary", "Expected spec.strategy.canary with steps.weight beginning"),
        (COPIED, MIRROR, "Mirroring", "Expected spec.strategy.mirror with pause at least 20s"),
        (
            {"minBake": "1m"},
            {**BASE, "bake": "60s"},
            "Promoted",
            "Expected spec.strategy.bake at least 1m (spec.rollout.minBake of the ModelPolicy), "
            "found 10s",
        ),
    ],
    ids=["a canary", "a mirror", "a longer bake"],
)
def test_nothing_new_takes_over_otherwise_and_what_serves_goes_on(
    world: World, demands: dict[str, Any], meets: dict[str, Any], state: str, said: str
) -> None:
    stable(world)
    world.set_policy(rollout=demands)
    came(world)
    assert said in held_back(world, 1)
    assert world.running == {1: 3}
    world.ask(strategy=meets)
    world.settle()
    assert world.state == state


def test_the_first_version_takes_over_at_once_where_it_would_not_be_the_first(world: World) -> None:
    world.set_policy(rollout={**STEPWISE, **COPIED})
    world.seal(1)
    world.settle()
    assert world.condition("Ready") == "False/InvalidSpec"
    assert not world.running
    world.ask(strategy=MIRROR_FIRST)
    world.settle()
    assert "rising by at most 50" in world.message("Ready"), "25 % is too far from 100"
    world.ask(strategy={**CANARY, "mirror": MIRROR["mirror"]})
    world.settle()
    assert (world.serving, world.state) == (1, "Promoted")
    came(world)
    assert world.state == "Mirroring"


def test_a_policy_that_asks_for_less_again_lets_go_on_by_itself(world: World) -> None:
    stable(world)
    world.set_policy(rollout=STEPWISE)
    came(world)
    assert held_back(world, 1)
    world.set_policy()
    world.settle()
    assert (world.serving, world.state) == (2, "Promoted")


def test_a_candidate_that_started_before_the_demand_does_not_take_over(world: World) -> None:
    stable(world)
    world.seal(2)
    world.settle(kubelet=False)
    assert world.state == "Starting"
    world.set_policy(rollout=STEPWISE)
    world.run_pods()
    world.settle()
    assert held_back(world, 1)
    world.ask(strategy=CANARY)
    world.settle()
    assert (world.state, world.shared) == ("Canary", {1: 3, 2: 1})


def test_a_canary_keeps_its_step_while_it_is_too_short_and_begins_anew(world: World) -> None:
    world.ask(strategy=CANARY)
    came(stable(world))
    pass_step(world)
    before = world.shared
    world.set_policy(rollout={"canary": {"minPause": "1m"}})
    pass_step(world)
    assert (world.state, step(world), world.shared) == ("Canary", 1, before)
    assert "found 20s, 20s" in world.message("Ready")
    steps = [{"weight": 25, "pause": "1m"}]
    world.ask(strategy={**CANARY, "canary": {"steps": steps}})
    world.settle()
    assert (step(world), world.shared) == (0, {1: 3, 2: 1})


def test_a_mirror_waits_while_it_is_too_short(world: World) -> None:
    world.ask(strategy=MIRROR)
    came(stable(world))
    world.set_policy(rollout={"mirror": {"minPause": "1m"}})
    pass_mirror(world)
    assert "spec.strategy.mirror.pause at least 1m" in held_back(world, 1)
    world.set_policy(rollout=COPIED)
    world.settle()
    assert world.serving == 2


# -- shares -------------------------------------------------------------------------------------


def smaller(world: World) -> None:
    world.ask(replicas=1)


def stricter(world: World) -> None:
    world.set_policy(rollout={"canary": {"maxFirstStep": 20}})


TOO_MUCH: dict[str, tuple[Callable[[World], None], str]] = {
    "fewer Pods": (
        smaller,
        "Expected spec.replicas of at least 3, so that step 1 gives at most 25",
    ),
    "a stricter policy": (stricter, "beginning with at most 20"),
}


@pytest.mark.parametrize("change", TOO_MUCH)
@pytest.mark.parametrize("write", [0, 1, 2, 3, 4])
def test_a_share_above_the_demand_goes_back_and_returns(
    world: World, change: str, write: int
) -> None:
    do, said = TOO_MUCH[change]
    world.ask(strategy=CANARY)
    world.set_policy(rollout=STEPWISE)
    came(stable(world))
    assert world.shared == {1: 3, 2: 1}
    do(world)
    if write:
        cut_each_state(world, write)
    world.settle()
    assert set(world.shared) == {1}
    assert said in world.message("Ready")
    world.wait(3600)
    world.settle()
    assert (world.state, step(world), world.condition("Stalled")) == (
        "Canary",
        0,
        "True/InvalidSpec",
    )
    world.ask(replicas=3)
    world.set_policy(rollout=STEPWISE)
    world.settle()
    assert world.shared == {1: 3, 2: 1}


# -- people -------------------------------------------------------------------------------------


def test_a_persons_promotion_lifts_a_pause_and_skips_neither_copies_nor_steps(world: World) -> None:
    world.ask(strategy={**CANARY, "mirror": MIRROR["mirror"]})
    world.set_policy(rollout=STEPWISE)
    world.act("pause", "pause-1")
    came(stable_though_paused(world))
    assert world.condition("Ready") == "False/Suspended"
    world.act("promote", "promote-1")
    world.settle()
    assert world.state == "Mirroring"
    assert world.status.last_action is not None
    assert "watched beside what serves all the same" in world.status.last_action.outcome
    pass_mirror(world)
    assert (world.state, world.shared) == ("Canary", {1: 3, 2: 1})
    world.report(2, CALM, refused=100)
    world.settle()
    assert (world.serving, world.state) == (1, "Refused")


def stable_though_paused(world: World) -> World:
    world.seal(1)
    world.settle()
    world.act("promote", "promote-0")
    world.settle()
    world.wait(11)
    world.settle()
    assert (world.serving, world.state) == (1, "Stable")
    return world


def test_who_was_let_through_before_the_demand_is_watched_all_the_same(world: World) -> None:
    world.ask(strategy=CANARY)
    stable(world)
    world.seal(2)
    world.settle(kubelet=False)
    world.act("promote", "promote-1")
    world.reconcile()
    world.set_policy(rollout=STEPWISE)
    world.settle()
    assert (world.state, world.shared) == ("Canary", {1: 3, 2: 1})


def test_where_a_person_must_promote_nothing_else_does(world: World) -> None:
    world.set_policy(rollout={"manual": True})
    world.seal(1)
    world.settle()
    assert "Expected spec.suspend true (spec.rollout.manual of the ModelPolicy), found false" in (
        world.message("Ready")
    )
    world.ask(suspend=True)
    world.settle()
    assert world.condition("Ready") == "False/Suspended"
    for number in (1, 2):
        world.seal(number)
        world.settle()
        world.wait(3600)
        world.settle()
        assert world.serving == number - 1
        world.act("promote", f"promote-{number}")
        world.settle()
        assert world.serving == number


# -- rollbacks ----------------------------------------------------------------------------------

CAUSES: dict[str, Callable[[World], None]] = {
    "a revocation": lambda world: world.judge(2, revoked=True),
    "drift": lambda world: world.traffic(SHIFTED),
    "a person": lambda world: world.act("rollback", "rollback-1", reason="Complaints."),
    "crashes": lambda world: world.crash(2, times=3),
}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_a_rollback_is_held_up_by_no_demand(world: World, cause: Callable[[World], None]) -> None:
    with_two_versions(world)
    world.set_policy(rollout={**STEPWISE, **COPIED, "manual": True, "minCoolDown": "99h"})
    world.settle()
    cause(world)
    world.settle()
    assert (world.serving, set(world.shared)) == (1, {1})


def test_what_replaces_withdrawn_bytes_waits_for_no_step(world: World) -> None:
    world.ask(strategy=CANARY)
    world.set_policy(rollout=STEPWISE)
    came(stable(world))
    world.revoke(1)
    for _ in range(3):
        world.settle()
    assert (world.serving, set(world.shared)) == (2, {2})


def test_what_was_demanded_is_kept_with_the_record_that_gives_the_traffic(world: World) -> None:
    world.ask(strategy=CANARY)
    world.set_policy(rollout=STEPWISE)
    came(stable(world))
    for _ in range(4):
        pass_step(world)
    assert world.serving == 2
    world.revoke(2)
    world.settle()
    world.revoke(1)
    world.seal(3)
    for _ in range(3):
        world.settle()
    assert world.serving == 3
    gave = [record for record in world.ledger.records.values() if record.outcome == "promoted"]
    for record in gave:
        demands = read_demands(record.evidence)
        assert demands is not None
        assert demands.rollout == world.policy.spec.rollout
    assert ["gaveWay" in record.details for record in gave] == [False, False, False, True]
