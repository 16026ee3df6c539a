"""What is sent at once, slowly, or never taken: the predictor lives, and says when to return."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from hallmark_predictor import bodies, memory
from hallmark_predictor.app import create_app
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.memory import MAX_BODY, MIN_BODY, PARSED, Budget, Room, budget, memory_left
from hallmark_predictor.problems import BadRequest
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW, sealed
from tests.unit.predictor.test_app import client_of, serving
from tests.unit.predictor.test_data_plane import tensors
from tests.unit.predictor.test_process import Process, eventually, predict

MIB = 1024 * 1024
PLANE = DataPlane(factories.model())
GOOD = json.dumps({"instances": [ROW]}).encode()
JSON = {"content-type": "application/json"}


# -- the budget -------------------------------------------------------------------------------


@given(st.integers(0, 2**36))
def test_parsing_and_waiting_bodies_fit_into_what_is_left(left: int) -> None:
    found = budget(left)
    assert MIN_BODY <= found.max_body <= MAX_BODY
    assert found.in_flight >= 2 * found.max_body, "one body always finds room"
    if left > 3 * PARSED * MIN_BODY:
        assert found.in_flight + PARSED * found.max_body <= left


def test_the_default_container_takes_large_bodies_and_a_small_one_smaller_ones() -> None:
    assert budget(900 * MIB).max_body == MAX_BODY
    assert MIN_BODY < budget(100 * MIB).max_body < 2 * MIB


def test_the_limit_is_the_smallest_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    free = memory_left()
    (tmp_path / "memory.max").write_text("max\n")
    assert abs(memory_left() - free) < 64 * MIB
    (tmp_path / "memory.max").write_text(f"{2**33}\n")
    assert 2**33 - 2**32 < memory_left() < 2**33
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1\n")
    assert memory_left() == 0


@given(st.lists(st.integers(0, 200), max_size=8), st.integers(0, 400))
def test_no_more_is_held_than_there_is_and_all_of_it_comes_back(
    sizes: list[int], size: int
) -> None:
    room = Room(Budget(1, size))
    places = [room.hold() for _ in sizes]
    taken = [place.reach(wanted) for place, wanted in zip(places, sizes, strict=True)]
    assert room.free == size - sum(s for s, was in zip(sizes, taken, strict=True) if was) >= 0
    for place in places:
        place.release()
        place.release()
    assert room.free == size


@given(st.integers(1, 2000), st.integers(1, 30))
def test_an_answer_is_no_longer_than_was_held_for_it(rows: int, digits: int) -> None:
    row = {"income": float(f"1.{'7' * digits}e4"), "age": 99, "owner": True, "purpose": "other"}
    for request, method in (
        ({"instances": [row] * rows}, PLANE.predict),
        (
            {
                "inputs": [
                    {
                        "name": "input",
                        "shape": [rows, 4],
                        "datatype": "FP32",
                        "data": [1, 18, 0, 0] * rows,
                    }
                ]
            },
            PLANE.infer,
        ),
    ):
        body = json.dumps(request, separators=(",", ":")).encode()
        found = method(body)
        assert isinstance(found, Answer)
        assert len(found.body) <= PLANE.answer_bytes(len(body))


def test_many_rows_go_through_the_graph_in_parts_with_the_same_answers() -> None:
    score, rows = factories.model().score, factories.traffic(1000)
    assert (replace(score, rows_at_once=7)(rows) == score(rows)).all()


# -- requests in flight -----------------------------------------------------------------------


async def test_a_request_that_finds_no_room_is_told_when_to_come_again() -> None:
    what = serving()
    what.room = Room(Budget(MAX_BODY, 10))
    async with client_of(what) as client:

        async def chunks() -> AsyncIterator[bytes]:
            yield GOOD

        for content in (GOOD, chunks()):
            found = await client.post("/predict", content=content, headers=JSON)
            assert found.status_code == 503
            assert found.headers["retry-after"] == "1"
            assert found.headers["connection"] == "close"
            assert "memory" in found.json()["error"]
        assert (await client.get("/healthz")).status_code == 200
        what.room = Room(Budget(MAX_BODY, 10_000))
        before = what.room.free
        for content in (GOOD, b"{", b"{}"):
            await client.post("/predict", content=content, headers=JSON)
            assert what.room.free == before, "what was held is given back"
    assert "refused_rows_total 0.0" in what.metrics.exposition().decode()


async def test_a_body_above_what_this_container_takes_is_refused_with_413() -> None:
    what = serving()
    what.room = Room(Budget(100, 10_000))
    async with client_of(what) as client:
        found = await client.post("/predict", content=b" " * 101, headers=JSON)
    assert found.status_code == 413
    assert found.json()["details"][0]["expected"] == "at most 100 bytes"


async def call(
    app: Any,  # noqa: ANN401
    receive: Any,  # noqa: ANN401
    send: Any,  # noqa: ANN401
    *headers: tuple[bytes, bytes],
) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("x", 80),
        "client": ("y", 1),
        "root_path": "",
    }
    await app(scope, receive, send)


async def test_who_sends_slowly_loses_his_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.05)
    what = serving()
    what.room = Room(Budget(MAX_BODY, 500_000))
    sent: list[dict[str, Any]] = []
    first = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> dict[str, Any]:
        message = next(first, None)
        if message is None:
            assert what.room.free < 500_000
            await asyncio.sleep(60)
        return message or {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await call(create_app(what), receive, send, (b"content-length", b"1000"))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert what.room.free == 500_000


async def test_who_takes_no_answer_loses_his_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SEND_SECONDS", 0.05)
    what = serving()
    rows = factories.instances(factories.traffic(3000))
    messages = iter([{"type": "http.request", "body": json.dumps({"instances": rows}).encode()}])
    sent: list[dict[str, Any]] = []
    before = what.room.free

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        if len(sent) == 2:
            await asyncio.sleep(60)
        sent.append(message)

    await call(create_app(what), receive, send)
    assert [message.get("more_body") for message in sent] == [None, True], "no end was sent"
    assert what.room.free == before


async def test_what_still_comes_of_a_refused_body_is_dropped_after_the_answer() -> None:
    what = serving()
    what.room = Room(Budget(MAX_BODY, 10))
    events: list[str] = []
    more = iter([True, True, False])

    async def receive() -> dict[str, Any]:
        events.append("receive")
        return {"type": "http.request", "body": b" " * 1000, "more_body": next(more)}

    async def send(message: dict[str, Any]) -> None:
        events.append(f"send {message['type'].rpartition('.')[2]}")

    await call(create_app(what), receive, send, (b"content-length", b"3000"))
    assert events == ["send start", "send body", *["receive"] * 3, "send body"]


# -- a real process under a memory limit ------------------------------------------------------

CLIENTS = 64
FILL = MAX_BODY - 40
HOSTILE = {
    "empty objects": b'{"instances": [' + b"{}," * (FILL // 3) + b"{}]}",
    "empty lists": b'{"inputs": [' + b"[]," * (FILL // 3) + b"[]]}",
    "texts": b'{"instances": [' + b'"\xc3\xa9",' * (FILL // 5) + b"1]}",
    "members": b'{"a": {' + b",".join(b'"%06d":1' % n for n in range(FILL // 11)) + b"}}",
    "numbers": b'{"instances": [' + b"1.5," * (FILL // 4) + b"1]}",
}
LARGE_ROW = json.dumps({"features": ROW}).encode()[:-1] + b" " * (FILL - 200) + b"}"


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_becomes_many_times_its_size_is_refused_before_it_does(body: bytes) -> None:
    for method in (PLANE.predict, PLANE.infer):
        found = method(body)
        assert isinstance(found, BadRequest)
        assert found.problems[0].expected == "at most 91024 values, objects and lists"


def test_as_many_rows_as_a_request_may_have_are_not_too_many_values() -> None:
    rows = factories.traffic(10_000)
    assert isinstance(
        PLANE.predict(json.dumps({"instances": factories.instances(rows)}).encode()), Answer
    )
    assert isinstance(PLANE.infer(json.dumps({"inputs": tensors(rows)}).encode()), Answer)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Process]:
    """Serve under a limit of the address space, 1 GiB above what the model needs."""
    with ExitStack() as stack:
        process = Process(tmp_path, stack, sealed())
        process.start()
        process.wait_until("/readyz")
        needed = process.address_space()
        process.limit_memory(needed + 1024 * MIB)
        process.send(15)
        process.exit_code()
        process.start()
        process.wait_until("/readyz")
        yield process


@pytest.mark.parametrize("body", [HOSTILE["empty objects"], LARGE_ROW], ids=["values", "one row"])
def test_it_lives_when_64_bodies_of_8_mib_come_at_once(limited: Process, body: bytes) -> None:
    answers: Counter[int | str] = Counter()
    ready = threading.Barrier(CLIENTS)

    def client() -> None:
        connection = limited.connect(120)
        ready.wait()
        try:
            answers[predict(connection, body)[0]] += 1
        except OSError as error:
            answers[repr(error)] += 1
        finally:
            connection.close()

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert set(answers) <= {200, 422, 503}, answers
    assert answers[503] > 0
    assert answers[200] + answers[422] > 0
    assert limited.is_running()
    assert status_of(limited, GOOD) == 200


def test_clients_that_send_slowly_take_no_room_from_small_requests_nor_for_ever(
    limited: Process,
) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", limited.port), 5))
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY}\r\n"
            slow.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n{")
        time.sleep(0.3)
        assert status_of(limited, b" " * MAX_BODY) == 503
        assert status_of(limited, GOOD) == 200
    eventually(lambda: status_of(limited, b" " * MAX_BODY) == 422)  # their places are free


def status_of(process: Process, body: bytes) -> int:
    with closing(process.connect()) as connection:
        return predict(connection, body)[0]


async def test_one_large_body_is_parsed_at_a_time() -> None:
    what = serving()
    running, most = 0, 0
    plane = what.plane
    assert plane is not None

    def slow(body: bytes, json_length: int | None) -> Any:  # noqa: ANN401
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        try:
            return plane.predict(body, json_length)
        finally:
            running -= 1

    rows = factories.instances(factories.traffic(2000))
    body = json.dumps({"instances": rows}).encode()
    plane.routes = {"/predict": ("/predict", slow)}
    async with client_of(what) as client:
        found = await asyncio.gather(
            *(client.post("/predict", content=body, headers=JSON) for _ in range(6))
        )
    assert {answer.status_code for answer in found} == {200}
    assert most == 1


def test_what_is_imported_for_the_first_requests_takes_what_is_kept_for_it(tmp_path: Path) -> None:
    with ExitStack() as stack:
        process = Process(tmp_path, stack, sealed())
        process.start()
        process.wait_until("/readyz")
        before = process.peak_memory()
        assert process.get("/metrics") == 200
        with closing(process.connect()) as connection:
            assert predict(connection, b'{"instances":[{}],"further":1}')[0] == 422
        assert process.get("/openapi.json") == process.get("/docs") == 200
        assert memory.FRAMEWORK // 2 < process.peak_memory() - before < memory.FRAMEWORK
