"""Building blocks that every kind shares: base models, bounded types, durations, moments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

from hallmark.api.rules import cel, rule
from hallmark.api.texts import (
    canonical_json,
    readable_duration,
    readable_timestamp,
    sha256_digest,
)


class ApiModel(BaseModel):
    """A part of a custom resource: frozen, camelCase on the wire, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,  # A component uses a few of the models; building all takes long.
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON schema, each field described by the docstring beneath it."""
        from hallmark.api.docstrings import field_docstrings

        whole = handler(schema)
        properties = handler.resolve_ref_schema(whole).get("properties", {})
        texts = field_docstrings(cls)
        for name, field in cls.model_fields.items():
            found = properties.get(field.alias or name)
            if found is not None and name in texts:
                found.setdefault("description", texts[name])
        return whole

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object as it stands in Kubernetes: camelCase, nulls left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def content_digest(self) -> str:
        """Return the digest by which a record names this content.

        A field that has its default counts as left out, so that a later release that knows more
        fields finds the same digest.
        """
        said = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return sha256_digest(canonical_json(said))

    def replace(self, **changes: object) -> Self:
        """Return a copy with other values for these fields, by their Python names; all validated.

        Raises:
            TypeError: there is no such field.
            ValidationError: a value is not of its field's type; nothing is converted.
        """
        fields = type(self).model_fields
        if unknown := sorted(changes.keys() - fields.keys()):
            raise TypeError(f"{type(self).__name__} has no field {', '.join(unknown)}.")
        values = {name: getattr(self, name) for name in fields}
        return self.model_validate({**values, **changes}, strict=True)


def build_models() -> None:
    """Build every model that is imported, for a process whose first decision cannot wait for it."""
    waiting: list[type[ApiModel]] = [ApiModel]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        model.model_rebuild()


class FileModel(ApiModel):
    """A document in a bundle or between components: like ``ApiModel``, unknown fields refused."""

    model_config = ConfigDict(extra="forbid")

    def to_bytes(self) -> bytes:
        """Return the document's canonical bytes; its digest is the SHA-256 of these."""
        return canonical_json(self.to_wire())


Digest = Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$", max_length=71)]
"""A SHA-256 digest as ``sha256:<64 hex digits>``."""

ObjectName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=52)
]
"""A DNS label short enough that children's names (name, dash, suffix) fit 63 characters."""

ForeignName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        min_length=1,
        max_length=253,
    ),
]
"""The name of an object that somebody else made, as Kubernetes takes it: never part of a path."""

Uid = Annotated[str, Field(min_length=1, max_length=64)]
"""A Kubernetes object's uid."""

DecimalString = Annotated[str, Field(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$", max_length=20)]
"""A decimal number as text, such as ``"0.12"``: no floats stand in a spec."""

Risk = Annotated[
    DecimalString,
    Field(
        json_schema_extra=cel(
            rule(
                "double(self) > 0.0 && double(self) <= 1.0",
                "The risk must be above 0 and at most 1, such as '0.01'.",
            )
        )
    ),
]
"""How likely chance alone may ever cause what it is the budget of."""

LONGEST = timedelta(hours=87_600)
"""Ten years, at admission: in seconds it fits every field of a child that it is written into."""
_NOT_TOO_LONG = rule(
    "duration(self) <= duration('87600h')", "The duration must be at most 87600h (ten years)."
)


DurationString = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$",
        max_length=32,
        json_schema_extra=cel(_NOT_TOO_LONG),
    ),
    AfterValidator(readable_duration),
]
"""A duration as Go writes it, such as ``"10m"`` or ``"1h30m"``."""

PositiveDuration = Annotated[
    DurationString,
    Field(
        json_schema_extra=cel(
            _NOT_TOO_LONG,
            rule("duration(self) > duration('0s')", "The duration must be longer than zero."),
        )
    ),
]
"""A duration that is not zero."""

Count = Annotated[int, Field(ge=0, le=2**53 - 1, json_schema_extra={"format": "int64"})]
"""A whole number that every JSON reader reads as it was written."""

Ordinal = Annotated[int, Field(ge=1, le=2**53 - 1, json_schema_extra={"format": "int64"})]
"""A ``Count`` that begins with one."""

ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.\- ]*$", max_length=63)]
"""The name of a column in a dataset."""

WatchedName = Annotated[
    str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_.\- ]*|prediction/(score|label))$", max_length=63)
]
"""The name of a feature, or of what the model says of a row."""

MAX_WATCHED = 258
"""So many of them a version has at most: 256 features, the score and the label."""


class _FirstWrongEnds(FailFast):
    """``FailFast`` that may be in a union, whose parts are hashed."""

    __hash__ = object.__hash__


_Item = TypeVar("_Item")
LongList = Annotated[list[_Item], _FirstWrongEnds()]
"""A list in a file that nothing but the file's length bounds.

The first item that is wrong ends the reading: an error takes a kilobyte, a wrong item two bytes.
"""

ShortText = Annotated[str, Field(max_length=256)]
"""A line of text."""


@dataclass(frozen=True)
class Clipped:
    """The mark of a text that is cut to ``limit`` characters where it is longer.

    For texts that the operator itself writes: a long message is no reason to write no status.
    """

    limit: int

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return a schema that cuts, then holds the text to its bound."""
        bounded = core_schema.str_schema(max_length=self.limit)
        return core_schema.no_info_before_validator_function(self._cut, bounded)

    def _cut(self, text: object) -> object:
        return text[: self.limit] if isinstance(text, str) else text


LongText = Annotated[str, Field(max_length=1024)]
"""A sentence or a few, for people."""

UserName = Annotated[str, Field(min_length=1, max_length=253)]
"""A user's name as the API server authenticates it."""


_CALENDAR = (
    r"^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z$"
)
"""Beside the API server's check of a ``date-time``, which knows the months, and a year 0."""

Timestamp = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
        max_length=32,
        # Stricter at admission than where it is read: what came in before is read all the same.
        json_schema_extra={"format": "date-time", "pattern": _CALENDAR},
    ),
    AfterValidator(readable_timestamp),
]
"""A moment in UTC, RFC 3339 with ``Z``; at admission from 1970 to 9999, without leap seconds."""


class ObjectMeta(ApiModel):
    """The part of an object's metadata that is read."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class NamespacedMeta(ObjectMeta):
    """The metadata of an object in a namespace, which the API server guarantees."""

    namespace: Annotated[str, Field(min_length=1)]


class Resource(ApiModel):
    """The frame around every kind's ``spec`` and ``status``."""

    api_version: Literal["hallmark.dev/v1alpha1"] = "hallmark.dev/v1alpha1"
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)


class NamespacedResource(Resource):
    """The frame of a kind whose objects live in a namespace."""

    metadata: NamespacedMeta
