"""The work queue: late, early, at once, and never twice at a time."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import MODEL_POLICY, MODEL_VERSION, TRAINING_RUN
from hallmark.controllers.queue import (
    LONGEST_BACKOFF,
    MOST,
    MOST_AT_ALL,
    MOST_BEFORE,
    MOST_OF_ONE,
    PATIENCE,
    URGENT_WORKERS,
    Outcome,
    Urgency,
    WorkQueue,
    backoff,
)


@asynccontextmanager
async def working(
    reconcile: Callable[[Key], Awaitable[Outcome]], workers: int = 8, patience: float = PATIENCE
) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(reconcile, workers, patience=patience)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def soon(probe: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not probe():
            await asyncio.sleep(0.005)


class Recorder:
    """Remembers what was reconciled, and can hold reconciles up or fail them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at: list[float] = []
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: Outcome | None = None

    async def __call__(self, key: Key) -> Outcome:
        """Reconcile, as the queue asks."""
        self.seen.append(key.name)
        self.at.append(time.monotonic())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return self.failing or Outcome.DONE

    def at_least(self, looks: int) -> Callable[[], bool]:
        """Return a probe that tells whether there were so many looks."""
        return lambda: len(self.seen) >= looks


async def test_a_request_is_worked_on_once() -> None:
    seen = Recorder()
    async with working(seen) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: seen.seen == ["a"])
        await asyncio.sleep(0.05)
    assert seen.seen == ["a"]


async def test_requests_before_it_starts_are_one() -> None:
    seen = Recorder()
    async with working(seen) as queue:
        for _ in range(50):
            queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: bool(seen.seen))
        await asyncio.sleep(0.05)
    assert seen.seen == ["a"]


async def test_requests_while_it_runs_are_one_more_and_never_at_the_same_time() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: seen.running == 1)
        for _ in range(10):
            queue.request(Key(TRAINING_RUN, "bank", "a"))
            await asyncio.sleep(0)
        assert seen.running == 1
        seen.gate.set()
        await soon(lambda: len(seen.seen) == 2)
        await asyncio.sleep(0.05)
    assert seen.seen == ["a", "a"]
    assert seen.most == 1


async def test_different_keys_run_side_by_side_up_to_the_workers() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, workers=3) as queue:
        queue.request(Key(MODEL_POLICY, None, "p"))
        for name in "abcd":
            queue.request(Key(TRAINING_RUN, "bank", name))
        await soon(lambda: seen.running == 3)
        await asyncio.sleep(0.05)
        assert queue.depth == 2
        seen.gate.set()
        await soon(lambda: len(seen.seen) == 5)
    assert seen.most == 3


async def test_a_delay_is_kept_and_an_earlier_request_overtakes_it() -> None:
    seen = Recorder()
    async with working(seen) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "late"), after=30)
        queue.request(Key(MODEL_VERSION, "bank", "soon"), after=0.05)
        assert seen.seen == []
        await soon(lambda: seen.seen == ["soon"])
        queue.request(Key(TRAINING_RUN, "bank", "late"), after=60)
        queue.request(Key(TRAINING_RUN, "bank", "late"))
        await soon(lambda: seen.seen == ["soon", "late"])


async def test_what_is_urgent_goes_before_what_waits_for_a_worker() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, workers=1) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "runs"))
        await soon(lambda: seen.running == 1)
        for name in "abc":
            queue.request(Key(TRAINING_RUN, "bank", name))
        for name in ("first Pod", "second Pod", "a"):
            queue.request(Key(MODEL_VERSION, "bank", name), urgency=Urgency.SOON)
        for name in ("drifted", "revoked", "second Pod"):
            queue.request(Key(MODEL_VERSION, "bank", name), urgency=Urgency.AT_ONCE)
        queue.request(Key(MODEL_VERSION, "bank", "drifted"), urgency=Urgency.SOON)
        queue.request(Key(MODEL_VERSION, "bank", "drifted"))
        seen.gate.set()
        await soon(lambda: queue.idle)
    urgent = ["drifted", "revoked", "second Pod", "first Pod", "a"]
    assert seen.seen == ["runs", *urgent, "a", "b", "c"]


async def test_the_oldest_urgent_look_is_not_overtaken_by_those_that_follow_it() -> None:
    """What follows from the first switches of a mass revocation waits for the last of them."""
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, workers=1) as queue:
        for name in ("1", "2", "3"):
            queue.request(Key(MODEL_VERSION, "bank", name), urgency=Urgency.AT_ONCE)
        await soon(lambda: seen.running >= 1)
        queue.request(Key(MODEL_VERSION, "bank", "1"))
        queue.request(Key(MODEL_VERSION, "bank", "1"), urgency=Urgency.SOON)
        seen.gate.set()
        await soon(lambda: queue.idle)
    assert seen.seen == ["1", "2", "3", "1"]


@pytest.mark.parametrize("urgency", [Urgency.AT_ONCE, Urgency.SOON])
async def test_what_is_urgent_is_as_urgent_after_a_conflict(urgency: Urgency) -> None:
    seen = list[str]()

    async def reconcile(key: Key) -> Outcome:
        seen.append(key.name)
        await asyncio.sleep(0.001)
        return Outcome.STALE if seen.count("drifted") == 1 == len(seen) else Outcome.DONE

    async with working(reconcile, workers=1) as queue:
        queue.request(Key(MODEL_VERSION, "bank", "drifted"), urgency=urgency)
        for number in range(1000):
            queue.request(Key(TRAINING_RUN, "bank", str(number)))
        await soon(lambda: queue.idle and not queue._due)
    assert seen.index("drifted", 1) < 500


async def test_an_event_does_not_wait_for_the_backoff_of_what_is_urgent() -> None:
    seen = Recorder()
    seen.failing = Outcome.FAILED
    key = Key(MODEL_VERSION, "bank", "drifted")
    async with working(seen) as queue:
        for _ in range(3):
            queue.request(key, LONGEST_BACKOFF, urgency=Urgency.AT_ONCE)
            queue.request(key)
            queue.request(key, LONGEST_BACKOFF, urgency=Urgency.AT_ONCE)
            await soon(seen.at_least(len(seen.seen) + 1))
            await asyncio.sleep(0)
    assert len(seen.seen) == 3


async def test_ten_thousand_requests_take_no_longer_each_than_ten() -> None:
    seen = Recorder()
    async with working(seen) as queue:
        for number in range(10_000):
            queue.request(Key(TRAINING_RUN, "bank", f"later-{number}"), after=3600)
            queue.request(Key(TRAINING_RUN, "bank", str(number)))
        await soon(lambda: len(seen.seen) == 10_000)
        assert queue.idle
    assert seen.seen == [str(number) for number in range(10_000)]


async def test_a_failure_is_repeated_with_backoff_and_an_event_does_not_wait_for_it() -> None:
    seen = Recorder()
    seen.failing = Outcome.FAILED
    async with working(seen) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: len(seen.seen) == 1)
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: len(seen.seen) == 2)
        seen.failing = None
        await soon(lambda: len(seen.seen) == 3)
    assert seen.at[2] - seen.at[1] >= backoff(Outcome.FAILED, 1), "not at once"


async def test_a_stale_decision_is_made_again_at_once() -> None:
    seen = Recorder()
    seen.failing = Outcome.STALE
    async with working(seen) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: len(seen.seen) == 3)
        seen.failing = None
        await soon(lambda: queue.idle)


@pytest.mark.parametrize(
    ("outcome", "failures", "seconds"),
    [
        (Outcome.FAILED, 1, 1),
        (Outcome.FAILED, 2, 2),
        (Outcome.FAILED, 3, 4),
        (Outcome.FAILED, 6, 32),
        (Outcome.FAILED, 7, 60),
        (Outcome.FAILED, 5000, LONGEST_BACKOFF),
        (Outcome.STALE, 1, 0.05),
        (Outcome.STALE, 3, 0.2),
        (Outcome.STALE, 5000, LONGEST_BACKOFF),
    ],
)
def test_backoff_doubles_up_to_a_minute(outcome: Outcome, failures: int, seconds: float) -> None:
    assert backoff(outcome, failures) == seconds


async def test_the_end_of_the_queue_ends_its_reconciles() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen) as queue:
        queue.request(Key(TRAINING_RUN, "bank", "a"))
        await soon(lambda: seen.running == 1)
    assert seen.running == 0


async def test_where_every_worker_waits_what_is_urgent_runs_all_the_same() -> None:
    seen = Recorder()
    seen.gate.clear()
    async with working(seen, workers=2) as queue:
        for name in "abc":
            queue.request(Key(TRAINING_RUN, "bank", name))
        await soon(lambda: seen.running == 2)
        for number in range(URGENT_WORKERS + 1):
            key = Key(MODEL_VERSION, "bank", f"revoked-{number}")
            queue.request(key, urgency=Urgency.AT_ONCE)
        await soon(lambda: seen.running == 2 + URGENT_WORKERS)
        await asyncio.sleep(0.05)
        assert seen.running == 2 + URGENT_WORKERS, "but not without a bound"
        assert "c" not in seen.seen
        seen.gate.set()
        await soon(lambda: queue.idle)
    assert len(seen.seen) == 3 + URGENT_WORKERS + 1


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


async def test_whatever_is_asked_for_in_any_order_is_looked_at_after_the_last_request() -> None:
    drawn = random.Random(1)  # noqa: S311 - not for secrets
    seen, asked = list[tuple[Key, int]](), Counter[Key]()

    async def reconcile(key: Key) -> Outcome:
        before = asked[key]
        await asyncio.sleep(drawn.choice((0, 0, 0.001)))
        seen.append((key, before))
        return Outcome.DONE

    async with working(reconcile, workers=2, patience=0.002) as queue:
        for _ in range(2000):
            key = Key(TRAINING_RUN, drawn.choice("abc"), drawn.choice("xyz"))
            asked[key] += 1
            queue.request(key, drawn.choice((0, 0.002)), urgency=drawn.choice(list(Urgency)))
            if drawn.random() < 0.1:
                await asyncio.sleep(0)
        await soon(lambda: queue.idle and not queue._due)
    last = dict(seen)
    assert last == asked


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
