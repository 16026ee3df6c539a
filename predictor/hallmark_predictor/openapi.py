"""The OpenAPI document: the routes, and the model's own features, ranges and categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hallmark.api.artifacts import ServedFeature, ServedSchema
from hallmark.api.common import VERSION
from hallmark.api.training_run import FeatureType, OutOfRange
from hallmark_predictor.encoding import MAX_ROWS

Document = dict[str, Any]
Described = tuple[str, str, str]
"""A route's verb, path and summary."""

_TYPES = {
    FeatureType.NUMBER: "number",
    FeatureType.INTEGER: "integer",
    FeatureType.BOOLEAN: "boolean",
    FeatureType.CATEGORY: "string",
}


def document(routes: Sequence[Described], schema: ServedSchema | None) -> Document:
    """Return the document.

    Args:
        routes: All that there are.
        schema: Of the model that serves; None while none does.
    """
    paths: Document = {}
    for verb, path, summary in routes:
        paths.setdefault(path, {})[verb.lower()] = _operation(verb, path, summary, schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hallmark predictor", "version": VERSION},
        "paths": paths,
        "components": {"schemas": {"Refusal": _REFUSAL} | _model_schemas(schema)},
    }


def _operation(verb: str, path: str, summary: str, schema: ServedSchema | None) -> Document:
    found: Document = {"summary": summary, "responses": {"200": {"description": "The answer."}}}
    names = [part[1:-1] for part in path.replace(":", "/").split("/") if part.startswith("{")]
    if names:
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if verb != "POST":
        return found
    refused = {"description": "What was expected and found.", "content": _json("Refusal")}
    found["responses"] |= dict.fromkeys(("408", "413", "415", "422", "503"), refused)
    if schema is not None:
        content = _json("Inference" if path.endswith("/infer") else "Prediction")
        found["requestBody"] = {"required": True, "content": content}
    return found


def _json(name: str) -> Document:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


_REFUSAL: Document = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "row": {"type": ["integer", "null"]},
                    "expected": {"type": "string"},
                    "found": {"type": "string"},
                },
            },
        },
    },
}


def _model_schemas(schema: ServedSchema | None) -> Document:
    if schema is None:
        return {}
    names = [feature.name for feature in schema.features]
    row = {"$ref": "#/components/schemas/Row"}
    return {
        "Row": {
            "type": "object",
            "required": names,
            "additionalProperties": False,
            "properties": {feature.name: feature_schema(feature) for feature in schema.features},
        },
        "Prediction": {
            "type": "object",
            "additionalProperties": False,
            "oneOf": [{"required": ["instances"]}, {"required": ["features"]}],
            "properties": {
                "instances": {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": row},
                "features": row,
            },
        },
        "Inference": {
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "id": {"type": "string"},
                "inputs": {
                    "description": "One for each feature, or one named 'input' of encoded rows.",
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["name", "shape", "datatype"],
                        "properties": {
                            "name": {"enum": [*names, "input"]},
                            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                            "datatype": {"type": "string"},
                            "data": {"type": "array"},
                            "parameters": {"type": "object"},
                        },
                    },
                },
                "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
                "parameters": {"type": "object"},
            },
        },
    }


def feature_schema(feature: ServedFeature) -> Document:
    """Return the JSON Schema of a feature's values."""
    kind = _TYPES[feature.type]
    found: Document = {"type": [kind, "null"] if feature.nullable else kind}
    if feature.categories is not None:
        found["enum"] = [*feature.categories, *([None] if feature.nullable else [])]
    if feature.out_of_range is OutOfRange.REFUSE:
        limits = {"minimum": feature.minimum, "maximum": feature.maximum}
        found |= {name: limit for name, limit in limits.items() if limit is not None}
    return found
