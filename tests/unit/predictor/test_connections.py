"""What clients do with connections: closed by half, other protocols, trailers, a header twice."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, strategies as st

from hallmark_predictor.predictions import INLINE_BODY
from hallmark_predictor.server import DrainingServer, server_config
from tests.examples import examples
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_app import serving, unreachable
from tests.unit.predictor.test_direct import (
    END,
    GOOD,
    INFER,
    JSON,
    MATRIX,
    conversation,
    listening,
    request,
)

LARGE = json.dumps({"instances": [ROW] * 1100}).encode()
UPGRADES = {
    "Java's client": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"),
    "a web socket": ("Upgrade: websocket", "Connection: keep-alive, upgrade"),
    "for the last time": ("Connection: upgrade, close", "Upgrade: TLS/1.0"),
}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with listening(serving(), direct=True) as found:
        yield found


def in_chunks(body: bytes, *headers: str, trailers: bytes = b"", path: str = "/predict") -> bytes:
    head = request(path, b"", *headers).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)


def codes(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, *(place % len(stream) for place in cuts), len(stream)})
    return [stream[one:two] for one, two in pairwise(at)]


@examples(40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([*UPGRADES][:2]), st.sampled_from(["length", "chunks", "none"])),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.integers(0, 3000), max_size=5),
)
async def test_who_asks_for_another_protocol_is_answered_as_if_he_had_not(
    port: int, asked: list[tuple[str, str]], cuts: list[int]
) -> None:
    def stream(with_upgrade: bool) -> bytes:
        parts = []
        for upgrade, body in asked:
            headers = (JSON, *(UPGRADES[upgrade] if with_upgrade else ()))
            match body:
                case "length":
                    parts.append(request("/predict", GOOD, *headers))
                case "chunks":
                    parts.append(in_chunks(GOOD, *headers, trailers=b"Content-Encoding: gzip\r\n"))
                case _:
                    bare = request("/v2", b"", *headers, method="GET")
                    parts.append(bare.replace(b"Content-Length: 0\r\n", b""))
        return b"".join(parts) + END

    found = await conversation(port, cut(stream(True), cuts))
    assert found == await conversation(port, [stream(False)])
    assert codes(found) == [b"200"] * (len(asked) + 1)


async def test_a_last_request_that_asks_for_another_protocol_is_the_last_one(port: int) -> None:
    found = await conversation(port, [request("/predict", GOOD, *UPGRADES["for the last time"])])
    assert codes(found) == [b"200"]


TRAILERS = {
    "Content-Encoding: gzip": [b"200", b"200"],
    "Content-Type: text/plain": [b"200", b"200"],
    "Inference-Header-Content-Length: 5": [b"200", b"200"],
    "Authorization: Bearer x": [b"200", b"200"],
    "Expect: 100-continue": [b"200", b"200"],
    "traceparent: 1": [b"200", b"200"],
    "Upgrade: h2c\r\nConnection: upgrade": [b"200", b"200"],
    "Connection: close": [b"200"],
}
"""And how the request and another one are answered."""


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("trailer", TRAILERS)
async def test_a_trailer_is_no_header_whenever_it_comes(
    port: int, trailer: str, at_once: bool
) -> None:
    stream = in_chunks(MATRIX, JSON, path=INFER, trailers=f"{trailer}\r\n".encode())
    body_ends = len(stream) - len(trailer) - 4
    pieces = [stream] if at_once else [stream[:body_ends], stream[body_ends:]]
    found = await conversation(port, [*pieces, END])
    assert codes(found) == TRAILERS[trailer]
    if len(codes(found)) == 2:
        assert found == await conversation(port, [in_chunks(MATRIX, JSON, path=INFER), END])


UNREAD = {
    "another type": request("/predict", b"", "Content-Type: text/plain"),
    "two types": request("/predict", b"", JSON, JSON),
    "no such path": request("/nothing", b"", JSON),
    "a probe": request("/v2", b"", JSON, method="GET"),
    "another model": request("/v2/models/other/infer", b"", JSON),
}


@pytest.mark.parametrize("name", UNREAD)
async def test_who_is_answered_before_he_sent_a_body_must_not_leave_it_out_unseen(
    port: int, name: str
) -> None:
    """What he sends next would be taken for the body."""
    waits = UNREAD[name].replace(b"Content-Length: 0", b"Expect: 100-continue\r\nContent-Length: 9")
    upgrades = waits.replace(b"Expect", b"Connection: upgrade\r\nUpgrade: h2c\r\nExpect")
    for asked in (waits, upgrades):
        found = await conversation(port, [asked])
        assert len(codes(found)) == 1
        assert b"connection: close\r\n" in found


async def test_who_was_told_to_go_on_keeps_his_connection(port: int) -> None:
    expecting = request("/predict", GOOD, JSON, "Expect: 100-continue")
    found = await conversation(port, [expecting[: -len(GOOD)], GOOD] * 2 + [expecting, END])
    assert codes(found) == [b"100", b"200"] * 3 + [b"200"]


HALF = {
    "a row": [request("/predict", GOOD, JSON)],
    "many at once": [request("/predict", GOOD, JSON) * 5],
    "a large body": [request("/predict", LARGE, JSON)],
    "a large body and others": [request("/predict", LARGE, JSON) + request("/predict", GOOD)],
    "in chunks": [in_chunks(LARGE, JSON)],
    "packed": [request("/predict", gzip.compress(LARGE), JSON, "Content-Encoding: gzip")],
    "a page": [request("/docs", b"", method="GET")],
    "a refusal": [request("/predict", b"[" + LARGE, JSON)],
}


@pytest.mark.parametrize("name", HALF)
async def test_who_says_no_more_gets_all_his_answers(port: int, name: str) -> None:
    assert len(LARGE) > INLINE_BODY
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(HALF[name]))
    writer.write_eof()
    async with asyncio.timeout(30):
        found = await reader.read()
    writer.close()
    expected = await conversation(port, [*HALF[name], END])
    assert codes(found) == codes(expected)[:-1]


@pytest.mark.parametrize("sent", [b"", b"POST /pre", request("/predict", LARGE, JSON)[:-1]])
async def test_who_says_no_more_in_the_middle_is_gone(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(
    ("header", "other"),
    [
        (JSON, "Content-Type: text/plain"),
        ("Content-Encoding: identity", "Content-Encoding: gzip"),
        ("Inference-Header-Content-Length: 5", "Inference-Header-Content-Length: 6"),
        ("Authorization: Bearer a", "Authorization: Bearer b"),
    ],
)
async def test_a_header_of_which_there_are_two_is_not_chosen_from(
    port: int, header: str, other: str, same: bool
) -> None:
    for two in ((header, other), (other, header)):
        asked = request(INFER, MATRIX, two[0], two[0] if same else two[1])
        found = await conversation(port, [asked, END])
        assert codes(found) == [b"422", b"200"]
        assert b"expected this header once" in found


NO_HTTP = [
    *(b"\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"),
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("before", ["", *HALF])
@pytest.mark.parametrize("nonsense", NO_HTTP)
async def test_what_is_no_http_ends_the_connection_after_what_was_asked_before(
    port: int, before: str, nonsense: bytes
) -> None:
    asked = HALF.get(before, [])
    found = await conversation(port, [b"".join(asked) + nonsense])
    if asked:
        assert codes(found) == codes(await conversation(port, [*asked, END]))[:-1]
    else:
        assert codes(found) == [b"400"]
        assert json.loads(found.partition(b"\r\n\r\n")[2])["error"].endswith(".")


async def test_trailers_that_are_too_long_are_refused_in_a_sentence(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(in_chunks(GOOD, JSON, trailers=b"a: b\r\n" * 1000))
        found = await reader.readuntil(b'"found":"more"}]}')
    assert codes(found) == [b"431"]
    assert b"'the trailers': expected at most 32768 bytes, found more." in found


async def test_nothing_is_answered_after_the_end() -> None:
    what = serving()
    async with listening(what, direct=True) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(NO_HTTP[0])
            assert codes(await reader.read()) == [b"400"]
            writer.write(request("/predict", GOOD, JSON))
            await writer.drain()
            assert codes(await conversation(port, [END])) == [b"200"]
    assert what.metrics.rows == 0


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"2\r\n{}0\r\n", b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"]
)
async def test_a_body_that_is_none_is_refused_in_a_sentence(port: int, body: bytes) -> None:
    head = in_chunks(b"", JSON).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    with closing(writer):
        writer.write(request("/predict", LARGE, JSON) + head + body)
        found = await reader.readuntil(b'"found":"something else"}]}')
    assert codes(found) == [b"200", b"400"]


@pytest.mark.parametrize("outlived", [False, True])
def test_it_drains_with_its_terminal_unless_that_is_to_be_outlived(outlived: bool) -> None:
    what = serving()
    server = DrainingServer(server_config(unreachable, "127.0.0.1", 0), what, 1.0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if outlived else signal.SIG_DFL)
    try:
        with server.capture_signals():
            signal.raise_signal(signal.SIGHUP)
            assert what.draining is not outlived
            assert not server.should_exit
        assert signal.getsignal(signal.SIGHUP) == (signal.SIG_IGN if outlived else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)
