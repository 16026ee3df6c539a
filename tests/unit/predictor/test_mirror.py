"""Copies of requests, over real sockets: who is asked, who counts, and what nobody waits for."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.api.artifacts import BASELINE, MODEL_ONNX, SCHEMA
from hallmark.api.drift_report import DriftReport
from hallmark.api.mirror import SCORE_BOUNDS, MirrorReport
from hallmark.api.served import ServedSchema
from hallmark.api.training_run import Trainer
from hallmark.drift.mirrored import MirrorCounter
from hallmark.training.graph import build
from hallmark.training.pipeline import Fitted, fit
from hallmark_predictor.active_watch import Copies, Traffic
from hallmark_predictor.copier import ANSWER_SECONDS, MOST_BYTES, MOST_COPIES, Copier
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.mirror_counts import CountedHere
from hallmark_predictor.mirror_frames import (
    MOST_BODY,
    Copy,
    Frames,
    Hello,
    Outcome,
    Told,
    framed,
)
from hallmark_predictor.mirror_server import answer_copies
from hallmark_predictor.mirroring import Mirroring
from hallmark_predictor.serving import Serving
from tests.examples import examples
from tests.unit.predictor import factories
from tests.unit.predictor.factories import POD, ROW, sealed
from tests.unit.predictor.test_app import MODEL, serving
from tests.unit.predictor.test_direct import INFER, MATRIX, listening
from tests.unit.predictor.test_process import BODY, Process, eventually, predict

SINCE = "2026-11-28T12:00:00Z"
PLANE = DataPlane(MODEL)
MIB = 1024 * 1024


@functools.cache
def other_plane() -> DataPlane:
    """Return a version that decides otherwise, with its classes in another order."""
    schema = factories.SCHEMA_DOCUMENT
    swapped = ServedSchema.model_validate({**schema.model_dump(), "classes": ["yes", "no"]})
    rows = factories.traffic(2000, seed=3)
    truth = (rows[:, 0] + 200 * rows[:, 1] < 64_000).astype(np.int64)
    found = fit(rows, truth, swapped.classes, swapped.features, Trainer())
    assert isinstance(found, Fitted)
    files = {
        MODEL_ONNX: build(found.plain, "credit"),
        SCHEMA: swapped.to_bytes(),
        BASELINE: factories.baseline().to_bytes(),
    }
    return DataPlane(factories.model(files=files))


def digest_of(plane: DataPlane) -> str:
    return plane.model.trust.manifest_digest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@asynccontextmanager
async def running(task: Awaitable[object]) -> AsyncIterator[None]:
    made = asyncio.ensure_future(task)
    try:
        yield
    finally:
        made.cancel()
        with suppress(asyncio.CancelledError):
            await made


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(handler: Handler, port: int) -> AsyncIterator[None]:
    """Listen, and let ``handler`` talk with each client until that is gone."""
    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(come, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        await asyncio.gather(*talks)


async def until(holds: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def mirrored(
    port: int, candidate: str, *, percent: int = 100, connects: bool = True
) -> AsyncIterator[tuple[Serving, httpx.AsyncClient, MirrorCounter]]:
    """Serve with copies to a port."""
    what = serving()
    counter = MirrorCounter(candidate, SINCE)
    classes = MODEL.schema.classes
    copier = Copier("127.0.0.1", port, classes, counter, percent)
    what.copier = copier
    async with running(copier.run()), listening(what, direct=True) as own:
        if connects:
            await until(lambda: copier._link is not None)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{own}") as client:
            yield what, client, counter


async def ask(client: httpx.AsyncClient, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    found = await client.post("/predict", json={"instances": rows})
    assert found.status_code == 200
    answers: list[dict[str, object]] = found.json()["predictions"]
    return answers


def told(counter: MirrorCounter) -> MirrorReport:
    return MirrorReport.model_validate(counter.told().to_wire(), strict=True)


# -- what is compared -------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", [PLANE, other_plane()], ids=["the same", "another"])
async def test_the_comparison_is_what_both_answers_say(candidate: DataPlane) -> None:
    port, rows = free_port(), factories.instances(factories.traffic(150, seed=9))
    async with (
        running(answer_copies(candidate, "127.0.0.1", port)),
        mirrored(port, digest_of(candidate)) as (what, client, counter),
    ):
        answers = [answer for row in rows[:50] for answer in await ask(client, [row])]
        answers += await ask(client, rows[50:])
        await client.post(INFER, content=MATRIX, headers={"content-type": "application/json"})
        await until(lambda: counter.copies == 52)
        assert what.recorder is not None
        assert what.recorder.rows == 151, "what serves counts its own as ever"
    theirs = candidate.predict(json.dumps({"instances": rows}).encode())
    assert isinstance(theirs, Answer)
    expected = json.loads(theirs.body)["predictions"]
    pairs = list(zip(answers, expected, strict=True))
    other = sum(mine["label"] != its["label"] for mine, its in pairs)
    found = told(counter).all
    assert (found.requests, found.failed, found.taken, found.refused) == (52, 0, 52, 0)
    assert found.timed == [52] * 5
    assert found.rows == 151
    matrix = candidate.infer(MATRIX)
    mine = PLANE.infer(MATRIX)
    assert isinstance(matrix, Answer)
    assert isinstance(mine, Answer)
    names = [
        plane.model.schema.classes[int(struct.unpack("=2f", answer.said)[1])]
        for plane, answer in ((candidate, matrix), (PLANE, mine))
    ]
    assert found.other == other + (names[0] != names[1])
    assert (found.other == 0) is (candidate is PLANE)
    apart = [abs(mine["probabilities"]["yes"] - its["probabilities"]["yes"]) for mine, its in pairs]  # type: ignore[index]
    for place, bound in enumerate(SCORE_BOUNDS):
        within = sum(difference > float(bound) for difference in apart)
        assert found.apart[place] - within in {0, 1}, "the matrix is one row more"


async def test_a_share_of_the_requests_is_copied() -> None:
    port = free_port()
    async with (
        running(answer_copies(PLANE, "127.0.0.1", port)),
        mirrored(port, digest_of(PLANE), percent=30) as (_, client, counter),
    ):
        for _ in range(300):
            await ask(client, [ROW])
        await until(lambda: counter.copies + counter.dropped > 40)
        assert 45 < counter.copies < 140
        assert counter.dropped == 0


async def test_what_the_version_that_serves_refuses_is_not_copied() -> None:
    port = free_port()
    async with (
        running(answer_copies(PLANE, "127.0.0.1", port)),
        mirrored(port, digest_of(PLANE)) as (_, client, counter),
    ):
        refused = await client.post("/predict", json={"instances": [ROW | {"age": 400}]})
        assert refused.status_code == 422
        await ask(client, [ROW])
        await until(lambda: counter.copies)
    assert told(counter).all.requests == 1


async def test_what_the_candidate_refuses_is_told() -> None:
    narrow = factories.SCHEMA_DOCUMENT.model_dump()
    narrow["features"][1]["maximum"] = 30
    files = factories.served_files() | {SCHEMA: ServedSchema.model_validate(narrow).to_bytes()}
    candidate, port = DataPlane(factories.model(files=files)), free_port()
    async with (
        running(answer_copies(candidate, "127.0.0.1", port)),
        mirrored(port, digest_of(candidate)) as (_, client, counter),
    ):
        await ask(client, [ROW | {"age": 25}])
        await ask(client, [ROW | {"age": 60}])
        await until(lambda: counter.copies == 2)
    found = told(counter).all
    assert (found.taken, found.refused, found.rows) == (2, 1, 1)


async def test_a_request_that_is_too_large_is_answered_and_not_copied() -> None:
    port = free_port()
    async with (
        running(answer_copies(PLANE, "127.0.0.1", port)),
        mirrored(port, digest_of(PLANE)) as (_, client, counter),
    ):
        body = json.dumps({"instances": [ROW]}) + " " * MOST_BODY
        answer = await client.post("/predict", content=body)
        assert answer.status_code == 200
    assert (counter.copies, counter.dropped) == (0, 1)


# -- nobody waits -----------------------------------------------------------------------------


async def test_without_a_candidate_copies_are_dropped_and_all_is_answered() -> None:
    async with mirrored(free_port(), digest_of(PLANE), connects=False) as (_, client, counter):
        for _ in range(20):
            await ask(client, [ROW])
    assert (counter.copies, counter.dropped) == (0, 20)


async def test_a_candidate_that_hangs_costs_a_bounded_number_of_copies_and_no_time() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Hello(digest_of(PLANE), ["no", "yes"])))
        while await reader.read(65536):
            pass

    port = free_port()
    async with (
        peer(hang, port),
        mirrored(port, digest_of(PLANE)) as (_, client, counter),
    ):
        longest = 0.0
        for _ in range(300):
            began = time.monotonic()
            await ask(client, [ROW])
            longest = max(longest, time.monotonic() - began)
        assert longest < ANSWER_SECONDS, "nobody waited for it"
        await until(lambda: counter.copies)
    found = told(counter)
    assert found.all.failed == found.all.requests, "those behind it had no turn"
    assert found.all.failed + found.dropped == 300
    assert found.all.failed * MOST_COPIES >= 300 - found.dropped


async def test_bodies_under_way_have_a_bound_together() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Hello(digest_of(PLANE), ["no", "yes"])))
        while await reader.read(65536):
            pass

    port = free_port()
    body = json.dumps({"instances": [ROW]}) + " " * (MOST_BODY - 200)
    async with (
        peer(hang, port),
        mirrored(port, digest_of(PLANE)) as (what, client, counter),
    ):
        for _ in range(20):
            assert (await client.post("/predict", content=body)).status_code == 200
        assert isinstance(what.copier, Copier)
        assert what.copier._link is not None
        assert what.copier._link._bytes <= MOST_BYTES
        assert counter.dropped == 20 - MOST_BYTES // (MOST_BODY - 100)


async def test_it_goes_on_with_a_candidate_that_comes_back() -> None:
    port = free_port()
    async with mirrored(port, digest_of(PLANE), connects=False) as (what, client, counter):
        assert isinstance(what.copier, Copier)
        copier = what.copier
        for copies in (1, 2):
            async with running(answer_copies(PLANE, "127.0.0.1", port)):
                await until(lambda: copier._link is not None)
                await ask(client, [ROW])
                await until(functools.partial(_has, counter, copies))
            await until(lambda: copier._link is None)
    assert told(counter).all.failed == 0


def _has(counter: MirrorCounter, copies: int) -> bool:
    return counter.copies == copies


# -- what the operator says -------------------------------------------------------------------


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


# -- hostile ends -----------------------------------------------------------------------------

ONE_ROW = struct.pack("=2f", 0.5, 0.0)
LIES: dict[str, bytes] = {
    "another version": framed(Hello("sha256:" + "0" * 64, ["no", "yes"])),
    "no name": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length without end": struct.pack("=I", 2**31),
    "no message": struct.pack("=I", 3) + b"abc",
    "an answer before it is asked": framed(Hello(digest_of(PLANE), ["no"]))
    + framed(Told(Outcome.ANSWERED, ONE_ROW)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_who_is_not_the_candidate_is_sent_nothing(lie: bytes) -> None:
    came = bytearray()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(lie)
        came.extend(await reader.read())

    port = free_port()
    async with (
        peer(say, port),
        mirrored(port, digest_of(PLANE), connects=False) as (_, client, counter),
    ):
        await asyncio.sleep(0.1)
        for _ in range(5):
            await ask(client, [ROW])
    assert not came
    assert told(counter).all.requests == 0


WRONG: dict[str, bytes] = {
    "no answer": framed(Told(Outcome.ANSWERED)),
    "more rows than were asked": framed(Told(Outcome.ANSWERED, ONE_ROW * 2)),
    "half a row": framed(Told(Outcome.ANSWERED, ONE_ROW[:5])),
    "no message": struct.pack("=I", 3) + b"abc",
    "an unknown outcome": framed(Told(9)),
    "that it failed": framed(Told(Outcome.FAILED)),
}
SENSELESS: dict[str, tuple[float, float]] = {
    "no number": (float("nan"), float("nan")),
    "endless": (float("inf"), float("inf")),
    "no class": (0.5, 7.0),
    "half a class": (0.5, 0.5),
    "a class below": (0.5, -1.0),
}


@pytest.mark.parametrize(
    ("answer", "fails"),
    [
        *(pytest.param(answer, True, id=name) for name, answer in WRONG.items()),
        *(
            pytest.param(framed(Told(Outcome.ANSWERED, struct.pack("=2f", *said))), False, id=name)
            for name, said in SENSELESS.items()
        ),
    ],
)
async def test_an_answer_that_is_none_speaks_against_the_candidate(
    answer: bytes, fails: bool
) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(Hello(digest_of(PLANE), ["no", "yes"])))
        await reader.read(4)
        writer.write(answer)
        with suppress(OSError):
            await reader.read()

    port = free_port()
    async with (
        peer(say, port),
        mirrored(port, digest_of(PLANE)) as (_, client, counter),
    ):
        await ask(client, [ROW])
        await until(lambda: counter.copies)
    found = told(counter).all
    assert (found.requests, found.failed) == (1, int(fails))
    assert (found.rows, found.other) == ((0, 0) if fails else (1, 1))


@examples(60)
@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 50))
def test_frames_are_the_same_however_they_are_cut(messages: list[bytes], size: int) -> None:
    whole = b"".join(framed(Copy(infer=False, body=body)) for body in messages)
    frames = Frames()
    found = [
        frame
        for start in range(0, len(whole), size)
        for frame in frames.come(whole[start : start + size])
    ]
    assert [framed(Copy(infer=False, body=body))[4:] for body in messages] == found


async def listens(port: int) -> None:
    """Return when somebody listens at a port."""
    async with asyncio.timeout(20):
        while True:
            with suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)


async def test_what_is_no_copy_ends_its_connection_and_nothing_else() -> None:
    port = free_port()
    async with running(answer_copies(PLANE, "127.0.0.1", port)):
        await listens(port)
        random = np.random.default_rng(5)
        for number in range(40):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            size = int(random.integers(1, 300))
            writer.write(b"GET / HTTP/1.1\r\n\r\n" if number == 0 else random.bytes(size))
            writer.write_eof()
            with suppress(ConnectionError):
                async with asyncio.timeout(5):
                    await reader.read()
            writer.close()
        async with mirrored(port, digest_of(PLANE)) as (_, client, counter):
            await ask(client, [ROW])
            await until(lambda: counter.copies == 1)


# -- the whole process ------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with ExitStack() as stack:
        yield Process(tmp_path, stack, sealed())


def mirror_of(candidate: str) -> str:
    return json.dumps({"candidate": candidate, "since": SINCE, "percent": 100})


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
