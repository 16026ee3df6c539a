"""What nests deeply is refused wherever it stands: a 500 would speak against the version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hallmark_predictor.problems import BadRequest
from tests.unit.api.test_structs import places
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_data_plane import PLANE, ROWS, matrix, tensors

MARK = "stands here"
NESTED = {
    "lists": "[" * 2_000 + "]" * 2_000,
    "objects": '{"a":' * 2_000 + "1" + "}" * 2_000,
    "lists without an end": "[" * 100_000,
}
SIZED = {"parameters": {"binary_data_size": 16}}
REQUESTS: dict[str, dict[str, Any]] = {
    "rows": {"instances": [ROW, ROW]},
    "a row": {"features": ROW},
    "tensors": {"inputs": tensors(ROWS[:2]), "id": "r-1", "outputs": [{"name": "label"}]},
    "tensors of one row": {"inputs": tensors(ROWS[:1]), "parameters": {"any": 1}},
    "a matrix": matrix(),
    "bytes": {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32"} | SIZED]},
}


def texts(request: dict[str, Any]) -> list[str]:
    """Return a request with a mark in the place of each part, and as a further member of each."""
    whole = {"it": json.loads(json.dumps(request))}
    found = []
    for *way, last in places(whole)[1:]:
        holder: Any = whole
        for step in way:
            holder = holder[step]
        value = holder[last]
        others: list[Any] = [MARK]
        if isinstance(value, dict):
            others += [{**value, "further": MARK}, {"further": MARK, **value}]
        for other in others:
            holder[last] = other
            found.append(json.dumps(whole["it"], separators=(",", ":")))
        holder[last] = value
    return found


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_nests_deeply_is_refused_wherever_it_stands(
    request_: dict[str, Any], nested: str
) -> None:
    for text in texts(request_):
        body = text.replace(f'"{MARK}"', nested).encode()
        for found in (
            PLANE.predict(body),
            PLANE.infer(body),
            PLANE.infer(body + bytes(16), len(body)),
        ):
            assert isinstance(found, BadRequest), text
            assert found.status == 422
