"""What is answered on the connection itself is what the application would have answered."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace
from uvicorn.server import ServerState

from hallmark_predictor.app import create_app
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.direct import DirectProtocol
from hallmark_predictor.guarded import GuardedProtocol
from hallmark_predictor.heads import MOST_BYTES, Heads
from hallmark_predictor.server import server_config
from hallmark_predictor.serving import Serving
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_app import MODEL, serving

PLANE = DataPlane(MODEL)
INFER = "/v2/models/credit/infer"


def request(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


GOOD = json.dumps({"instances": [ROW]}).encode()
MATRIX = json.dumps(
    {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [5e4, 40, 1, 1]}]}
).encode()
BAD = json.dumps({"instances": [ROW | {"age": 400}]}).encode()
JSON = "Content-Type: application/json"
SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUESTS = {
    "a row": request("/predict", GOOD, JSON),
    "a row without a type": request("/predict", GOOD),
    "a matrix": request(INFER, MATRIX, JSON),
    "a named version": request("/v2/models/credit/versions/7/infer", MATRIX, JSON),
    "a traced row": request("/predict", GOOD, JSON, f"traceparent: {SAMPLED}", "tracestate: a=b:1"),
    "a trace before all": request(
        "/predict", GOOD, f"Traceparent:{SAMPLED}", "X-Request-Id: 7", JSON
    ),
    "a traced bad row": request("/predict", BAD, JSON, f"traceparent: {SAMPLED}"),
    "a trace of no form": request(
        "/predict", GOOD, JSON, "traceparent: 7", "b3: 0", "x-b3-sampled: "
    ),
    "a trace of other bytes": request("/predict", GOOD, JSON, "traceparent: ü"),
    "two traces": request("/predict", GOOD, f"traceparent: {SAMPLED}", f"traceparent: {SAMPLED}"),
    "a bad row": request("/predict", BAD, JSON),
    "an empty body": request("/predict", b"", JSON),
    "another type": request("/predict", GOOD, "Content-Type: text/plain"),
    "another model": request("/v2/models/other/infer", MATRIX, JSON),
    "another method": request("/predict", b"", method="GET"),
    "health": request("/healthz", b"", method="GET"),
    "the head of a page": request("/docs", b"", method="HEAD"),
    "the head of a description": request("/openapi.json", b"", method="HEAD"),
    "expecting": request("/predict", GOOD, JSON, "Expect: 100-continue"),
    "chunked": b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD),
    "a long one": request("/predict", GOOD + b" " * MOST_BYTES, JSON),
    "an absolute address": request("http://x/predict", GOOD, JSON),
    "a query": request("/predict?a=1", GOOD, JSON),
}
LAST = {
    "closing": request("/predict", GOOD, JSON, "Connection: close"),
    "two lengths": request("/predict", GOOD, "Content-Length: 5"),
    "a length with a sign": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n12345",
    "HTTP 1.0": request("/predict", GOOD).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a folded trace": request("/predict", GOOD, "x-request-id: 7\r\n 8", "Connection: close"),
    "length and chunks": request("/predict", GOOD, "Transfer-Encoding: chunked"),
    "nonsense": b"\x00\r\n\r\n",
}


@asynccontextmanager
async def listening(what: Serving, *, direct: bool) -> AsyncIterator[int]:
    """Serve, on a free port."""
    config = server_config(create_app(what), "127.0.0.1", 0, what if direct else None)
    config.load()
    state = ServerState()
    protocol: Any = functools.partial(DirectProtocol if direct else GuardedProtocol, serving=what)
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()  # type: ignore[union-attr]


async def conversation(port: int, pieces: list[bytes]) -> bytes:
    """Send the pieces one by one, and return all that comes until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.001)
    async with asyncio.timeout(10):
        found = await reader.read()
    writer.close()
    return re.sub(rb"date: [^\r]*", b"date: -", found)


END = request("/healthz", b"", "Connection: close", method="GET")


@pytest.fixture
async def both() -> AsyncIterator[tuple[Serving, int, int]]:
    what = serving()
    async with AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(listening(what, direct=direct))
            for direct in (True, False)
        ]
        yield what, *ports


@pytest.mark.parametrize("name", [*REQUESTS, *LAST])
async def test_each_request_is_answered_as_the_application_does(
    both: tuple[Serving, int, int], name: str
) -> None:
    _, direct, plain = both
    asked = [REQUESTS[name]] * 2 + [END] if name in REQUESTS else [LAST[name]]
    found = await conversation(direct, asked)
    assert found == await conversation(plain, asked)
    assert found.startswith(b"HTTP/1.1 ")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from([*REQUESTS]), min_size=1, max_size=6),
    st.none() | st.sampled_from(["closing", "HTTP 1.0"]),
    st.lists(st.integers(0, 6000), max_size=6),
)
async def test_any_requests_in_any_pieces_are_answered_alike_and_in_order(
    both: tuple[Serving, int, int], names: list[str], last: str | None, cuts: list[int]
) -> None:
    _, direct, plain = both
    stream = b"".join(REQUESTS[name] for name in names) + (LAST[last] if last else END)
    at = sorted({0, *(cut % len(stream) for cut in cuts), len(stream)})
    pieces = [stream[one:two] for one, two in pairwise(at)]
    assert await conversation(direct, pieces) == await conversation(plain, pieces)


async def test_rows_and_requests_are_counted_alike(both: tuple[Serving, int, int]) -> None:
    what, direct, plain = both
    seen = []
    for port in (direct, plain):
        before = what.metrics.rows
        await conversation(port, [REQUESTS["a row"]] * 3 + [REQUESTS["a matrix"], END])
        seen.append(what.metrics.rows - before)
    assert seen == [4, 4]
    assert what.recorder is not None
    assert what.recorder.rows == 8
    text = what.metrics.exposition().decode()
    assert 'requests_total{code="200",route="/predict"} 6.0' in text
    assert 'request_seconds_count{route="/predict"} 6.0' in text


async def test_the_head_of_a_page_comes_without_its_body(both: tuple[Serving, int, int]) -> None:
    _, direct, _ = both
    for name in ("the head of a page", "the head of a description"):
        found = await conversation(direct, [REQUESTS[name], END])
        assert [part[:13] for part in found.split(b"\r\n\r\n")] == [
            b"HTTP/1.1 200 ",
            b"HTTP/1.1 200 ",
            b'{"live":true}',
        ]


async def test_what_ends_connections_ends_these_too(both: tuple[Serving, int, int]) -> None:
    what, direct, _ = both
    what.draining = True
    assert b"connection: close" in await conversation(direct, [REQUESTS["a row"]])


async def test_a_connection_ends_when_it_was_idle_for_long_and_not_before() -> None:
    what = serving()
    config = server_config(create_app(what), "127.0.0.1", 0, what)
    config.timeout_keep_alive = 1
    config.load()
    protocol: Any = config.http_protocol_class
    loop = asyncio.get_running_loop()
    made = protocol(config=config, server_state=ServerState(), app_state={})
    server = await loop.create_server(lambda: made, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    started = loop.time()
    for _ in range(2):
        writer.write(REQUESTS["a row"])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
        await asyncio.sleep(0.6)
    async with asyncio.timeout(5):
        await reader.read()
    assert 1.6 <= loop.time() - started < 4
    writer.close()
    server.close()


def test_only_plain_heads_are_read_and_each_once() -> None:
    plane = serving().plane
    assert plane is not None
    heads = Heads(plane)
    taken = {
        name
        for name, text in (REQUESTS | LAST).items()
        if heads.read(text.partition(b"\r\n\r\n")[0]) is not None
    }
    assert taken == {
        *("a row", "a row without a type", "a matrix", "a named version", "a bad row"),
        *("an empty body", "a traced row", "a trace before all", "a traced bad row"),
        *("a trace of no form", "a trace of other bytes"),
    }
    head = REQUESTS["a row"].partition(b"\r\n\r\n")[0]
    assert heads.read(head) is heads.read(head)
    for other in range(10_000):
        heads.read(head + b"\r\nx-other: %d" % other)
    assert len(heads._known) <= 4096
    kept = len(heads._known)
    for other in range(100):
        assert heads.read(head + b"\r\nx-padding: %d" % other + b"x" * 2000) is not None
    assert len(heads._known) == kept, "a long head is read each time"


NAMING = [
    *("traceparent: " + SAMPLED, "TRACESTATE: a=1,b=2", "x-request-id:9f", "baggage: a=1;b"),
    *("b3: 80f1-e4-1", "X-B3-SpanId: 80f1"),
]


@given(st.lists(st.sampled_from(NAMING), unique=True), st.data())
def test_headers_that_name_a_request_change_nothing_else(
    naming: list[str], data: st.DataObject
) -> None:
    heads = Heads(PLANE)
    (line, *headers) = REQUESTS["a row"].partition(b"\r\n\r\n")[0].split(b"\r\n")
    known = heads.read(b"\r\n".join([line, *headers]))
    for name in naming:
        headers.insert(data.draw(st.integers(0, len(headers))), name.encode())
    found = heads.read(b"\r\n".join([line, *headers]))
    assert found is not None
    assert known is not None
    assert replace(found, trace=None) == known
    assert (found.trace is not None) == (NAMING[0] in naming)
    assert len(heads._known) == 1, "a head that does not come again is kept"


@pytest.mark.parametrize(
    ("name", "told"),
    [("a traced row", 200), ("a trace before all", 200), ("a traced bad row", 422)]
    + [(name, None) for name in ("a row", "a trace of no form", "two traces")],
)
async def test_requests_of_a_sampled_trace_are_told_of_alike(
    both: tuple[Serving, int, int],
    caplog: pytest.LogCaptureFixture,
    name: str,
    told: int | None,
) -> None:
    caplog.set_level("INFO", "hallmark_predictor.traces")
    for port in both[1:]:
        caplog.clear()
        await conversation(port, [REQUESTS[name], END])
        found = [(r.trace_id, r.route, r.code) for r in caplog.records if hasattr(r, "trace_id")]
        assert found == ([] if told is None else [(SAMPLED[3:35], "/predict", told)])
