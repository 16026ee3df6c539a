"""Copies that several processes of a Pod make are one comparison, whichever is killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.mirror import MirrorReport
from hallmark.drift.mirrored import MirrorCounter
from hallmark_predictor import feed, workers
from hallmark_predictor.copier import MOST_BYTES, MOST_COPIES, Copier, _Link
from hallmark_predictor.cpus import MAX_WORKERS
from hallmark_predictor.data_plane import Answer
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.mirror_counts import CountedHere, CountsCopies, ToldCounts
from hallmark_predictor.mirror_frames import MOST_BODY, Copy, Frames, Hello, framed
from hallmark_predictor.mirror_server import answer_copies
from tests.unit.predictor.factories import sealed
from tests.unit.predictor.mirrors import (
    PLANE,
    SINCE,
    digest_of,
    free_port,
    mirror_of,
    other_plane,
    peer,
    running,
    until,
)
from tests.unit.predictor.test_process import BODY, Process, eventually, predict
from tests.unit.predictor.test_workers import _text, _told, counting, listeners, metrics, newest

WORKERS = 2
MIRRORS = [("sha256:" + "1" * 64, SINCE), ("sha256:" + "1" * 64, "2026-11-28T13:00:00Z")]
ROWS = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=4)
EVENTS = st.one_of(
    st.tuples(st.just("drop"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["failed", "refused"]), st.integers(0, 3)),
    st.tuples(st.just("answered"), st.integers(0, 3), st.floats(0, 2), ROWS),
)


def happens(counter: CountsCopies, event: tuple[object, ...]) -> None:
    match event:
        case ("drop", int(copies)):
            counter.drop(copies)
        case ("failed", who):
            counter.failed(f"10.0.0.{who}")
        case ("refused", who):
            counter.refused(f"10.0.0.{who}")
        case ("answered", who, float(seconds), list(rows)):
            counter.answered(f"10.0.0.{who}", seconds, rows)


@given(st.lists(EVENTS, max_size=40), st.integers(1, 10))
async def test_copies_of_a_worker_count_as_if_they_had_been_made_here(
    events: list[tuple[object, ...]], turn: int
) -> None:
    here, first = counting(), counting()
    for serving in (here, first):
        assert isinstance(serving.recorder, DriftRecorder)
    own = CountedHere(here, here.recorder).begin(*MIRRORS[0])  # type: ignore[arg-type]
    theirs = CountedHere(first, first.recorder).begin(*MIRRORS[0])  # type: ignore[arg-type]
    up, down = socket.socketpair()
    with up, down:
        teller = feed.Teller(up)
        counter = ToldCounts(teller).begin(*MIRRORS[0])
        for number, event in enumerate(events):
            happens(own, event)
            happens(counter, event)
            if number % turn == 0:
                teller.tell()
        await asyncio.sleep(0)
        up.shutdown(socket.SHUT_WR)
        for happened in _told(down):
            workers.count(happened, first, PLANE.model.columns)
    assert theirs.told() == own.told()
    assert _text(first) == _text(here)


async def test_what_is_told_of_a_former_mirror_counts_for_no_other() -> None:
    first = counting()
    assert isinstance(first.recorder, DriftRecorder)
    own = CountedHere(first, first.recorder)
    counter = own.begin(*MIRRORS[1])
    up, down = socket.socketpair()
    with up, down:
        counts = ToldCounts(feed.Teller(up))
        for mirror in (*MIRRORS, *MIRRORS):  # all in one turn
            counts.begin(*mirror).failed("10.0.0.1")
        await asyncio.sleep(0)
        up.shutdown(socket.SHUT_WR)
        [happened] = _told(down)
    workers.count(happened, first, PLANE.model.columns)
    assert counter.copies == 2
    workers.count(happened, counting(), PLANE.model.columns)  # where nothing is copied (yet)


@pytest.mark.parametrize("size", [len(BODY), MOST_BODY], ids=["small bodies", "the largest"])
@pytest.mark.parametrize("processes", [1, 2, 5, MAX_WORKERS])
async def test_the_processes_of_a_pod_share_its_bound(processes: int, size: int) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Hello(digest_of(PLANE), ["no", "yes"])))
        while await reader.read(65536):
            pass

    port, answer, body = free_port(), PLANE.predict(BODY), BODY.ljust(size)
    assert isinstance(answer, Answer)
    async with peer(hang, port), AsyncExitStack() as stack:
        links: list[_Link] = []
        for _ in range(processes):
            counter = MirrorCounter(digest_of(PLANE), SINCE)
            classes = PLANE.model.schema.classes
            copier = Copier("127.0.0.1", port, classes, counter, 100, processes)
            await stack.enter_async_context(running(copier.run()))
            await until(lambda copier=copier: copier._link)  # type: ignore[misc]
            for _ in range(MOST_COPIES + 1):
                copier.offer(body, answer, "client", infer=False, json_length=None)
            assert copier._link is not None
            links.append(copier._link)
        copies, taken = (sum(found) for found in zip(*map(under_way, links), strict=True))
    assert copies <= MOST_COPIES
    assert taken <= max(MOST_BYTES, processes * MOST_BODY)
    if size < MOST_BODY:
        assert copies > MOST_COPIES - processes


def under_way(link: _Link) -> tuple[int, int]:
    return len(link._waiting), link._bytes


# -- real processes ---------------------------------------------------------------------------


@pytest.fixture
def several(tmp_path: Path) -> Iterator[tuple[Process, int]]:
    """Serve with two processes, which are to copy to a port."""
    port = free_port()
    with ExitStack() as stack:
        process = Process(tmp_path, stack, sealed())
        candidate = mirror_of(digest_of(other_plane()))
        process.api.name_active(sealed().trust.manifest_digest, mirror=candidate)
        process.start(
            f"--workers={WORKERS}",
            "--drain-seconds=0.5",
            f"--mirror-port={port}",
            "--mirror-host=127.0.0.1",
        )
        process.wait_until("/readyz")
        eventually(lambda: listeners(process.port) == WORKERS)
        yield process, port


def test_all_copy_and_a_killed_one_takes_no_count_with_it(several: tuple[Process, int]) -> None:
    process, port = several

    def ask(times: int) -> None:
        for _ in range(times):
            with closing(process.connect()) as connection:
                assert predict(connection)[0] == 200

    def copied() -> float:
        found = re.findall(r"mirror_copies_total\{.*\} (.*)", metrics(process))
        return sum(map(float, found))

    def work() -> None:
        eventually(lambda: established(port) == WORKERS)
        ask(60)
        eventually(lambda: copied() == 60)
        os.kill(process.children()[0], signal.SIGKILL)
        eventually(lambda: established(port) == WORKERS - 1)
        assert copied() == 60
        eventually(lambda: established(port) == WORKERS)
        ask(60)
        eventually(lambda: copied() == 120)
        process.send(signal.SIGTERM)
        assert process.exit_code() == 0

    async def serve() -> None:
        async with running(answer_copies(other_plane(), "127.0.0.1", port)):
            await asyncio.to_thread(work)

    asyncio.run(serve())
    report = newest(process)
    assert isinstance(report.mirror, MirrorReport)
    assert report.rows == 120
    assert report.mirror.all.requests + report.mirror.dropped == 120
    assert report.mirror.all.rows == report.mirror.all.requests > 100


def established(port: int) -> int:
    """Return how many connections lead to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[2].split(":")[1], 16) == port and line[3] == "01" for line in lines)


def test_all_processes_of_a_candidate_answer_copies(tmp_path: Path) -> None:
    own, port = sealed().trust.manifest_digest, free_port()
    with ExitStack() as stack:
        process = Process(tmp_path, stack, sealed())
        process.api.name_active(digest_of(other_plane()), mirror=mirror_of(own))
        process.start(f"--workers={WORKERS}", "--drain-seconds=0.5", f"--mirror-port={port}")
        process.wait_until("/readyz")
        eventually(lambda: listeners(port) == WORKERS)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), 10) as link:
                link.sendall(framed(Copy(infer=False, body=BODY)))
                frames, found = Frames(), 0
                while found < 2:
                    found += len(list(frames.come(link.recv(65536))))
        assert "hallmark_predictor_rows_total 0.0" in metrics(process), "it counts none"
        process.api.name_active(digest_of(other_plane()))
        eventually(lambda: listeners(port) == 0)
