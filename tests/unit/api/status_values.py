"""Statuses of every kind, drawn from the models: whatever the operator's code can build."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from hallmark.api.common import Resource
from hallmark.api.conditions import ConditionedStatus
from hallmark.api.texts import timestamp

Schema = dict[str, Any]
MOST = 3
"""Entries of a list or a map that are drawn; its bound is the schema's business."""
LARGEST = 2**53 - 1
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def statuses(kind: type[Resource]) -> st.SearchStrategy[ConditionedStatus]:
    """Return a strategy of a kind's whole statuses."""
    model = kind.model_fields["status"].annotation
    assert isinstance(model, type)
    assert issubclass(model, ConditionedStatus)
    schema = model.model_json_schema()
    return _of(schema, schema.get("$defs", {})).map(model.model_validate)


def values_of(kind: type[Resource], part: str, field: str) -> st.SearchStrategy[Any]:
    """Return a strategy of the values of one field of a kind's spec or status, in wire form."""
    model = kind.model_fields[part].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    schema = model.model_json_schema()
    return _of(schema["properties"][field], schema.get("$defs", {}))


def _of(schema: Schema, definitions: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _of(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "anyOf" in schema:
        return st.one_of(*(_of(choice, definitions) for choice in schema["anyOf"]))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", LARGEST))
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "string":
            return _text(schema)
        case "array":
            return _list(schema, definitions)
        case _:
            return _map(schema, definitions)


def _text(schema: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 64)
    if schema.get("format") == "date-time":
        return MOMENTS.map(timestamp)
    if "pattern" in schema:
        drawn = st.from_regex(schema["pattern"], fullmatch=True)
        return drawn.filter(lambda text: least <= len(text) <= most)
    # Long texts too: their bound is the point.
    letters = st.characters(codec="utf-8", exclude_characters="\x00")
    return st.text(letters, min_size=least, max_size=min(most, 20)) | st.just("é" * most)


def _list(schema: Schema, definitions: Schema) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    is_set = schema.get("x-kubernetes-list-type") == "set"
    unique = (
        (lambda item: tuple(item.get(key) for key in keys)) if keys else repr if is_set else None
    )
    most = min(MOST, schema.get("maxItems", MOST))
    return st.lists(_of(schema["items"], definitions), max_size=most, unique_by=unique)


def _map(schema: Schema, definitions: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        keys = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
        values = _of(schema["additionalProperties"], definitions)
        return st.dictionaries(keys, values, max_size=MOST)
    required = schema.get("required", [])
    fields = {name: _of(child, definitions) for name, child in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: drawn for name, drawn in fields.items() if name not in required},
    )
