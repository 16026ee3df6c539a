"""Bodies of the API: strict JSON, and every unknown field refused, however deep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Body
from fastapi.openapi.models import Example
from pydantic import ValidationError
from starlette.requests import Request

from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark_dashboard.api.schemas import EXAMPLES, Asked
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.security.bodies import field_problem

Model = TypeVar("Model", bound=Asked)


def strict(model: type[Model]) -> Callable[..., Awaitable[Model]]:
    """Return the dependency that reads a body as this model."""
    example: dict[str, Example] = {"example": {"value": EXAMPLES[model]}}

    async def read(request: Request, body: Any = Body(openapi_examples=example)) -> Model:  # noqa: ANN401, B008 - any JSON; how FastAPI takes a body
        del body  # FastAPI reads it for the description; it would let nested fields through
        return parsed(model, await request.body())

    read.__annotations__ = {"request": Request, "body": model, "return": model}
    return read


def parsed(model: type[Model], data: bytes) -> Model:
    """Return the model in JSON.

    Raises:
        Problem: It is no JSON object, or fields are wrong; all of them are named.
    """
    try:
        content = parse_object(data, len(data))
    except UnreadableJSON as error:
        raise Problem(400, f"Expected a JSON object, found {error}.") from error
    try:
        return model.model_validate(content, extra="forbid")
    except ValidationError as error:
        raise field_problem(error) from error
