"""Bodies of requests: bounded, strict JSON or a form, with sentences for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request

from hallmark_dashboard.problems import FieldProblem, Problem, shown

LARGEST = 512 * 1024
"""Bytes of a body; inline rows are 128 KiB at most, and JSON may escape each character."""
LARGEST_ROWS = 8 * 1024 * 1024
"""Bytes of what is sent on to a predictor."""
MOST_FIELDS = 64
_MOST_ERRORS = 20


async def read_body(request: Request, largest: int = LARGEST) -> bytes:
    """Return a body.

    Raises:
        Problem: It is too long.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > largest:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"Expected a body of at most {largest} bytes, found a longer one.",
            )
    return bytes(data)


def media_type(request: Request) -> str:
    """Return the type of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def field_problem(error: ValidationError) -> Problem:
    """Return which fields are wrong, what was expected and what was found."""
    return problem_of(error.errors(include_url=False, include_context=False))


def problem_of(found: Sequence[Mapping[str, Any]]) -> Problem:
    """Return the problem of wrong fields, as pydantic and FastAPI name them."""
    wrong = [
        FieldProblem(
            ".".join(map(str, problem["loc"])) or "(body)",
            _expected(problem["type"], problem["msg"]),
            "nothing" if problem["type"] == "missing" else shown(problem.get("input")),
        )
        for problem in found[:_MOST_ERRORS]
    ]
    first = wrong[0] if wrong else FieldProblem("(body)", "JSON", "something else")
    more = f" {len(found) - 1} more fields are wrong." if len(found) > 1 else ""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{first.field}: expected {first.expected}, found {first.found}.{more}",
        errors=wrong,
    )


def _expected(kind: str, message: str) -> str:
    if kind == "missing":
        return "a value"
    if kind == "extra_forbidden":
        return "no such field"
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def form_of(data: bytes) -> dict[str, str]:
    """Return the fields of a form; one that comes twice is an error.

    Raises:
        Problem: It is none.
    """
    try:
        pairs = parse_qsl(
            data.decode(),
            keep_blank_values=True,
            strict_parsing=bool(data),
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "Expected the fields of a form.") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Problem(HTTPStatus.BAD_REQUEST, "Expected each field of the form once.")
    return fields
