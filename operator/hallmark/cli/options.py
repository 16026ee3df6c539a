"""What users type: options that several commands have, and the models that check values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from hallmark.errors import ConfigurationError

_UNQUOTABLE = re.compile(r'["\\\x00-\x1f]')

Model = TypeVar("Model", bound=BaseModel)

Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="The namespace (default: the context's)."),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", help="The kubeconfig (default: KUBECONFIG or ~/.kube/config)."),
]
Context = Annotated[str | None, typer.Option("--context", help="The kubeconfig's context.")]
AsUser = Annotated[str | None, typer.Option("--as", help="The user to act as.")]
AsGroups = Annotated[
    list[str] | None, typer.Option("--as-group", help="A group to act in; may be repeated.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the audit log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the object instead of creating it.")]


def require_one_line(values: Mapping[str, str]) -> None:
    """Refuse values that would need an escape in JSON, which admission cannot read.

    Args:
        values: by what the user calls them.

    Raises:
        ConfigurationError: one holds a quote, a backslash or a control character.
    """
    for name, value in values.items():
        if _UNQUOTABLE.search(value):
            raise ConfigurationError(
                f"{name}: expected one line without double quotes and backslashes; found {value!r}."
            )


def checked(model: type[Model], /, **values: object) -> Model:
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
