"""What stands beside a field for the API server to enforce: CEL rules and list types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rule = dict[str, str]
Extra = dict[str, Any]

SET: Extra = {"x-kubernetes-list-type": "set"}
"""A list of distinct values."""


def list_map(*keys: str) -> Extra:
    """Return the marks of a list whose items differ in ``keys``."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def rule(expression: str, message: str, *, field: str = "", found: str = "") -> Rule:
    """Return a CEL rule.

    Args:
        expression: what must hold.
        message: a sentence: what was expected, and what to do.
        field: the field below the rule's place that a refusal names.
        found: a CEL expression of a text, added to the message: what was found instead, each
            word after a space.
    """
    made = {"rule": expression, "message": message}
    if field:
        made["fieldPath"] = f".{field}"
    if found:
        made["messageExpression"] = f'"{message} Found (" + {found} + " )."'
    return made


def cel(*rules: Rule) -> Extra:
    """Return the mark that carries ``rules``."""
    return {"x-kubernetes-validations": list(rules)}


def immutable_but(*mutable: str, also: tuple[Rule, ...] = ()) -> Callable[[Extra], None]:
    """Return a schema hook that freezes every field but ``mutable``.

    A field that may be absent can be neither added nor removed.

    Args:
        mutable: wire names of the fields that may change.
        also: further rules of the same model.
    """

    def extend(schema: Extra) -> None:
        required = schema.get("required", [])
        frozen = [
            rule(
                _unchanged(name, name in required),
                f"'{name}' cannot change; create another object under a new name instead.",
                field=name,
            )
            for name in schema["properties"]
            if name not in mutable
        ]
        schema.update(cel(*also, *frozen))

    return extend


def _unchanged(name: str, required: bool) -> str:
    if required:
        return f"self.{name} == oldSelf.{name}"
    both = f"has(self.{name}) == has(oldSelf.{name})"
    return f"{both} && (!has(self.{name}) || self.{name} == oldSelf.{name})"


FROZEN = rule(
    "self == oldSelf",
    "The spec cannot change; create another object under a new name instead.",
)
"""The rule of a spec of which nothing may change."""

NAME = cel(
    rule(
        "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$')",
        "The name must be at most 52 lower-case letters, digits and '-', because names of other "
        "objects are made from it.",
    )
)
"""The rule of a kind whose names become parts of other names."""

SERVICE_NAME = cel(
    rule(
        "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')",
        "The name must be at most 52 lower-case letters, digits and '-' and begin with a letter, "
        "because the Service is named by it.",
    )
)
"""The rule of a kind whose names become names of Services."""
