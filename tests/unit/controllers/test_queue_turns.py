"""The work queue: whatever is urgent, hangs or changes all the time holds up nobody else."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import MODEL_VERSION, TRAINING_RUN
from hallmark.controllers.queue import (
    LOOK_SECONDS,
    LOOKS_TOGETHER,
    MOST,
    MOST_AT_ALL,
    MOST_BEFORE,
    MOST_OF_ONE,
    PATIENCE,
    URGENT_WORKERS,
    Outcome,
    Urgency,
    WorkQueue,
)
from tests.unit.controllers.queue_world import Clock, Recorder, soon, working


@pytest.mark.parametrize("urgency", Urgency)
async def test_a_thousand_of_one_namespace_hold_up_no_other(urgency: Urgency) -> None:
    seen = Recorder()
    async with working(seen, workers=1) as queue:
        for number in range(1000):
            queue.request(Key(TRAINING_RUN, "author", str(number)), urgency=urgency)
        for space in ("bank", "shop"):
            queue.request(Key(TRAINING_RUN, space, space), urgency=urgency)
        await soon(lambda: queue.idle)
    assert {"bank", "shop"} <= set(seen.seen[:12]), "each had its turn after one of the others"
    assert [name for name in seen.seen if name.isdigit()] == [str(n) for n in range(1000)]


@pytest.mark.parametrize("urgency", Urgency)
async def test_reconciles_that_hang_leave_their_workers_to_others(urgency: Urgency) -> None:
    """Such as of a thousand runs whose store takes connections and says nothing."""
    gate, done = asyncio.Event(), list[str]()

    async def reconcile(key: Key) -> Outcome:
        if key.namespace != "bank":
            await gate.wait()
        done.append(key.name)
        return Outcome.DONE

    async with working(reconcile, patience=0.02) as queue:
        for number in range(100):
            for space in ("author", "accomplice"):
                queue.request(Key(TRAINING_RUN, space, f"{space}-{number}"), urgency=urgency)
        more = URGENT_WORKERS if urgency is Urgency.AT_ONCE else 0
        await soon(lambda: len(queue._running) == 2 * (MOST_OF_ONE + more))
        for number in range(20):
            queue.request(Key(MODEL_VERSION, "bank", str(number)))
        await soon(lambda: len(done) == 20)
        await asyncio.sleep(0.05)
        assert len(queue._running) == 2 * (MOST_OF_ONE + more), "but not without a bound"
        gate.set()
        await soon(lambda: len(done) == 220)
        assert queue.idle


@pytest.mark.parametrize("waits", Urgency)
@pytest.mark.parametrize("hangs", Urgency)
@pytest.mark.parametrize("spaces", [1, 6, 40])
async def test_however_many_namespaces_hang_the_next_one_has_its_turn(
    spaces: int, hangs: Urgency, waits: Urgency
) -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, patience=0.0) as queue:
        for number in range(30 * spaces):
            queue.request(
                Key(TRAINING_RUN, f"author-{number % spaces}", str(number)), urgency=hangs
            )
        before = -1
        while before != seen.running:
            before = seen.running
            await asyncio.sleep(0.01)
        assert seen.running >= min(spaces * MOST_OF_ONE, MOST // 2)
        queue.request(Key(MODEL_VERSION, "bank", "bank"), urgency=waits)
        await soon(lambda: "bank" in seen.seen)
        assert seen.most <= MOST + URGENT_WORKERS + spaces + 1
        seen.gate.set()
        await soon(lambda: queue.idle)


async def test_nor_is_there_no_bound_where_many_namespaces_hang() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, patience=0.0) as queue:
        for number in range(MOST_AT_ALL + 100):
            queue.request(Key(TRAINING_RUN, f"author-{number}", str(number)))
        await soon(lambda: seen.running == MOST_AT_ALL)
        queue.request(Key(MODEL_VERSION, "bank", "revoked"), urgency=Urgency.AT_ONCE)
        await soon(lambda: "revoked" in seen.seen)
        assert seen.most == MOST_AT_ALL + 1
        seen.gate.set()
        await soon(lambda: queue.idle)


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("urgent", [Urgency.AT_ONCE, Urgency.SOON])
@pytest.mark.parametrize("waits", [Urgency.SOON, Urgency.IN_TURN])
async def test_objects_that_are_always_urgent_starve_nobody(
    urgent: Urgency, waits: Urgency, workers: int
) -> None:
    """A thousand objects of one author, each of which is urgent again as soon as it was looked at.

    What waits moves on, and is no more than its share of the looks.
    """
    if waits <= urgent:
        return
    seen = list[str]()
    ended = asyncio.Event()

    async def reconcile(key: Key) -> Outcome:
        await asyncio.sleep(0)
        seen.append(key.name)
        if key.namespace == "author" and not ended.is_set():
            queue.request(key, urgency=urgent)
        return Outcome.DONE

    async with working(reconcile, workers) as queue:
        for number in range(1000):
            queue.request(Key(MODEL_VERSION, "author", f"author-{number}"), urgency=urgent)
        for number in range(20):
            queue.request(Key(TRAINING_RUN, "bank", str(number)), urgency=waits)
        await soon(lambda: len([name for name in seen if name.isdigit()]) == 20)
        ended.set()
    at = [place for place, name in enumerate(seen) if name.isdigit()]
    between = [after - before for before, after in itertools.pairwise(at)]
    assert max(between) <= MOST_BEFORE + workers + URGENT_WORKERS
    assert at[-1] >= 19 * MOST_BEFORE - workers, "what is urgent is not held up"


async def test_one_that_waits_begins_where_urgent_looks_have_every_worker() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, workers=2) as queue:
        for number in range(2 + URGENT_WORKERS):
            queue.request(Key(MODEL_VERSION, "author", str(number)), urgency=Urgency.AT_ONCE)
        await soon(lambda: seen.running == 2 + URGENT_WORKERS)
        for name in ("a", "b"):
            queue.request(Key(TRAINING_RUN, "bank", name))
        assert queue.depth == 2
        queue._before[Urgency.IN_TURN] = MOST_BEFORE
        queue._wake.set()
        await soon(lambda: "a" in seen.seen)
        await asyncio.sleep(0.02)
        assert "b" not in seen.seen
        seen.gate.set()
        await soon(lambda: queue.idle)


@pytest.mark.parametrize("hangs", [Urgency.SOON, Urgency.IN_TURN])
async def test_one_that_hangs_takes_nobodys_turn_among_urgent_looks(hangs: Urgency) -> None:
    seen, now = Recorder(), [1.0]
    seen.gate.clear()
    queue = WorkQueue(seen, 2, lambda: now[0])
    task = asyncio.create_task(queue.run())
    queue.request(Key(TRAINING_RUN, "author", "hangs"), urgency=hangs)
    await soon(lambda: seen.running == 1)
    now[0] += 2 * PATIENCE
    for number in range(2 + URGENT_WORKERS):
        queue.request(Key(MODEL_VERSION, "author", str(number)), urgency=Urgency.AT_ONCE)
    await soon(lambda: seen.running == 3 + URGENT_WORKERS)
    queue._before[Urgency.IN_TURN] = MOST_BEFORE
    queue.request(Key(TRAINING_RUN, "bank", "a"))
    queue.request(Key(TRAINING_RUN, "bank", "b"))
    await soon(lambda: "a" in seen.seen)
    assert "b" not in seen.seen, "one at a time"
    seen.gate.set()
    await soon(lambda: queue.idle)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_decision_that_is_urgent_waits_for_one_other_at_most() -> None:
    seen = Recorder()
    async with working(seen, workers=1) as queue:
        for number in range(1000):
            queue.request(Key(TRAINING_RUN, "author", str(number)))
        for number in range(3 * MOST_BEFORE):
            queue.request(Key(MODEL_VERSION, "bank", f"drifted-{number}"), urgency=Urgency.AT_ONCE)
        await soon(lambda: queue.idle)
    drifted = [place for place, name in enumerate(seen.seen) if not name.isdigit()]
    assert drifted[-1] < 3 * MOST_BEFORE + 3


@pytest.mark.parametrize("urgency", [Urgency.SOON, Urgency.IN_TURN])
async def test_what_changes_all_the_time_is_looked_at_now_and_then(urgency: Urgency) -> None:
    """And others as soon as ever, and it, too, where it drifted or was withdrawn."""
    seen, clock = Recorder(), Clock()
    hot, calm = Key(MODEL_VERSION, "author", "hot"), Key(TRAINING_RUN, "author", "calm")
    seconds = 20
    async with working(seen, clock=clock) as queue:
        for _ in range(100 * seconds):
            clock.now += 0.01
            queue.request(hot, urgency=urgency)
            queue._wake.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        looks = seen.seen.count("hot")
        assert LOOKS_TOGETHER < looks <= LOOKS_TOGETHER + seconds / LOOK_SECONDS + 1
        queue.request(calm)
        await soon(lambda: seen.seen[-1] == "calm")
        queue.request(hot, urgency=urgency)
        await asyncio.sleep(0.02)
        assert seen.seen[-1] == "calm"
        queue.request(hot, urgency=Urgency.AT_ONCE)
        await soon(lambda: seen.seen[-1] == "hot")
        clock.now += (LOOKS_TOGETHER + 2) * LOOK_SECONDS
        for number in range(LOOKS_TOGETHER):
            queue.request(hot, urgency=urgency)
            await soon(seen.at_least(looks + 3 + number))


async def test_the_last_change_of_what_changes_all_the_time_is_looked_at() -> None:
    seen, clock = Recorder(), Clock()
    key = Key(MODEL_VERSION, "author", "hot")
    async with working(seen, clock=clock) as queue:
        for number in range(LOOKS_TOGETHER):
            queue.request(key)
            await soon(seen.at_least(number + 1))
        queue.request(key)
        await asyncio.sleep(0.02)
        assert len(seen.seen) == LOOKS_TOGETHER
        clock.now += LOOK_SECONDS
        queue._wake.set()
        await soon(seen.at_least(LOOKS_TOGETHER + 1))


async def test_nothing_is_kept_of_what_is_not_looked_at_any_more() -> None:
    seen, clock = Recorder(), Clock()
    async with working(seen, clock=clock) as queue:
        for number in range(1000):
            queue.request(Key(TRAINING_RUN, "author", str(number)))
        await soon(lambda: queue.idle)
        clock.now += 2 * LOOK_SECONDS
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: queue.idle)
        assert len(queue._spent) == 1
