"""A predictor keeps to its own description: schemathesis asks the whole process, over loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.examples import examples
from tests.unit.predictor.factories import sealed
from tests.unit.predictor.test_process import Process

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
POSTED = [
    "/predict",
    "/v1/models/{name}:predict",
    "/v2/models/{name}/infer",
    "/v2/models/{name}/versions/{version}/infer",
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description that a whole process gives of itself."""
    with ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("described")
        process = Process(folder, stack, sealed())
        process.start()
        process.wait_until("/readyz")
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{process.port}/openapi.json")
        assert process.is_running()


def ask(described: Any, path: str, mode: GenerationMode, count: int) -> set[int]:  # noqa: ANN401
    """Send drawn requests to an endpoint, and return the status codes that came."""
    seen = set()
    takes_all = mode is GenerationMode.POSITIVE and "infer" not in path

    @examples(count, suppress_health_check=list(HealthCheck))
    @given(case=described[path]["POST"].as_strategy(generation_mode=mode))
    def asked(case: schemathesis.Case) -> None:
        found = case.call()
        case.validate_response(
            found, checks=[*CHECKS, *([positive_data_acceptance] if takes_all else [])]
        )
        if found.status_code != 200:
            assert 400 <= found.status_code < 500
            assert found.json()["error"].endswith((".", ".)"))
        seen.add(found.status_code)

    asked()
    return seen


@pytest.mark.parametrize("path", POSTED)
def test_what_is_described_is_answered_as_described(described: Any, path: str) -> None:  # noqa: ANN401
    seen = ask(described, path, GenerationMode.POSITIVE, 100)
    assert seen == {200} if path.endswith("predict") else 422 in seen


@pytest.mark.parametrize("path", POSTED)
def test_what_is_not_described_is_refused_in_a_sentence(described: Any, path: str) -> None:  # noqa: ANN401
    assert ask(described, path, GenerationMode.NEGATIVE, 100) & {404, 415, 422}


def test_every_endpoint_that_is_asked_for_answers_as_described(described: Any) -> None:  # noqa: ANN401
    asked = set()
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.method.upper() == "GET":
            case = operation.Case(path_parameters={"name": "credit", "version": "7"})
            answer = case.call()
            case.validate_response(answer, checks=CHECKS)
            assert answer.status_code == 200
            asked.add(operation.path)
    assert {"/healthz", "/metrics", "/v2", "/v2/models/{name}/versions/{version}/ready"} <= asked
