"""Every action of a person runs once and is recorded, or is refused in sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, strategies as st

from tests.examples import examples
from tests.unit.controllers.deployment_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.seal(1)
    made.settle()
    return made


def recorded(world: World) -> list[tuple[str, str]]:
    """Return id and outcome of each recorded action."""
    return [
        (record.details["actionId"], record.outcome)
        for record in world.ledger.records.values()
        if record.event == "action"
    ]


def test_an_id_that_is_used_again_after_another_one_does_nothing_and_is_recorded(
    world: World,
) -> None:
    world.act("pause", "1")
    world.settle()
    world.act("resume", "2")
    world.settle()
    world.act("pause", "1")
    world.settle()
    assert not world.status.paused
    assert recorded(world) == [("1", "done"), ("2", "done"), ("1", "refused")]
    last = world.status.last_action
    assert last is not None
    assert "ran before" in last.outcome
    world.act("pause", "1", reason="Really.")
    world.settle()
    world.act("resume", "2")
    world.settle()
    assert [outcome for _, outcome in recorded(world)][3:] == ["refused", "refused"]
    world.act("pause", "3")
    world.settle()
    assert world.status.paused


def test_the_record_says_who_asked_and_why(world: World) -> None:
    world.act("rollback", "1", reason="Complaints.", target="credit-v7")
    world.settle()
    (record,) = (found for found in world.ledger.records.values() if found.event == "action")
    assert record.actor == "ada"
    assert record.details["why"] == "Complaints."
    assert record.details["target"] == "credit-v7"
    assert record.message.startswith("Nothing was done")


@pytest.mark.parametrize("die_at", range(1, 8))
@pytest.mark.parametrize("action", ["pause", "acknowledge", "rollback", "promote", "abort"])
def test_an_operator_that_is_killed_runs_and_records_it_once(
    world: World, action: str, die_at: int
) -> None:
    world.act(action, "1")
    world.reconcile(die_at)
    world.settle()
    assert recorded(world) == [("1", "done")]
    last = world.status.last_action
    assert last is not None
    assert (last.id, world.status.action_ids) == ("1", ["1"])


def test_an_action_and_a_change_of_the_spec_at_once_are_both_done(world: World) -> None:
    world.act("pause", "1")
    world.ask(replicas=2)
    world.seal(2)
    world.settle()
    assert world.status.paused
    assert recorded(world) == [("1", "done")]
    assert (world.serving, world.running[1]) == (1, 2)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["pause", "resume"]), st.sampled_from("aAbc"), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_of_any_sequence_each_new_text_is_one_record_and_each_id_acts_once(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, str, bool]]
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    world.settle()
    before, done, texts = None, set[str](), 0
    for action, identity, killed in asked:
        texts += (action, identity) != before
        before = action, identity
        if killed:
            world.act(action, identity)
            world.reconcile(1)
        world.act(action, identity)
        world.settle()
        fresh = identity.lower() not in done
        done.add(identity.lower())
        if fresh:
            assert world.status.paused == (action == "pause")
        assert len(recorded(world)) == texts
    assert [outcome for _, outcome in recorded(world)].count("done") == len(done)


def started(world: World) -> World:
    """Return the world with a version that serves, and a newer one that is held before it."""
    world.wait(11)
    world.settle()
    world.hold(100, "h")
    world.settle()
    world.seal(2)
    world.settle()
    return world


def test_a_held_candidate_takes_over_when_the_hold_ends_by_itself(world: World) -> None:
    started(world)
    assert (world.serving, world.state, world.condition("Ready")) == (1, "Starting", "False/OnHold")
    assert world.condition("Reconciling") == "True/OnHold"
    world.wait(100)
    world.settle()
    assert (world.serving, world.condition("OnHold")) == (2, "False/NotHeld")
    assert [found.reason for found in world.ledger.records.values()].count("HoldEnded") == 1


def test_a_person_lifts_a_hold(world: World) -> None:
    started(world)
    world.act("unhold", "2")
    world.settle()
    assert world.serving == 2
    assert recorded(world) == [("h", "done"), ("2", "done")]


def test_a_revocation_wins_over_a_hold(world: World) -> None:
    started(world)
    world.revoke(1)
    world.settle()
    assert not world.running.get(1)
    assert world.serving == 0 or world.running.get(world.serving) == 0
    assert world.status.hold is not None


@pytest.mark.parametrize("write", range(1, 14))
@pytest.mark.parametrize("lifted", [True, False], ids=["lifted", "ended"])
def test_an_operator_that_is_killed_keeps_a_hold_and_ends_it_once(
    world: World, write: int, *, lifted: bool
) -> None:
    world.wait(11)
    world.settle()
    world.hold(100, "h")
    for _ in range(3):
        world.reconcile(write)
        world.reconcile()
    world.seal(2)
    for _ in range(6):
        world.reconcile(write)
        world.reconcile()
        world.run_pods()
    world.settle()
    assert world.serving == 1
    if lifted:
        world.act("unhold", "2")
    else:
        world.wait(100)
    for _ in range(6):
        world.reconcile(write)
        world.reconcile()
        world.run_pods()
    world.settle()
    assert world.serving == 2
    reasons = [found.reason for found in world.ledger.records.values()]
    assert reasons.count("HoldEnded") == (0 if lifted else 1)
