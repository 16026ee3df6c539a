"""What is read of a run beside the cluster, from a store that behaves badly."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from hallmark.api.training_run import Progress
from hallmark.cluster.gather.training_run import PROGRESS_SECONDS, progress_of
from hallmark.policies.training_run.jobs import JobView
from hallmark.store import open_store
from tests.unit.policies.training_run.runs import run

JOB = JobView(name="train", uid="job-uid", image="trainer:1", suspended=False)
LAST = Progress(stage="Train", percent=40)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nLast-Modified: Mon, 01 Jun 2026 12:00:00 GMT\r\n"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (b"", PROGRESS_SECONDS),
        (HEAD + b'ETag: "a"\r\n\r\n{"sta', PROGRESS_SECONDS),
        (HEAD + b'ETag: "a"\r\n\r\n{"stage":', 0.0),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 0.0),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0.0),
    ],
    ids=["says nothing", "stops in the middle", "is cut off", "refuses", "has none"],
)
async def test_progress_that_cannot_be_read_holds_up_no_decision(
    tmp_path: Path, answer: bytes, seconds: float
) -> None:
    ended = asyncio.Event()

    async def come(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await ended.wait()
        writer.close()

    for name in ("access-key-id", "secret-access-key"):
        (tmp_path / name).write_text("key")
    server = await asyncio.start_server(come, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    store = open_store("s3://models", endpoint=address, credentials=tmp_path)
    training = run(status={"progress": LAST.to_wire()})
    started = time.monotonic()
    assert await progress_of(store, training, JOB) == LAST
    assert time.monotonic() - started < seconds + 1
    ended.set()
    server.close()
    await server.wait_closed()
