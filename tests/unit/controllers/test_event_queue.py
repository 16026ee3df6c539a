"""Events beside the reconciles: in order, once, bounded, and none of them ends anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import Obj
from hallmark.controllers import event_queue
from hallmark.controllers.event_queue import EventQueue


def event(name: str, namespace: str = "bank") -> Obj:
    return {"metadata": {"name": name, "namespace": namespace}, "reason": "Promoted"}


class Creator:
    """Remembers the Events that were created; refuses some, and can be slow."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.refused = {"full": ApiError("The quota of Events is used up.", 403, "Forbidden")}
        self.gate = asyncio.Event()
        self.gate.set()

    async def create(self, obj: Obj) -> Obj:
        """Create an Event, as the cluster does."""
        await self.gate.wait()
        name = obj["metadata"]["name"]
        if name in self.refused:
            raise self.refused[name]
        self.created.append(name)
        return obj


def queue_of(creator: Creator) -> EventQueue:
    cluster: Any = creator
    return EventQueue(cluster)


async def test_events_are_created_in_order_once_and_past_one_that_is_refused() -> None:
    creator = Creator()
    queue = queue_of(creator)
    for name in ("a", "full", "b", "a", "c"):
        queue.put(event(name))
    assert (len(queue), creator.created) == (4, []), "nothing is sent by the reconcile itself"
    await queue.drain()
    assert (len(queue), creator.created) == (0, ["a", "b", "c"])


async def test_what_waits_when_the_operator_ends_is_still_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_queue, "AFTER_SECONDS", 0.0)
    creator = Creator()
    queue = queue_of(creator)
    running = asyncio.create_task(queue.run())
    queue.put(event("first"))
    async with asyncio.timeout(10):
        while not creator.created:
            await asyncio.sleep(0)
    queue.put(event("last"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert creator.created == ["first", "last"]


async def test_an_event_waits_until_what_it_tells_of_is_carried_out_but_not_beyond_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_queue, "AFTER_SECONDS", 3600.0)
    creator = Creator()
    queue = queue_of(creator)
    running = asyncio.create_task(queue.run())
    queue.put(event("first"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert creator.created == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert creator.created == ["first"]


async def test_the_end_does_not_wait_for_an_api_server_that_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_queue, "LAST_SECONDS", 0.01)
    creator = Creator()
    creator.gate.clear()
    queue = queue_of(creator)
    running = asyncio.create_task(queue.run())
    for name in "abc":
        queue.put(event(name))
    await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(60):
        await asyncio.gather(running, return_exceptions=True)
    assert creator.created == []


async def test_a_flood_of_events_is_bounded() -> None:
    creator = Creator()
    queue = queue_of(creator)
    for number in range(event_queue.MOST_OF_ONE + 10):
        queue.put(event(str(number)))
    assert len(queue) == event_queue.MOST_OF_ONE
    queue.put(event("other", "shop"))
    await queue.drain()
    assert creator.created.index("other") == 1, "each namespace has its turn"
    for number in range(event_queue.MOST_WAITING + 10):
        queue.put(event(str(number), f"space-{number % 10}"))
    assert len(queue) == event_queue.MOST_WAITING
