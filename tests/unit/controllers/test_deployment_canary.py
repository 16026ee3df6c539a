"""Canaries, told to the real controller in a world in memory: steps, aborts, crashes, changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.texts import parse_timestamp, timestamp
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World, with_candidate
from tests.unit.controllers.test_deployment_crashes import cut_each_state

WRITES = 8
"""No step of a canary writes more often."""
BASE: dict[str, Any] = {"bake": "10s", "keepWarm": "60s", "progressDeadline": "30s"}
STRATEGY: dict[str, Any] = {
    **BASE,
    "type": "Canary",
    "canary": {
        "steps": [{"weight": 25, "pause": "20s"}, {"weight": 75, "pause": "20s"}],
        "analysis": {
            "minimumRows": 100,
            "maxRejections": "0.05",
            "maxErrors": "0.01",
            "maxLatency": "80ms",
        },
    },
}


def started(folder: Path, *, replicas: int = 3) -> World:
    """Return a world in which version 1 is stable and version 2 has its first share."""
    return with_candidate(folder, STRATEGY, replicas=replicas)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return started(tmp_path)


def step(world: World) -> int | None:
    rollout = world.status.rollout
    return rollout.canary.step if rollout and rollout.canary else None


def pass_step(world: World, counts: list[int] = CALM) -> None:
    world.report(2, counts, windows=2)
    world.wait(21)
    world.settle()


def test_the_first_version_has_nothing_to_share_with(tmp_path: Path) -> None:
    world = World(tmp_path, strategy=STRATEGY)
    world.seal(1)
    world.settle()
    assert (world.serving, world.state) == (1, "Promoted")


def test_a_candidate_takes_over_step_by_step(world: World) -> None:
    assert (world.state, step(world)) == ("Canary", 0)
    assert world.shared == {1: 3, 2: 1}
    assert world.condition("Progressing") == "True/Canary"
    assert "1 of 4 Pods, 25 % of the traffic (step 1 of 2)" in world.message("Progressing")
    assert world.status.active_model_version == "credit-v1"
    pass_step(world)
    assert step(world) == 1
    assert world.shared == {1: 1, 2: 3}
    for _ in range(4):
        pass_step(world)
    assert (world.serving, world.state) == (2, "Stable")
    assert world.shared == {2: 3}
    assert world.recorded("promote")[-4:] == ["started", "started", "promoted", "stable"]


def test_silence_is_no_success(world: World) -> None:
    world.wait(3600)
    world.settle()
    assert (world.state, step(world)) == ("Canary", 0)
    assert "0 of 100 rows" in world.message("Ready")


def test_rows_alone_do_not_end_a_pause(world: World) -> None:
    world.report(2, CALM)
    world.settle()
    assert step(world) == 0


FAILURES: dict[str, Callable[[World], None]] = {
    "it rejects rows": lambda world: world.report(2, CALM, refused=100),
    "its rows have drifted": lambda world: world.report(2, SHIFTED),
    "it fails requests": lambda world: world.report(2, CALM, failed=5),
    "it is slow": lambda world: world.report(2, CALM, slow=25),
    "it crashes": lambda world: world.crash(2),
    "it is denied": lambda world: world.judge(2, denied=True),
    "it is revoked": lambda world: world.judge(2, revoked=True),
    "a person aborts": lambda world: world.act("abort", "abort-1"),
}


@pytest.mark.parametrize("number", [0, 1], ids=["in the first step", "in the second"])
@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_an_abort_returns_all_traffic_and_is_remembered(
    world: World, number: int, fail: Callable[[World], None]
) -> None:
    for _ in range(number):
        pass_step(world)
    assert step(world) == number
    fail(world)
    world.settle()
    assert world.shared == {1: 3}
    assert world.running == {1: 3}
    # A version that people rejected is not asked for any more; else the refusal stays in sight.
    assert (world.serving, world.state) in {(1, "Refused"), (1, "Stable")}
    [refused] = world.status.refused
    assert refused.manifest_digest == world.digest(2)
    for _ in range(3):
        world.ask(replicas=2)
        pass_step(world)
        world.ask(replicas=3)
        world.settle()
    assert world.serving == 1, "it is never tried again"


def test_traffic_of_what_serves_decides_nothing_about_the_candidate(world: World) -> None:
    world.report(1, CALM, refused=100)
    world.wait(21)
    world.settle()
    assert (world.state, step(world)) == ("Canary", 0)


def test_drift_of_what_serves_interrupts_the_canary(tmp_path: Path) -> None:
    world = World(tmp_path, replicas=3, strategy=STRATEGY)
    for number in (1, 2):
        world.seal(number)
        world.settle()
        for _ in range(4):
            if number == 2:
                pass_step(world)
            world.wait(21)
            world.settle()
    assert (world.serving, world.state) == (2, "Stable")
    world.seal(3)
    world.settle()
    assert world.shared == {2: 3, 3: 1}
    world.report(2, SHIFTED)
    world.settle()
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.to == "credit-v1"
    assert world.status.history[0].version == "credit-v1"


def test_a_pod_of_a_step_that_does_not_start_ends_the_canary(world: World) -> None:
    world.evict(2)
    world.reconcile()
    assert world.state == "Canary"
    world.wait(31)
    for _ in range(3):
        world.reconcile()
    world.settle()
    assert world.state == "Refused"
    assert world.condition("Stalled") == "True/ProgressDeadlineExceeded"
    assert world.shared == {1: 3}


def test_a_spec_that_changes_in_the_middle_begins_again(world: World) -> None:
    pass_step(world)
    world.ask(strategy={**BASE, "type": "BlueGreen"})
    world.settle()
    assert (world.serving, world.state) == (2, "Promoted")
    assert world.shared == {2: 3}


def test_a_newer_version_in_the_middle_takes_the_candidates_place(world: World) -> None:
    pass_step(world)
    world.seal(3)
    world.settle()
    assert (world.state, step(world)) == ("Canary", 0)
    assert world.shared == {1: 3, 3: 1}
    assert set(world.running) == {1, 3}


@pytest.mark.parametrize("replicas", [1, 2, 6, 0])
def test_scaling_in_the_middle_keeps_the_step(world: World, replicas: int) -> None:
    world.ask(replicas=replicas)
    world.settle()
    assert (world.state, step(world)) == ("Canary", 0)
    assert world.shared.get(1, 0) == replicas
    pass_step(world)
    assert step(world) == (1 if replicas else 0)


def test_a_pause_holds_the_step_and_a_promotion_ends_it(world: World) -> None:
    world.act("pause", "pause-1")
    world.settle()
    pass_step(world)
    assert step(world) == 0
    assert world.condition("Ready") == "False/Suspended"
    world.act("promote", "promote-1")
    world.settle()
    assert world.serving == 2


WORDS = ("it is denied", "it is revoked")


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_a_hold_keeps_the_shares_but_for_what_people_rejected(
    world: World, fail: Callable[[World], None], request: pytest.FixtureRequest
) -> None:
    until = timestamp(world.now + timedelta(seconds=600))
    world.act("hold", "hold-1", reason="Quarter's end.", until=until)
    world.settle()
    fail(world)
    world.wait(21)
    world.settle()
    rejected = any(word in request.node.name for word in WORDS)
    assert world.shared == ({1: 3} if rejected else {1: 3, 2: 1})
    world.act("unhold", "unhold-1", reason="Done.")
    world.settle()
    by_hand = "a person aborts" in request.node.name
    assert (world.shared == {1: 3}) is not by_hand, "what was asked for in the hold is over"


@pytest.mark.parametrize("end", ["at its time", "lifted", "by another operator"])
def test_a_hold_keeps_the_shares_where_a_step_had_begun_without_its_pods(
    world: World, end: str
) -> None:
    """Pods that become ready during the hold would raise the share with nobody's word."""
    world.report(2, CALM, windows=2)
    world.wait(21)
    world.settle(kubelet=False)
    assert (step(world), world.shared) == (1, {1: 3, 2: 1}), "its Pods are not there yet"
    world.hold(600, "hold-1")
    world.settle()
    world.wait(300)
    if end == "by another operator":
        world.operator = world._operator()
    world.settle()
    assert (step(world), world.shared) == (1, {1: 3, 2: 1})
    if end == "lifted":
        world.act("unhold", "unhold-1", reason="Done.")
    else:
        world.wait(301)
    world.settle()
    assert (world.state, step(world), world.shared) == ("Canary", 1, {1: 1, 2: 3})


@pytest.mark.parametrize("pods", [1, 3])
@pytest.mark.parametrize("before", [True, False], ids=["before it", "during it"])
def test_pods_that_are_evicted_around_a_hold_come_back(
    world: World, pods: int, before: bool
) -> None:
    pass_step(world)
    assert world.shared == {1: 1, 2: 3}
    if before:
        world.evict(2, pods)
        world.reconcile()
    world.hold(600, "hold-1")
    world.settle(kubelet=not before)
    if not before:
        world.evict(2, pods)
    world.settle()
    assert world.shared == {1: 1, 2: 3}


def test_a_second_hold_keeps_the_shares_of_a_step_without_its_pods(world: World) -> None:
    world.report(2, CALM, windows=2)
    world.wait(21)
    world.settle(kubelet=False)
    for number in (1, 2):
        world.hold(60, f"hold-{number}")
        world.settle()
        assert (step(world), world.shared) == (1, {1: 3, 2: 1})
        world.wait(61)
        world.settle(kubelet=False)
    world.settle()
    assert (step(world), world.shared) == (1, {1: 1, 2: 3})


OTHERWISE = {
    "all at once": {**BASE, "type": "BlueGreen"},
    "in a greater step": {**STRATEGY, "canary": {**STRATEGY["canary"], "steps": [{"weight": 90}]}},
}


@pytest.mark.parametrize("strategy", OTHERWISE.values(), ids=OTHERWISE)
def test_who_asks_otherwise_during_a_hold_gives_the_candidate_no_more(
    world: World, strategy: dict[str, Any]
) -> None:
    world.hold(600, "hold-1")
    world.settle()
    world.ask(strategy=strategy)
    world.settle()
    assert (world.serving, world.state, world.shared) == (1, "Canary", {1: 3})
    assert "'credit-v2' has no traffic: the spec was changed" in world.message("Progressing")
    world.wait(601)
    world.settle()
    assert 2 in world.shared


def test_a_newer_version_during_a_hold_leaves_the_shares(world: World) -> None:
    world.hold(600, "hold-1")
    world.seal(3)
    world.settle()
    assert (world.state, world.shared) == ("Canary", {1: 3, 2: 1})


def test_a_withdrawn_approval_takes_the_share_back(world: World) -> None:
    world.judge(2, approvals=())
    world.settle()
    assert world.state == "Stable", "the version before is what is asked for again"
    assert world.shared == {1: 3}


def test_a_revocation_of_what_serves_ends_the_canary(world: World) -> None:
    world.revoke(1)
    for _ in range(3):
        world.settle()
    assert 1 not in world.shared
    assert not world.running.get(1)


@pytest.mark.parametrize("ending", ["deleted", "unreadable"])
def test_a_revoked_candidate_stops_while_its_owner_ends(world: World, ending: str) -> None:
    if ending == "deleted":
        world.let_end("example.org/keep")
    else:
        world.cluster.objects[world._key()]["spec"] = {"model": "credit", "replicas": "many"}
        world.asked = world.spec
    world.judge(2, revoked=True)
    for _ in range(3):
        world.reconcile()
        world.run_pods()
    assert not world.running.get(2)


@pytest.mark.parametrize("write", range(1, WRITES))
def test_a_canary_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = started(tmp_path)
    for _ in range(5):
        world.report(2, CALM)
        world.wait(21)
        cut_each_state(world, write)
        assert world.cluster.writes < WRITES
    assert (world.serving, world.state) == (2, "Stable")
    assert world.recorded("promote") == ["promoted", "stable", *STEPS]


STEPS = ["started", "started", "started", "promoted", "stable"]
"""Two steps, all Pods of the candidate, all traffic, and the end of the bake."""


@pytest.mark.parametrize("write", range(1, WRITES))
def test_an_abort_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = started(tmp_path)
    pass_step(world)
    world.report(2, CALM, refused=100)
    cut_each_state(world, write)
    assert world.shared == {1: 3}
    assert len(world.status.refused) == 1


def test_pods_that_disagree_are_counted_together(tmp_path: Path) -> None:
    world = started(tmp_path, replicas=12)
    assert world.shared == {1: 12, 2: 4}
    world.report(2, CALM, windows=1)
    rejects(world, 0, 20)
    world.wait(21)
    world.settle()
    assert step(world) == 1, "20 of 420 rows are below the limit"
    world.report(2, CALM, windows=1)
    rejects(world, 1, 400)
    world.settle()
    assert world.state == "Refused"


def rejects(world: World, place: int, rows: int) -> None:
    """Let one Pod of the candidate say that it refused so many rows."""
    pod = world.pods_of(2)[place]["metadata"]["name"]
    told = world.cluster.objects[world._key()]["status"]["drift"][pod]
    fair = told["requests"]["fair"]
    told["refusedRows"] = fair["refused"] = rows
    fair["rows"] = told["rows"] + rows


def test_a_watch_that_is_silent_moves_nothing(world: World) -> None:
    from hallmark.cluster.kinds import POD

    world.lag = (POD,)
    world.evict(2)
    world.wait(21)
    for _ in range(3):
        world.reconcile()
    assert (world.state, step(world)) == ("Canary", 0)


def test_the_pause_counts_from_the_step(world: World) -> None:
    pass_step(world)
    rollout = world.status.rollout
    assert rollout is not None
    assert rollout.since is not None
    assert (world.now - parse_timestamp(rollout.since)).total_seconds() < 5
