"""A candidate that is none, or whose answers are none, and frames however they are cut."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark_predictor.mirror_frames import Copy, Frames, Hello, Outcome, Told, framed
from hallmark_predictor.mirror_server import answer_copies
from tests.examples import examples
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.mirrors import (
    PLANE,
    ask,
    digest_of,
    free_port,
    mirrored,
    peer,
    running,
    told,
    until,
)

ONE_ROW = struct.pack("=2f", 0.5, 0.0)


def deeply(head: bytes) -> bytes:
    """Return a message of three parts whose last one is lists in lists."""
    data = b"\x93" + head + b"\x91" * 100_000 + b"\x00"
    return struct.pack("=I", len(data)) + data


LIES: dict[str, bytes] = {
    "another version": framed(Hello("sha256:" + "0" * 64, ["no", "yes"])),
    "no name": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length without end": struct.pack("=I", 2**31),
    "no message": struct.pack("=I", 3) + b"abc",
    "lists in lists": deeply(b"\xa1a\x90"),
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
    "lists in lists": deeply(b"\x00\xc4\x00"),
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
