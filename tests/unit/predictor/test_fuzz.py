"""Whatever is sent is answered, or refused in a sentence of the protocol's form; never a 500."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from contextlib import suppress

import pytest

from hallmark_predictor.data_plane import Answer, DataPlane
from tests.unit.predictor import factories
from tests.unit.predictor.test_app import serving
from tests.unit.predictor.test_direct import (
    END,
    GOOD,
    LAST,
    MATRIX,
    REQUESTS,
    conversation,
    listening,
)
from tests.unit.predictor.test_quick import tensors_of

PLANE = DataPlane(factories.model())
BINARY_TAIL = factories.traffic(2).tobytes()
BINARY = json.dumps(
    {
        "inputs": [
            {
                "name": "input",
                "shape": [2, 4],
                "datatype": "FP32",
                "parameters": {"binary_data_size": len(BINARY_TAIL)},
            }
        ],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
    }
).encode()
NAMED = json.dumps({"inputs": tensors_of(2), "id": "r"}).encode()
SEEDS = [
    (PLANE.predict, GOOD, None),
    (PLANE.infer, MATRIX, None),
    (PLANE.infer, NAMED, None),
    (PLANE.infer, BINARY + BINARY_TAIL, len(BINARY)),
]
WORDS = [
    *(b"null", b"true", b"-1", b"0", b"1e400", b"NaN", b"1.5", b"40", b"9" * 400, b'"x"', b"[]"),
    *(b"{}", b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u0000", b"\xff", b"\x00", b" "),
    *(b'"inputs"', b'"instances"', b'"data"', b'"shape"', b'"income"', b'"INT8"', b'"BYTES"'),
    *(b'"parameters":{"binary_data_size":7}', b'"label"', b"[1,4]", b"-0.0", b"1E1"),
]


def mutated(text: bytes, dice: random.Random) -> bytes:
    """Change a text in up to four places: cut, double, swap or put in a word."""
    for _ in range(dice.choice([0, 1, 1, 2, 4])):
        one, two = sorted((dice.randint(0, len(text)), dice.randint(0, len(text))))
        part = text[one : min(two, one + 40)]
        match dice.randrange(5):
            case 0:
                text = text[:one] + text[one + len(part) :]
            case 1:
                text = text[:one] + part + text[one:]
            case 2:
                text = text[:one] + dice.choice(WORDS) + text[one:]
            case 3:
                text = text[:one] + dice.choice(WORDS) + text[one + len(part) :]
            case _:
                text = text[:one] + bytes([dice.randrange(256)]) + text[one + 1 :]
    return text


def fuzz(count: int) -> Counter[str]:
    dice = random.Random(7)  # noqa: S311 - the same in each run
    seen = Counter[str]()
    for _ in range(count):
        method, text, length = dice.choice(SEEDS)
        body = mutated(text, dice)
        if length is not None:
            length = dice.choice([length, length + len(body) - len(text), dice.randint(-2, 600)])
        found = method(body, length)
        if isinstance(found, Answer):
            seen["answered"] += 1
            assert json.loads(found.body[: found.json_length])
            continue
        seen["refused"] += 1
        assert 400 <= found.status < 500
        told = json.loads(json.dumps(found.body()))
        assert told["error"].partition(": expected ")[2].endswith((".", ".)"))
        assert told["details"]
    return seen


def test_mutated_requests_are_answered_or_refused_in_a_sentence() -> None:
    seen = fuzz(4000)
    assert min(seen["answered"], seen["refused"]) > 50, seen


@pytest.mark.slow
def test_a_million_mutated_requests_are_answered_or_refused_in_a_sentence() -> None:
    fuzz(1_000_000)


async def fuzz_connections(count: int) -> Counter[bytes]:
    """Send mutated bytes of whole requests, and return how often each status was answered."""
    dice = random.Random(8)  # noqa: S311 - the same in each run
    texts, what = [*REQUESTS.values(), *LAST.values()], serving()
    seen = Counter[bytes]()
    async with listening(what, direct=True) as port:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(mutated(dice.choice(texts), dice) + mutated(dice.choice(texts), dice))
            writer.write_eof()
            with suppress(ConnectionError):
                seen.update(re.findall(rb"HTTP/1.1 (\d+) ", await reader.read()))
            writer.close()
        assert (await conversation(port, [REQUESTS["a row"], END])).count(b" 200 OK") == 2
    text = what.metrics.exposition().decode()
    assert 'code="5' not in text
    assert 'rejections_total{reason="Failed"} 0.0' in text
    return seen


async def test_mutated_bytes_on_connections_do_no_harm() -> None:
    seen = await fuzz_connections(600)
    assert seen.keys() <= {b"200", b"400", b"404", b"405", b"408", b"413", b"415", b"422", b"100"}
    assert min(seen[b"200"], seen[b"400"]) > 20, seen


@pytest.mark.slow
async def test_many_mutated_bytes_on_connections_do_no_harm() -> None:
    await fuzz_connections(100_000)
