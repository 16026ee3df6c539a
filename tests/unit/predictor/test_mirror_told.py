"""What a predictor does in a mirror when the operator tells it, in one process and in two."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from hallmark.api.drift_report import DriftReport
from hallmark.api.mirror import MirrorReport
from hallmark_predictor.active_watch import Copies, Traffic
from hallmark_predictor.copier import Copier
from hallmark_predictor.data_plane import Answer
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.mirror_counts import CountedHere
from hallmark_predictor.mirror_frames import Copy, Frames, Hello, framed
from hallmark_predictor.mirror_server import answer_copies
from hallmark_predictor.mirroring import Mirroring
from hallmark_predictor.serving import Serving
from tests.unit.predictor import factories
from tests.unit.predictor.factories import POD, ROW, sealed
from tests.unit.predictor.mirrors import (
    PLANE,
    SINCE,
    ask,
    digest_of,
    free_port,
    mirror_of,
    mirrored,
    other_plane,
    peer,
    running,
    told,
    until,
)
from tests.unit.predictor.test_app import serving
from tests.unit.predictor.test_process import BODY, Process, eventually, predict


def mirroring_of(what: Serving, port: int, folder: Path) -> Mirroring:
    """Return what takes the part in a mirror that the operator tells of."""
    assert isinstance(what.recorder, DriftRecorder)
    settings = factories.write_settings(
        folder, sealed().trust, {}, mirror_port=port, mirror_host="127.0.0.1"
    )
    return Mirroring(settings, what, PLANE, CountedHere(what, what.recorder))


def serves_and(copies: Copies | None) -> Traffic:
    return Traffic(digest_of(PLANE), copies)


async def copied(what: Serving, copies: int) -> MirrorReport:
    """Offer copies as soon as the candidate is known, and return the report of all."""
    copier, answer = what.copier, PLANE.predict(BODY)
    assert isinstance(copier, Copier)
    assert isinstance(answer, Answer)
    await until(lambda: copier._link is not None)
    before = copier.counter.copies
    for _ in range(copies):
        copier.offer(BODY, answer, "client", infer=False, json_length=None)
    await until(lambda: copier.counter.copies == before + copies)
    return told(copier.counter)


async def test_a_mirror_that_is_interrupted_keeps_what_was_seen_and_another_begins_anew(
    tmp_path: Path,
) -> None:
    candidate, port, what = other_plane(), free_port(), serving()
    asked = Copies(digest_of(candidate), SINCE, 100)
    own = mirroring_of(what, port, tmp_path)

    def tell(copies: Copies | None) -> None:
        own.follow(serves_and(copies))

    async with running(answer_copies(candidate, "127.0.0.1", port)):
        tell(asked)
        assert (await copied(what, 10)).all.requests == 10
        tell(None)
        assert what.copier is None
        tell(asked)
        assert (await copied(what, 10)).all.requests == 20
        tell(replace(asked, since="2026-11-28T13:00:00Z"))
        assert (await copied(what, 10)).all.requests == 10
        rows = [line for line in shown_of(what) if "mirror_rows_total{" in line]
        assert sum(float(line.split()[-1]) for line in rows) == 30
        assert 'hallmark_predictor_mirror_copies_total{outcome="Answered"} 30.0' in shown_of(what)
        assert 'hallmark_predictor_mirror_copies_total{outcome="Dropped"} 0.0' in shown_of(what)
        tell(None)
    assert 'hallmark_predictor_mirror_copies_total{outcome="Answered"} 30.0' in shown_of(what)


def shown_of(what: Serving) -> list[str]:
    return what.metrics.exposition().decode().splitlines()


async def test_who_stops_copying_blames_nobody_for_what_is_under_way(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Hello(digest_of(other_plane()), ["no", "yes"])))
        while await reader.read(65536):
            pass

    port, what = free_port(), serving()
    own = mirroring_of(what, port, tmp_path)
    async with peer(hang, port):
        own.follow(serves_and(Copies(digest_of(other_plane()), SINCE, 100)))
        copier, answer = what.copier, PLANE.predict(BODY)
        assert isinstance(copier, Copier)
        assert isinstance(answer, Answer)
        await until(lambda: copier._link is not None)
        for _ in range(3):
            copier.offer(BODY, answer, "client", infer=False, json_length=None)
        own.follow(serves_and(None))
        await until(lambda: copier._link is None)
    found = told(copier.counter)
    assert (found.all.requests, found.dropped) == (0, 3)


async def test_a_candidate_is_copied_to_as_soon_as_it_says_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hallmark_predictor.copier.LOOK_SECONDS", 60.0)
    port = free_port()
    async with (
        running(answer_copies(PLANE, "127.0.0.1", port)),
        mirrored(port, digest_of(PLANE)) as (_, client, counter),
    ):
        await ask(client, [ROW])
        await until(lambda: counter.copies)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with ExitStack() as stack:
        yield Process(tmp_path, stack, sealed())


def test_a_candidate_answers_copies_counts_none_and_listens_no_longer_than_it_is_one(
    process: Process,
) -> None:
    own, port = sealed().trust.manifest_digest, free_port()
    process.api.name_active(digest_of(other_plane()), mirror=mirror_of(own))
    process.start(f"--mirror-port={port}")
    process.wait_until("/readyz")

    def listens() -> bool:
        with socket.socket() as found:
            return found.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens)
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(framed(Copy(infer=False, body=BODY)) * 200)
        frames, found = Frames(), []
        while len(found) < 201:
            found += frames.come(link.recv(65536))
    connection = process.connect()
    assert predict(connection) == (200, "close"), "a client that comes on its own is counted"
    process.api.name_active(digest_of(other_plane()))
    eventually(lambda: not listens())
    process.send(15)
    assert process.exit_code() == 0
    report = DriftReport.model_validate(process.api.reports[-1]["status"]["drift"][POD])
    assert report.rows == 1
    assert report.requests is not None
    assert report.requests.count == 1
    assert report.mirror is None


def test_what_serves_copies_while_it_is_told_to_and_reports(process: Process) -> None:
    own, port = sealed().trust.manifest_digest, free_port()
    candidate = other_plane()
    process.api.name_active(own, mirror=mirror_of(digest_of(candidate)))

    async def serve() -> None:
        async with running(answer_copies(candidate, "127.0.0.1", port)):
            await asyncio.to_thread(_ask_and_end, process)

    process.start(f"--mirror-port={port}", "--mirror-host=127.0.0.1")
    asyncio.run(serve())
    reports = [
        DriftReport.model_validate(found["status"]["drift"][POD]) for found in process.api.reports
    ]
    told = reports[-1].mirror
    assert told is not None
    assert (told.candidate, told.since) == (digest_of(candidate), SINCE)
    assert told.all.requests + told.dropped == 200
    assert told.all.requests > 100
    assert told.all.rows == told.all.requests
    assert reports[-1].rows == 200


def _ask_and_end(process: Process) -> None:
    process.wait_until("/readyz")
    time.sleep(1.0)  # until it has connected
    connection = process.connect()
    for _ in range(200):
        assert predict(connection) == (200, None)
    connection.close()
    time.sleep(0.2)
    process.send(15)
    assert process.exit_code() == 0
