"""A document as a plain struct: what the models of ``structs`` have in common.

A predictor reads and writes a few of the models without pydantic, whose import and classes would be
a third of its start and a fifth of its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from msgspec import MsgspecError, Struct, to_builtins
from msgspec.structs import replace

from hallmark.api.texts import canonical_json

UNREADABLE = (MsgspecError, ValueError, RecursionError)
"""What msgspec raises of bytes that it does not take: a RecursionError where they nest deeply."""


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Like ``ApiModel``, but for unknown fields, which a reader leaves to the model to judge.

    What is read is held to the model's bounds; what is made in the program is not.
    """

    MODEL: ClassVar[str] = ""
    """The module of the model of the same name."""
    CHECKS: ClassVar[Mapping[str, Callable[[str], object]]] = {}
    """By field what must not raise a ValueError."""

    def __post_init__(self) -> None:
        """Hold the fields to what no pattern says.

        Raises:
            ValueError: a field is not what it must be.
        """
        for name, check in self.CHECKS.items():
            value = getattr(self, name)
            if value is not None:
                check(value)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object as it stands in Kubernetes: camelCase, nulls left out."""
        found: dict[str, Any] = _without_nulls(to_builtins(self))
        return found

    def to_bytes(self) -> bytes:
        """Return the document's canonical bytes; its digest is the SHA-256 of these."""
        return canonical_json(self.to_wire())

    def replace(self, **changes: object) -> Self:
        """Return a copy with other values for these fields, by their Python names.

        Raises:
            TypeError: there is no such field.
        """
        return replace(self, **changes)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value
