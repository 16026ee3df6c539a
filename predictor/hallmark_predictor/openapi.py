"""The OpenAPI document: the routes, and the model's own features, ranges and categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.documents import ServedFeature, ServedSchema
from hallmark.api.texts import VERSION
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.datatypes import NUMBERS
from hallmark_predictor.encoding import MAX_ROWS
from hallmark_predictor.example import example_row, example_tensors
from hallmark_predictor.protocol import BOTH, MAX_ID, WITH_RECEIPT

Document = dict[str, Any]

_TYPES = {
    FeatureType.NUMBER: "number",
    FeatureType.INTEGER: "integer",
    FeatureType.BOOLEAN: "boolean",
    FeatureType.CATEGORY: "string",
}


def document(routes: Sequence[BaseRoute], plane: DataPlane | None) -> Document:
    """Return the document.

    Args:
        routes: The application's.
        plane: Of the model that serves; None while none does.
    """
    paths: Document = {}
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            described = paths.setdefault(route.path, {})
            for verb in sorted(route.methods or ()):
                described[verb.lower()] = _operation(verb, route.path, route.summary or "", plane)
    schema = None if plane is None else plane.model.schema
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hallmark predictor", "version": VERSION},
        "paths": paths,
        "components": {"schemas": {"Refusal": _REFUSAL} | _model_schemas(schema)},
    }


def _operation(verb: str, path: str, summary: str, plane: DataPlane | None) -> Document:
    answers = {"200": "The answer."} | ({"503": "No model serves yet."} if path in _WAITING else {})
    found: Document = {"summary": summary}
    names = [part[1:-1] for part in path.replace(":", "/").split("/") if part.startswith("{")]
    if names:
        answers |= {"404": "Another model or version serves.", "503": "No model serves yet."}
        found["parameters"] = [_path_parameter(name, plane) for name in names]
    if verb == "POST":
        answers |= _REFUSALS
        if plane is not None:
            name = "Inference" if path.endswith("/infer") else "Prediction"
            found["requestBody"] = {"required": True, "content": _json(name)}
    found["responses"] = {
        status: {"description": text} | ({} if status == "200" else {"content": _json("Refusal")})
        for status, text in answers.items()
    }
    media_type = _TEXTS.get(path, "application/json")
    answered = _ANSWERS.get(path.rpartition("/")[2].rpartition(":")[2])
    found["responses"]["200"]["content"] = (
        {media_type: {}} if plane is None or answered is None else _json(answered)
    )
    return found


def _path_parameter(name: str, plane: DataPlane | None) -> Document:
    of: Document = {"type": "string"}
    if plane is not None:
        of["enum"] = [{"name": plane.name, "version": plane.version}[name]]
    return {"name": name, "in": "path", "required": True, "schema": of}


def _json(name: str) -> Document:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


_WAITING = frozenset({"/readyz", "/v2/health/ready"})
_ANSWERS = {"predict": "Predicted", "infer": "Inferred"}
"""What the routes that predict answer, by how their paths end."""
_TEXTS = {"/metrics": "text/plain"}
_REFUSALS = {
    "400": "The body is none as HTTP/1.1 has it.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "415": "The body is no JSON, or of an encoding that is not taken.",
    "422": "What was expected and found, and where.",
    "431": "The trailers of a body in chunks are too long.",
    "503": "No model serves yet, or there is too much to do; try again.",
}
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


_RECEIPT: Document = {
    "description": "Where feedback is declared: what POST /feedback names the answer by.",
    "type": "string",
}
_INFERRED: Document = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"description": "The request's.", "type": "string"},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"enum": [output.name for output in WITH_RECEIPT]},
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "datatype": {"enum": ["BYTES", "FP32"]},
                    "data": {
                        "description": "Row after row; absent where bytes follow the JSON.",
                        "type": "array",
                    },
                    "parameters": {"type": "object"},
                },
            },
        },
    },
}
_OUTPUT: Document = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"enum": [output.name for output in BOTH]},
        "parameters": {"type": "object"},
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
            "examples": [{"instances": [example_row(schema)]}],
            "oneOf": [{"required": ["instances"]}, {"required": ["features"]}],
            "properties": {
                "instances": {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": row},
                "features": row,
            },
        },
        "Inference": {
            "type": "object",
            "examples": [{"inputs": example_tensors(schema)}],
            "required": ["inputs"],
            "properties": {
                "id": {"type": "string", "maxLength": MAX_ID},
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
                            "datatype": {"enum": [*NUMBERS, "BOOL", "BYTES"]},
                            "data": {"type": "array"},
                            "parameters": {"type": "object"},
                        },
                    },
                },
                "outputs": {"type": "array", "items": _OUTPUT},
                "parameters": {"type": "object"},
            },
        },
        "Predicted": _predicted(schema.classes),
        "Inferred": _INFERRED,
    }


def _predicted(classes: Sequence[str]) -> Document:
    """Return what a request of rows is answered with."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    row: Document = {
        "type": "object",
        "required": ["label", "probabilities"],
        "properties": {
            "label": {"enum": [*classes]},
            "probabilities": {
                "description": "Of each class; together they are 1, but for rounding.",
                "type": "object",
                "required": [*classes],
                "additionalProperties": False,
                "properties": dict.fromkeys(classes, share),
            },
            "receipt": _RECEIPT,
        },
    }
    return {
        "type": "object",
        "required": ["predictions", "modelVersion", "manifestDigest"],
        "properties": {
            "predictions": {
                "description": "One for each row, in the request's order.",
                "type": "array",
                "items": row,
            },
            "modelVersion": {"type": "string"},
            "manifestDigest": {
                "description": "Of the bytes that answered.",
                "type": "string",
                "pattern": "^sha256:[0-9a-f]{64}$",
            },
        },
    }


def feature_schema(feature: ServedFeature) -> Document:
    """Return the JSON Schema of a feature's values."""
    kind = _TYPES[feature.type]
    found: Document = {"type": [kind, "null"] if feature.nullable else kind}
    if feature.categories is not None:
        found["enum"] = [*feature.categories, *([None] if feature.nullable else [])]
    if kind in ("number", "integer"):
        # What is declared, or what float32 holds.
        declared = feature.minimum, feature.maximum
        if feature.out_of_range is OutOfRange.ALLOW:
            declared = None, None
        ends = [
            end if said is None else said for said, end in zip(declared, feature.range, strict=True)
        ]
        found |= {"minimum": ends[0], "maximum": ends[1]}
    return found
