"""Who would wait for long is turned away: decisions alone, and a process with too much to do."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress

from hypothesis import given, strategies as st

from hallmark_predictor.overload import LONGEST_LANE, Inbox, Lane, Turn
from hallmark_predictor.predictions import INLINE_BODY
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_process import Process, predict, process

__all__ = ["process"]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20))
def test_what_is_looked_at_late_in_a_turn_has_waited_since_it_began(steps: list[float]) -> None:
    turn, over = Turn(), list[Callable[[], None]]()
    now = began = 100.0
    for step in steps:
        assert turn.waited(now, over.append) == now - began
        now += step
    assert len(over) == 1, "one call for each turn"
    over.pop()()
    assert turn.waited(now, over.append) == 0


@given(st.lists(st.integers(1, 8_000_000), max_size=40), st.floats(1e-9, 1e-5))
def test_no_large_body_is_let_in_that_would_wait_long(sizes: list[int], pace: float) -> None:
    lane = Lane()
    for _ in range(40):  # it learns how long a byte takes
        assert lane.enter(1000)
        lane.leave(1000, 1000 * pace)
    waiting = list[int]()
    for size in sizes:
        wait = sum(waiting) * pace
        if lane.enter(size):
            assert wait <= 1.001 * LONGEST_LANE
            waiting.append(size)
        else:
            assert wait >= 0.999 * LONGEST_LANE
    for size in waiting:
        lane.leave(size, 0.0)
    assert lane.enter(1), "who did nothing taught nothing, and leaves no trace"


@given(st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=60))
def test_no_more_is_kept_of_bodies_than_there_is_room(parts: list[tuple[int, bool]]) -> None:
    inbox, kept, over = Inbox(1000), list[int](), list[Callable[[], None]]()
    for size, is_read in parts:
        if is_read:
            kept.clear()
            if over:
                over.pop()()
        has_room = not over and sum(kept) + size <= 1000
        assert inbox.take(size, lambda: sum(kept), over.append) == has_room
        if has_room:
            kept.append(size)


async def test_what_waits_too_long_is_told_to_come_again_and_the_others_are_answered(
    process: Process,
) -> None:
    """Clients send at once what together takes many times as long as one of them may wait."""
    process.start()
    process.wait_until("/readyz")
    # A row that is wrong has all of them read the strict way; below 64 KiB on the event loop.
    body = json.dumps({"instances": [ROW] * 800 + [ROW | {"age": -1}]}).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert len(body) < INLINE_BODY

    async def client() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        with closing(writer):
            writer.write((head + body) * 4 + b"GET / HTTP/1.0\r\n\r\n")
            with suppress(ConnectionError):
                return await reader.read()
        return b""

    process.send(signal.SIGSTOP)
    clients = [asyncio.create_task(client()) for _ in range(400)]
    await asyncio.sleep(0)
    process.send(signal.SIGCONT)
    text = b"".join(await asyncio.gather(*clients))
    answers = Counter(re.findall(rb"HTTP/1.1 (\d+)", text))
    assert answers.keys() <= {b"422", b"503", b"404"}, answers
    assert answers[b"422"] > 0
    assert answers[b"503"] > 0
    assert text.lower().count(b"retry-after: 1\r\n") == answers[b"503"]
    with closing(process.connect()) as connection:
        assert predict(connection)[0] == 200
