"""Background tasks end, whenever the cancellation comes and whatever swallows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hallmark.controllers import lifecycle, tasks
from hallmark.controllers.keeper import Keeper

STEPS = 8
"""Turns of the event loop in which a wait that was just granted comes to its end."""


class _Flag:
    """Carries an event where the code under test reaches for it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.wanted = self.started


async def _reconciling(flag: _Flag) -> None:
    """The operator's main work, whose log is just found whole."""

    class Parts:
        settings = type("Settings", (), {"audit_patience_seconds": 60.0})
        cache: tuple[str, ...] = ()

        class Forever:
            async def run(self) -> None:
                await asyncio.sleep(3600)

        queue = Forever()

    class Watches:
        async def synced(self) -> None:
            return

    parts: Any = Parts()
    watches: Any = Watches()
    keeper: Any = flag
    await lifecycle._reconcile(parts, watches, keeper)


async def _keeping(flag: _Flag) -> None:
    """The audit log's keeper, which is just told of a guard that changed."""
    keeper: Any = object.__new__(Keeper)
    keeper._operator = type("Parts", (), {"settings": type("S", (), {"audit_seconds": 60.0})})
    keeper.guards = flag

    async def start() -> bool:
        return True

    async def turn() -> None:
        flag.started.clear()

    keeper._start, keeper.turn = start, turn
    await Keeper.run(keeper)


@pytest.mark.parametrize("steps", range(STEPS))
@pytest.mark.parametrize("work", [_reconciling, _keeping])
async def test_a_cancellation_beside_what_was_waited_for_is_heard(
    work: Callable[[_Flag], Awaitable[None]], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hallmark.controllers.dispatch.look_at_all", lambda operator: None)
    flag = _Flag()
    task = asyncio.ensure_future(work(flag))
    for _ in range(STEPS):
        await asyncio.sleep(0)
    flag.started.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    ended = task.done()
    task.cancel()
    assert ended, f"the cancellation {steps} turns after the event was lost"


async def test_whoever_swallows_a_cancellation_is_told_again() -> None:
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while heard < 3:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                heard += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await tasks.end([task], patience=0.01)
    assert heard == 3
    assert task.done()


async def test_a_last_effort_is_not_cut_short() -> None:
    finished = asyncio.Event()

    async def careful() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            finished.set()

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    await tasks.end([task], patience=30)
    assert finished.is_set()


async def test_what_failed_before_keeps_nobody_from_ending() -> None:
    async def broken() -> None:
        raise RuntimeError("broken")

    other = asyncio.create_task(asyncio.sleep(3600))
    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    await tasks.end([task, other])
    assert task.done()
    assert other.cancelled()


async def test_nothing_to_end_ends_at_once() -> None:
    await tasks.end([])
