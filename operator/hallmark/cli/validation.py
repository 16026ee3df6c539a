"""User input against the models, with a sentence where it does not fit."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hallmark.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], **values: object) -> Model:
    """Return the model of the values.

    Raises:
        ConfigurationError: a value does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {first['msg']}; correct it and try again.") from error
