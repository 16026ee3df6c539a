"""Mirrors, told to the real controller in a world in memory: copies, verdicts, crashes, changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.api.texts import timestamp
from hallmark.drift.mirrored import MirrorCounter
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World, with_candidate
from tests.unit.controllers.test_deployment_crashes import cut_each_state

WRITES = 9
"""No step of a mirror writes more often."""
STRATEGY: dict[str, Any] = {
    "bake": "10s",
    "keepWarm": "60s",
    "progressDeadline": "30s",
    "mirror": {
        "percent": 40,
        "pause": "20s",
        "analysis": {
            "minimumRows": 100,
            "maxDisagreement": "0.05",
            "maxScoreDifference": "0.1",
            "minimumRequests": 20,
            "maxRejections": "0.01",
            "maxErrors": "0.01",
            "maxLatency": "80ms",
        },
    },
}
CANARY = {**STRATEGY, "type": "Canary", "canary": {"steps": [{"weight": 25, "pause": "20s"}]}}


def started(folder: Path, *, replicas: int = 2, strategy: dict[str, Any] = STRATEGY) -> World:
    """Return a world in which version 1 is stable and version 2 gets copies."""
    return with_candidate(folder, strategy, replicas=replicas)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return started(tmp_path)


def compared(
    world: World,
    *,
    rows: int = 400,
    other: int = 0,
    apart: int = 0,
    failed: int = 0,
    refused: int = 0,
    late: int = 0,
    by: int = 1,
    **told: str,
) -> None:
    """Let the Pods of a version report how the candidate answered rows of eight clients, one each.

    The counts are the predictor's own; every client has the same part of each.
    """
    copied = world.copied or {"candidate": world.digest(2), "since": timestamp(world.now)}
    counter = MirrorCounter(copied["candidate"], copied["since"])
    for row in range(rows):
        client, turn = f"10.0.0.{row % 8}", row // 8 * 8
        seconds = 0.3 if turn < late else 0.002
        difference = 0.3 if turn < apart else 0.001
        counter.answered(client, seconds, [(turn >= other, difference)])
    for copy in range(failed):
        counter.failed(f"10.0.0.{copy % 8}")
    for copy in range(refused):
        counter.refused(f"10.0.0.{copy % 8}")
    report = {**counter.told().to_wire(), **told}
    world.report(by, CALM, mirror=report)


def pass_mirror(world: World) -> None:
    compared(world)
    world.wait(21)
    world.settle()


def test_the_first_version_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    world = World(tmp_path, strategy=STRATEGY)
    world.seal(1)
    world.settle()
    assert (world.serving, world.state, world.copied) == (1, "Promoted", None)


def test_a_candidate_gets_copies_and_answers_nobody(world: World) -> None:
    assert world.state == "Mirroring"
    assert world.shared == {1: 2}
    assert world.running == {1: 2, 2: 2}
    assert world.copied is not None
    assert (world.copied["candidate"], world.copied["percent"]) == (world.digest(2), 40)
    assert world.condition("Progressing") == "True/Mirroring"
    assert "copies of 40 % of the requests and answers nobody" in world.message("Progressing")
    compared(world, other=8)
    world.settle()
    assert "800 copies" in world.message("Ready")
    assert "800 rows, 16 with another label than 'credit-v1'" in world.message("Ready")
    assert world.status.rollout is not None
    assert world.status.rollout.mirror is not None
    assert world.status.rollout.mirror.all.other == 16
    world.wait(21)
    world.settle()
    assert (world.serving, world.state, world.copied) == (2, "Promoted", None)
    [begun, promoted] = [
        record
        for record in world.ledger.records.values()
        if record.event == "promote" and record.details.get("modelVersion") == "credit-v2"
    ]
    assert (begun.outcome, begun.reason) == ("started", "Mirroring")
    assert "800 rows, 16 with another label" in promoted.message


def test_a_canary_comes_after_the_mirror(tmp_path: Path) -> None:
    world = started(tmp_path, replicas=3, strategy=CANARY)
    assert (world.state, world.running) == ("Mirroring", {1: 3, 2: 3})
    pass_mirror(world)
    assert (world.state, world.copied) == ("Canary", None)
    assert world.shared == {1: 3, 2: 1}
    world.report(2, CALM)
    world.wait(21)
    world.settle()
    assert world.serving == 2


SILENCE: dict[str, Callable[[World], None]] = {
    "nobody says anything": lambda world: None,
    "too few rows": lambda world: compared(world, rows=24),
    "what serves reports without a comparison": lambda world: world.report(1, CALM),
    "the candidate says it of itself": lambda world: compared(world, by=2),
    "it is about another candidate": lambda world: compared(world, candidate=world.digest(1)),
    "it is about a former mirror": lambda world: compared(world, since="2026-11-25T11:00:00Z"),
}


@pytest.mark.parametrize("say", SILENCE.values(), ids=SILENCE)
def test_silence_is_no_success(world: World, say: Callable[[World], None]) -> None:
    say(world)
    world.wait(3600)
    world.settle()
    assert world.state == "Mirroring"
    assert "are known without those of the busiest clients" in world.message("Ready")


FAILURES: dict[str, Callable[[World], None]] = {
    "it gives other labels": lambda world: compared(world, other=40),
    "its scores are far off": lambda world: compared(world, apart=40),
    "it fails copies": lambda world: compared(world, failed=40),
    "it refuses copies": lambda world: compared(world, refused=40),
    "it is late": lambda world: compared(world, late=40),
    "it crashes": lambda world: world.crash(2),
    "it is denied": lambda world: world.judge(2, denied=True),
    "it is revoked": lambda world: world.judge(2, revoked=True),
    "a person aborts": lambda world: world.act("abort", "abort-1"),
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_a_mirror_that_fails_refuses_the_intent_for_good(
    world: World, fail: Callable[[World], None]
) -> None:
    fail(world)
    world.settle()
    assert (world.shared, world.running, world.copied) == ({1: 2}, {1: 2}, None)
    [refused] = world.status.refused
    assert refused.manifest_digest == world.digest(2)
    world.ask(replicas=3)
    world.settle()
    pass_mirror(world)
    assert world.serving == 1, "it is never tried again"


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_what_is_below_a_limit_refuses_nothing(
    world: World, fail: Callable[[World], None], request: pytest.FixtureRequest
) -> None:
    if any(word in request.node.name for word in ("crash", "denied", "revoked", "person")):
        return
    compared(world, rows=8000, other=40, apart=40, failed=40, refused=40, late=40)
    world.wait(21)
    world.settle()
    assert world.serving == 2


def test_the_candidates_own_word_refuses_nothing(world: World) -> None:
    world.report(2, SHIFTED, refused=100, failed=20, slow=20)
    pass_mirror(world)
    assert world.serving == 2


def test_one_client_neither_refuses_a_candidate_nor_carries_it_through(world: World) -> None:
    assert world.copied is not None
    counter = MirrorCounter(world.copied["candidate"], world.copied["since"])
    for row in range(64):
        counter.answered(f"10.0.0.{row % 8}", 0.002, [(True, 0.0)])
    for _ in range(300):
        counter.answered("10.0.0.99", 0.002, [(False, 0.9)])
    world.report(1, CALM, mirror=counter.told().to_wire())
    world.wait(21)
    world.settle()
    assert world.state == "Mirroring"
    for row in range(400):
        counter.answered(f"10.0.0.{row % 8}", 0.002, [(True, 0.0)])
    world.report(1, CALM, mirror=counter.told().to_wire())
    world.settle()
    assert world.serving == 2


def test_a_person_promotes_before_the_end(world: World) -> None:
    world.act("promote", "promote-1")
    world.settle()
    assert (world.serving, world.copied) == (2, None)


def test_a_hold_keeps_the_traffic_and_the_comparison_goes_on(world: World) -> None:
    until = timestamp(world.now + timedelta(seconds=600))
    world.act("hold", "hold-1", reason="Quarter's end.", until=until)
    world.settle()
    pass_mirror(world)
    assert (world.serving, world.state) == (1, "Mirroring")
    assert world.condition("Ready") == "False/OnHold"
    assert world.copied is not None
    compared(world, other=40)
    world.settle()
    assert (world.state, world.copied) == ("Refused", None)


def test_suspend_keeps_what_passed_waiting(world: World) -> None:
    world.ask(suspend=True)
    pass_mirror(world)
    assert (world.serving, world.condition("Ready")) == (1, "False/Suspended")
    world.ask(suspend=False)
    world.settle()
    assert world.serving == 2


def test_drift_of_what_serves_ends_the_mirror_and_rolls_back(tmp_path: Path) -> None:
    world = started(tmp_path)
    pass_mirror(world)
    world.wait(21)
    world.settle()
    world.seal(3)
    world.settle()
    assert (world.serving, world.state) == (2, "Mirroring")
    world.report(2, SHIFTED)
    world.reconcile()
    assert world.copied is None
    world.settle()
    assert world.status.history[0].version == "credit-v1"


def test_a_revocation_of_what_serves_ends_the_mirror(world: World) -> None:
    world.revoke(1)
    for _ in range(3):
        world.settle()
    assert 1 not in world.shared
    assert world.copied is None


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


def test_a_withdrawn_approval_ends_the_mirror(world: World) -> None:
    world.judge(2, approvals=())
    world.settle()
    assert (world.state, world.copied, world.running) == ("Stable", None, {1: 2})


def test_another_spec_begins_again(world: World) -> None:
    compared(world)
    world.settle()
    before = world.copied
    world.wait(5)
    world.ask(strategy={**STRATEGY, "mirror": {"percent": 100, "pause": "20s"}})
    world.settle()
    assert world.state == "Mirroring"
    assert world.copied is not None
    assert world.copied != before
    assert world.copied["percent"] == 100
    world.wait(21)
    world.settle()
    assert world.serving == 1, "what was told of the former mirror is no evidence"


def test_without_a_mirror_in_the_spec_it_takes_over_at_once(world: World) -> None:
    world.ask(strategy={key: value for key, value in STRATEGY.items() if key != "mirror"})
    world.settle()
    assert (world.serving, world.copied) == (2, None)


def test_a_newer_version_takes_the_candidates_place(world: World) -> None:
    compared(world)
    world.seal(3)
    world.settle()
    assert world.state == "Mirroring"
    assert world.copied is not None
    assert world.copied["candidate"] == world.digest(3)
    assert set(world.running) == {1, 3}


@pytest.mark.parametrize("replicas", [1, 5, 0])
def test_scaling_keeps_the_mirror(world: World, replicas: int) -> None:
    before = world.copied
    world.ask(replicas=replicas)
    world.settle()
    assert (world.state, world.copied) == ("Mirroring", before)
    assert world.running == {1: replicas, 2: replicas}


def test_pods_of_the_candidate_that_do_not_come_back_refuse_it(world: World) -> None:
    world.evict(2)
    world.reconcile()
    assert world.state == "Mirroring"
    world.wait(31)
    for _ in range(3):
        world.reconcile()
    world.settle()
    assert (world.state, world.copied) == ("Refused", None)


def test_copies_of_what_a_pod_took_along_are_missing_and_nothing_else(world: World) -> None:
    compared(world, rows=80)
    world.evict(1, pods=1)
    world.settle()
    compared(world, rows=80)
    world.wait(21)
    world.settle()
    assert world.status.rollout is not None
    assert world.serving == 2 or world.state == "Mirroring"


@pytest.mark.parametrize("write", range(1, WRITES))
def test_a_mirror_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = World(tmp_path, replicas=2, strategy=STRATEGY)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.seal(2)
    for _ in range(4):
        cut_each_state(world, write)
        assert world.cluster.writes < WRITES
        if world.state == "Mirroring":
            compared(world)
        world.wait(21)
    assert (world.serving, world.state, world.copied) == (2, "Stable", None)
    assert world.recorded("promote") == ["promoted", "stable", "started", "promoted", "stable"]


@pytest.mark.parametrize("write", range(1, WRITES))
def test_a_refusal_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = started(tmp_path)
    compared(world, other=40)
    cut_each_state(world, write)
    assert (world.shared, world.copied) == ({1: 2}, None)
    assert len(world.status.refused) == 1


def test_a_strangers_service_of_that_name_is_told_and_ends_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, replicas=2, strategy=STRATEGY)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    stranger = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "bank", "name": "credit-mirror", "uid": "stranger"},
        "spec": {"selector": {"app": "sink"}},
    }
    world.cluster.put(stranger)
    world.seal(2)
    world.settle()
    assert world.condition("Stalled") == "True/ForeignObject"
    assert "credit-mirror" in world.message("Stalled")
    assert world.shared == {1: 2}
    world.report(1, SHIFTED)
    world.act("abort", "abort-1")
    world.settle()
    assert world.running == {1: 2}
