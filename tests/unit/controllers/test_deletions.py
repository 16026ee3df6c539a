"""Each object that is gone is one record, however it went and whoever was away meanwhile."""

# ruff: noqa: D102 - names say what is told
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.controllers import deletions
from hallmark.controllers.runtime import record
from tests.unit.audit.factories import decided
from tests.unit.controllers.test_keeper import World
from tests.unit.policies.model_version.ballots import approval
from tests.unit.policies.training_run.runs import version

SPACE = version().metadata.namespace
OBJECTS: dict[Kind, Obj] = {
    MODEL_VERSION: version().to_wire(),
    MODEL_APPROVAL: approval().to_wire(),
    MODEL_DEPLOYMENT: {"metadata": {"name": "credit"}, "spec": {"model": "credit"}},
    TRAINING_RUN: {"metadata": {"name": "credit-v1"}, "spec": {"model": "credit"}},
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def about(kind: Kind, uid: str, name: str = "x") -> Record:
    """Return a record about an object; of an approval as its version's reconcile writes it."""
    base = replace(decided(f"about {uid}"), kind=kind.kind, namespace=SPACE, name=name, uid=uid)
    if kind != MODEL_APPROVAL:
        return base
    details = {"approvalUid": uid, "approval": name}
    event, outcome = AuditEvent.APPROVE, AuditOutcome.ACCEPTED
    return replace(base, event=event, outcome=outcome, kind="AnotherKind", details=details)


class Watched:
    """What the watches tell of, and the keeper's turns."""

    def __init__(self, world: World) -> None:
        self.world, self.version = world, 0

    @classmethod
    async def at_work(cls, world: World) -> Watched:
        """Return what an operator watches that has begun and knows all that there is."""
        watched = cls(world)
        assert await world.begin()
        world.keeper.deletions.begin()
        await watched.turn()
        return watched

    def put(self, kind: Kind, uid: str, name: str = "x", **metadata: Any) -> None:  # noqa: ANN401
        self.version += 1
        place = {"namespace": SPACE, "name": name, "uid": uid}
        place["resourceVersion"] = str(self.version)
        obj = {
            **OBJECTS[kind],
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {**place, **metadata},
        }
        change = self.world.operator.cache.observe(kind, obj)
        if change is not None:
            self.world.keeper.changed(change)

    def remove(self, kind: Kind, uid: str, name: str = "x") -> None:
        self.version += 1
        place = {"namespace": SPACE, "name": name, "uid": uid}
        obj = {"metadata": {**place, "resourceVersion": str(self.version)}}
        change = self.world.operator.cache.remove(kind, obj)
        if change is not None:
            self.world.keeper.changed(change)

    async def turn(self) -> list[Obj]:
        await self.world.keeper.turn()
        return [found for found in self.world.records() if found["event"] == "delete"]


def of_objects(found: list[Obj]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["uid"], one["reason"]) for one in found if one["uid"]]


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.kind)
async def test_a_deletion_that_is_seen_is_one_record_with_what_was_seen(
    world: World, kind: Kind
) -> None:
    watched = Watched(world)
    assert await world.begin()
    watched.put(kind, "u1", deletionTimestamp="2026-06-01T11:59:00Z", finalizers=["example.org/x"])
    await record(world.operator, (about(kind, "u1"),))
    world.keeper.deletions.begin()
    assert of_objects(await watched.turn()) == []
    watched.remove(kind, "u1")
    for _ in range(3):
        found = await watched.turn()
    assert of_objects(found) == [(kind.kind, "u1", "Deleted")]
    (one,) = [told for told in found if told["uid"]]
    assert one["outcome"] == "deleted"
    assert one["details"]["seen"].startswith("2026-06-01T12:00:00")
    assert one["details"]["lastRecord"] == "1"
    if kind in {MODEL_VERSION, MODEL_APPROVAL}:
        assert one["details"]["deletionTimestamp"] == "2026-06-01T11:59:00Z"
        assert one["details"]["manifestDigest"] == version().spec.artifact.manifest_digest
    await world.end()


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.kind)
async def test_what_went_while_the_operator_was_away_is_found_at_the_next_start(
    world: World, kind: Kind
) -> None:
    assert await world.begin()
    await record(world.operator, (about(kind, "gone"), about(kind, "stays", "y")))
    await world.again()
    watched = Watched(world)
    watched.put(kind, "stays", "y")
    assert of_objects(await watched.turn()) == [], "The first lists are not complete yet."
    world.keeper.deletions.begin()
    assert of_objects(await watched.turn()) == [(kind.kind, "gone", "FoundGone")]
    await world.again()
    watched = Watched(world)
    watched.put(kind, "stays", "y")
    world.keeper.deletions.begin()
    assert of_objects(await watched.turn()) == [(kind.kind, "gone", "FoundGone")], "Only once."
    await world.end()


@pytest.mark.parametrize("away", [True, False], ids=["while away", "between two looks"])
async def test_what_was_made_anew_under_its_name_is_another_object(
    world: World, *, away: bool
) -> None:
    watched = Watched(world)
    assert await world.begin()
    watched.put(MODEL_VERSION, "first")
    world.keeper.deletions.begin()
    await record(world.operator, (about(MODEL_VERSION, "first"),))
    if away:
        await world.again()
        watched = Watched(world)
        world.keeper.deletions.begin()
    watched.put(MODEL_VERSION, "second")
    await record(world.operator, (about(MODEL_VERSION, "second"),))
    reason = "FoundGone" if away else "Deleted"
    assert of_objects(await watched.turn()) == [("ModelVersion", "first", reason)]
    await world.end()


async def test_a_record_that_comes_after_the_end_makes_no_second_deletion(world: World) -> None:
    """A reconcile was under way when its object went."""
    watched = Watched(world)
    assert await world.begin()
    watched.put(MODEL_DEPLOYMENT, "u1")
    await record(world.operator, (about(MODEL_DEPLOYMENT, "u1"),))
    world.keeper.deletions.begin()
    watched.remove(MODEL_DEPLOYMENT, "u1")
    await watched.turn()
    late = replace(about(MODEL_DEPLOYMENT, "u1"), decision_id="late")
    await record(world.operator, (late,))
    await world.again()
    watched = Watched(world)
    world.keeper.deletions.begin()
    assert len(of_objects(await watched.turn())) == 1
    assert world.operator.audit.memory.known() == []
    await world.end()


async def test_what_goes_while_another_deletion_is_written_is_not_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(world)
    assert await world.begin()
    for uid in ("u1", "u2"):
        watched.put(MODEL_VERSION, uid, uid)
    await record(world.operator, tuple(about(MODEL_VERSION, uid, uid) for uid in ("u1", "u2")))
    world.keeper.deletions.begin()
    await watched.turn()
    append = world.keeper.deletions._append

    async def meanwhile(told: Record) -> None:
        watched.remove(MODEL_VERSION, "u2", "u2")
        await append(told)

    monkeypatch.setattr(world.keeper.deletions, "_append", meanwhile)
    watched.remove(MODEL_VERSION, "u1", "u1")
    for _ in range(2):
        found = await watched.turn()
    expected = [("ModelVersion", "u1", "Deleted"), ("ModelVersion", "u2", "Deleted")]
    assert of_objects(found) == expected
    await world.end()


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.kind)
async def test_a_first_record_that_comes_after_the_end_is_followed_by_the_deletion(
    world: World, kind: Kind
) -> None:
    """Whoever deletes fast enough is on record all the same, and `verify` calls nothing hidden."""
    watched = await Watched.at_work(world)
    watched.put(kind, "u1")
    watched.remove(kind, "u1")
    await watched.turn()
    await record(world.operator, (about(kind, "u1"),))
    assert of_objects(await watched.turn()) == [(kind.kind, "u1", "Deleted")]
    assert of_objects(await watched.turn()) == [(kind.kind, "u1", "Deleted")]
    await world.end()


async def test_an_object_that_nothing_is_recorded_of_leaves_no_record(world: World) -> None:
    watched = await Watched.at_work(world)
    for number in range(100):
        watched.put(TRAINING_RUN, f"u{number}", f"run-{number}")
        watched.remove(TRAINING_RUN, f"u{number}", f"run-{number}")
    assert not world.keeper.guards.wanted.is_set(), "It wakes nobody either."
    assert of_objects(await watched.turn()) == []
    assert len(world.keeper.deletions._last) == deletions.MOST_UNKNOWN, "Nor does it fill memory."
    await world.end()


async def test_a_full_volume_loses_no_deletion(world: World) -> None:
    watched = Watched(world)
    assert await world.begin()
    watched.put(MODEL_VERSION, "u1")
    await record(world.operator, (about(MODEL_VERSION, "u1"),))
    world.keeper.deletions.begin()
    watched.remove(MODEL_VERSION, "u1")
    world.full = True
    assert of_objects(await watched.turn()) == []
    world.full = False
    world.now += timedelta(hours=1)
    (one,) = [told for told in await watched.turn() if told["uid"]]
    assert one["details"]["seen"].startswith("2026-06-01T12:00:00"), "When it was seen."
    await world.end()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(deletions, "MOST_AT_ONCE", 7)
    return iter(())


@pytest.mark.usefixtures("few")
async def test_many_are_recorded_in_turns_and_only_then_the_log_says_that_it_is_complete(
    world: World,
) -> None:
    assert await world.begin()
    await record(world.operator, tuple(about(MODEL_VERSION, f"u{n}", f"v{n}") for n in range(20)))
    await world.again()
    watched = Watched(world)
    world.keeper.deletions.begin()
    seen = []
    for _ in range(4):
        found = await watched.turn()
        complete = [told for told in found if told["reason"] == "DeletionsRecorded"]
        seen.append((len(of_objects(found)), len(complete)))
    assert seen == [(7, 0), (14, 0), (20, 1), (20, 1)]
    await world.end()


def test_the_cache_says_which_object_has_a_name(world: World) -> None:
    watched = Watched(world)
    key = Key(MODEL_VERSION, SPACE, "x")
    assert world.operator.cache.uid(key) == ""
    watched.put(MODEL_VERSION, "u1")
    assert world.operator.cache.uid(key) == "u1"
