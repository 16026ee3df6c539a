"""A predictor that may take 128 MiB takes no more, whatever is sent to it at once, and lives."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import repeat

import pytest

from tests.unit.predictor.factories import ROW, sealed
from tests.unit.predictor.test_process import Process, eventually

MIB = 1024 * 1024
LIMIT = 128 * MIB
CLIENTS = 64
PATIENCE = 60.0
GOOD = json.dumps({"instances": [ROW]}).encode()
INFER = "/v2/models/credit/infer"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Serve in a container of 128 MiB, as far as the predictor knows."""
    with ExitStack() as stack:
        process = Process(tmp_path_factory.mktemp("small"), stack, sealed())
        process.start(f"--memory={LIMIT}")
        process.wait_until("/readyz")
        yield process


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(path: str, body: bytes, *headers: str) -> list[bytes]:
    return [head(path, f"Content-Length: {len(body)}", *headers) + body]


def hostile(size: int) -> bytes:
    """Return JSON of so many bytes that becomes as many objects as can be."""
    return b'{"instances": [' + b"{}," * ((size - 20) // 3) + b"{}]}"


def in_chunks(body: bytes) -> Iterator[bytes]:
    yield head("/predict", "Transfer-Encoding: chunked")
    for start in range(0, len(body), MIB):
        part = body[start : start + MIB]
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def without_end(begin: bytes, part: bytes) -> Iterator[bytes]:
    yield begin
    yield from repeat(part * (MIB // len(part)), 32)


LARGE = hostile(8 * MIB)
# The largest that is taken is between these two.
TAKEN = [hostile(size) for size in (100_000, 200_000, 400_000, 600_000)]
FLOODS: dict[str, Callable[[int], Iterator[bytes] | list[bytes]]] = {
    "large bodies": lambda client: whole("/predict", LARGE),
    "large tensors": lambda client: whole(INFER, LARGE),
    "large bodies for other routes": lambda client: whole(
        ("/metrics", "/nothing")[client % 2], LARGE
    ),
    "large bodies in chunks": lambda client: in_chunks(LARGE),
    "what unpacks to large bodies": lambda client: whole(
        "/predict", gzip.compress(b" " * 8 * MIB), "Content-Encoding: gzip"
    ),
    "bodies of sizes that are taken": lambda client: whole("/predict", TAKEN[client % 4]),
    "bodies behind one that waits": lambda client: [
        *whole("/predict", TAKEN[0]),
        *whole(INFER, LARGE),
    ],
    "headers without an end": lambda client: without_end(
        b"GET / HTTP/1.1\r\nHost: x\r\n", b"a:b\r\n"
    ),
    "a header without an end": lambda client: without_end(b"GET / HTTP/1.1\r\nHost: ", b"x"),
    "an address without an end": lambda client: without_end(b"GET /", b"x"),
    "requests without an end": lambda client: without_end(b"", b"GET /v2 HTTP/1.1\r\n\r\n"),
    "trailers without an end": lambda client: without_end(
        head("/predict", "Transfer-Encoding: chunked") + b"0\r\n", b"a:b\r\n"
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_takes_no_more_than_there_is(small: Process, name: str) -> None:
    ready = threading.Barrier(CLIENTS)
    answers: Counter[bytes] = Counter()

    def client(number: int) -> None:
        pieces = FLOODS[name](number)
        ready.wait()
        answers[ask(small.port, pieces)] += 1

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert small.is_running()
    assert small.peak_memory() <= LIMIT
    known = {b"200", b"404", b"405", b"408", b"413", b"422", b"431", b"503", b""}
    assert set(answers) <= known, answers
    eventually(lambda: ask(small.port, whole("/predict", GOOD)) == b"200")


def test_clients_that_only_connect_leave_room_for_others(small: Process) -> None:
    with ExitStack() as stack:
        for _ in range(1000):
            with suppress(OSError):
                address = "127.0.0.1", small.port
                stack.enter_context(socket.create_connection(address, PATIENCE))
        assert small.peak_memory() <= LIMIT
    eventually(lambda: ask(small.port, whole("/predict", GOOD)) == b"200")


def ask(port: int, pieces: Iterator[bytes] | list[bytes]) -> bytes:
    """Send what is taken of the pieces; return the first answer's status, or b"" without one."""
    found = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as raw:
        sending = threading.Thread(target=_send, args=(raw, pieces))
        sending.start()
        with suppress(OSError):
            while b"\r\n" not in found and (part := raw.recv(65536)):
                found += part
        with suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        sending.join()
    return found[9:12]


def _send(raw: socket.socket, pieces: Iterator[bytes] | list[bytes]) -> None:
    with suppress(OSError):
        for piece in pieces:
            raw.sendall(piece)
