"""Several processes answer at one port, and their counts are one report, whichever dies."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift import Rejections
from hallmark.api.drift_report import DriftReport
from hallmark.drift.counts import BinCounter
from hallmark.drift.rejection_counter import RejectionCounter
from hallmark.drift.windows import WindowCounter
from hallmark_predictor import feed, probes, worker, workers
from hallmark_predictor.cpus import MAX_WORKERS, WORKER_ROOM, cpu_limit, worker_count
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.prover import Prover
from hallmark_predictor.serving import Serving
from tests.unit.predictor import factories
from tests.unit.predictor.factories import POD, ROW, sealed, write_settings
from tests.unit.predictor.test_process import Process, eventually, predict

MIB = 1024 * 1024
PLANE = DataPlane(factories.model())
BAD = json.dumps({"instances": [ROW, ROW | {"age": 400}]}).encode()


# -- how many ---------------------------------------------------------------------------------


@given(st.none() | st.floats(0.01, 300), st.integers(0, 2**38), st.integers(1, 2**32))
def test_as_many_answer_as_the_limits_allow_and_never_none(
    cpus: float | None, memory: int, resident: int
) -> None:
    found = worker_count(cpus, memory, resident)
    assert 1 <= found <= MAX_WORKERS
    if found > 1:
        assert cpus is not None
        assert found <= cpus
        assert found * (resident + WORKER_ROOM) <= memory


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "200000 100000\n"}, 2.0),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_limit_is_read_from_either_kind_of_cgroup(
    tmp_path: Path, files: dict[str, str], limit: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu_limit(tmp_path) == limit


# -- what is told -----------------------------------------------------------------------------

ROWS = factories.instances(factories.traffic(90))
ANSWERS = [
    PLANE.predict(body)
    for body in (
        json.dumps({"instances": ROWS[:1]}).encode(),
        json.dumps({"instances": ROWS}).encode(),
        BAD,
        b"{",
    )
]
CALLS = st.sampled_from(range(len(ANSWERS)))


def counting() -> Serving:
    found = Serving(Metrics())
    rejections = RejectionCounter(Rejections.model_validate({"limit": "0.1", "minimum": 100}), 3)
    bins = BinCounter(factories.baseline().features, factories.SCHEMA_DOCUMENT)
    digest = PLANE.model.trust.manifest_digest
    recorder = DriftRecorder(
        WindowCounter(bins, 100, 3), PLANE.model.columns, digest, rejections=rejections
    )
    found.start(PLANE, recorder)
    return found


@given(st.lists(st.tuples(CALLS, st.integers(0, 3)), max_size=40), st.integers(1, 10))
async def test_what_happens_in_a_worker_counts_as_if_it_had_happened_here(
    calls: list[tuple[int, int]], turn: int
) -> None:
    here, first, ours = counting(), counting(), Serving(Metrics())
    up, down = socket.socketpair()
    with up, down:
        teller = feed.Teller(up)
        ours.metrics = feed.ToldMetrics(teller)
        ours.start(PLANE, teller)
        for number, (kind, who) in enumerate(calls):
            answer = ANSWERS[kind]
            for serving in (here, ours):
                if isinstance(answer, Answer):
                    serving.answered(answer, f"10.0.0.{who}")
                else:
                    serving.refused(answer.refusals, f"10.0.0.{who}")
                serving.metrics.request("/predict", 200, 0.001 * number)
            if number % turn == 0:
                teller.tell()
        await asyncio.sleep(0)  # The rest is told at the end of the turn.
        up.shutdown(socket.SHUT_WR)
        for happened in _told(down):
            workers.count(happened, first, PLANE.model.columns)
    one, other = (_report(serving) for serving in (here, first))
    assert one == other
    assert _text(here) == _text(first)


def _told(down: socket.socket) -> Iterator[feed.Happened]:
    with down.makefile("rb") as stream:
        while head := stream.read(4):
            yield feed.decode(stream.read(int.from_bytes(head, "little")), type=feed.Happened)


def _report(serving: Serving) -> object:
    assert isinstance(serving.recorder, DriftRecorder)
    found = serving.recorder.report(1).replace(boot_id="0" * 36).to_wire()
    return json.loads(re.sub(r'"\d{4}-[^"]*Z"', '"-"', json.dumps(found)))


def _text(serving: Serving) -> str:
    return serving.metrics.exposition().decode()


async def test_metrics_that_the_first_process_does_not_tell_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ASK_SECONDS", 0.01)
    up, first = socket.socketpair()
    down, told = socket.socketpair()
    settings = write_settings(tmp_path, sealed().trust, {}, feed=(up.detach(), down.detach()))
    with closing(Prover(settings.trust_file, factories.NOW)) as prover, first, told:
        ours = worker.Worker(settings, prover)
        with ours._teller._up, ours._down:
            said = await probes.metrics(ours._serving)
            asked = first.recv(65536)
    assert feed.decode(asked[4:], type=feed.Happened).asks
    assert said.status == 503
    assert b"ask again" in said.body


# -- real processes ---------------------------------------------------------------------------

WORKERS = 2


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Process]:
    """Serve with two processes."""
    with ExitStack() as stack:
        process = Process(tmp_path, stack, sealed())
        process.start(f"--workers={WORKERS}", "--drain-seconds=0.5")
        process.wait_until("/readyz")
        eventually(lambda: listeners(process.port) == WORKERS)
        yield process


def test_all_answer_and_any_of_them_tells_the_metrics_of_all(several: Process) -> None:
    for _ in range(60):
        with closing(several.connect()) as connection:
            assert predict(connection)[0] == 200
            assert predict(connection, BAD)[0] == 422
    for _ in range(12):
        text = metrics(several)
        assert "hallmark_predictor_rows_total 60.0" in text
        assert 'requests_total{code="200",route="/predict"} 60.0' in text
        assert "hallmark_predictor_refused_rows_total 60.0" in text
        assert "hallmark_predictor_workers 2.0" in text
    several.send(signal.SIGTERM)
    assert several.exit_code() == 0
    report = newest(several)
    assert report.rows == 60
    assert report.refused_rows == 60
    assert report.requests is not None
    assert report.requests.count == 120
    assert listeners(several.port) == 0


def test_a_killed_worker_takes_no_count_with_it_and_requests_go_on(several: Process) -> None:
    stop, lock = threading.Event(), threading.Lock()
    sent = answered = 0

    def client() -> None:
        nonlocal sent, answered
        connection = several.connect()
        while not stop.is_set():
            with lock:
                sent += 1
            try:
                good = predict(connection)[0] == 200
            except (OSError, HTTPException):  # It was with the one that was killed.
                connection.close()
                connection = several.connect()
                continue
            with lock:
                answered += good
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    for _ in range(2):
        before = answered
        eventually(lambda before=before: answered > before + 100)  # type: ignore[misc]
        victim = several.children()[0]
        os.kill(victim, signal.SIGKILL)
        before = answered
        eventually(lambda before=before: answered > before + 100)  # type: ignore[misc]
        eventually(
            lambda victim=victim: (
                victim not in several.children()  # type: ignore[misc]
                and listeners(several.port) == WORKERS
            )
        )
    stop.set()
    for thread in clients:
        thread.join()
    before = rows_of(several)
    os.kill(several.children()[0], signal.SIGKILL)  # One that has nothing to do.
    eventually(lambda: listeners(several.port) == WORKERS - 1)
    assert rows_of(several) == before
    eventually(lambda: "worker_ends_total 3.0" in metrics(several))
    several.send(signal.SIGTERM)
    assert several.exit_code() == 0
    rows = newest(several).rows
    assert rows == before
    # Of each client one answer may have come in the turn in which its worker was killed.
    assert answered - 2 * len(clients) <= rows <= sent
    assert sent - answered <= 2 * len(clients)


def test_all_end_with_the_first_one(several: Process) -> None:
    several.send(signal.SIGKILL)
    eventually(lambda: listeners(several.port) == 0)


def test_clients_of_a_demoted_version_are_sent_on_by_all(several: Process) -> None:
    connections = [several.connect() for _ in range(20)]
    assert {predict(connection)[1] for connection in connections} == {None}
    several.api.name_active("sha256:" + "0" * 64)
    for connection in connections:
        eventually(lambda one=connection: ends(one))  # type: ignore[misc]
        connection.close()


def ends(connection: HTTPConnection) -> bool:
    return predict(connection)[1] == "close"


def metrics(process: Process) -> str:
    with closing(process.connect()) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def rows_of(process: Process) -> int:
    found = re.search(r"hallmark_predictor_rows_total (\d+)", metrics(process))
    assert found
    return int(found[1])


def newest(process: Process) -> DriftReport:
    return DriftReport.model_validate(process.api.reports[-1]["status"]["drift"][POD])


def listeners(port: int) -> int:
    """Return how many sockets listen at a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(words[1].endswith(f":{port:04X}") and words[3] == "0A" for words in lines)
