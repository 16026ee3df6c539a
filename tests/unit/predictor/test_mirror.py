"""Copies of requests, over real sockets: who is asked, who counts, and what nobody waits for."""

from __future__ import annotations

import asyncio
import functools
import json
import struct
import time

import pytest

from hallmark.api.bounds import SCORE_BOUNDS
from hallmark.api.files import SCHEMA
from hallmark.api.served import ServedSchema
from hallmark.drift.mirrored import MirrorCounter
from hallmark_predictor.copier import ANSWER_SECONDS, MOST_BYTES, MOST_COPIES, Copier
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.mirror_frames import MOST_BODY, Hello, framed
from hallmark_predictor.mirror_server import answer_copies
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.mirrors import (
    PLANE,
    ask,
    digest_of,
    free_port,
    mirrored,
    other_plane,
    peer,
    running,
    told,
    until,
)
from tests.unit.predictor.test_direct import INFER, MATRIX


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
