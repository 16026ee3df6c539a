"""Predictors that copy requests, and candidates that answer, lie or hang."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import numpy as np

from hallmark.api.files import BASELINE, MODEL_ONNX, SCHEMA
from hallmark.api.mirror import MirrorReport
from hallmark.api.served import ServedSchema
from hallmark.api.trainer import Trainer
from hallmark.drift.mirrored import MirrorCounter
from hallmark.training.graph import build
from hallmark.training.pipeline import Fitted, fit
from hallmark_predictor.copier import Copier
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.serving import Serving
from tests.unit.predictor import factories
from tests.unit.predictor.test_app import MODEL, serving
from tests.unit.predictor.test_direct import listening

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


def mirror_of(candidate: str) -> str:
    return json.dumps({"candidate": candidate, "since": SINCE, "percent": 100})
