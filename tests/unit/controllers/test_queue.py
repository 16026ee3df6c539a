"""The work queue: late, early, at once, and never twice at a time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import MODEL_POLICY, MODEL_VERSION, TRAINING_RUN
from hallmark.controllers.queue import (
    LONGEST_BACKOFF,
    URGENT_WORKERS,
    Outcome,
    Urgency,
    backoff,
)
from tests.unit.controllers.queue_world import Recorder, soon, working


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
