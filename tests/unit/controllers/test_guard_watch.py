"""ModelPolicies are guards too: known to the guards' memory from the one watch that there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.cluster.cache import Change, ObjectCache, key_of
from hallmark.cluster.guards import Guards
from hallmark.cluster.informer import Informer
from hallmark.cluster.kinds import MODEL_POLICY, Obj
from hallmark.cluster.lists import Page, Selection
from hallmark.controllers import tasks
from hallmark.controllers.guards import GuardWatch


class Nothing:
    """A source that has no objects, and whose watches say nothing."""

    async def page(self, selection: Selection, limit: int, token: str) -> Page:
        """Return an empty list."""
        return Page([], "1", "", 0)

    async def watch(
        self, selection: Selection, version: str, seconds: int, silence: float
    ) -> AsyncIterator[Obj]:
        """Yield nothing for long."""
        await asyncio.sleep(3600)
        nothing: tuple[Obj, ...] = ()
        for event in nothing:
            yield event


class Confirmed(Guards):
    """Says when the first lists were taken."""

    def __init__(self) -> None:
        super().__init__()
        self.confirmed = asyncio.Event()

    def confirm(self, is_listed: Callable[[str, str], bool]) -> None:
        """Take the first lists."""
        super().confirm(is_listed)
        self.confirmed.set()


class Parts:
    """What of the operator the guards' watch needs."""

    def __init__(self) -> None:
        self.guards = Confirmed()

    def clock(self) -> datetime:
        """Return always the same moment."""
        return datetime(2026, 11, 28, tzinfo=UTC)

    latest = clock


def policy(name: str, version: int = 1, generation: int = 1) -> Obj:
    return {
        "apiVersion": MODEL_POLICY.api_version,
        "kind": MODEL_POLICY.kind,
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "resourceVersion": str(version),
            "generation": generation,
        },
        "spec": {"signers": []},
    }


class Scene:
    """A guards' watch, and the informer of the ModelPolicies that it is told of."""

    def __init__(self) -> None:
        self.parts = Parts()
        source: Any = Nothing()
        operator: Any = self.parts
        self.tasks: list[asyncio.Task[None]] = []
        self.watch = GuardWatch(operator, source, asyncio.Event())
        self.policies = Informer(
            source, ObjectCache(), Selection(MODEL_POLICY), self.watch.changed, self.watch.came
        )

    def goes(self, obj: Obj) -> None:
        """Tell of a ModelPolicy that was deleted."""
        self.watch.changed(Change(key_of(MODEL_POLICY, obj), obj, None))

    @property
    def known(self) -> list[str]:
        """The ModelPolicies in memory."""
        kept = self.parts.guards.kept()
        return [guard["name"] for guard in kept if guard["kind"] == MODEL_POLICY.kind]

    @property
    def recorded(self) -> list[tuple[str | None, str | None]]:
        """What is to be recorded: the name before and after."""
        return [
            (
                change.before.name if change.before else None,
                change.after.name if change.after else None,
            )
            for change in self.parts.guards.changes
        ]

    async def run(self) -> None:
        """Start the watch and the informer; return when the first lists were taken."""
        self.tasks = [
            asyncio.create_task(self.watch.run(self.policies)),
            asyncio.create_task(self.policies.run()),
        ]
        async with asyncio.timeout(30):
            await self.parts.guards.confirmed.wait()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await tasks.end(made.tasks)


async def test_what_came_before_the_memory_was_read_waits_for_it(scene: Scene) -> None:
    scene.watch.came(MODEL_POLICY, policy("bank"))
    assert not scene.known
    scene.parts.guards.restore(None, first_start=True)
    await scene.run()
    assert scene.known == ["bank"]


async def test_one_that_an_earlier_process_saw_as_it_is_says_nothing(scene: Scene) -> None:
    before = Guards()
    before.saw(MODEL_POLICY, policy("bank"), scene.parts.clock())
    scene.watch.came(MODEL_POLICY, policy("bank", version=7))
    scene.parts.guards.restore(before.kept(), first_start=False)
    await scene.run()
    assert scene.recorded == []


async def test_one_that_changed_meanwhile_is_recorded(scene: Scene) -> None:
    before = Guards()
    before.saw(MODEL_POLICY, policy("bank"), scene.parts.clock())
    scene.watch.came(MODEL_POLICY, policy("bank", version=7, generation=2))
    scene.parts.guards.restore(before.kept(), first_start=False)
    await scene.run()
    assert scene.recorded == [("bank", "bank")]


async def test_of_an_early_one_the_last_state_counts_and_one_that_went_is_gone(
    scene: Scene,
) -> None:
    before = Guards()
    for name in ("bank", "shop"):
        before.saw(MODEL_POLICY, policy(name), scene.parts.clock())
    scene.watch.came(MODEL_POLICY, policy("bank", version=7, generation=2))
    scene.watch.came(MODEL_POLICY, policy("bank", version=8, generation=3))
    scene.watch.came(MODEL_POLICY, policy("shop", version=9))
    scene.goes(policy("shop", version=10))
    scene.parts.guards.restore(before.kept(), first_start=False)
    await scene.run()
    assert sorted(scene.recorded, key=str) == [("bank", "bank"), ("shop", None)]
    assert [change.after.generation for change in scene.parts.guards.changes if change.after] == [3]


async def test_one_that_nobody_lists_any_more_is_recorded_as_gone(scene: Scene) -> None:
    before = Guards()
    before.saw(MODEL_POLICY, policy("bank"), scene.parts.clock())
    scene.parts.guards.restore(before.kept(), first_start=False)
    await scene.run()
    assert scene.recorded == [("bank", None)]


async def test_one_that_comes_and_goes_later_is_recorded_both_times(scene: Scene) -> None:
    scene.parts.guards.restore(None, first_start=False)
    await scene.run()
    scene.watch.came(MODEL_POLICY, policy("late", version=20))
    scene.goes(policy("late", version=21))
    assert scene.recorded == [(None, "late"), ("late", None)]
