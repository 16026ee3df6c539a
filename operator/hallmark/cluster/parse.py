"""From an object as the API server sends it to one of our frozen models, or a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from hallmark.api.common import ApiModel
from hallmark.cluster.kinds import Obj
from hallmark.refusal import Refusal

Model = TypeVar("Model", bound=ApiModel)
Inputs = TypeVar("Inputs")


@dataclass(frozen=True)
class Gathered(Generic[Inputs]):
    """An object as it was read, and what a decision about it is made from.

    Args:
        obj: the object.
        inputs: everything that the decision depends on, or why the object cannot be read.
    """

    obj: Obj
    inputs: Inputs | Refusal


def read(model: type[Model], obj: Obj) -> Model | Refusal:
    """Return the object as a model, or which fields are wrong (never what they hold)."""
    try:
        return model.model_validate(obj)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(
                include_url=False, include_input=False, include_context=False
            )
        )
        return Refusal(
            "InvalidSpec",
            f"Expected a valid {obj.get('kind')}, found fields that break its schema: "
            f"{problems[:800]}. Correct them, and bring crds/ to the operator's version.",
        )
